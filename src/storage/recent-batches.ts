/**
 * Where a partition's newest batches lie in the ingest ring, so that tail readers are served without touching a file.
 * I/O thread. A circular table, oldest batch first; offsets and ring positions only grow along it. The ring may have
 * overwritten what the table names: the reader asks `IngestRing.holds` before it copies.
 *
 *   slot: endOffset │ ringPosition │ sizeBytes         a batch begins where the one before it ends
 */

import { assert } from '../base/assert.ts';
import { firstOffset, type Offset, type RingPosition } from '../base/numbers.ts';

const fieldsOfSlot = 3;
const smallestCapacity = 8;
/** Of all tables that were never added to. */
const noSlots: number[] = [];

/** One batch in the ring. */
export interface RecentBatch {
  readonly baseOffset: Offset;
  /** Exclusive. */
  readonly endOffset: Offset;
  readonly ringPosition: RingPosition;
  readonly sizeBytes: number;
}

export class RecentBatches {
  readonly #maxCapacity: number;
  /** A plain list: a typed one of this size takes half a kilobyte beside what is in it. */
  #slots = noSlots;
  /** Where the oldest batch begins. */
  #baseOffset: Offset = firstOffset;
  #first = 0;
  #count = 0;

  /** Remembers at most `maxCapacity` batches (a power of two of at least 8); older ones are forgotten. */
  constructor(maxCapacity = 1024) {
    assert(maxCapacity >= smallestCapacity && (maxCapacity & (maxCapacity - 1)) === 0, 'a capacity is a power of two');
    this.#maxCapacity = maxCapacity;
  }

  get count(): number {
    return this.#count;
  }

  /** Adds the batch that follows the newest one. */
  add(baseOffset: Offset, endOffset: Offset, ringPosition: RingPosition, sizeBytes: number): void {
    assert(this.#count === 0 || baseOffset === this.endOffsetAt(this.#count - 1), 'batches follow each other');
    if (this.#count === 0) this.#baseOffset = baseOffset;
    if (this.#count === this.#capacity) {
      if (this.#capacity < this.#maxCapacity) this.#grow();
      else this.#dropFirst();
    }
    const at = this.#place(this.#count);
    this.#slots[at] = endOffset;
    this.#slots[at + 1] = ringPosition;
    this.#slots[at + 2] = sizeBytes;
    this.#count++;
  }

  /** Index of the batch that holds `offset`, or -1 where the table does not reach back that far or it is not there yet. */
  find(offset: Offset): number {
    if (this.#count === 0 || offset < this.#baseOffset) return -1;
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#slots[this.#place(middle)]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low < this.#count ? low : -1;
  }

  /** The end offset (exclusive) of the batch at `index`, 0 being the oldest remembered. */
  endOffsetAt(index: number): Offset {
    return this.#slots[this.#placeOf(index)]! as Offset;
  }

  /** Where in the ring the batch at `index` begins. */
  ringPositionAt(index: number): RingPosition {
    return this.#slots[this.#placeOf(index) + 1]! as RingPosition;
  }

  sizeBytesAt(index: number): number {
    return this.#slots[this.#placeOf(index) + 2]!;
  }

  /** The batch at `index` as an object. */
  at(index: number): RecentBatch {
    return {
      baseOffset: index === 0 ? this.#baseOffset : this.endOffsetAt(index - 1),
      endOffset: this.endOffsetAt(index),
      ringPosition: this.ringPositionAt(index),
      sizeBytes: this.sizeBytesAt(index),
    };
  }

  /** The bytes of the batches from `index` on that end at or before `endOffset`. */
  sizeBytesBetween(index: number, endOffset: Offset): number {
    let sum = 0;
    for (let i = index; i < this.#count; i++) {
      const at = this.#place(i);
      if (this.#slots[at]! > endOffset) break;
      sum += this.#slots[at + 2]!;
    }
    return sum;
  }

  /** Forgets batches that begin before `position`: the ring came round. */
  forgetBefore(position: RingPosition): void {
    while (this.#count > 0 && this.#slots[this.#place(0) + 1]! < position) this.#dropFirst();
  }

  /** Forgets batches that end at or before `endOffset`: compaction may have taken records out of them. */
  forgetUpTo(endOffset: Offset): void {
    while (this.#count > 0 && this.#slots[this.#place(0)]! <= endOffset) this.#dropFirst();
  }

  /** Forgets batches that end after `endOffset`: they were not written. */
  cut(endOffset: Offset): void {
    while (this.#count > 0 && this.#slots[this.#place(this.#count - 1)]! > endOffset) this.#count--;
  }

  get #capacity(): number {
    return this.#slots.length / fieldsOfSlot;
  }

  #placeOf(index: number): number {
    assert(index >= 0 && index < this.#count, 'the index names a remembered batch');
    return this.#place(index);
  }

  #place(index: number): number {
    return ((this.#first + index) & (this.#capacity - 1)) * fieldsOfSlot;
  }

  #dropFirst(): void {
    this.#baseOffset = this.endOffsetAt(0);
    this.#first = (this.#first + 1) & (this.#capacity - 1);
    this.#count--;
  }

  #grow(): void {
    const larger = blankSlots(Math.max(this.#capacity * 2, smallestCapacity));
    for (let i = 0; i < this.#count; i++) {
      const at = this.#place(i);
      for (let field = 0; field < fieldsOfSlot; field++) larger[i * fieldsOfSlot + field] = this.#slots[at + field]!;
    }
    this.#slots = larger;
    this.#first = 0;
  }
}

function blankSlots(capacity: number): number[] {
  return Array.from({ length: capacity * fieldsOfSlot }, () => 0);
}
