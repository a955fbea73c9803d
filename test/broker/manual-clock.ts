/**
 * A clock that a test moves by hand. Timers that are due are called in the order of their times, inside `advance`, or all
 * of them late, inside `stall`.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Timer } from '../../src/base/clock.ts';

interface SetTimer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** As the broker's own clock leaves what is shorter out. */
const unheardFromMs = 100;

/** When a turn ends: each call is one, so that tests see at once what follows from it, or those of Node's event loop are. */
export type Turns = 'each call' | 'real';

export class ManualClock implements Clock {
  readonly #timers = new Set<SetTimer>();
  readonly #startMs: number;
  readonly #turns: Turns;
  #elapsedMs = 0;
  #heldUpMs = 0;
  /** What is to come after the turn that timers were called in; null between such turns. */
  #turnEnds: (() => void)[] | null = null;

  constructor(turns: Turns = 'real', startMs = Date.UTC(2026, 0, 1)) {
    this.#turns = turns;
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  heardMs(): number {
    return this.#elapsedMs - this.#heldUpMs;
  }

  attend(): Timer {
    return { cancel: () => {} };
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#elapsedMs + Math.max(delayMs, 0), callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  afterTurn(callback: () => void): void {
    if (this.#turnEnds !== null) this.#turnEnds.push(callback);
    else if (this.#turns === 'real') setImmediate(callback);
    else callback();
  }

  /** Timers that are set and have neither fired nor been cancelled. */
  get pendingCount(): number {
    return this.#timers.size;
  }

  /**
   * Lets `ms` milliseconds pass and calls what falls due meanwhile; a timer set by another counts as well. What each puts off
   * until after the turn comes right behind it, also what that puts off.
   */
  advance(ms: number): void {
    const untilMs = this.#elapsedMs + ms;
    for (let next = this.#nextUntil(untilMs); next !== null; next = this.#nextUntil(untilMs)) {
      this.#timers.delete(next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
      const { callback } = next;
      let atEnd = this.#turn(() => callback());
      while (atEnd.length > 0) {
        const calls = atEnd;
        atEnd = this.#turn(() => {
          for (const call of calls) call();
        });
      }
    }
    this.#elapsedMs = untilMs;
  }

  /** Lets `ms` milliseconds pass within a call that takes so long: timers that fall due meanwhile come with the next `advance`. */
  pass(ms: number): void {
    this.#elapsedMs += ms;
    if (ms >= unheardFromMs) this.#heldUpMs += ms;
  }

  /**
   * Lets `ms` milliseconds pass in which the thread does nothing. Then come, as in Node's event loop, the timers that fell due
   * meanwhile, what came in meanwhile, which `read` is, and what was to come after the turn.
   */
  async stall(ms: number, read: () => unknown = () => {}): Promise<void> {
    this.pass(ms);
    const untilMs = this.#elapsedMs;
    const overdue = [...this.#timers].filter(({ atMs }) => atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs);
    const turnEnds = this.#turn(() => {
      // One that was called before may have cancelled it.
      for (const timer of overdue) if (this.#timers.delete(timer)) timer.callback();
    });
    await read();
    for (const atEnd of turnEnds) atEnd();
    await nextTurn();
  }

  /** What `call` puts off until after the turn. */
  #turn(call: () => void): (() => void)[] {
    const outer = this.#turnEnds;
    const turnEnds: (() => void)[] = [];
    this.#turnEnds = turnEnds;
    call();
    this.#turnEnds = outer;
    return turnEnds;
  }

  #nextUntil(untilMs: number): SetTimer | null {
    let next: SetTimer | null = null;
    for (const timer of this.#timers) {
      if (timer.atMs <= untilMs && (next === null || timer.atMs < next.atMs)) next = timer;
    }
    return next;
  }
}
