/**
 * Turns of fetches that name many partitions, so that a crowd of them neither takes the thread nor the memory from those
 * that name few. I/O thread.
 *
 *   frame ─ admit ─▶ decoded ─ run: examine ─▶ (waits for bytes, for memory) ─ run: read ─▶ answered
 *             ▲ a large one waits here, as bytes,  ▲ one at a time, and a turn of the event loop between two
 *               while any has or waits for a turn
 *
 * What a decoded fetch of 10,000 partitions takes is some megabytes and tens of milliseconds. One of few partitions never
 * waits here. It does not look into frames.
 */

import type { Clock } from '../base/clock.ts';

/** From so many partitions on a fetch waits for its turn. */
export const widePartitions = 500;
/** A frame of so many bytes may name as many. */
const wideFrameBytes = 16 * 1024;

export class FetchTurns {
  readonly #clock: Clock;
  /** Whether one has the turn, or the turn of the loop behind it has not come yet. */
  #isTaken = false;
  /** Decoded, in the order of their coming. */
  readonly #decoded: (() => void)[] = [];
  /** Frames that were held back. */
  readonly #held: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those that wait, decoded and not. */
  get waitingCount(): number {
    return this.#decoded.length + this.#held.length;
  }

  /** Whether a fetch whose frame has `frameBytes` may be decoded now; where not, `proceed` is called once it may. */
  admit(frameBytes: number, proceed: () => void): boolean {
    if (frameBytes < wideFrameBytes || (!this.#isTaken && this.#decoded.length === 0)) return true;
    this.#held.push(proceed);
    return false;
  }

  /** Does `work`, which is a step of a fetch of `partitionCount` partitions, in its turn: at once or later. */
  run<Result>(partitionCount: number, work: () => Result | Promise<Result>): Result | Promise<Result> {
    return partitionCount < widePartitions ? work() : this.#runInTurn(work);
  }

  async #runInTurn<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    if (this.#isTaken) await new Promise<void>((resolve) => this.#decoded.push(resolve));
    this.#isTaken = true;
    try {
      return await work();
    } finally {
      // Everybody else first: what came meanwhile is served before the next of these.
      this.#clock.setTimer(0, () => this.#next());
    }
  }

  #next(): void {
    this.#isTaken = false;
    const next = this.#decoded.shift();
    if (next !== undefined) {
      // It goes on in a microtask, before which another might come.
      this.#isTaken = true;
      return next();
    }
    // One that is not wide after all, or whose connection has ended, takes no turn.
    while (!this.#isTaken && this.#held.length > 0) this.#held.shift()!();
  }
}
