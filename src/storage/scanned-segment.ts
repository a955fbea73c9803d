/**
 * What a scan finds out about a segment: its size, its timestamps, and its index entries, made as the writer makes them.
 * At the start and offline.
 */

import { noTimestamp, type Offset, type Position } from '../base/numbers.ts';
import type { IndexEntries } from './index-rebuild.ts';
import { offsetEntrySizeBytes, timeEntrySizeBytes } from './segment-index.ts';
import type { FileBatch } from './segment-scan.ts';
import type { SegmentState } from './segment.ts';
import { transactionEntrySizeBytes, type TransactionEntry } from './transaction-index.ts';

/** Entries as by default; another interval only makes searches longer or shorter. */
const indexIntervalBytes = 4096;

/** Of a segment's index files. */
export type IndexSizes = Pick<SegmentState, 'offsetIndexSizeBytes' | 'timeIndexSizeBytes'>;

export class ScannedSegment {
  readonly entries: IndexEntries;
  /** The aborted transactions that end in it. */
  readonly transactions: TransactionEntry[];
  readonly #baseOffset: Offset;
  readonly #nowMs: number;
  #sizeBytes = 0;
  #largestTimestampMs: number;
  #offsetOfLargest: number;
  #firstTimestampMs = noTimestamp;
  #bytesSinceEntry = 0;

  /** The segment at `baseOffset`, scanned from where `entries` and `transactions` end, which it goes on filling. */
  constructor(baseOffset: Offset, entries: IndexEntries, transactions: TransactionEntry[], nowMs: number) {
    this.transactions = transactions;
    this.#baseOffset = baseOffset;
    this.entries = entries;
    this.#nowMs = nowMs;
    this.#largestTimestampMs = entries.times.at(-1)?.timestampMs ?? noTimestamp;
    this.#offsetOfLargest = entries.times.at(-1)?.offset ?? -1;
    // The scan begins at a batch that has an entry, which is made again.
    this.#bytesSinceEntry = entries.offsets.length > 0 ? indexIntervalBytes + 1 : 0;
  }

  take(batch: Pick<FileBatch, 'position' | 'sizeBytes' | 'lastOffset' | 'maxTimestamp'>): void {
    if (batch.position === 0) this.#firstTimestampMs = batch.maxTimestamp;
    const largestMs = Math.min(batch.maxTimestamp, Number.MAX_SAFE_INTEGER);
    if (largestMs > this.#largestTimestampMs) {
      this.#largestTimestampMs = largestMs;
      // Which of its records it is does not matter to a search, which looks into the batch. Most often it is the last,
      // and so Kafka's recovery has it.
      this.#offsetOfLargest = batch.lastOffset;
    }
    if (this.#bytesSinceEntry > indexIntervalBytes) {
      this.entries.offsets.push({ lastOffset: batch.lastOffset, position: batch.position });
      this.#addTimeEntry();
      this.#bytesSinceEntry = 0;
    }
    this.#bytesSinceEntry += batch.sizeBytes;
  }

  /** A segment that is followed by another ends with a time entry; one that goes on gets it when it ends. */
  end(endPosition: Position, isActive: boolean): void {
    this.#sizeBytes = endPosition;
    if (!isActive) this.#addTimeEntry();
  }

  get state(): SegmentState {
    return this.stateWith({
      offsetIndexSizeBytes: this.entries.offsets.length * offsetEntrySizeBytes,
      timeIndexSizeBytes: this.entries.times.length * timeEntrySizeBytes,
    });
  }

  /** The same, where index files count that have other sizes. */
  stateWith({ offsetIndexSizeBytes, timeIndexSizeBytes }: IndexSizes): SegmentState {
    return {
      baseOffset: this.#baseOffset,
      sizeBytes: this.#sizeBytes,
      largestTimestampMs: this.#largestTimestampMs,
      offsetOfLargestTimestamp: this.#offsetOfLargest,
      firstTimestampMs: this.#firstTimestampMs,
      createdMs: this.#nowMs,
      offsetIndexSizeBytes,
      timeIndexSizeBytes,
      transactionIndexSizeBytes: this.transactions.length * transactionEntrySizeBytes,
    };
  }

  #addTimeEntry(): void {
    if (this.#largestTimestampMs <= (this.entries.times.at(-1)?.timestampMs ?? noTimestamp)) return;
    this.entries.times.push({
      timestampMs: this.#largestTimestampMs,
      offset: this.#offsetOfLargest as Offset,
    });
  }
}
