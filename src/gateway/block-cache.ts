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
  /** The one used least recently first; with what it counted for then. */
  readonly #blocks = new Map<RecordBlock, { readonly holder: BlockHolder; readonly sizeBytes: number }>();
  #sizeBytes = 0;

  constructor(maxBytes = defaultMaxBytes) {
    this.#maxBytes = maxBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Takes a block in; others may have to go, also of other holders. */
  add(block: RecordBlock, holder: BlockHolder): void {
    const { sizeBytes } = block;
    this.#blocks.set(block, { holder, sizeBytes });
    this.#sizeBytes += sizeBytes;
    for (const [oldest, its] of this.#blocks) {
      if (this.#sizeBytes <= this.#maxBytes || oldest === block) return;
      this.remove(oldest);
      its.holder.forget(oldest);
    }
  }

  /** It was asked for again: by now frames may have been made of it, which count as well. */
  used(block: RecordBlock): void {
    const known = this.#blocks.get(block);
    if (known === undefined) return;
    this.remove(block);
    this.add(block, known.holder);
  }

  remove(block: RecordBlock): void {
    const known = this.#blocks.get(block);
    if (known === undefined) return;
    this.#blocks.delete(block);
    this.#sizeBytes -= known.sizeBytes;
  }
}
