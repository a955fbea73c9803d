// Inflates LZ4 blocks (the block format of lz4_Block_format.md). Any thread, on memory that the caller alone writes.
// The input comes from outside: every length and distance is checked before it is used. Frames are read in
// TypeScript; it compresses nothing.
//
//   block:    { sequence } ; the last sequence ends after its literals
//   sequence: u8 token (literal count << 4 | match size - 4) | more literal count | literals
//             | u16 LE distance | more match size
//   "more":   only when the nibble is 15: bytes that add up, the first below 255 being the last

import { copyLiterals, copyMatch } from './block-copy';

const malformed: i32 = -1;
const tooSmall: i32 = -2;
const minMatch: u32 = 4;
/** A short sequence (no bytes that continue a size) takes at most 14 literals and a distance; 16 are read at once. */
const shortRead: u32 = 18;
/** It writes at most 14 literals and 18 bytes of match; 16 and 32 are written at once. */
const shortWrite: u32 = 48;

// The sizes read last; globals belong to the instance, so threads do not share them.
let cursor: usize = 0;

/**
 * Inflates a block into `target`, whose matches may reach back over `historySize` bytes before it. Returns the size,
 * -1 where the block is malformed, -2 where the target does not hold it.
 */
export function lz4InflateBlock(source: usize, sourceSize: u32, target: usize, capacity: u32, historySize: u32): i32 {
  const end = source + sourceSize;
  // Up to these a short sequence lies, and its copies end, within both sides whatever its token says.
  const fastEnd = sourceSize > shortRead ? end - shortRead : source;
  const fastSize: u32 = capacity > shortWrite ? capacity - shortWrite : 0;
  let at = source;
  let size: u32 = 0;
  while (at < end) {
    const token: u32 = load<u8>(at++);
    const fast = at < fastEnd && size < fastSize;
    if (fast && token < 0xf0) {
      v128.store(target + size, v128.load(at));
      at += token >>> 4;
      size += token >>> 4;
    } else {
      cursor = at;
      const literals = extended(token >>> 4, end);
      at = cursor;
      if (literals < 0 || literals > <i64>(end - at)) return malformed;
      if (literals > <i64>(capacity - size)) return tooSmall;
      copyLiterals(target + size, at, <u32>literals, <u32>(end - at), capacity - size);
      at += <usize>literals;
      size += <u32>literals;
      // The last sequence has no match; the rest of its token has no meaning.
      if (at == end) return size;
      if (end - at < 2) return malformed;
    }

    const distance: u32 = load<u16>(at);
    at += 2;
    if (distance == 0 || <u64>distance > <u64>size + historySize) return malformed;
    if (fast && (token & 15) < 15 && distance >= 16 && size < fastSize) {
      const to = target + size;
      v128.store(to, v128.load(to - distance));
      v128.store(to, v128.load(to - distance, 16), 16);
      size += (token & 15) + minMatch;
      continue;
    }
    cursor = at;
    const matchSize = extended(token & 15, end);
    at = cursor;
    if (matchSize < 0) return malformed;
    if (matchSize + minMatch > <i64>(capacity - size)) return tooSmall;
    copyMatch(target + size, distance, <u32>matchSize + minMatch, capacity - size);
    size += <u32>matchSize + minMatch;
  }
  // An empty block, or one that ends with a match, lacks its last literals.
  return malformed;
}

/** A nibble's size with the bytes that continue it, or -1 where they run out. */
// @ts-ignore: decorator
@inline
function extended(nibble: u32, end: usize): i64 {
  let value: i64 = nibble;
  if (nibble < 15) return value;
  while (cursor < end) {
    const byte: u32 = load<u8>(cursor++);
    value += byte;
    if (byte < 255) return value;
  }
  return -1;
}
