// Compresses raw Snappy blocks of up to 64 KiB, with their length prefix (the format stands in `snappy.ts`). Any thread, on
// memory that the caller alone uses. One greedy pass; the framing is written in TypeScript.

import { clearTable, findMatch, foundAt, matchLength, minMatch } from './match-finder';
import { writeVarint } from './varint-writer';

const tooSmall: i32 = -2;
const wordBytes: usize = 8;
/** Length prefix, and of a literal its tag with the longest size. */
const overhead: u32 = 5;

/** Compresses a block; returns the size, or -2 where `capacity` does not hold it. `table` is 16 KiB of working memory. */
export function snappyDeflateBlock(source: usize, size: u32, target: usize, capacity: u32, table: usize): i32 {
  const end = source + size;
  if (capacity < overhead) return tooSmall;
  const stop = target + capacity;
  let literals = source;
  let to = writeVarint(target, size);
  clearTable(table);
  if (<usize>size > wordBytes) {
    let from = source + 1;
    const last = end - wordBytes;
    for (;;) {
      const distance = findMatch(source, from, last, table);
      if (distance == 0) break;
      const start = foundAt();
      const length = minMatch + matchLength(start + minMatch, distance, end);
      if (<usize>(start - literals) + overhead + length / 16 + 8 > stop - to) return tooSmall;
      to = writeLiteral(to, literals, <u32>(start - literals));
      to = writeCopy(to, distance, length);
      literals = start + length;
      from = literals;
      if (from > last) break;
    }
  }
  if (end - literals + overhead > stop - to) return tooSmall;
  return <i32>(writeLiteral(to, literals, <u32>(end - literals)) - target);
}

function writeLiteral(at: usize, from: usize, size: u32): usize {
  if (size == 0) return at;
  const stated = size - 1;
  if (stated < 60) store<u8>(at++, <u8>(stated << 2));
  else if (stated < 256) {
    store<u8>(at, 60 << 2);
    store<u8>(at, <u8>stated, 1);
    at += 2;
  } else {
    store<u8>(at, 61 << 2);
    store<u16>(at, <u16>stated, 1);
    at += 3;
  }
  memory.copy(at, from, size);
  return at + size;
}

/** Copies of at most 64 bytes with two bytes of distance; none is left shorter than four. */
function writeCopy(at: usize, distance: u32, length: u32): usize {
  while (length > 0) {
    const part: u32 = length > 64 ? (length < 68 ? 60 : 64) : length;
    if (part < 12 && distance < 2048) {
      store<u8>(at, <u8>(((distance >>> 8) << 5) | ((part - 4) << 2) | 1));
      store<u8>(at, <u8>distance, 1);
      at += 2;
    } else {
      store<u8>(at, <u8>(((part - 1) << 2) | 2));
      store<u16>(at, <u16>distance, 1);
      at += 3;
    }
    length -= part;
  }
  return at;
}
