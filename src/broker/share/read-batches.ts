/**
 * What a share fetch needs to know of the batches that it read: where they are, which nobody is to see, and which bytes
 * are sent. Any thread; only headers are looked at.
 */

import { CommittedBatches } from '../../records/committed-batches.ts';
import { attributesAt, baseOffsetAt, batchSizeAt, isControl, lastOffsetAt } from '../../records/record-batch.ts';
import type { ReadResult } from '../../storage/partition-log.ts';
import type { AcquiredRange, LogBatch } from './acquiring.ts';

/** The whole batches in `records`, in order. */
export function batchesIn(records: Uint8Array): LogBatch[] {
  const batches: LogBatch[] = [];
  for (let at = 0; ;) {
    const sizeBytes = batchSizeAt(records, at, records.length);
    if (sizeBytes < 0) return batches;
    batches.push({ baseOffset: baseOffsetAt(records, at), lastOffset: lastOffsetAt(records, at) });
    at += sizeBytes;
  }
}

/** The batches of aborted transactions; none where what is not committed was read too. Markers are the client's to pass over. */
export function hiddenBatches({ records, abortedTransactions }: ReadResult): LogBatch[] {
  if (abortedTransactions === null || abortedTransactions.length === 0) return [];
  const committed = new CommittedBatches(abortedTransactions);
  const hidden: LogBatch[] = [];
  for (let at = 0; ;) {
    const sizeBytes = batchSizeAt(records, at, records.length);
    if (sizeBytes < 0) return hidden;
    if (committed.hides(records, at, sizeBytes) && !isControl(attributesAt(records, at))) {
      hidden.push({ baseOffset: baseOffsetAt(records, at), lastOffset: lastOffsetAt(records, at) });
    }
    at += sizeBytes;
  }
}

/** What is left of `acquired` without the batches in `hidden`; both are in order. */
export function withoutHidden(acquired: readonly AcquiredRange[], hidden: readonly LogBatch[]): AcquiredRange[] {
  const left: AcquiredRange[] = [];
  for (const { firstOffset, lastOffset, deliveryCount } of acquired) {
    let from = firstOffset;
    for (const batch of hidden) {
      if (batch.lastOffset < from || batch.baseOffset > lastOffset) continue;
      if (batch.baseOffset > from) left.push({ firstOffset: from, lastOffset: batch.baseOffset - 1, deliveryCount });
      from = batch.lastOffset + 1;
    }
    if (from <= lastOffset) left.push({ firstOffset: from, lastOffset, deliveryCount });
  }
  return left;
}

/** The bytes of the batches that hold the offsets from `firstOffset` to `lastOffset`. */
export function acquiredBytes(records: Uint8Array, firstOffset: number, lastOffset: number): Uint8Array {
  let start = -1;
  let at = 0;
  for (;;) {
    const sizeBytes = batchSizeAt(records, at, records.length);
    if (sizeBytes < 0 || baseOffsetAt(records, at) > lastOffset) break;
    if (start < 0 && lastOffsetAt(records, at) >= firstOffset) start = at;
    at += sizeBytes;
  }
  return records.subarray(Math.max(start, 0), at);
}
