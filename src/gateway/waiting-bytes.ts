/**
 * How much waits on its way to the log, and who holds back because of it. I/O thread, one per publisher.
 *
 *   below the bound ──more comes──► crowded: who asks is told to stop ──half the bound left──► all of them go on
 */

import type { PublishStream } from './publish-stream.ts';

export class WaitingBytes {
  readonly #most: number;
  readonly #tellSoon: (stream: PublishStream) => void;
  #streams = new Set<PublishStream>();
  #calls: (() => void)[] = [];
  #count = 0;

  /** `most`: the bound, in bytes. `tellSoon` has a stream look whether it may go on. */
  constructor(most: number, tellSoon: (stream: PublishStream) => void) {
    this.#most = most;
    this.#tellSoon = tellSoon;
  }

  get count(): number {
    return this.#count;
  }

  get crowded(): boolean {
    return this.#count > this.#most;
  }

  add(sizeBytes: number): void {
    this.#count += sizeBytes;
  }

  /** Bytes went on their way, or will never. */
  leave(sizeBytes: number): void {
    this.#count -= sizeBytes;
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

  /** Has `stream` told once it is not crowded any more. */
  wakeLater(stream: PublishStream): void {
    this.#streams.add(stream);
  }

  /** Resolves once it may not be crowded any more: others may have been quicker. */
  someLeft(): Promise<void> {
    return new Promise((resolve) => this.#calls.push(resolve));
  }
}
