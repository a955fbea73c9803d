/**
 * A moment that is put off again and again, such as the end of a member's session. I/O thread.
 * Putting it off moves a number and leaves the timer alone; a timer that fires too early is set again for what is left.
 * So a heartbeat costs neither a timer nor anything that grows with the number of members.
 */

import type { Clock, Timer } from '../../base/clock.ts';

export class Deadline {
  readonly #clock: Clock;
  readonly #passed: () => void;
  /** Monotonic milliseconds; null while nothing is due. */
  #dueMs: number | null = null;
  #timer: Timer | null = null;
  #timerDueMs = 0;

  /** `passed` is called once for each time that the deadline was set and then neither moved on nor cleared. */
  constructor(clock: Clock, passed: () => void) {
    this.#clock = clock;
    this.#passed = passed;
  }

  get isSet(): boolean {
    return this.#dueMs !== null;
  }

  /** Sets the deadline to `delayMs` milliseconds from now, wherever it was before. */
  set(delayMs: number): void {
    const dueMs = this.#clock.monotonicMs() + Math.max(delayMs, 0);
    this.#dueMs = dueMs;
    if (this.#timer === null || this.#timerDueMs > dueMs) this.#startTimer(delayMs);
  }

  /** Nothing is due any more. */
  clear(): void {
    this.#dueMs = null;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #startTimer(delayMs: number): void {
    this.#timer?.cancel();
    this.#timerDueMs = this.#clock.monotonicMs() + Math.max(delayMs, 0);
    this.#timer = this.#clock.setTimer(delayMs, () => this.#fired());
  }

  #fired(): void {
    this.#timer = null;
    if (this.#dueMs === null) return;
    const leftMs = this.#dueMs - this.#clock.monotonicMs();
    if (leftMs > 0) {
      this.#startTimer(Math.ceil(leftMs));
      return;
    }
    this.#dueMs = null;
    this.#passed();
  }
}
