/**
 * The batches of one partition that are on their way to the file, with what they changed of their segment's timestamps
 * and indexes, so that a failed write can be undone. I/O thread, one per log.
 *
 *   append ──► add ──► settleUpTo(written): confirmed │ rollBackTo(written): the segment is as it was confirmed
 *
 *   #oldest ─► batch ─► batch ─► … ◄─ #newest           linked by `newer` and `older`
 *
 * Where many partitions are written in turn, an object made for each batch outlives the collector's first looks, and all
 * of them together take more memory than the partitions. So objects are used again, by whichever partition comes next.
 */

import { firstOffset, noTimestamp, type Offset } from '../base/numbers.ts';
import type { Segment } from './segment.ts';

interface PendingBatch {
  endOffset: Offset;
  /** Null while the object waits to be used again. */
  segment: Segment | null;
  /** The segment before this batch. */
  largestTimestampMs: number;
  offsetOfLargestTimestamp: number;
  firstTimestampMs: number;
  offsetIndexSizeBytes: number;
  timeIndexSizeBytes: number;
  transactionIndexSizeBytes: number;
  bytesSinceIndexEntry: number;
  older: PendingBatch | null;
  newer: PendingBatch | null;
}

/** As many objects of batches that are settled wait to be used again. */
const sparesMax = 4096;
/** Of all partitions, linked by `newer`. */
let spares: PendingBatch | null = null;
let spareCount = 0;

export class PendingBatches {
  #oldest: PendingBatch | null = null;
  #newest: PendingBatch | null = null;

  /** Remembers `segment` as it is before a batch that ends at `endOffset` is added to it. */
  add(endOffset: Offset, segment: Segment): void {
    const batch = blankBatch();
    batch.endOffset = endOffset;
    batch.segment = segment;
    batch.largestTimestampMs = segment.largestTimestampMs;
    batch.offsetOfLargestTimestamp = segment.offsetOfLargestTimestamp;
    batch.firstTimestampMs = segment.firstTimestampMs;
    batch.offsetIndexSizeBytes = segment.offsetIndexSizeBytes;
    batch.timeIndexSizeBytes = segment.timeIndexSizeBytes;
    batch.transactionIndexSizeBytes = segment.transactionIndexSizeBytes;
    batch.bytesSinceIndexEntry = segment.bytesSinceIndexEntry;
    batch.older = this.#newest;
    if (this.#newest === null) this.#oldest = batch;
    else this.#newest.newer = batch;
    this.#newest = batch;
  }

  /** Everything below `endOffset` is in the file. */
  settleUpTo(endOffset: Offset): void {
    while (this.#oldest !== null && this.#oldest.endOffset <= endOffset) {
      const settled = this.#oldest;
      this.#oldest = settled.newer;
      if (this.#oldest === null) this.#newest = null;
      else this.#oldest.older = null;
      spare(settled);
    }
  }

  /** The batches that end after `endOffset` were not written: their segments get back what they had before them. */
  rollBackTo(endOffset: Offset): void {
    while (this.#newest !== null && this.#newest.endOffset > endOffset) {
      const undone = this.#newest;
      this.#newest = undone.older;
      if (this.#newest === null) this.#oldest = null;
      else this.#newest.newer = null;
      restore(undone);
      spare(undone);
    }
  }
}

function restore({ segment, ...before }: PendingBatch): void {
  if (segment === null) return;
  segment.largestTimestampMs = before.largestTimestampMs;
  segment.offsetOfLargestTimestamp = before.offsetOfLargestTimestamp;
  segment.firstTimestampMs = before.firstTimestampMs;
  segment.offsetIndexSizeBytes = before.offsetIndexSizeBytes;
  segment.timeIndexSizeBytes = before.timeIndexSizeBytes;
  segment.transactionIndexSizeBytes = before.transactionIndexSizeBytes;
  segment.bytesSinceIndexEntry = before.bytesSinceIndexEntry;
}

/** One that waits to be used again, or a new one; in no list. */
function blankBatch(): PendingBatch {
  const batch = spares;
  if (batch !== null) {
    spares = batch.newer;
    spareCount--;
    batch.newer = null;
    return batch;
  }
  return {
    endOffset: firstOffset,
    segment: null,
    largestTimestampMs: noTimestamp,
    offsetOfLargestTimestamp: 0,
    firstTimestampMs: noTimestamp,
    offsetIndexSizeBytes: 0,
    timeIndexSizeBytes: 0,
    transactionIndexSizeBytes: 0,
    bytesSinceIndexEntry: 0,
    older: null,
    newer: null,
  };
}

function spare(batch: PendingBatch): void {
  batch.segment = null;
  batch.older = null;
  batch.newer = null;
  if (spareCount === sparesMax) return;
  batch.newer = spares;
  spares = batch;
  spareCount++;
}
