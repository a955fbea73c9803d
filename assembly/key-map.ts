// The newest offset of each key, by the key's hash: what compaction compares records with. Any thread, on memory that
// the caller alone uses. Open addressing with linear probing; nothing is taken out. The caller clears it and bounds it.
//
//   header  0 u32 slots │ 4 u32 used │ 8 u32 limit │ 16 hash key, 16 bytes │ 32 room for one hash │ 64 slots, 24 bytes each
//   slot    0 hash, 16 bytes │ 16 i64 offset + 1 (0: the slot is free)

import { sipHash128 } from './siphash';

const atUsed: usize = 4;
const atLimit: usize = 8;
const atKey: usize = 16;
const atHash: usize = 32;
const headerSize: usize = 64;
const slotSize: usize = 24;

/** Notes that the key of `size` bytes at `key` has a record at `offset`, and none after it. False where the map is full. */
export function putKey(map: usize, key: usize, size: u32, offset: i64): bool {
  const slot = slotOf(map, key, size);
  if (load<i64>(slot, 16) == 0) {
    const used = load<u32>(map, atUsed);
    if (used >= load<u32>(map, atLimit)) return false;
    store<u32>(map, used + 1, atUsed);
    store<u64>(slot, load<u64>(map, atHash));
    store<u64>(slot, load<u64>(map, atHash + 8), 8);
  }
  store<i64>(slot, offset + 1, 16);
  return true;
}

/** The newest offset of the key that was noted, -1 where none was. */
export function newestOffset(map: usize, key: usize, size: u32): i64 {
  return load<i64>(slotOf(map, key, size), 16) - 1;
}

/** The slot that has the key, or the free one that it would get; the limit keeps one free. */
function slotOf(map: usize, key: usize, size: u32): usize {
  const hash = map + atHash;
  sipHash128(key, size, map + atKey, hash);
  const low = load<u64>(hash);
  const high = load<u64>(hash, 8);
  const slots = <u64>load<u32>(map);
  const first = map + headerSize;
  const end = first + <usize>slots * slotSize;
  let slot = first + <usize>(((high >>> 32) * slots) >>> 32) * slotSize;
  while (load<i64>(slot, 16) != 0 && (load<u64>(slot) != low || load<u64>(slot, 8) != high)) {
    slot += slotSize;
    if (slot == end) slot = first;
  }
  return slot;
}
