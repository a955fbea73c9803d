// The copy that LZ4's and Snappy's back references ask for. Any thread, on memory that the caller alone writes.

/**
 * Copies `size` bytes to `to` from `distance` bytes before it, which must be at least 1. Where they overlap the bytes
 * repeat, as if copied one after another; it writes nothing beyond the range.
 */
export function copyMatch(to: usize, distance: u32, size: u32): void {
  const from = to - distance;
  if (distance >= size) {
    memory.copy(to, from, size);
    return;
  }
  if (distance == 1) {
    memory.fill(to, load<u8>(from), size);
    return;
  }
  // What was copied doubles the pattern, so that each copy may be as long as all before it.
  let done: u32 = 0;
  while (done < size) {
    const part = min<u32>(distance + done, size - done);
    memory.copy(to + done, from, part);
    done += part;
  }
}
