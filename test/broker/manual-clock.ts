/**
 * A clock that a test moves by hand. Timers that are due are called in the order of their times, inside `advance`.
 */

import type { Clock, Timer } from '../../src/base/clock.ts';

interface SetTimer {
  readonly atMs: number;
  readonly callback: () => void;
}

export class ManualClock implements Clock {
  readonly #timers = new Set<SetTimer>();
  readonly #startMs: number;
  #elapsedMs = 0;

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#elapsedMs + Math.max(delayMs, 0), callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Timers that are set and have neither fired nor been cancelled. */
  get pendingCount(): number {
    return this.#timers.size;
  }

  /** Lets `ms` milliseconds pass and calls what falls due meanwhile; a timer set by another counts as well. */
  advance(ms: number): void {
    const untilMs = this.#elapsedMs + ms;
    for (let next = this.#nextUntil(untilMs); next !== null; next = this.#nextUntil(untilMs)) {
      this.#timers.delete(next);
      this.#elapsedMs = next.atMs;
      next.callback();
    }
    this.#elapsedMs = untilMs;
  }

  #nextUntil(untilMs: number): SetTimer | null {
    let next: SetTimer | null = null;
    for (const timer of this.#timers) {
      if (timer.atMs <= untilMs && (next === null || timer.atMs < next.atMs)) next = timer;
    }
    return next;
  }
}
