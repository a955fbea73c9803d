// XXH32, the 32-bit xxHash that LZ4 frames carry as header, block and content checksums. Any thread. It only reads.
// After the specification in the xxHash repository (doc/xxhash_spec.md).

const prime1: u32 = 0x9e3779b1;
const prime2: u32 = 0x85ebca77;
const prime3: u32 = 0xc2b2ae3d;
const prime4: u32 = 0x27d4eb2f;
const prime5: u32 = 0x165667b1;

/** XXH32 of the range. */
export function xxh32(address: usize, size: u32, seed: u32): u32 {
  let hash: u32 = seed + prime5;
  let left = size;
  if (left >= 16) {
    let a = seed + prime1 + prime2;
    let b = seed + prime2;
    let c = seed;
    let d = seed - prime1;
    while (left >= 16) {
      a = round(a, load<u32>(address));
      b = round(b, load<u32>(address, 4));
      c = round(c, load<u32>(address, 8));
      d = round(d, load<u32>(address, 12));
      address += 16;
      left -= 16;
    }
    hash = rotl<u32>(a, 1) + rotl<u32>(b, 7) + rotl<u32>(c, 12) + rotl<u32>(d, 18);
  }
  hash += size;
  while (left >= 4) {
    hash = rotl<u32>(hash + load<u32>(address) * prime3, 17) * prime4;
    address += 4;
    left -= 4;
  }
  while (left > 0) {
    hash = rotl<u32>(hash + <u32>load<u8>(address) * prime5, 11) * prime1;
    address++;
    left--;
  }
  hash = (hash ^ (hash >>> 15)) * prime2;
  hash = (hash ^ (hash >>> 13)) * prime3;
  return hash ^ (hash >>> 16);
}

// @ts-ignore: decorator
@inline
function round(lane: u32, word: u32): u32 {
  return rotl<u32>(lane + word * prime2, 13) * prime1;
}
