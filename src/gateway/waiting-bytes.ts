/**
 * How much waits on its way to the log, and who holds back because of it. I/O thread; of a publisher, or of a part of it.
 *
 *   below the bound ──more comes──► crowded: who asks is told to stop ──half the bound left──► all of them go on
 *
 * A share of a whole has a bound of its own, and counts in the whole: it is crowded with either.
 */

import type { PublishStream } from './publish-stream.ts';

export class WaitingBytes {
  readonly #most: number;
  readonly #tellSoon: (stream: PublishStream) => void;
  readonly #whole: WaitingBytes | null;
  #streams = new Set<PublishStream>();
  #calls: (() => void)[] = [];
  #count = 0;

  /** `most`: the bound, in bytes. `tellSoon` has a stream look whether it may go on. `whole`: what it is a share of. */
  constructor(most: number, tellSoon: (stream: PublishStream) => void, whole: WaitingBytes | null = null) {
    this.#most = most;
    this.#tellSoon = tellSoon;
    this.#whole = whole;
  }

  get count(): number {
    return this.#count;
  }

  get crowded(): boolean {
    return this.#count > this.#most || this.#whole?.crowded === true;
  }

  add(sizeBytes: number): void {
    this.#count += sizeBytes;
    this.#whole?.add(sizeBytes);
  }

  /** Bytes went on their way, or will never. */
  leave(sizeBytes: number): void {
    this.#count -= sizeBytes;
    this.#whole?.leave(sizeBytes);
    if (this.#count > this.#most / 2) return;
    if (this.#streams.size > 0) {
      const streams = this.#streams;
      this.#streams = new Set();
      for (const stream of streams) this.#tellSoon(stream);
    }
    if (this.#calls.length > 0) {
      const calls = this.#calls;
      this.#calls = [];
      for (const call of calls) call();
    }
  }

  /** Has `stream` told, where this is crowded, once it may not be any more. */
  wakeLater(stream: PublishStream): void {
    this.#crowdedPart.#streams.add(stream);
  }

  /** Resolves, where this is crowded, once it may not be any more: others may have been quicker. */
  someLeft(): Promise<void> {
    return new Promise((resolve) => this.#crowdedPart.#calls.push(resolve));
  }

  /** Whose bound is reached: its own, or that of the whole. */
  get #crowdedPart(): WaitingBytes {
    return this.#whole === null || this.#count > this.#most ? this : this.#whole.#crowdedPart;
  }
}
