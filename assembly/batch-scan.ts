// Checks record batches where they lie, and walks them. Any thread. It writes only rows and results, whose layouts
// are those of `src/memory/core.ts`, and where it is asked to the CRC; nothing is read before its length was checked against the range.
//
// A record (every `v` is a zigzag varint of up to 32 bits, `v64` of up to 64):
//
//   v length | i8 attributes | v64 timestampDelta | v offsetDelta | v keySize (-1: null) | key
//   | v valueSize (-1: null) | value | v headerCount | { v keySize | key | v valueSize (-1: null) | value }
//
// It inflates nothing: a scan checks header and CRC, and records are checked where they lie once they are inflated. A
// record's attributes have no meaning yet and are not looked at, as in Kafka.

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
  load64,
  store32,
} from './layout';
import { at, hasFailed, moveEnd, readVarint, readVarlong, skip, skipField, skipHeaders, startReading } from './record-cursor';

const ok: i32 = 0;
const truncated: i32 = 1;
const badLength: i32 = 2;
const badMagic: i32 = 3;
const badCrc: i32 = 4;
const badCount: i32 = 5;
const badRecord: i32 = 6;
const badAttributes: i32 = 7;

const flagContiguous: u32 = 2;
const flagSeal: u32 = 4;

const rowSize: usize = 72;
const codecMask: i32 = 7;
const lastCodec: i32 = 4;

// What the records checked last amount to.
let firstBad: i32 = -1;
let maxDelta: i64 = 0;
let minDelta: i64 = 0;
let offsetDeltaOfMax: i32 = -1;
let keyless: i32 = 0;
let lastDelta: i32 = -1;
let largest: i32 = 0;

/** A row for each batch from `address` on, up to the first that is not whole and right; returns how many. */
export function scanBatches(address: usize, size: u32, rows: usize, maxRows: u32, maxBatchSize: u32, flags: u32): u32 {
  let position: u32 = 0;
  let count: u32 = 0;
  while (position < size && count < maxRows) {
    const row = rows + <usize>count * rowSize;
    count++;
    clearRow(row, position);
    const status = scanBatch(address + position, size - position, row, maxBatchSize, flags);
    store<i32>(row, status, 64);
    if (status != ok) break;
    position += load<u32>(row, 36);
  }
  return count;
}

/** Checks the records that fill the range; returns the status, which stands in the result too. */
export function validateRecords(address: usize, size: u32, recordCount: i32, flags: u32, result: usize): i32 {
  const status = checkRecords(address, size, recordCount, (flags & flagContiguous) != 0);
  store<i32>(result, status, 0);
  store<i32>(result, firstBad, 4);
  store<f64>(result, <f64>maxDelta, 8);
  store<f64>(result, <f64>minDelta, 16);
  store<i32>(result, offsetDeltaOfMax, 24);
  store<i32>(result, keyless, 28);
  store<i32>(result, lastDelta, 32);
  store<i32>(result, largest, 36);
  return status;
}

function clearRow(row: usize, position: u32): void {
  memory.fill(row, 0, rowSize);
  store<u32>(row, position, 32);
}

function scanBatch(address: usize, available: u32, row: usize, maxBatchSize: u32, flags: u32): i32 {
  // The magic comes first, because the older formats' messages may be shorter than this one's header.
  if (available <= <u32>atMagic) return truncated;
  if (load<u8>(address + atMagic) != 2) return badMagic;
  if (available < headerSize) return truncated;

  const attributes = <i32>load16(address + atAttributes);
  const recordCount = load32(address + atRecordCount);
  const lastOffsetDelta = load32(address + atLastOffsetDelta);
  store<f64>(row, <f64>load64(address), 0);
  store<f64>(row, <f64>load64(address + atBaseTimestamp), 8);
  store<f64>(row, <f64>load64(address + atMaxTimestamp), 16);
  store<f64>(row, <f64>load64(address + atProducerId), 24);
  store<i32>(row, load32(address + atLeaderEpoch), 40);
  store<i32>(row, attributes, 44);
  store<i32>(row, load16(address + atProducerEpoch), 48);
  store<i32>(row, load32(address + atBaseSequence), 52);
  store<i32>(row, recordCount, 56);
  store<i32>(row, lastOffsetDelta, 60);

  const length = load32(address + atLength);
  if (length < <i32>(headerSize - leadSize)) return badLength;
  const size = <u32>length + leadSize;
  store<u32>(row, size, 36);
  if (size > maxBatchSize) return badLength;
  if (size > available) return truncated;
  const crc = crc32c(address + atAttributes, size - <u32>atAttributes);
  if ((flags & flagSeal) != 0) store32(address + atCrc, <i32>crc);
  else if (crc != <u32>load32(address + atCrc)) return badCrc;

  const contiguous = (flags & flagContiguous) != 0;
  if (!isCountRight(recordCount, lastOffsetDelta, contiguous)) return badCount;
  return (attributes & codecMask) > lastCodec ? badAttributes : ok;
}

/** A compacted batch keeps its last delta while records go, even all of them; a client's batch has every offset. */
function isCountRight(recordCount: i32, lastOffsetDelta: i32, contiguous: bool): bool {
  if (recordCount < 0 || lastOffsetDelta < 0) return false;
  const offsets = <i64>lastOffsetDelta + 1;
  return contiguous ? recordCount == offsets : recordCount <= offsets;
}

/** Checks the records and leaves what they amount to in the globals; the first record in excess counts as bad. */
function checkRecords(address: usize, size: u32, count: i32, contiguous: bool): i32 {
  const stop = address + size;
  startReading(address, stop);
  firstBad = -1;
  maxDelta = 0;
  minDelta = 0;
  offsetDeltaOfMax = -1;
  keyless = 0;
  lastDelta = -1;
  largest = 0;
  for (let index = 0; index < count; index++) {
    moveEnd(stop);
    const length = readVarint();
    if (hasFailed() || length < 0 || <u32>length > <u32>(stop - at())) return fail(index);
    moveEnd(at() + length);
    const recordEnd = at() + length;
    skip(1);
    const timestampDelta = readVarlong();
    const offsetDelta = readVarint();
    const isKeyless = skipField() < 0;
    skipField();
    skipHeaders();
    if (hasFailed() || at() != recordEnd) return fail(index);
    if (offsetDelta <= lastDelta) return fail(index);
    if (contiguous && offsetDelta != index) return fail(index);
    lastDelta = offsetDelta;
    if (length > largest) largest = length;
    if (isKeyless) keyless++;
    if (index == 0 || timestampDelta > maxDelta) {
      maxDelta = timestampDelta;
      offsetDeltaOfMax = offsetDelta;
    }
    if (index == 0 || timestampDelta < minDelta) minDelta = timestampDelta;
  }
  return at() == stop && count >= 0 ? ok : fail(count);
}

function fail(index: i32): i32 {
  firstBad = index;
  return badRecord;
}
