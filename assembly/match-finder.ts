// Finds what was there before in a block, for LZ4 and Snappy: greedy, over a table with the last place of each hash of four
// bytes, as in "LZ4 explained" (Collet). Any thread, on memory that the caller alone uses. The table is 16 KiB, for blocks
// of up to 64 KiB; where nothing is found for long it looks at fewer places.

const tableBits: u32 = 13;
export const tableSize: usize = 1 << (tableBits + 1);
export const minMatch: u32 = 4;
/** After so many places without a match the next ones are further apart. */
const patienceBits: u32 = 5;

let matchStart: usize = 0;

/** Where the match found last begins. */
// @ts-ignore: decorator
@inline
export function foundAt(): usize {
  return matchStart;
}

/** Forgets the places of the block before. */
export function clearTable(table: usize): void {
  memory.fill(table, 0, tableSize);
}

/**
 * The distance of the first match that begins in [`from`, `last`], 0 where there is none; of the block at `block`, all of
 * whose places before `from` may have been given. Four bytes from `last` on are there.
 */
export function findMatch(block: usize, from: usize, last: usize, table: usize): u32 {
  let at = from;
  let tried: u32 = 1 << patienceBits;
  while (at <= last) {
    const word = load<u32>(at);
    const entry = table + (<usize>((word * 0x9e3779b1) >>> (32 - tableBits)) << 1);
    const candidate = block + load<u16>(entry);
    store<u16>(entry, <u16>(at - block));
    if (candidate < at && load<u32>(candidate) == word) {
      matchStart = at;
      return <u32>(at - candidate);
    }
    at += tried++ >>> patienceBits;
  }
  return 0;
}

/** How many bytes at `at` are those `distance` bytes before it, up to `end`. */
export function matchLength(at: usize, distance: u32, end: usize): u32 {
  const start = at;
  while (end - at >= 8) {
    const difference = load<u64>(at) ^ load<u64>(at - distance);
    if (difference != 0) return <u32>(at - start) + (<u32>ctz<u64>(difference) >>> 3);
    at += 8;
  }
  while (at < end && load<u8>(at) == load<u8>(at - distance)) at++;
  return <u32>(at - start);
}
