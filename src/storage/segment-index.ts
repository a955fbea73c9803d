/**
 * The offset and time index of one segment, in the arena's heap in Kafka's file format, appended and searched by the
 * core. I/O thread; the flush worker appends the same entries to the files, from its submissions.
 *
 *   .index      i32 relative offset of a batch's last record │ i32 position of that batch      8 bytes an entry
 *   .timeindex  i64 largest timestamp so far │ i32 relative offset of the first record with it  12 bytes an entry
 *
 * Sparse: an entry at most every `index.interval.bytes` of log. Missing entries make a search longer, never wrong.
 * It does not read or write files.
 */

import { assert } from '../base/assert.ts';
import { asPosition, noTimestamp, type Offset, type Position } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import type { ArenaHeap, Block } from '../memory/arena-heap.ts';

export const offsetEntrySizeBytes = 8;
export const timeEntrySizeBytes = 12;
const firstBlockSizeBytes = 256;

/** Entries of one kind: a block that doubles when it is full. */
class EntryBlock {
  readonly #arena: Arena;
  readonly #heap: ArenaHeap;
  readonly #entrySizeBytes: number;
  #block: Block | null = null;
  count = 0;

  constructor(arena: Arena, heap: ArenaHeap, entrySizeBytes: number) {
    this.#arena = arena;
    this.#heap = heap;
    this.#entrySizeBytes = entrySizeBytes;
  }

  get address(): number {
    return this.#block?.address ?? 0;
  }

  /** Room for `more` further entries; returns the block's address. */
  reserve(more: number): number {
    const neededBytes = (this.count + more) * this.#entrySizeBytes;
    if (this.#block !== null && neededBytes <= this.#block.sizeBytes) return this.#block.address;
    const larger = this.#heap.allocate(Math.max(neededBytes, firstBlockSizeBytes));
    if (this.#block !== null) {
      const { address } = this.#block;
      this.#arena.bytes.copyWithin(larger.address, address, address + this.count * this.#entrySizeBytes);
      this.#heap.release(this.#block);
    }
    this.#block = larger;
    return larger.address;
  }

  load(entries: Uint8Array): void {
    assert(this.count === 0, 'entries are loaded into an empty index');
    const count = Math.floor(entries.length / this.#entrySizeBytes);
    if (count === 0) return;
    this.#arena.bytes.set(entries.subarray(0, count * this.#entrySizeBytes), this.reserve(count));
    this.count = count;
  }

  release(): void {
    if (this.#block !== null) this.#heap.release(this.#block);
    this.#block = null;
    this.count = 0;
  }
}

export class SegmentIndex {
  readonly baseOffset: Offset;
  readonly #arena: Arena;
  readonly #offsets: EntryBlock;
  readonly #times: EntryBlock;

  constructor(arena: Arena, heap: ArenaHeap, baseOffset: Offset) {
    this.baseOffset = baseOffset;
    this.#arena = arena;
    this.#offsets = new EntryBlock(arena, heap, offsetEntrySizeBytes);
    this.#times = new EntryBlock(arena, heap, timeEntrySizeBytes);
  }

  get offsetEntryCount(): number {
    return this.#offsets.count;
  }

  get timeEntryCount(): number {
    return this.#times.count;
  }

  /** Takes over the entries of index files, in file order; bytes past the last whole entry are left out. */
  load(offsetEntries: Uint8Array, timeEntries: Uint8Array): void {
    this.#offsets.load(offsetEntries);
    this.#times.load(timeEntries);
  }

  /** Notes that the batch whose last record has `lastOffset` begins at `position`. Both only grow. */
  appendOffset(lastOffset: Offset, position: Position): void {
    const address = this.#offsets.reserve(1);
    this.#arena.core.offsetIndexAppend(address, this.#offsets.count, lastOffset - this.baseOffset, position);
    this.#offsets.count++;
  }

  /** Notes that no record up to now is newer than `timestampMs`, which the record at `offset` carries. */
  appendTime(timestampMs: number, offset: Offset): void {
    const address = this.#times.reserve(1);
    this.#arena.core.timeIndexAppend(address, this.#times.count, timestampMs, offset - this.baseOffset);
    this.#times.count++;
  }

  /** A position at or before the batch that holds `offset`: where a scan for it begins. */
  positionBefore(offset: Offset): Position {
    const entry = this.#offsetEntryBefore(offset - this.baseOffset);
    return asPosition(entry < 0 ? 0 : this.#offsetEntry(entry).position);
  }

  /** The offset up to which every record is older than `timestampMs`: a search by time begins there. */
  offsetBeforeTime(timestampMs: number): Offset {
    if (this.#times.count === 0) return this.baseOffset;
    // Entries hold the largest timestamp so far, so the last one strictly below bounds what can be skipped.
    const entry = this.#arena.core.timeIndexSearch(this.#times.address, this.#times.count, timestampMs - 1);
    if (entry < 0) return this.baseOffset;
    const at = this.#times.address + entry * timeEntrySizeBytes + 8;
    return (this.baseOffset + this.#arena.view.getInt32(at)) as Offset;
  }

  /** The timestamp of the last time index entry; -1 where there is none. */
  get lastTimestampMs(): number {
    if (this.#times.count === 0) return noTimestamp;
    return Number(this.#arena.view.getBigInt64(this.#times.address + (this.#times.count - 1) * timeEntrySizeBytes));
  }

  /** Forgets the entries beyond so many bytes of either kind: what they were for was not written. */
  cut(offsetIndexSizeBytes: number, timeIndexSizeBytes: number): void {
    this.#offsets.count = Math.min(this.#offsets.count, offsetIndexSizeBytes / offsetEntrySizeBytes);
    this.#times.count = Math.min(this.#times.count, timeIndexSizeBytes / timeEntrySizeBytes);
  }

  /** Gives the memory back; the index is empty afterwards. */
  release(): void {
    this.#offsets.release();
    this.#times.release();
  }

  #offsetEntryBefore(relativeOffset: number): number {
    if (this.#offsets.count === 0) return -1;
    return this.#arena.core.offsetIndexSearch(this.#offsets.address, this.#offsets.count, relativeOffset);
  }

  #offsetEntry(entry: number): { relativeOffset: number; position: number } {
    const at = this.#offsets.address + entry * offsetEntrySizeBytes;
    return { relativeOffset: this.#arena.view.getInt32(at), position: this.#arena.view.getInt32(at + 4) };
  }
}
