// Offset and time indexes in Kafka's file formats, big-endian and dense from `address` on. Any thread, on memory that
// the caller alone writes. Which entries there are is the caller's decision; it checks no bounds.
//
//   offset index entry:  i32 relative offset | i32 position
//   time index entry:    i64 timestamp | i32 relative offset

import { load32, load64, store32, store64 } from './layout';

const offsetEntrySize: u32 = 8;
const timeEntrySize: u32 = 12;

export function offsetIndexAppend(address: usize, count: u32, relativeOffset: i32, position: i32): void {
  const entry = address + count * offsetEntrySize;
  store32(entry, relativeOffset);
  store32(entry + 4, position);
}

/** The last entry whose relative offset is at most `relativeOffset`, or -1. */
export function offsetIndexSearch(address: usize, count: u32, relativeOffset: i32): i32 {
  let low: u32 = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (load32(address + middle * offsetEntrySize) <= relativeOffset) low = middle + 1;
    else high = middle;
  }
  return <i32>low - 1;
}

export function timeIndexAppend(address: usize, count: u32, timestamp: f64, relativeOffset: i32): void {
  const entry = address + count * timeEntrySize;
  store64(entry, <i64>timestamp);
  store32(entry + 8, relativeOffset);
}

/** The last entry whose timestamp is at most `timestamp`, or -1. */
export function timeIndexSearch(address: usize, count: u32, timestamp: f64): i32 {
  const wanted = <i64>timestamp;
  let low: u32 = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (load64(address + middle * timeEntrySize) <= wanted) low = middle + 1;
    else high = middle;
  }
  return <i32>low - 1;
}
