/**
 * The deadlines of one member of a consumer group. I/O thread.
 */

import type { Clock } from '../../../base/clock.ts';
import { Deadline } from '../deadline.ts';

/** Each ends a member's time in the group; the sentence goes into the log. */
const reasons = {
  /** Nothing was heard from it. */
  session: 'its session ended',
  /** It was told to give partitions up. */
  rebalance: 'it did not give up its partitions in time',
  /** It speaks the classic protocol, and was told to join again. */
  join: 'it did not join again in time',
  /** It speaks the classic protocol, and has joined. */
  sync: 'it did not sync in time',
} as const;

export type MemberTimer = keyof typeof reasons;

export class MemberTimers {
  readonly #clock: Clock;
  readonly #passed: (reason: string) => void;
  readonly #deadlines = new Map<MemberTimer, Deadline>();

  constructor(clock: Clock, passed: (reason: string) => void) {
    this.#clock = clock;
    this.#passed = passed;
  }

  isSet(timer: MemberTimer): boolean {
    return this.#deadlines.get(timer)?.isSet === true;
  }

  set(timer: MemberTimer, delayMs: number): void {
    let deadline = this.#deadlines.get(timer);
    if (deadline === undefined) {
      deadline = new Deadline(this.#clock, () => this.#passed(reasons[timer]));
      this.#deadlines.set(timer, deadline);
    }
    deadline.set(delayMs);
  }

  clear(timer: MemberTimer): void {
    this.#deadlines.get(timer)?.clear();
  }

  clearAll(): void {
    for (const deadline of this.#deadlines.values()) deadline.clear();
  }
}
