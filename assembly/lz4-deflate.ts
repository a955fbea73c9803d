// Compresses LZ4 blocks of up to 64 KiB (the block format stands in `lz4.ts`). Any thread, on memory that the caller alone
// uses. One greedy pass, as LZ4's fast levels do; frames are written in TypeScript.

import { clearTable, findMatch, foundAt, matchLength, minMatch } from './match-finder';

const tooSmall: i32 = -2;
/** The last bytes of a block are literals, and the last match begins so far before its end: the format asks for both. */
const lastLiterals: usize = 5;
const matchFree: usize = 12;

/** Compresses a block; returns the size, or -2 where `capacity` does not hold it. `table` is 16 KiB of working memory. */
export function lz4DeflateBlock(source: usize, size: u32, target: usize, capacity: u32, table: usize): i32 {
  const end = source + size;
  const stop = target + capacity;
  let literals = source;
  let to = target;
  clearTable(table);
  if (<usize>size > matchFree) {
    let from = source + 1;
    const last = end - matchFree;
    for (;;) {
      const distance = findMatch(source, from, last, table);
      if (distance == 0) break;
      const start = foundAt();
      const length = minMatch + matchLength(start + minMatch, distance, end - lastLiterals);
      to = writeSequence(to, stop, literals, <u32>(start - literals), distance, length);
      if (to == 0) return tooSmall;
      literals = start + length;
      from = literals;
      if (from > last) break;
    }
  }
  to = writeSequence(to, stop, literals, <u32>(end - literals), 0, minMatch);
  return to == 0 ? tooSmall : <i32>(to - target);
}

/** Writes literals and the match behind them, none where `distance` is 0. Returns where it ends, 0 where there is no room. */
function writeSequence(at: usize, stop: usize, from: usize, literals: u32, distance: u32, length: u32): usize {
  const more = length - minMatch;
  const bound = <usize>literals + literals / 255 + more / 255 + 6;
  if (bound > stop - at) return 0;
  store<u8>(at, <u8>((min<u32>(literals, 15) << 4) | min<u32>(more, 15)));
  at = writeSize(at + 1, literals);
  memory.copy(at, from, literals);
  at += literals;
  if (distance == 0) return at;
  store<u16>(at, <u16>distance);
  return writeSize(at + 2, more);
}

/** What of a size does not stand in its nibble. */
function writeSize(at: usize, size: u32): usize {
  if (size < 15) return at;
  size -= 15;
  while (size >= 255) {
    store<u8>(at++, 255);
    size -= 255;
  }
  store<u8>(at, <u8>size);
  return at + 1;
}
