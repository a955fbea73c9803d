/**
 * The aborted transactions that end in one segment, as they stand in its `.txnindex`: what consumers that read committed
 * leave out. I/O thread; the flush worker appends the same entries to the file. Kafka's format, 34 bytes an entry:
 *
 *   0 i16 version = 0 │ 2 i64 producer id │ 10 i64 first offset │ 18 i64 last offset │ 26 i64 last stable offset
 *
 * First and last offset are those of the transaction's first batch and of its marker, so entries stand in the order of
 * their last offsets. The last stable offset is that of the log behind the marker: no later entry has a transaction that
 * began before it. Unlike the other indexes this one says what the log alone does not say at once, so that an entry that
 * is missing would show what was aborted: `segment-index.ts` may be short, this may not.
 */

import { readInt16, readInt64, writeInt16, writeInt64 } from '../records/big-endian.ts';
import type { AbortedTransaction } from './partition-log.ts';
import type { Offset } from '../base/numbers.ts';

export const transactionEntrySizeBytes = 34;
const version = 0;
const fieldsPerEntry = 4;
const firstCapacity = 8;

/** One entry; of the offsets the last is exclusive, as all end offsets are. */
export interface TransactionEntry {
  readonly producerId: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly lastStableOffset: number;
}

/** Writes `entry` at `at` of `bytes`. */
export function writeTransactionEntry(bytes: Uint8Array, at: number, entry: TransactionEntry): void {
  writeInt16(bytes, at, version);
  writeInt64(bytes, at + 2, entry.producerId);
  writeInt64(bytes, at + 10, entry.firstOffset);
  writeInt64(bytes, at + 18, entry.lastOffset);
  writeInt64(bytes, at + 26, entry.lastStableOffset);
}

/** What a file holds, up to the first entry that cannot be of the segment. */
export interface FoundTransactions {
  readonly entries: readonly TransactionEntry[];
  /** Null where that is the end of the file; else what is there instead of an entry. */
  readonly problem: string | null;
  /** Whether nothing but zeros or a piece of an entry follows: an append that a power cut ended. */
  readonly isTorn: boolean;
}

/** Reads the bytes of the file of the segment at `baseOffset`, which ends before `endOffset`. */
export function readTransactionEntries(bytes: Uint8Array, baseOffset: Offset, endOffset: number): FoundTransactions {
  const entries: TransactionEntry[] = [];
  let lastOffset = baseOffset - 1;
  let at = 0;
  const ended = (problem: string): FoundTransactions => {
    const isTorn = bytes.length - at < transactionEntrySizeBytes || bytes.subarray(at).every((byte) => byte === 0);
    return { entries, problem, isTorn };
  };
  for (; at < bytes.length; at += transactionEntrySizeBytes) {
    if (at + transactionEntrySizeBytes > bytes.length) return ended(`its last entry has ${bytes.length - at} bytes`);
    const entry = {
      producerId: readInt64(bytes, at + 2),
      firstOffset: readInt64(bytes, at + 10),
      lastOffset: readInt64(bytes, at + 18),
      lastStableOffset: readInt64(bytes, at + 26),
    };
    const isSound =
      readInt16(bytes, at) === version &&
      Object.values(entry).every((value) => Number.isSafeInteger(value) && value >= 0) &&
      entry.firstOffset < entry.lastOffset &&
      entry.lastOffset > lastOffset &&
      entry.lastOffset < endOffset &&
      entry.lastStableOffset <= entry.lastOffset + 1;
    if (!isSound) return ended(`its entry at position ${at} is out of range`);
    lastOffset = entry.lastOffset;
    entries.push(entry);
  }
  return { entries, problem: null, isTorn: false };
}

/** The bytes of a file with `entries`. */
export function transactionFileBytes(entries: readonly TransactionEntry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * transactionEntrySizeBytes);
  for (const [i, entry] of entries.entries()) writeTransactionEntry(bytes, i * transactionEntrySizeBytes, entry);
  return bytes;
}

/** The entries of one segment in memory, 32 bytes each. */
export class TransactionIndex {
  #fields = new Float64Array(0);
  #count = 0;

  constructor(entries: readonly TransactionEntry[] = []) {
    this.#fields = new Float64Array(entries.length * fieldsPerEntry);
    for (const entry of entries) this.append(entry);
  }

  /** In memory. */
  get sizeBytes(): number {
    return this.#fields.byteLength;
  }

  append({ producerId, firstOffset, lastOffset, lastStableOffset }: TransactionEntry): void {
    const at = this.#count * fieldsPerEntry;
    if (at === this.#fields.length) {
      const larger = new Float64Array(Math.max(at * 2, firstCapacity * fieldsPerEntry));
      larger.set(this.#fields);
      this.#fields = larger;
    }
    this.#fields[at] = producerId;
    this.#fields[at + 1] = firstOffset;
    this.#fields[at + 2] = lastOffset;
    this.#fields[at + 3] = lastStableOffset;
    this.#count++;
  }

  /** Forgets the entries beyond so many bytes of the file: what they were for was not written. */
  cut(fileSizeBytes: number): void {
    this.#count = Math.min(this.#count, fileSizeBytes / transactionEntrySizeBytes);
  }

  /**
   * Adds to `found` the transactions of which something may lie between `offset` and `endOffset` (exclusive). Returns
   * whether no later segment can have another one.
   */
  collect(offset: Offset, endOffset: Offset, found: AbortedTransaction[]): boolean {
    for (let i = this.#firstFrom(offset); i < this.#count; i++) {
      const at = i * fieldsPerEntry;
      const firstOffset = this.#fields[at + 1]! as Offset;
      if (firstOffset < endOffset) found.push({ producerId: this.#fields[at]!, firstOffset });
      if (this.#fields[at + 3]! >= endOffset) return true;
    }
    return false;
  }

  /** The first entry whose transaction ends at or after `offset`. */
  #firstFrom(offset: Offset): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#fields[middle * fieldsPerEntry + 2]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
