/**
 * A bucket of tokens that fills at a rate up to a burst (KIP-599): for work that comes in large lumps, such as topics of
 * many partitions. Any thread. The bucket may go below empty once; then nothing is given until it has filled up.
 */

export class TokenBucket {
  #tokens = 0;
  #filledAtMs = -Infinity;

  /** What is in the bucket at `nowMs`, monotonic; below zero: what is owed. */
  tokens(ratePerSecond: number, burst: number, nowMs: number): number {
    const elapsedSeconds = (nowMs - this.#filledAtMs) / 1000;
    this.#tokens = Math.min(burst, this.#tokens + ratePerSecond * elapsedSeconds);
    this.#filledAtMs = nowMs;
    return this.#tokens;
  }

  /** Takes `count` out of what `tokens` has just told. */
  take(count: number): void {
    this.#tokens -= count;
  }
}
