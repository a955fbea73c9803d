// Takes the mask off a payload (RFC 6455, section 5.3), in place, 16 bytes at a time. One thread, on its own memory.

const lane: usize = 16;

/** Unmasks `[start, end)` with the four bytes of `mask`, the first of which is its lowest byte. Whether all that came out is ASCII. */
export function unmask(start: usize, end: usize, mask: u32): bool {
  const wide = i32x4.splat(<i32>mask);
  let seen = i32x4.splat(0);
  let at = start;
  while (at + 4 * lane <= end) {
    const first = v128.xor(v128.load(at), wide);
    const second = v128.xor(v128.load(at, 16), wide);
    const third = v128.xor(v128.load(at, 32), wide);
    const fourth = v128.xor(v128.load(at, 48), wide);
    v128.store(at, first);
    v128.store(at, second, 16);
    v128.store(at, third, 32);
    v128.store(at, fourth, 48);
    seen = v128.or(seen, v128.or(v128.or(first, second), v128.or(third, fourth)));
    at += 4 * lane;
  }
  while (at + lane <= end) {
    const some = v128.xor(v128.load(at), wide);
    v128.store(at, some);
    seen = v128.or(seen, some);
    at += lane;
  }
  let isAscii = i8x16.bitmask(seen) == 0;
  let rest = mask;
  while (at < end) {
    const byte = load<u8>(at) ^ <u8>rest;
    store<u8>(at, byte);
    if (byte >= 0x80) isAscii = false;
    rest = rotr(rest, 8);
    at++;
  }
  return isAscii;
}
