// The copies that LZ4's and Snappy's literals and back references ask for. Any thread, on memory that the caller alone
// writes. Most are of a few bytes, for which a call to copy memory costs more than the copy: where there is room
// behind it they go 16 bytes at a time, and what they write too much is overwritten by what comes next.

const lane: u32 = 16;
/** From here on a call to copy memory pays. */
const longCopy: u32 = 64;

/**
 * Copies `size` bytes; `readable` bytes are at `from` and `writable` at `to`, both at least `size`. It may write
 * beyond `size`, not beyond `writable`.
 */
// @ts-ignore: decorator
@inline
export function copyLiterals(to: usize, from: usize, size: u32, readable: u32, writable: u32): void {
  if (size <= lane && readable >= lane && writable >= lane) v128.store(to, v128.load(from));
  else memory.copy(to, from, size);
}

/**
 * Copies `size` bytes to `to` from `distance` bytes before it, which must be at least 1. Where they overlap the bytes
 * repeat, as if copied one after another. It may write beyond `size`, not beyond `writable`.
 */
// @ts-ignore: decorator
@inline
export function copyMatch(to: usize, distance: u32, size: u32, writable: u32): void {
  if (distance >= lane && size <= longCopy && writable - size >= lane) {
    for (let i: u32 = 0; i < size; i += lane) v128.store(to + i, v128.load(to + i - distance));
  } else {
    copyExactly(to, distance, size);
  }
}

/** Copies a range within the memory; they may overlap. */
export function copyBytes(to: usize, from: usize, size: u32): void {
  memory.copy(to, from, size);
}

function copyExactly(to: usize, distance: u32, size: u32): void {
  const from = to - distance;
  if (distance >= size) {
    memory.copy(to, from, size);
  } else if (distance == 1) {
    memory.fill(to, load<u8>(from), size);
  } else {
    // What was copied doubles the pattern, so that each copy may be as long as all before it.
    let done: u32 = 0;
    while (done < size) {
      const part = min<u32>(distance + done, size - done);
      memory.copy(to + done, from, part);
      done += part;
    }
  }
}
