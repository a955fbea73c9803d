/**
 * What a batch adds to the segment that it is about to be written to: the newest timestamp, and entries of the sparse indexes, in
 * memory at once and, as fields of the batch's WRITE, in the files that the flush worker appends to. I/O thread.
 *
 * It does not know where a segment ends (segment-list.ts) nor how entries are kept (segment-index.ts).
 */

import { present } from '../base/assert.ts';
import { asOffset, asPosition, type Offset } from '../base/numbers.ts';
import { SubmissionFlag, type Submission } from '../memory/flush-messages.ts';
import type { LogState } from './log-state.ts';
import { offsetEntrySizeBytes, timeEntrySizeBytes } from './segment-index.ts';
import type { Segment } from './segment.ts';
import { transactionEntrySizeBytes, writeTransactionEntry, type TransactionEntry } from './transaction-index.ts';

/** Notes that the batch that ends at `endOffset` has `maxTimestamp` as its largest, in milliseconds. */
export function noteTimestamp(segment: Segment, maxTimestamp: number, endOffset: Offset): void {
  if (segment.sizeBytes === 0) segment.firstTimestampMs = maxTimestamp;
  // A client may send up to 2^63 - 1 where the topic allows it; an index holds what a double holds exactly.
  const largestMs = Math.min(maxTimestamp, Number.MAX_SAFE_INTEGER);
  if (largestMs <= segment.largestTimestampMs) return;
  segment.largestTimestampMs = largestMs;
  segment.offsetOfLargestTimestamp = endOffset - 1;
}

/** Adds index entries for the batch that ends at `endOffset` and is about to be added, here and in its WRITE. */
export function indexBatch(segment: Segment, endOffset: Offset, fields: Submission): void {
  const index = present(segment.index, 'the active segment has its index');
  segment.bytesSinceIndexEntry = 0;
  if (index.appendOffset(asOffset(endOffset - 1), asPosition(segment.sizeBytes))) {
    segment.offsetIndexSizeBytes += offsetEntrySizeBytes;
    fields.flags |= SubmissionFlag.OFFSET_INDEX_ENTRY;
    fields.indexRelativeOffset = endOffset - 1 - segment.baseOffset;
  }
  const { largestTimestampMs, offsetOfLargestTimestamp } = segment;
  if (largestTimestampMs <= index.lastTimestampMs) return;
  if (!index.appendTime(largestTimestampMs, asOffset(offsetOfLargestTimestamp))) return;
  segment.timeIndexSizeBytes += timeEntrySizeBytes;
  fields.flags |= SubmissionFlag.TIME_INDEX_ENTRY;
  fields.timeIndexTimestamp = largestTimestampMs;
  fields.timeIndexRelativeOffset = offsetOfLargestTimestamp - segment.baseOffset;
}

/** Notes the aborted transaction here, and at `address`, behind its marker in the ring, for the worker. */
export function indexAborted(
  { context, directory }: LogState,
  segment: Segment,
  entry: TransactionEntry,
  address: number,
  fields: Submission,
): void {
  context.indexes.transactionsOf(segment, directory, false).append(entry);
  segment.transactionIndexSizeBytes += transactionEntrySizeBytes;
  writeTransactionEntry(context.arena.bytes, address, entry);
  fields.flags |= SubmissionFlag.TRANSACTION_INDEX_ENTRY;
}

/** Whether a segment that ends needs one more time index entry, for its largest timestamp. */
export function lacksLastTime({ index, largestTimestampMs }: Segment): boolean {
  return largestTimestampMs > present(index, 'the active segment has its index').lastTimestampMs;
}

/**
 * Adds that entry here; the worker writes it in any case, because a recovery takes the segment's largest timestamp from it.
 */
export function addLastTime(sealed: Segment): void {
  const index = present(sealed.index, 'the active segment has its index');
  index.appendTime(sealed.largestTimestampMs, asOffset(sealed.offsetOfLargestTimestamp));
  sealed.timeIndexSizeBytes += timeEntrySizeBytes;
}
