/**
 * A moment that is put off again and again, such as the end of a member's session. I/O thread.
 * Putting it off moves a number and leaves the timer alone; a timer that fires too early is set again for what is left.
 * So a heartbeat costs neither a timer nor anything that grows with the number of members.
 *
 * Where this thread was held up when it fell due, by a disk that hung or a process that was suspended, whoever is waited
 * for was not heard meanwhile: it passes after what came in was read, and is put off once by the time that was lost, though
 * by no more than it was last set to. Who sets it to what is left of something longer is granted no more than that.
 */

import type { Clock, Timer } from '../../base/clock.ts';
import { setPatientTimer } from '../../base/patient-timer.ts';

export class Deadline {
  readonly #clock: Clock;
  readonly #passed: () => void;
  /** Monotonic milliseconds; null while nothing is due. */
  #dueMs: number | null = null;
  #delayMs = 0;
  /** It was put off for a time in which nobody was heard. */
  #isGranted = false;
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
    this.#delayMs = delayMs;
    this.#isGranted = false;
    if (this.#timer === null || this.#timerDueMs > dueMs) this.#startTimer(Math.max(delayMs, 0));
  }

  /** Nothing is due any more. */
  clear(): void {
    this.#dueMs = null;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #startTimer(delayMs: number): void {
    this.#timer?.cancel();
    this.#timerDueMs = this.#clock.monotonicMs() + delayMs;
    this.#timer = setPatientTimer(this.#clock, delayMs, (heldUpMs, heardUntilMs) =>
      this.#fired(heldUpMs, heardUntilMs),
    );
  }

  #fired(heldUpMs: number, heardUntilMs: number): void {
    this.#timer = null;
    if (this.#dueMs === null) return;
    const nowMs = this.#clock.monotonicMs();
    if (heldUpMs > 0 && !this.#isGranted && this.#dueMs <= heardUntilMs) {
      this.#isGranted = true;
      // No more than if it had been set just now.
      this.#dueMs = nowMs + Math.min(heldUpMs, this.#delayMs);
    }
    // What fell due since then may have been put off by what has come in since, and was not read.
    if (this.#dueMs > heardUntilMs) {
      this.#startTimer(Math.ceil(this.#dueMs - nowMs));
      return;
    }
    this.#dueMs = null;
    this.#passed();
  }
}
