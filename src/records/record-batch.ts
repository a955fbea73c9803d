/**
 * Record batches of magic 2, as they travel and as they lie in segment files. Any thread.
 *
 *    0 i64 base offset            8 i32 length of what follows   12 i32 partition leader epoch   16 i8 magic = 2
 *   17 u32 CRC-32C of 21…end     21 i16 attributes               23 i32 last offset delta
 *   27 i64 base timestamp        35 i64 max timestamp            43 i64 producer id
 *   51 i16 producer epoch        53 i32 base sequence            57 i32 record count           61 records
 *
 *   attributes:  0–2 compression │ 3 timestamps are LogAppendTime │ 4 transactional │ 5 control │ 6 delete horizon
 *
 * Functions read a field of the batch that begins at `at`; those that take lengths from the bytes check them first
 * (`batchSizeAt`), all others trust that a whole header is there. Nothing is allocated. It does not read the records
 * (`record-reader.ts`) nor inflate them.
 */

import type { Offset } from '../base/numbers.ts';
import { readInt16, readInt32, readInt64, readUint32 } from './big-endian.ts';
import type { Crc32c } from './crc32c.ts';

/** Byte places in a batch. */
export const batchField = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
} as const;

export const batchHeaderSizeBytes = 61;
/** Base offset and length, which the length field does not count. */
export const batchPrefixSizeBytes = 12;
export const currentMagic = 2;

/** The codecs that the attributes' lowest three bits name. */
export const Compression = { NONE: 0, GZIP: 1, SNAPPY: 2, LZ4: 3, ZSTD: 4 } as const;
export type Compression = (typeof Compression)[keyof typeof Compression];

export const attributeBit = {
  compressionMask: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
  deleteHorizon: 0x40,
} as const;

/**
 * The size of the batch that begins at `at`, or -1 where no whole batch of magic 2 lies between `at` and `end`: fewer
 * bytes than its length says, a length smaller than a header, or another magic.
 */
export function batchSizeAt(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < batchHeaderSizeBytes) return -1;
  const size = batchPrefixSizeBytes + readInt32(bytes, at + batchField.length);
  if (size < batchHeaderSizeBytes || size > end - at || bytes[at + batchField.magic] !== currentMagic) return -1;
  return size;
}

/** As the bytes say it: in a batch from a client it may be anything. */
export function baseOffsetAt(bytes: Uint8Array, at: number): Offset {
  return readInt64(bytes, at + batchField.baseOffset) as Offset;
}

/** The offset of the last record; the batch's offsets end there even where compaction removed that record. */
export function lastOffsetAt(bytes: Uint8Array, at: number): Offset {
  return (readInt64(bytes, at + batchField.baseOffset) + readInt32(bytes, at + batchField.lastOffsetDelta)) as Offset;
}

export function leaderEpochAt(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + batchField.leaderEpoch);
}

export function attributesAt(bytes: Uint8Array, at: number): number {
  return readInt16(bytes, at + batchField.attributes);
}

/** In milliseconds. The records' timestamps are relative to it, or it is the delete horizon. */
export function baseTimestampAt(bytes: Uint8Array, at: number): number {
  return readInt64(bytes, at + batchField.baseTimestamp);
}

/** In milliseconds. */
export function maxTimestampAt(bytes: Uint8Array, at: number): number {
  return readInt64(bytes, at + batchField.maxTimestamp);
}

/** -1 where the producer is not idempotent. */
export function producerIdAt(bytes: Uint8Array, at: number): number {
  return readInt64(bytes, at + batchField.producerId);
}

export function producerEpochAt(bytes: Uint8Array, at: number): number {
  return readInt16(bytes, at + batchField.producerEpoch);
}

export function baseSequenceAt(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + batchField.baseSequence);
}

export function lastOffsetDeltaAt(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + batchField.lastOffsetDelta);
}

export function recordCountAt(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + batchField.recordCount);
}

/** The number of the compression in `attributes`; 5 to 7 name none. */
export function compressionOf(attributes: number): number {
  return attributes & attributeBit.compressionMask;
}

export function isLogAppendTime(attributes: number): boolean {
  return (attributes & attributeBit.logAppendTime) !== 0;
}

export function isTransactional(attributes: number): boolean {
  return (attributes & attributeBit.transactional) !== 0;
}

export function isControl(attributes: number): boolean {
  return (attributes & attributeBit.control) !== 0;
}

/** Whether the CRC of the whole batch of `sizeBytes` at `at` is right. */
export function hasValidCrc(bytes: Uint8Array, at: number, sizeBytes: number, crc32c: Crc32c): boolean {
  return readUint32(bytes, at + batchField.crc) === crc32c(bytes.subarray(at + batchField.attributes, at + sizeBytes));
}

/**
 * Where the whole batches in [`at`, `end`) end: the place of the first byte that belongs to none, which is `end` unless
 * the last batch is cut or the bytes are no batches.
 */
export function wholeBatchesEnd(bytes: Uint8Array, at: number, end: number): number {
  for (;;) {
    const size = batchSizeAt(bytes, at, end);
    if (size < 0) return at;
    at += size;
  }
}

/** The place of the first whole batch in [`at`, `end`) whose last offset is at least `offset`, or -1. */
export function findBatch(bytes: Uint8Array, at: number, end: number, offset: Offset): number {
  for (;;) {
    const size = batchSizeAt(bytes, at, end);
    if (size < 0) return -1;
    if (lastOffsetAt(bytes, at) >= offset) return at;
    at += size;
  }
}
