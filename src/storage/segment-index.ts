/**
 * The offset and time index of one segment, in the arena's heap in Kafka's file format, appended and searched by the
 * core. I/O thread; the flush worker appends the same entries to the files, from its submissions.
 *
 *   .index      i32 relative offset of a batch's last record │ i32 position of that batch      8 bytes an entry
 *   .timeindex  i64 largest timestamp so far │ i32 relative offset of the first record with it  12 bytes an entry
 *
 * Sparse: an entry at most every `index.interval.bytes` of log. Missing entries make a search longer, never wrong, so
 * where the heap is used up there are no more of them.
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

  /** Room for `more` further entries; returns the block's address, or -1 where the heap has none. */
  reserve(more: number): number {
    const neededBytes = (this.count + more) * this.#entrySizeBytes;
    if (this.#block !== null && neededBytes <= this.#block.sizeBytes) return this.#block.address;
    const larger = this.#heap.allocate(Math.max(neededBytes, firstBlockSizeBytes));
    if (larger === null) return -1;
    if (this.#block !== null) {
      const { address } = this.#block;
      this.#arena.bytes.copyWithin(larger.address, address, address + this.count * this.#entrySizeBytes);
      this.#heap.release(this.#block);
    }
    this.#block = larger;
    return larger.address;
  }

  /** Returns whether there was room for them; else it stays empty. */
  load(entries: Uint8Array): boolean {
    assert(this.count === 0, 'entries are loaded into an empty index');
    const count = Math.floor(entries.length / this.#entrySizeBytes);
    if (count === 0) return true;
    const address = this.reserve(count);
    if (address < 0) return false;
    this.#arena.bytes.set(entries.subarray(0, count * this.#entrySizeBytes), address);
    this.count = count;
    return true;
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
  /** False where entries of the files found no room: then what is here is no beginning of the files any more. */
  #isWhole = true;

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
    const hasOffsets = this.#offsets.load(offsetEntries);
    const hasTimes = this.#times.load(timeEntries);
    this.#isWhole = hasOffsets && hasTimes;
  }

  /**
   * Notes that the batch whose last record has `lastOffset` begins at `position`. Both only grow. False where there is no
   * room for that: the file goes without the entry as well.
   */
  appendOffset(lastOffset: Offset, position: Position): boolean {
    const address = this.#isWhole ? this.#offsets.reserve(1) : -1;
    if (address < 0) return false;
    this.#arena.core.offsetIndexAppend(address, this.#offsets.count, lastOffset - this.baseOffset, position);
    this.#offsets.count++;
    return true;
  }

  /** Notes that no record up to now is newer than `timestampMs`, which the record at `offset` carries. Returns as above. */
  appendTime(timestampMs: number, offset: Offset): boolean {
    const address = this.#isWhole ? this.#times.reserve(1) : -1;
    if (address < 0) return false;
    this.#arena.core.timeIndexAppend(address, this.#times.count, timestampMs, offset - this.baseOffset);
    this.#times.count++;
    return true;
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
