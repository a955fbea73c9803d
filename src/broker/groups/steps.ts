/**
 * Work that goes in steps, so that it can be done beside requests: others wait for no more than one step. I/O thread.
 * What it was given must not change meanwhile.
 */

import type { Clock } from '../../base/clock.ts';

/** Yields after each step; what it comes to is its result. */
export type Steps<Result> = Generator<void, Result, void>;

/** So many elements are looked at in a step, a few milliseconds. */
const looksPerStep = 1000;

/** When a step is over. */
export class Pace {
  #looks = 0;

  /** Takes each element; those that `looksOf` says are looked at on the way count too. */
  *over<T>(elements: Iterable<T>, take: (element: T) => void, looksOf?: (element: T) => number): Steps<void> {
    for (const element of elements) {
      this.#looks += 1 + (looksOf?.(element) ?? 0);
      if (this.#looks >= looksPerStep) {
        this.#looks = 0;
        yield;
      }
      take(element);
    }
  }
}

/** Takes all steps at once. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Takes a step a turn of the event loop; null once `isNeeded` says that nobody needs what they come to. */
export async function inTurns<Result>(
  steps: Steps<Result>,
  clock: Clock,
  isNeeded: () => boolean,
): Promise<Result | null> {
  for (;;) {
    await new Promise<void>((resolve) => void clock.setTimer(0, resolve));
    if (!isNeeded()) return null;
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}
