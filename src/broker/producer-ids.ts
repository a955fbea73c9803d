/**
 * Hands out producer ids, from blocks that are made durable before the first id of each is used. I/O thread.
 * After a crash the rest of a block is lost, so no id is ever given twice. It does not know where blocks are kept.
 */

import { assert } from '../base/assert.ts';

/** Ids per block, as in Kafka. */
export const producerIdBlockSize = 1000;

export class ProducerIds {
  readonly #claimBlock: () => Promise<number>;
  #next = 0;
  #endExclusive = 0;
  #claiming: Promise<void> | null = null;

  /**
   * `claimBlock` durably takes the next block and resolves with its first id; where it rejects, so do the calls of
   * `next` that waited for it, and the next call tries again.
   */
  constructor(claimBlock: () => Promise<number>) {
    this.#claimBlock = claimBlock;
  }

  /** A producer id that was never given before. */
  async next(): Promise<number> {
    while (this.#next === this.#endExclusive) {
      this.#claiming ??= this.#claim();
      await this.#claiming;
    }
    return this.#next++;
  }

  async #claim(): Promise<void> {
    try {
      const first = await this.#claimBlock();
      assert(first >= this.#endExclusive && Number.isSafeInteger(first), 'blocks of producer ids only rise');
      this.#next = first;
      this.#endExclusive = first + producerIdBlockSize;
    } finally {
      this.#claiming = null;
    }
  }
}
