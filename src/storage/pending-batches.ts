/**
 * The batches of one partition that are on their way to the file, with what they changed of their segment's timestamps
 * and indexes, so that a failed write can be undone. I/O thread, one per log.
 *
 *   append ──► add ──► settleUpTo(written): confirmed │ rollBackTo(written): the segment is as it was confirmed
 */

import type { Offset } from '../base/numbers.ts';
import type { Segment } from './segment.ts';

interface PendingBatch {
  readonly endOffset: Offset;
  readonly segment: Segment;
  /** The segment before this batch. */
  readonly largestTimestampMs: number;
  readonly offsetOfLargestTimestamp: number;
  readonly firstTimestampMs: number;
  readonly offsetIndexSizeBytes: number;
  readonly timeIndexSizeBytes: number;
  readonly bytesSinceIndexEntry: number;
}

export class PendingBatches {
  #batches: PendingBatch[] = [];
  #first = 0;

  /** Remembers `segment` as it is before a batch that ends at `endOffset` is added to it. */
  add(endOffset: Offset, segment: Segment): void {
    const { largestTimestampMs, offsetOfLargestTimestamp, firstTimestampMs } = segment;
    const { offsetIndexSizeBytes, timeIndexSizeBytes, bytesSinceIndexEntry } = segment;
    this.#batches.push({
      endOffset,
      segment,
      largestTimestampMs,
      offsetOfLargestTimestamp,
      firstTimestampMs,
      offsetIndexSizeBytes,
      timeIndexSizeBytes,
      bytesSinceIndexEntry,
    });
  }

  /** Everything below `endOffset` is in the file. */
  settleUpTo(endOffset: Offset): void {
    while (this.#first < this.#batches.length && this.#batches[this.#first]!.endOffset <= endOffset) this.#first++;
    // Cutting only when half is settled makes it cost a constant amount per batch.
    if (this.#first * 2 < this.#batches.length) return;
    this.#batches = this.#batches.slice(this.#first);
    this.#first = 0;
  }

  /** The batches that end after `endOffset` were not written: their segments get back what they had before them. */
  rollBackTo(endOffset: Offset): void {
    while (this.#batches.length > this.#first && this.#batches.at(-1)!.endOffset > endOffset) {
      const { segment, ...before } = this.#batches.pop()!;
      segment.largestTimestampMs = before.largestTimestampMs;
      segment.offsetOfLargestTimestamp = before.offsetOfLargestTimestamp;
      segment.firstTimestampMs = before.firstTimestampMs;
      segment.offsetIndexSizeBytes = before.offsetIndexSizeBytes;
      segment.timeIndexSizeBytes = before.timeIndexSizeBytes;
      segment.bytesSinceIndexEntry = before.bytesSinceIndexEntry;
    }
  }
}
