/**
 * A rate over sliding windows, as Kafka's quotas measure it: what came within the last few windows, divided by the time
 * that they cover, of which all but the current count as full from the start. Any thread.
 *
 *   │ window │ window │ … │ current ›   the sum of all, over at least (count - 1) windows
 *
 * So a burst at the beginning is not taken for a high rate.
 */

import { assert } from '../../base/assert.ts';

const nothingYet = -1;

export class WindowedRate {
  readonly #windowMs: number;
  readonly #sums: Float64Array;
  readonly #startsMs: Float64Array;
  #current = 0;

  /** `count` windows of `windowMs` each. */
  constructor(count: number, windowMs: number) {
    assert(count > 0 && windowMs > 0, 'a rate is measured over time');
    this.#windowMs = windowMs;
    this.#sums = new Float64Array(count);
    this.#startsMs = new Float64Array(count).fill(nothingYet);
  }

  /** Counts `amount` at `nowMs`, monotonic; a negative amount takes back what was counted. */
  record(amount: number, nowMs: number): void {
    const startMs = this.#startsMs[this.#current]!;
    if (startMs === nothingYet) this.#begin(this.#current, nowMs);
    else if (nowMs - startMs >= this.#windowMs) this.#begin((this.#current + 1) % this.#sums.length, nowMs);
    this.#sums[this.#current]! += amount;
  }

  /** What comes a second, at `nowMs`. */
  perSecond(nowMs: number): number {
    this.#forget(nowMs);
    let sum = 0;
    for (const one of this.#sums) sum += one;
    return sum / (this.coveredMs(nowMs) / 1000);
  }

  /** For how long nothing may come until the rate is within `limitPerSecond`, in milliseconds; 0 where it is. */
  aboveMs(limitPerSecond: number, nowMs: number): number {
    const perSecond = this.perSecond(nowMs);
    if (perSecond <= limitPerSecond) return 0;
    return ((perSecond - limitPerSecond) / limitPerSecond) * this.coveredMs(nowMs);
  }

  /** The time that `perSecond` looks at, in milliseconds. */
  coveredMs(nowMs: number): number {
    let oldestMs = nowMs;
    for (const startMs of this.#startsMs) if (startMs !== nothingYet) oldestMs = Math.min(oldestMs, startMs);
    const elapsedMs = nowMs - oldestMs;
    const missing = this.#sums.length - 1 - Math.floor(elapsedMs / this.#windowMs);
    return Math.max(elapsedMs + Math.max(missing, 0) * this.#windowMs, 1);
  }

  /** Whether nothing that was counted counts any more. */
  isIdle(nowMs: number): boolean {
    this.#forget(nowMs);
    return this.#startsMs.every((startMs) => startMs === nothingYet);
  }

  #begin(window: number, nowMs: number): void {
    this.#current = window;
    this.#startsMs[window] = nowMs;
    this.#sums[window] = 0;
  }

  #forget(nowMs: number): void {
    const reachMs = this.#sums.length * this.#windowMs;
    for (let i = 0; i < this.#sums.length; i++) {
      if (this.#startsMs[i] === nothingYet || nowMs - this.#startsMs[i]! < reachMs) continue;
      this.#startsMs[i] = nothingYet;
      this.#sums[i] = 0;
    }
  }
}
