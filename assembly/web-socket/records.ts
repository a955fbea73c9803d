// Makes records of messages, where each is the value of one and nothing else (`assembly/batch-scan.ts` draws a record). One thread,
// on its own memory.

import { records, recordsEnd, rows, sizeOfRow } from './layout';

const lane: usize = 16;
const wholeText: u32 = 0x81;
const wholeBinary: u32 = 0x82;
/** Attributes, no key and no headers take a byte each. */
const fixedBytes: u32 = 3;
/** What else a record takes beside its value, at most. */
const mostOverhead: u32 = 32;

/** Where the records end that were made last. */
let madeEnd: usize = 0;

export function recordsMadeEnd(): usize {
  return madeEnd;
}

/**
 * Encodes the messages of the rows from `first` to `end` on, with offset deltas from `delta` on and all with one timestamp delta, as
 * far as they fit `room` and each `largest`, both in bytes, and are whole messages; gives how many did.
 */
export function makeRecords(first: i32, end: i32, delta: u32, timestampDelta: u32, room: u32, largest: u32): i32 {
  const limit = min<usize>(records + <usize>room, recordsEnd);
  let out = records;
  let row = rows + <usize>first * sizeOfRow;
  let next = first;
  while (next < end) {
    const kind = load<u32>(row, 8);
    if (kind != wholeText && kind != wholeBinary) break;
    const value = <usize>load<u32>(row);
    const size = load<u32>(row, 4) - <u32>value;
    if (size + mostOverhead > largest || out + <usize>(size + mostOverhead) > limit) break;
    out = writeRecord(out, value, size, delta, timestampDelta);
    delta++;
    next++;
    row += sizeOfRow;
  }
  madeEnd = out;
  return next - first;
}

// @ts-ignore: decorator
@inline
function writeRecord(at: usize, value: usize, size: u32, delta: u32, timestampDelta: u32): usize {
  const rest = fixedBytes + sizeOf(timestampDelta) + sizeOf(delta) + sizeOf(size) + size;
  let out = write(at, rest);
  store<u8>(out, 0);
  out = write(write(out + 1, timestampDelta), delta);
  store<u8>(out, 1);
  out = write(out + 1, size);
  copy(out, value, <usize>size);
  out += <usize>size;
  store<u8>(out, 0);
  return out + 1;
}

/** Copies forwards in whole lanes: behind both places there are bytes that may hold anything. */
// @ts-ignore: decorator
@inline
function copy(target: usize, source: usize, size: usize): void {
  for (let done: usize = 0; done < size; done += lane) v128.store(target + done, v128.load(source + done));
}

/** Of a number that is not negative as a varint, whose zigzag form is its double. */
// @ts-ignore: decorator
@inline
function sizeOf(value: u32): u32 {
  return value < 0x40 ? 1 : value < 0x2000 ? 2 : value < 0x100000 ? 3 : value < 0x8000000 ? 4 : 5;
}

// @ts-ignore: decorator
@inline
function write(at: usize, value: u32): usize {
  let out = at;
  let raw = <u64>value << 1;
  while (raw >= 0x80) {
    store<u8>(out++, <u8>raw | 0x80);
    raw >>= 7;
  }
  store<u8>(out, <u8>raw);
  return out + 1;
}
