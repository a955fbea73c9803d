/**
 * The memory that one compaction works in: an arena of its own, of which only what is touched costs anything. Of whoever
 * runs the compaction.
 *
 *   │ input: pieces of files │ plain: a batch inflated │ kept: records that stay │ output │ table │ result │ key map │
 */

import { assert } from '../base/assert.ts';
import { asAddress, type Address } from '../base/numbers.ts';
import type { RandomSource } from '../base/random.ts';
import { Arena } from '../memory/arena.ts';
import { deflateTableBytes, keyMapField, retainResult } from '../memory/core.ts';
import { batchHeaderSizeBytes, Compression } from '../records/record-batch.ts';
import { deflatedBound } from '../storage/batch-deflater.ts';
import type { CompactionSettings } from '../storage/compactor.ts';

/** A place in the memory. */
export interface Region {
  readonly address: Address;
  readonly sizeBytes: number;
}

const pageBytes = 65_536;
const hashKeyBytes = 16;
/** Timestamps that become relative to a later time take up to six bytes more, of records of seven bytes at least. */
const growth = 2;
const smallestMapSlots = 16;

export class CompactionMemory {
  readonly arena: Arena;
  readonly input: Region;
  readonly plain: Region;
  readonly kept: Region;
  readonly output: Region;
  readonly table: Address;
  readonly result: Address;
  readonly map: Address;
  readonly #mapSlotsMax: number;
  readonly #loadFactor: number;

  constructor({ mapBytes, loadFactor, bufferBytes, maxBatchBytes }: CompactionSettings) {
    const keptBytes = growth * maxBatchBytes;
    const outputBytes =
      bufferBytes + batchHeaderSizeBytes + Math.max(...codecs.map((codec) => deflatedBound(codec, keptBytes)));
    const sizes = [
      Math.max(bufferBytes, maxBatchBytes),
      maxBatchBytes,
      keptBytes,
      outputBytes,
      deflateTableBytes,
      retainResult.sizeOfResult,
      mapBytes,
    ];
    const heapSizeBytes = sizes.reduce((sum, size) => sum + aligned(size), 0);
    this.arena = Arena.create({
      flushWorkerCount: 1,
      queueCapacity: 2,
      ringSizeBytes: 64,
      scratchSizeBytes: pageBytes,
      heapSizeBytes,
    });
    let next = this.arena.layout.heapAddress;
    const regions = sizes.map((sizeBytes): Region => {
      const region = { address: asAddress(next), sizeBytes };
      next += aligned(sizeBytes);
      return region;
    });
    [this.input, this.plain, this.kept, this.output] = regions as [Region, Region, Region, Region];
    this.table = regions[4]!.address;
    this.result = regions[5]!.address;
    this.map = regions[6]!.address;
    this.#mapSlotsMax = Math.floor((mapBytes - keyMapField.sizeOfHeader) / keyMapField.sizeOfSlot);
    this.#loadFactor = loadFactor;
    assert(this.#mapSlotsMax >= smallestMapSlots, 'a key map has room for some keys');
  }

  /** Empties the key map, for at most `keys` keys where it may be smaller than what there is room for. */
  clearMap(keys: number, random: RandomSource): void {
    const { bytes, view } = this.arena;
    const wanted = Math.ceil(keys / this.#loadFactor) + 1;
    const slots = Math.min(Math.max(wanted, smallestMapSlots), this.#mapSlotsMax);
    bytes.fill(0, this.map, this.map + keyMapField.sizeOfHeader + slots * keyMapField.sizeOfSlot);
    view.setUint32(this.map + keyMapField.slots, slots, true);
    const limit = Math.min(Math.max(Math.floor(slots * this.#loadFactor), 1), slots - 1);
    view.setUint32(this.map + keyMapField.limit, limit, true);
    const key = new Uint8Array(hashKeyBytes);
    random.fill(key);
    bytes.set(key, this.map + keyMapField.hashKey);
  }

  /** How many keys the map has. */
  get keyCount(): number {
    return this.arena.view.getUint32(this.map + keyMapField.used, true);
  }
}

const codecs: readonly Compression[] = Object.values(Compression);

function aligned(sizeBytes: number): number {
  return Math.ceil(sizeBytes / 64) * 64;
}
