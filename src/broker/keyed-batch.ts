/**
 * Keyed records as one uncompressed record batch, which is how internal logs hold them. Any thread.
 * Layouts stand in records/. It does not know what keys and values mean.
 */

import { asOffset, type Offset } from '../base/numbers.ts';
import { buildBatch } from '../records/batch-builder.ts';
import { crc32c } from '../records/crc32c.ts';
import { batchHeaderSizeBytes, batchSizeAt, lastOffsetAt } from '../records/record-batch.ts';
import { RecordReader } from '../records/record-reader.ts';

/** A record of an internal log: the newest of a key counts, and a null value takes the key away, where its kind says no other. */
export interface KeyedRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

// Length, attributes, timestamp delta, offset delta, key length, value length and header count at their longest.
const recordOverheadBytes = 5 + 1 + 10 + 5 + 5 + 5 + 5;

/** At most so many bytes take the records as a batch. */
export function keyedBatchBound(records: readonly KeyedRecord[]): number {
  let sizeBytes = batchHeaderSizeBytes;
  for (const record of records) sizeBytes += recordBound(record);
  return sizeBytes;
}

function recordBound({ key, value }: KeyedRecord): number {
  return recordOverheadBytes + key.length + (value?.length ?? 0);
}

/** Cuts the records into runs, in order, each of which ends with the record that takes it to `sizeBytes` as a batch, or beyond. */
export function inKeyedBatches(records: readonly KeyedRecord[], sizeBytes: number): KeyedRecord[][] {
  const batches: KeyedRecord[][] = [];
  let filledBytes = Infinity;
  for (const record of records) {
    if (filledBytes >= sizeBytes) {
      batches.push([]);
      filledBytes = batchHeaderSizeBytes;
    }
    batches.at(-1)!.push(record);
    filledBytes += recordBound(record);
  }
  return batches;
}

/** The records as one batch; `nowMs` is their timestamp. There is at least one. */
export function encodeKeyedBatch(records: readonly KeyedRecord[], nowMs: number): Uint8Array {
  return buildBatch(
    crc32c,
    records.map(({ key, value }) => ({ key, value, timestampMs: nowMs })),
  );
}

/**
 * Gives `take` the records of the whole batches in `bytes` from `offset` on, as copies. Returns the offset after the
 * last batch, or null where there is no whole batch. Throws `MalformedRecordsError` for records that do not parse.
 */
export function readKeyedBatches(
  bytes: Uint8Array,
  offset: Offset,
  take: (record: KeyedRecord) => void,
): Offset | null {
  let next: Offset | null = null;
  let at = 0;
  for (;;) {
    const sizeBytes = batchSizeAt(bytes, at, bytes.length);
    if (sizeBytes < 0) return next;
    const reader = new RecordReader(bytes, at, at + sizeBytes);
    while (reader.next()) {
      const { key, value } = reader;
      if (reader.offset >= offset && key !== null) {
        take({ key: copyOf(key), value: value === null ? null : copyOf(value) });
      }
    }
    next = asOffset(lastOffsetAt(bytes, at) + 1);
    at += sizeBytes;
  }
}

/** Not `slice`, which gives a view where the bytes are a Buffer's. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
