/**
 * One segment of a partition's log, as the I/O thread knows it: where it begins, how large it is, its newest timestamp,
 * and its index once that was needed. I/O thread.
 *
 *   base offset ├── batch ── batch ── … ──┤ end offset (the next segment's base, or the log's end)
 *
 * It does not know files (segment-files.ts) nor which segments there are (segment-list.ts).
 */

import { noTimestamp, type Offset } from '../base/numbers.ts';
import type { SegmentIndex } from './segment-index.ts';
import type { TransactionIndex } from './transaction-index.ts';
import { segmentFileName, type swapSuffix } from './segment-name.ts';

/** What is known of a segment without opening it. */
export interface SegmentState {
  readonly baseOffset: Offset;
  /** Whole batches; bytes past them belong to nothing. */
  readonly sizeBytes: number;
  /** The largest timestamp of its records in milliseconds; -1 where none has one. */
  readonly largestTimestampMs: number;
  /** Where the batch ends that was the first to bring it, which is what Kafka's tools look for; -1 where none does. */
  readonly offsetOfLargestTimestamp: number;
  /** The largest timestamp of its first batch, from which `segment.ms` counts; -1 where there is none. */
  readonly firstTimestampMs: number;
  /** When it was begun, by the wall clock; counts where its records have no timestamps. */
  readonly createdMs: number;
  readonly offsetIndexSizeBytes: number;
  readonly timeIndexSizeBytes: number;
  /** Left out where no transaction was aborted in it, and in what was written down before there were any. */
  readonly transactionIndexSizeBytes?: number;
}

export class Segment {
  readonly baseOffset: Offset;
  readonly createdMs: number;
  sizeBytes: number;
  largestTimestampMs: number;
  offsetOfLargestTimestamp: number;
  firstTimestampMs: number;
  /** Bytes of the index files that count, with what is on its way to them. */
  offsetIndexSizeBytes: number;
  timeIndexSizeBytes: number;
  transactionIndexSizeBytes: number;
  /** Log bytes since the last offset index entry. */
  bytesSinceIndexEntry = 0;
  /** Bytes of the time index of the segment before this one, before its last entry was added; for taking that back. */
  timeIndexSizeBeforeBytes = 0;
  /** What its log file's name ends with while it takes the place of others (`segment-swap.ts`). */
  fileSuffix: '' | typeof swapSuffix = '';
  /** Grows when its file gets another name, or another segment takes its place: what was read by name meanwhile may be wrong. */
  revision = 0;
  /** Null until it is loaded, and again once it was put away. */
  index: SegmentIndex | null = null;
  /** As above; it stays as long as not all of it is in the file. */
  transactions: TransactionIndex | null = null;

  constructor(state: SegmentState) {
    this.baseOffset = state.baseOffset;
    this.createdMs = state.createdMs;
    this.sizeBytes = state.sizeBytes;
    this.largestTimestampMs = state.largestTimestampMs;
    this.offsetOfLargestTimestamp = state.offsetOfLargestTimestamp;
    this.firstTimestampMs = state.firstTimestampMs;
    this.offsetIndexSizeBytes = state.offsetIndexSizeBytes;
    this.timeIndexSizeBytes = state.timeIndexSizeBytes;
    this.transactionIndexSizeBytes = state.transactionIndexSizeBytes ?? 0;
  }

  /** What is kept over a clean stop. */
  get state(): SegmentState {
    const { baseOffset, sizeBytes, largestTimestampMs, offsetOfLargestTimestamp, firstTimestampMs, createdMs } = this;
    const { offsetIndexSizeBytes, timeIndexSizeBytes, transactionIndexSizeBytes } = this;
    return {
      baseOffset,
      sizeBytes,
      largestTimestampMs,
      offsetOfLargestTimestamp,
      firstTimestampMs,
      createdMs,
      offsetIndexSizeBytes,
      timeIndexSizeBytes,
      ...(transactionIndexSizeBytes > 0 && { transactionIndexSizeBytes }),
    };
  }

  /** The path of its log, in the partition's `directory`. */
  logPath(directory: string): string {
    return `${directory}/${segmentFileName(this.baseOffset, 'log')}${this.fileSuffix}`;
  }

  /** Gives the index's memory back. */
  dropIndex(): void {
    this.index?.release();
    this.index = null;
  }
}

/** The state of a segment that is begun now. */
export function emptySegment(baseOffset: Offset, nowMs: number): SegmentState {
  return {
    baseOffset,
    sizeBytes: 0,
    largestTimestampMs: noTimestamp,
    offsetOfLargestTimestamp: -1,
    firstTimestampMs: noTimestamp,
    createdMs: nowMs,
    offsetIndexSizeBytes: 0,
    timeIndexSizeBytes: 0,
  };
}
