/**
 * Which partition a key belongs to: the 32-bit murmur2 of its bytes (Austin Appleby's MurmurHash2, with the seed that
 * Kafka's Java client uses), so that all of Kafka's clients put a key in the same place. Any thread.
 */

const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;

/** The hash as a signed 32-bit number. */
export function murmur2(data: Uint8Array): number {
  const length = data.length;
  let hash = seed ^ length;
  const wholeEnd = length & ~3;
  for (let i = 0; i < wholeEnd; i += 4) {
    let word = data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24);
    word = Math.imul(word, multiplier);
    word ^= word >>> 24;
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier);
  }
  const rest = length & 3;
  if (rest === 3) hash ^= data[wholeEnd + 2]! << 16;
  if (rest >= 2) hash ^= data[wholeEnd + 1]! << 8;
  if (rest >= 1) hash = Math.imul(hash ^ data[wholeEnd]!, multiplier);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, multiplier);
  return hash ^ (hash >>> 15);
}

/** The partition of `key` among `partitionCount`. */
export function partitionOfKey(key: Uint8Array, partitionCount: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitionCount;
}
