/**
 * Counts what a version 11 Fetch response holds without decoding records. Load thread.
 *
 *   correlation id │ throttle │ error │ session │ topics: name │ partitions: index │ error │ high watermark │ stable │
 *   start │ aborted │ replica │ records
 */

import { batchHeaderSizeBytes, batchSizeAt, lastOffsetAt, recordCountAt } from '../../src/records/record-batch.ts';

export const fetchVersion = 11;
const abortedBytes = 16;

/** Hears of each whole batch: its partition, its offset, and what is in it. */
export type BatchListener = (partition: number, lastOffset: number, recordCount: number, sizeBytes: number) => void;

/** `at`: behind the size prefix. Throws at the first error code. */
export function readFetchAnswer(bytes: Buffer, start: number, onBatch: BatchListener): void {
  let at = start + 8;
  failAt(bytes.readInt16BE(at));
  at += 6;
  for (let topics = bytes.readInt32BE(at), topicsAt = (at += 4); topics > 0 && topicsAt > 0; topics--) {
    at += 2 + bytes.readInt16BE(at);
    let partitions = bytes.readInt32BE(at);
    at += 4;
    for (; partitions > 0; partitions--) {
      const partition = bytes.readInt32BE(at);
      failAt(bytes.readInt16BE(at + 4));
      at += 30;
      at += 4 + Math.max(bytes.readInt32BE(at), 0) * abortedBytes + 4;
      const end = at + 4 + Math.max(bytes.readInt32BE(at), 0);
      readBatches(bytes, partition, at + 4, end, onBatch);
      at = end;
    }
  }
}

/** A response may end with a part of a batch, which is asked for again. */
function readBatches(bytes: Buffer, partition: number, start: number, end: number, onBatch: BatchListener): void {
  for (let at = start; end - at >= batchHeaderSizeBytes;) {
    const sizeBytes = batchSizeAt(bytes, at, end);
    if (sizeBytes < 0) return;
    onBatch(partition, lastOffsetAt(bytes, at), recordCountAt(bytes, at), sizeBytes);
    at += sizeBytes;
  }
}

function failAt(errorCode: number): void {
  if (errorCode !== 0) throw new Error(`A fetch was answered with error ${errorCode}.`);
}
