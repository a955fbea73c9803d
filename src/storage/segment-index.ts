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
import { asAddress, asPosition, noTimestamp, type Address, type Offset, type Position } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import type { ArenaHeap } from '../memory/arena-heap.ts';

export const offsetEntrySizeBytes = 8;
export const timeEntrySizeBytes = 12;
const firstBlockSizeBytes = 256;

/** Entries of one kind: a block of the heap that is replaced by a larger one when it is full. */
interface Entries {
  /** Of the block; 0 where there is none. */
  address: Address;
  blockSizeBytes: number;
  count: number;
  readonly sizeBytesOfEach: number;
}

const noAddress = asAddress(0);

export class SegmentIndex {
  readonly baseOffset: Offset;
  readonly #arena: Arena;
  readonly #heap: ArenaHeap;
  readonly #offsets = noEntries(offsetEntrySizeBytes);
  readonly #times = noEntries(timeEntrySizeBytes);
  /** False where entries of the files found no room: then what is here is no beginning of the files any more. */
  #isWhole = true;

  constructor(arena: Arena, heap: ArenaHeap, baseOffset: Offset) {
    this.baseOffset = baseOffset;
    this.#arena = arena;
    this.#heap = heap;
  }

  get offsetEntryCount(): number {
    return this.#offsets.count;
  }

  get timeEntryCount(): number {
    return this.#times.count;
  }

  /** Takes over the entries of index files, in file order; bytes past the last whole entry are left out. */
  load(offsetEntries: Uint8Array, timeEntries: Uint8Array): void {
    const hasOffsets = this.#load(this.#offsets, offsetEntries);
    const hasTimes = this.#load(this.#times, timeEntries);
    this.#isWhole = hasOffsets && hasTimes;
  }

  /**
   * Notes that the batch whose last record has `lastOffset` begins at `position`. Both only grow. False where there is no
   * room for that: the file goes without the entry as well.
   */
  appendOffset(lastOffset: Offset, position: Position): boolean {
    if (!this.#isWhole || !this.#reserve(this.#offsets, 1)) return false;
    this.#arena.core.offsetIndexAppend(
      this.#offsets.address,
      this.#offsets.count,
      lastOffset - this.baseOffset,
      position,
    );
    this.#offsets.count++;
    return true;
  }

  /** Notes that no record up to now is newer than `timestampMs`, which the record at `offset` carries. Returns as above. */
  appendTime(timestampMs: number, offset: Offset): boolean {
    if (!this.#isWhole || !this.#reserve(this.#times, 1)) return false;
    this.#arena.core.timeIndexAppend(this.#times.address, this.#times.count, timestampMs, offset - this.baseOffset);
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
    for (const entries of [this.#offsets, this.#times]) {
      this.#releaseBlock(entries);
      entries.count = 0;
    }
  }

  /** Returns whether there was room for them; else it stays empty. */
  #load(into: Entries, bytes: Uint8Array): boolean {
    assert(into.count === 0, 'entries are loaded into an empty index');
    const count = Math.floor(bytes.length / into.sizeBytesOfEach);
    if (count === 0) return true;
    if (!this.#reserve(into, count)) return false;
    this.#arena.bytes.set(bytes.subarray(0, count * into.sizeBytesOfEach), into.address);
    into.count = count;
    return true;
  }

  /** Makes room for `more` further entries; false where the heap has none. */
  #reserve(entries: Entries, more: number): boolean {
    const { address, count, sizeBytesOfEach } = entries;
    const neededBytes = (count + more) * sizeBytesOfEach;
    if (neededBytes <= entries.blockSizeBytes) return true;
    const larger = this.#heap.allocate(Math.max(neededBytes, firstBlockSizeBytes));
    if (larger === null) return false;
    this.#arena.bytes.copyWithin(larger.address, address, address + count * sizeBytesOfEach);
    this.#releaseBlock(entries);
    entries.address = larger.address;
    entries.blockSizeBytes = larger.sizeBytes;
    return true;
  }

  #releaseBlock(entries: Entries): void {
    if (entries.blockSizeBytes === 0) return;
    this.#heap.release({ address: entries.address, sizeBytes: entries.blockSizeBytes });
    entries.address = noAddress;
    entries.blockSizeBytes = 0;
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

function noEntries(sizeBytesOfEach: number): Entries {
  return { address: noAddress, blockSizeBytes: 0, count: 0, sizeBytesOfEach };
}
