/**
 * Loads the indexes of segments when they are first needed, and puts away those of sealed segments that were not needed
 * for longest, so that a large log does not fill the arena. I/O thread. An active segment's indexes stay.
 */

import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import type { ArenaHeap } from '../memory/arena-heap.ts';
import type { Arena } from '../memory/arena.ts';
import type { FileSystem } from './file-system.ts';
import { SegmentIndex } from './segment-index.ts';
import { segmentFileName } from './segment-name.ts';
import type { Segment } from './segment.ts';
import { readTransactionEntries, transactionEntrySizeBytes, TransactionIndex } from './transaction-index.ts';

const defaultSealedBytesMax = 32 * 1024 * 1024;

/** What is loaded of sealed segments, the longest unused first, within a bound. */
class LeastRecent {
  readonly #maxBytes: number;
  readonly #drop: (segment: Segment) => void;
  readonly #sizes = new Map<Segment, number>();
  #sumBytes = 0;

  constructor(maxBytes: number, drop: (segment: Segment) => void) {
    this.#maxBytes = maxBytes;
    this.#drop = drop;
  }

  /** The segment's was used, which takes `sizeBytes`. */
  touch(segment: Segment, sizeBytes: number): void {
    this.leave(segment);
    this.#sumBytes += sizeBytes;
    this.#sizes.set(segment, sizeBytes);
    for (const oldest of this.#sizes.keys()) {
      if (this.#sumBytes <= this.#maxBytes || oldest === segment) return;
      this.leave(oldest);
      this.#drop(oldest);
    }
  }

  /** The segment's is not put away from here. */
  leave(segment: Segment): void {
    this.#sumBytes -= this.#sizes.get(segment) ?? 0;
    this.#sizes.delete(segment);
  }
}

export class IndexCache {
  readonly #fileSystem: FileSystem;
  readonly #arena: Arena;
  readonly #heap: ArenaHeap;
  readonly #indexes: LeastRecent;
  readonly #transactions: LeastRecent;

  constructor(fileSystem: FileSystem, arena: Arena, heap: ArenaHeap, sealedBytesMax = defaultSealedBytesMax) {
    this.#fileSystem = fileSystem;
    this.#arena = arena;
    this.#heap = heap;
    this.#indexes = new LeastRecent(sealedBytesMax, (segment) => segment.dropIndex());
    this.#transactions = new LeastRecent(sealedBytesMax, (segment) => (segment.transactions = null));
  }

  /** The index of a segment in `directory`; valid until the caller's turn ends. Throws the file system's error. */
  of(segment: Segment, directory: string, isActive: boolean): SegmentIndex {
    const index = (segment.index ??= this.#load(segment, directory));
    if (!isActive) this.#indexes.touch(segment, segment.offsetIndexSizeBytes + segment.timeIndexSizeBytes);
    return index;
  }

  /**
   * The aborted transactions that end in a segment in `directory`. `isWritten`: all of them are in its file. Throws the
   * file system's error, and `EnvironmentError` DATA_CORRUPT where the file has not what it must have.
   */
  transactionsOf(segment: Segment, directory: string, isWritten: boolean): TransactionIndex {
    const transactions = (segment.transactions ??= this.#loadTransactions(segment, directory));
    if (isWritten) this.#transactions.touch(segment, transactions.sizeBytes);
    return transactions;
  }

  /** The segment, which was sealed, is the active one again: its indexes stay. */
  keep(segment: Segment): void {
    this.#indexes.leave(segment);
    this.#transactions.leave(segment);
  }

  /** The segment is deleted, or its indexes were given back. */
  forget(segment: Segment): void {
    this.keep(segment);
    segment.dropIndex();
    segment.transactions = null;
  }

  #load(segment: Segment, directory: string): SegmentIndex {
    const index = new SegmentIndex(this.#arena, this.#heap, segment.baseOffset);
    index.load(
      this.#read(`${directory}/${segmentFileName(segment.baseOffset, 'index')}`, segment.offsetIndexSizeBytes),
      this.#read(`${directory}/${segmentFileName(segment.baseOffset, 'timeindex')}`, segment.timeIndexSizeBytes),
    );
    return index;
  }

  #loadTransactions({ baseOffset, transactionIndexSizeBytes }: Segment, directory: string): TransactionIndex {
    const path = `${directory}/${segmentFileName(baseOffset, 'txnindex')}`;
    const bytes = this.#read(path, transactionIndexSizeBytes);
    const { entries } = readTransactionEntries(bytes, baseOffset, Infinity);
    if (entries.length * transactionEntrySizeBytes === transactionIndexSizeBytes) return new TransactionIndex(entries);
    throw new EnvironmentError(
      EnvironmentErrorCode.DATA_CORRUPT,
      `The transaction index ${path} has ${entries.length} whole entries, and ${transactionIndexSizeBytes / transactionEntrySizeBytes} were written: stop the broker and let \`millrace verify --repair\` make it again.`,
    );
  }

  /** Up to `sizeBytes` of the file; an entry that is missing makes a search longer, not wrong. */
  #read(path: string, sizeBytes: number): Uint8Array {
    if (sizeBytes === 0 || this.#fileSystem.sizeAt(path) === null) return new Uint8Array();
    const file = this.#fileSystem.open(path, 'read');
    try {
      const bytes = new Uint8Array(sizeBytes);
      let filled = 0;
      while (filled < sizeBytes) {
        const count = this.#fileSystem.read(file, bytes.subarray(filled), filled);
        if (count === 0) break;
        filled += count;
      }
      return bytes.subarray(0, filled);
    } finally {
      this.#fileSystem.close(file);
    }
  }
}
