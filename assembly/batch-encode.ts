// Writes record batches and changes them in place. Any thread, on memory that the caller alone writes.
// For the formats see `layout.ts` (a batch) and `batch-scan.ts` (a record). It compresses nothing and checks no bounds:
// callers reserve the room.

import { crc32c } from './crc32c';
import {
  atAttributes,
  atBaseSequence,
  atBaseTimestamp,
  atCrc,
  atLastOffsetDelta,
  atLeaderEpoch,
  atLength,
  atMagic,
  atMaxTimestamp,
  atProducerEpoch,
  atProducerId,
  atRecordCount,
  headerSize,
  leadSize,
  load16,
  load32,
  store16,
  store32,
  store64,
} from './layout';
import { varintSize, writeVarint, zigzag, zigzag64 } from './varint-writer';

const logAppendTime: i16 = 8;

/** Writes base offset and leader epoch, which the CRC does not cover. */
export function assignOffsets(batch: usize, baseOffset: f64, leaderEpoch: i32): void {
  store64(batch, <i64>baseOffset);
  store32(batch + atLeaderEpoch, leaderEpoch);
}

/** Marks the batch as stamped by the log at `timestamp`. */
export function stampLogAppendTime(batch: usize, timestamp: f64): void {
  writeTimestamp(batch, timestamp, load16(batch + atAttributes) | logAppendTime);
}

/** Writes the maximum of the timestamps that the producer gave. */
export function setMaxTimestamp(batch: usize, timestamp: f64): void {
  writeTimestamp(batch, timestamp, load16(batch + atAttributes) & ~logAppendTime);
}

function writeTimestamp(batch: usize, timestamp: f64, attributes: i16): void {
  store16(batch + atAttributes, attributes);
  store64(batch + atMaxTimestamp, <i64>timestamp);
  renewCrc(batch, <u32>load32(batch + atLength) + leadSize);
}

/** Appends a record and returns the bytes written. */
export function encodeRecord(
  address: usize,
  offsetDelta: i32,
  timestampDelta: f64,
  key: usize,
  keySize: i32,
  value: usize,
  valueSize: i32,
  headers: usize,
  headersSize: u32,
  headerCount: i32,
): u32 {
  const timestamp = zigzag64(<i64>timestampDelta);
  const size: u32 =
    1 +
    varintSize(timestamp) +
    varintSize(zigzag(offsetDelta)) +
    fieldSize(keySize) +
    fieldSize(valueSize) +
    varintSize(zigzag(headerCount)) +
    headersSize;
  let at = writeVarint(address, zigzag(size));
  store<u8>(at, 0);
  at = writeVarint(at + 1, timestamp);
  at = writeVarint(at, zigzag(offsetDelta));
  at = writeField(at, key, keySize);
  at = writeField(at, value, valueSize);
  at = writeVarint(at, zigzag(headerCount));
  memory.copy(at, headers, headersSize);
  return <u32>(at + headersSize - address);
}

/** Writes the header before the records that stand at `batch + 61`; base offset 0, no leader epoch. */
export function encodeBatchHeader(
  batch: usize,
  bodySize: u32,
  recordCount: i32,
  attributes: i32,
  baseTimestamp: f64,
  maxTimestamp: f64,
  producerId: f64,
  producerEpoch: i32,
  baseSequence: i32,
): void {
  assignOffsets(batch, 0, -1);
  store32(batch + atLength, bodySize + headerSize - leadSize);
  store<u8>(batch + atMagic, 2);
  store16(batch + atAttributes, <i16>attributes);
  store32(batch + atLastOffsetDelta, recordCount - 1);
  store64(batch + atBaseTimestamp, <i64>baseTimestamp);
  store64(batch + atMaxTimestamp, <i64>maxTimestamp);
  store64(batch + atProducerId, <i64>producerId);
  store16(batch + atProducerEpoch, <i16>producerEpoch);
  store32(batch + atBaseSequence, baseSequence);
  store32(batch + atRecordCount, recordCount);
  renewCrc(batch, headerSize + bodySize);
}

function renewCrc(batch: usize, size: u32): void {
  store32(batch + atCrc, crc32c(batch + atAttributes, size - <u32>atAttributes));
}

function fieldSize(size: i32): u32 {
  return varintSize(zigzag(size)) + <u32>max(size, 0);
}

function writeField(address: usize, from: usize, size: i32): usize {
  const at = writeVarint(address, zigzag(size));
  if (size <= 0) return at;
  memory.copy(at, from, size);
  return at + <usize>size;
}
