/**
 * A moment that is put off again and again, such as the end of a member's session. I/O thread.
 * Putting it off moves a number and leaves the timer alone; a timer that fires too early is set again for what is left.
 * So a heartbeat costs neither a timer nor anything that grows with the number of members.
 *
 * It is a moment of the time in which this thread could hear (`Clock.heardMs`), and passes after what came in was read: who is
 * waited for loses nothing of that where the thread was held up, by a disk that hung or a process that was suspended.
 */

import type { Clock, Timer } from '../../base/clock.ts';
import { setPatientTimer } from '../../base/patient-timer.ts';

export class Deadline {
  readonly #clock: Clock;
  readonly #passed: (heardUntilMs: number) => void;
  /** By `heardMs`; null while nothing is due. */
  #dueMs: number | null = null;
  #timer: Timer | null = null;
  #timerDueMs = 0;

  /**
   * `passed` is called once for each time that the deadline was set and then neither moved on nor cleared, with the time of
   * `clock.heardMs` up to which everything that came in was read.
   */
  constructor(clock: Clock, passed: (heardUntilMs: number) => void) {
    this.#clock = clock;
    this.#passed = passed;
  }

  get isSet(): boolean {
    return this.#dueMs !== null;
  }

  /** Sets the deadline to `delayMs` milliseconds from now, wherever it was before. */
  set(delayMs: number): void {
    this.setAt(this.#clock.heardMs() + Math.max(delayMs, 0));
  }

  /** Sets the deadline to a time of `clock.heardMs`, wherever it was before; one that lies behind passes soon. */
  setAt(dueMs: number): void {
    this.#dueMs = dueMs;
    if (this.#timer === null || this.#timerDueMs > dueMs) this.#startTimer();
  }

  /** Nothing is due any more. */
  clear(): void {
    this.#dueMs = null;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #startTimer(): void {
    this.#timer?.cancel();
    this.#timerDueMs = this.#dueMs!;
    const leftMs = this.#timerDueMs - this.#clock.heardMs();
    this.#timer = setPatientTimer(this.#clock, leftMs, (heardUntilMs) => this.#fired(heardUntilMs));
  }

  #fired(heardUntilMs: number): void {
    this.#timer = null;
    if (this.#dueMs === null) return;
    // What fell due since then may have been put off by what has come in since, and was not read.
    if (this.#dueMs > heardUntilMs) {
      this.#startTimer();
      return;
    }
    this.#dueMs = null;
    this.#passed(heardUntilMs);
  }
}
