/**
 * A clock that a test moves by hand. Timers that are due are called in the order of their times, inside `advance`, or all
 * of them late, inside `stall`.
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
  #turnEnds: (() => void)[] = [];

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

  afterTurn(callback: () => void): void {
    this.#turnEnds.push(callback);
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
      this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
      next.callback();
      this.#endTurn();
    }
    this.#elapsedMs = untilMs;
  }

  /** Lets `ms` milliseconds pass within a call that takes so long: timers that fall due meanwhile come with the next `advance`. */
  pass(ms: number): void {
    this.#elapsedMs += ms;
  }

  /**
   * Lets `ms` milliseconds pass in which the thread does nothing. Then come, as in Node's event loop, the timers that fell due
   * meanwhile, what came in meanwhile, which `read` is, and what was to come after the turn.
   */
  async stall(ms: number, read: () => unknown = () => {}): Promise<void> {
    this.pass(ms);
    const untilMs = this.#elapsedMs;
    const overdue = [...this.#timers].filter(({ atMs }) => atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs);
    for (const timer of overdue) {
      // One that was called before may have cancelled it.
      if (this.#timers.delete(timer)) timer.callback();
    }
    await read();
    this.#endTurn();
  }

  #endTurn(): void {
    for (const callback of this.#turnEnds.splice(0)) callback();
  }

  #nextUntil(untilMs: number): SetTimer | null {
    let next: SetTimer | null = null;
    for (const timer of this.#timers) {
      if (timer.atMs <= untilMs && (next === null || timer.atMs < next.atMs)) next = timer;
    }
    return next;
  }
}
