/**
 * The blocks of all feeds that were read last: what readers at about the same place share, and what slow ones take in
 * small parts without having it read and taken apart again. I/O thread. Those used least recently go first.
 */

import type { RecordBlock } from './record-block.ts';

/** What all blocks may keep alive together. */
const defaultMaxBytes = 64 * 1024 * 1024;

/** Who holds a block. */
export interface BlockHolder {
  forget(block: RecordBlock): void;
}

export class BlockCache {
  readonly #maxBytes: number;
  /** The one used least recently first. */
  readonly #holders = new Map<RecordBlock, BlockHolder>();
  #sizeBytes = 0;

  constructor(maxBytes = defaultMaxBytes) {
    this.#maxBytes = maxBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Takes a block in; others may have to go, also of other holders. */
  add(block: RecordBlock, holder: BlockHolder): void {
    this.#holders.set(block, holder);
    this.#sizeBytes += block.sizeBytes;
    for (const [oldest, its] of this.#holders) {
      if (this.#sizeBytes <= this.#maxBytes || oldest === block) return;
      this.remove(oldest);
      its.forget(oldest);
    }
  }

  /** It was asked for again. */
  used(block: RecordBlock): void {
    const holder = this.#holders.get(block);
    if (holder === undefined) return;
    this.#holders.delete(block);
    this.#holders.set(block, holder);
  }

  remove(block: RecordBlock): void {
    if (this.#holders.delete(block)) this.#sizeBytes -= block.sizeBytes;
  }
}
