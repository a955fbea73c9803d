// SipHash-2-4 with 128 bits of output, after "SipHash: a fast short-input PRF" (Aumasson, Bernstein) and its reference
// implementation. Any thread. Keyed, because whoever writes keys must not be able to choose two that meet in the map.

/** Writes the 16 bytes of the hash of the range at `target`, under the 16 bytes at `key`. */
export function sipHash128(address: usize, size: u32, key: usize, target: usize): void {
  const k0 = load<u64>(key);
  const k1 = load<u64>(key, 8);
  let a = k0 ^ 0x736f6d6570736575;
  let b = k1 ^ 0x646f72616e646f6d ^ 0xee;
  let c = k0 ^ 0x6c7967656e657261;
  let d = k1 ^ 0x7465646279746573;
  let left = size;
  let word: u64 = 0;
  let rounds = 2;
  let writtenBytes: usize = 0;
  // The words of the input go in one by one; then the state is stirred twice as long before each half that comes out.
  while (writtenBytes < 16) {
    if (rounds == 2) {
      word = left >= 8 ? load<u64>(address) : lastWord(address, left, size);
      d ^= word;
    }
    for (let i = 0; i < rounds; i++) {
      a += b;
      c += d;
      b = rotl<u64>(b, 13) ^ a;
      d = rotl<u64>(d, 16) ^ c;
      a = rotl<u64>(a, 32) + d;
      c += b;
      d = rotl<u64>(d, 21) ^ a;
      b = rotl<u64>(b, 17) ^ c;
      c = rotl<u64>(c, 32);
    }
    if (rounds == 2) {
      a ^= word;
      if (left >= 8) {
        address += 8;
        left -= 8;
      } else {
        c ^= 0xee;
        rounds = 4;
      }
    } else {
      store<u64>(target + writtenBytes, a ^ b ^ c ^ d);
      writtenBytes += 8;
      b ^= 0xdd;
    }
  }
}

/** The up to 7 bytes that are left, and the size of all of it in the last byte. */
function lastWord(address: usize, left: u32, size: u32): u64 {
  let word = (<u64>size) << 56;
  for (let i: u32 = 0; i < left; i++) word |= (<u64>load<u8>(address + i)) << (i << 3);
  return word;
}
