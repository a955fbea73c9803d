/**
 * The batches of one partition that are on their way to the file, with what they changed of their segment's timestamps
 * and indexes, so that a failed write can be undone. I/O thread, one per log.
 *
 *   append ──► add ──► settleUpTo(written): confirmed │ rollBackTo(written): the segment is as it was confirmed
 */

import type { Offset } from '../base/numbers.ts';
import type { Segment } from './segment.ts';

interface PendingBatch {
  endOffset: Offset;
  segment: Segment;
  /** The segment before this batch. */
  largestTimestampMs: number;
  offsetOfLargestTimestamp: number;
  firstTimestampMs: number;
  offsetIndexSizeBytes: number;
  timeIndexSizeBytes: number;
  transactionIndexSizeBytes: number;
  bytesSinceIndexEntry: number;
}

/** As many objects of settled batches wait to be used again. */
const sparesMax = 4;

/**
 * Where many partitions are written in turn, an object made for each batch outlives the collector's first looks, and all
 * of them together take more memory than the partitions. So objects are used again.
 *
 *   #batches: [ settled, spare … │ pending … │ spare … ]
 *                                └ #first    └ #end
 */
export class PendingBatches {
  readonly #batches: PendingBatch[] = [];
  #first = 0;
  #end = 0;

  /** Remembers `segment` as it is before a batch that ends at `endOffset` is added to it. */
  add(endOffset: Offset, segment: Segment): void {
    const { largestTimestampMs, offsetOfLargestTimestamp, firstTimestampMs } = segment;
    const { offsetIndexSizeBytes, timeIndexSizeBytes, transactionIndexSizeBytes, bytesSinceIndexEntry } = segment;
    const spare = this.#batches[this.#end++];
    if (spare === undefined) {
      this.#batches.push({
        endOffset,
        segment,
        largestTimestampMs,
        offsetOfLargestTimestamp,
        firstTimestampMs,
        offsetIndexSizeBytes,
        timeIndexSizeBytes,
        transactionIndexSizeBytes,
        bytesSinceIndexEntry,
      });
      return;
    }
    spare.endOffset = endOffset;
    spare.segment = segment;
    spare.largestTimestampMs = largestTimestampMs;
    spare.offsetOfLargestTimestamp = offsetOfLargestTimestamp;
    spare.firstTimestampMs = firstTimestampMs;
    spare.offsetIndexSizeBytes = offsetIndexSizeBytes;
    spare.timeIndexSizeBytes = timeIndexSizeBytes;
    spare.transactionIndexSizeBytes = transactionIndexSizeBytes;
    spare.bytesSinceIndexEntry = bytesSinceIndexEntry;
  }

  /** Everything below `endOffset` is in the file. */
  settleUpTo(endOffset: Offset): void {
    while (this.#first < this.#end && this.#batches[this.#first]!.endOffset <= endOffset) this.#first++;
    if (this.#first === this.#end) {
      this.#first = 0;
      this.#end = 0;
      if (this.#batches.length > sparesMax) this.#batches.length = sparesMax;
    } else if (this.#first * 2 >= this.#end) {
      // Cutting only when half is settled makes it cost a constant amount per batch.
      this.#batches.splice(0, this.#first);
      this.#end -= this.#first;
      this.#first = 0;
    }
  }

  /** The batches that end after `endOffset` were not written: their segments get back what they had before them. */
  rollBackTo(endOffset: Offset): void {
    while (this.#end > this.#first && this.#batches[this.#end - 1]!.endOffset > endOffset) {
      const { segment, ...before } = this.#batches[--this.#end]!;
      segment.largestTimestampMs = before.largestTimestampMs;
      segment.offsetOfLargestTimestamp = before.offsetOfLargestTimestamp;
      segment.firstTimestampMs = before.firstTimestampMs;
      segment.offsetIndexSizeBytes = before.offsetIndexSizeBytes;
      segment.timeIndexSizeBytes = before.timeIndexSizeBytes;
      segment.transactionIndexSizeBytes = before.transactionIndexSizeBytes;
      segment.bytesSinceIndexEntry = before.bytesSinceIndexEntry;
    }
  }
}
