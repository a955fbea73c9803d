// What compaction does with the records of one batch, which lie in the memory as plain bytes: notes their keys, and copies
// those that stay. Any thread, on memory that the caller alone uses. A record is written as in `batch-scan.ts`.
// Which batches there are and what becomes of them is decided in TypeScript; it inflates and compresses nothing.

import { crc32c } from './crc32c';
import {
  atAttributes,
  atBaseTimestamp,
  atCrc,
  atLength,
  atMaxTimestamp,
  atRecordCount,
  headerSize,
  leadSize,
  load64,
  store16,
  store32,
  store64,
} from './layout';
import { newestOffset, putKey } from './key-map';
import { at, hasFailed, moveEnd, readVarint, readVarlong, skip, skipField, skipHeaders, startReading } from './record-cursor';
import { varintSize, writeVarint, zigzag, zigzag64 } from './varint-writer';

const malformed: i32 = -1;
const noSpace: i32 = -2;

/** Tombstones go, too, where they are the newest of their key. */
const flagDropTombstones: u32 = 1;
/** The batch's last record stays whatever its key. */
const flagKeepLast: u32 = 2;

// The record read last.
let recordStart: usize = 0;
let afterTimestamp: usize = 0;
let recordEnd: usize = 0;
let timestampDelta: i64 = 0;
let offsetDelta: i32 = 0;
let keySize: i32 = 0;
let keyAt: usize = 0;
let isTombstone: bool = false;

/**
 * Notes the keys of the records whose offset is at least `fromOffset`. Returns the offset delta of the first for which the
 * map has no room, 2^31 - 1 where all are noted, -1 where one does not parse.
 */
export function collectKeys(
  address: usize,
  size: u32,
  recordCount: i32,
  baseOffset: f64,
  fromOffset: f64,
  map: usize,
): i32 {
  const stop = address + size;
  startReading(address, stop);
  const base = <i64>baseOffset;
  const from = <i64>fromOffset;
  for (let index = 0; index < recordCount; index++) {
    if (!readRecord(stop)) return malformed;
    const offset = base + offsetDelta;
    if (keySize < 0 || offset < from) continue;
    if (!putKey(map, keyAt, keySize, offset)) return offsetDelta;
  }
  return i32.MAX_VALUE;
}

/**
 * Copies the records that stay to `target`: the newest of their key, and all at or after `knownEnd`, of which the map
 * knows nothing. Unless `baseTimestamp` is -1 their timestamps are made relative to it. The result, 40
 * bytes at `result`: i32 bytes written │ i32 records that stay │ i32 tombstones among them │ i32 offset delta of the newest
 * timestamp │ i64 that timestamp. Returns 0, -1 where a record does not parse, -2 where the target is too small.
 */
export function retainRecords(
  batch: usize,
  address: usize,
  size: u32,
  recordCount: i32,
  knownEnd: f64,
  flags: u32,
  baseTimestamp: f64,
  map: usize,
  target: usize,
  capacity: u32,
  result: usize,
): i32 {
  const stop = address + size;
  const base = load64(batch);
  const known = <i64>knownEnd;
  const timestamp = load64(batch + atBaseTimestamp);
  const shift = baseTimestamp < 0 ? 0 : timestamp - <i64>baseTimestamp;
  const end = target + capacity;
  let to = target;
  let retained = 0;
  let tombstones = 0;
  let offsetDeltaOfNewest = -1;
  let newest: i64 = i64.MIN_VALUE;
  startReading(address, stop);
  for (let index = 0; index < recordCount; index++) {
    if (!readRecord(stop)) return malformed;
    const offset = base + offsetDelta;
    const isKept = (flags & flagKeepLast) != 0 && index == recordCount - 1;
    if (!isKept && offset < known) {
      if (keySize < 0) continue;
      if (isTombstone && (flags & flagDropTombstones) != 0) continue;
      if (offset < newestOffset(map, keyAt, keySize)) continue;
    }
    retained++;
    if (isTombstone) tombstones++;
    if (timestamp + timestampDelta > newest) {
      newest = timestamp + timestampDelta;
      offsetDeltaOfNewest = offsetDelta;
    }
    if (shift == 0) {
      const bytes = <u32>(recordEnd - recordStart);
      if (bytes > <u32>(end - to)) return noSpace;
      memory.copy(to, recordStart, bytes);
      to += bytes;
    } else {
      // The length, the attributes and the timestamp come anew; the rest is copied.
      const rest = <u32>(recordEnd - afterTimestamp);
      const delta = zigzag64(timestampDelta + shift);
      const length: u32 = 1 + varintSize(delta) + rest;
      if (length + 5 > <u32>(end - to)) return noSpace;
      to = writeVarint(to, zigzag(length));
      store<u8>(to, 0);
      to = writeVarint(to + 1, delta);
      memory.copy(to, afterTimestamp, rest);
      to += rest;
    }
  }
  store<u32>(result, <u32>(to - target));
  store<i32>(result, retained, 4);
  store<i32>(result, tombstones, 8);
  store<i32>(result, offsetDeltaOfNewest, 12);
  store<i64>(result, newest, 16);
  return 0;
}

/**
 * Writes the header at `target`, behind which `bodySize` bytes of records stand, after that of `batch`: offsets, epochs,
 * producer and sequence stay. `baseTimestamp` of -1 keeps the batch's own; `newest` is where its largest timestamp
 * stands as an i64, or 0 where the batch's own is kept.
 */
export function encodeRetainedHeader(
  target: usize,
  batch: usize,
  bodySize: u32,
  recordCount: i32,
  attributes: i32,
  baseTimestamp: f64,
  newest: usize,
): void {
  memory.copy(target, batch, headerSize);
  store32(target + atLength, <i32>(bodySize + headerSize - leadSize));
  store16(target + atAttributes, <i16>attributes);
  if (baseTimestamp >= 0) store64(target + atBaseTimestamp, <i64>baseTimestamp);
  if (newest != 0) store64(target + atMaxTimestamp, load<i64>(newest));
  store32(target + atRecordCount, recordCount);
  store32(target + atCrc, <i32>crc32c(target + atAttributes, headerSize + bodySize - <u32>atAttributes));
}

/** Reads the next record; false where it does not parse, or goes beyond `stop`. */
// @ts-ignore: decorator
@inline
function readRecord(stop: usize): bool {
  recordStart = at();
  moveEnd(stop);
  const length = readVarint();
  if (hasFailed() || length < 0 || <u32>length > <u32>(stop - at())) return false;
  recordEnd = at() + length;
  moveEnd(recordEnd);
  skip(1);
  timestampDelta = readVarlong();
  afterTimestamp = at();
  offsetDelta = readVarint();
  keySize = skipField();
  keyAt = at() - <usize>max(keySize, 0);
  isTombstone = skipField() < 0;
  skipHeaders();
  return !hasFailed() && at() == recordEnd;
}
