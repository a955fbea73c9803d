/**
 * For how long a thread heard anybody: time that stands while the thread is held up, by a disk that hangs, a process that was
 * suspended, or work in one piece. Any thread; it is for the one whose timers it sets.
 *
 *   monotonic   0 ────── 100 ────── 200 ─ ─ ─ held up ─ ─ ─ 9000 ── 9100
 *   ticks          due, came   due, came        due 300, came 9000
 *   heard       0 ────── 100 ────── 200 ────── 400 ──────── 400 ─── 500
 *
 * A timer that is set again and again says how long each turn of the event loop took: what it is late beyond what load alone
 * makes it is time in which nobody was heard. So a hold-up counts wherever it falls, but for its first one to two tenths of a
 * second. It sets no timer while nobody attends.
 */

import type { Clock, Timer } from './clock.ts';

/** Between two ticks: what a hold-up can last unseen, and ten wake-ups a second of a thread that has nothing to do. */
const tickMs = 100;
/** So late a tick may be without anybody being taken for unheard. */
const tolerableMs = 100;

export class HoldUpMeter {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'setTimer'>;
  /** Without that of the tick that is due. */
  #heldUpMs = 0;
  #attending = 0;
  #tick: Timer | null = null;
  #tickDueMs = Infinity;

  constructor(clock: Pick<Clock, 'monotonicMs' | 'setTimer'>) {
    this.#clock = clock;
  }

  /** Milliseconds, with fractions, from an arbitrary start. It never goes back, and stands while the thread is held up. */
  heardMs(): number {
    const nowMs = this.#clock.monotonicMs();
    return nowMs - this.#heldUpMs - this.#missedMs(nowMs);
  }

  /** Has hold-ups be seen until the attendance is cancelled; of those outside any attendance nothing is known. */
  attend(): Timer {
    if (this.#attending++ === 0) this.#await();
    let isOver = false;
    return {
      cancel: () => {
        if (isOver) return;
        isOver = true;
        if (--this.#attending === 0) this.#end();
      },
    };
  }

  #await(): void {
    this.#tickDueMs = this.#clock.monotonicMs() + tickMs;
    this.#tick = this.#clock.setTimer(tickMs, () => {
      this.#count();
      this.#await();
    });
  }

  #end(): void {
    this.#count();
    this.#tick?.cancel();
    this.#tick = null;
    this.#tickDueMs = Infinity;
  }

  #count(): void {
    this.#heldUpMs += this.#missedMs(this.#clock.monotonicMs());
  }

  /** What the tick that is due has been missed for beyond what is tolerable. */
  #missedMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#tickDueMs - tolerableMs);
  }
}
