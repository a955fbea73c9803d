/**
 * MurmurHash2 (Austin Appleby, 2008; 32 bits) with the seed that Kafka's Java client uses to place keys: whoever places
 * them by it puts a key where that client does. Any thread.
 */

const multiplier = 0x5bd1e995;
const seed = 0x9747b28c;
const positiveMask = 0x7fffffff;

/** The hash of `bytes` as an int32. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  let hash = seed ^ length;
  const wholeEnd = length & ~3;
  for (let at = 0; at < wholeEnd; at += 4) {
    let word = Math.imul(
      bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24),
      multiplier,
    );
    word = Math.imul(word ^ (word >>> 24), multiplier);
    hash = Math.imul(hash, multiplier) ^ word;
  }
  const rest = length - wholeEnd;
  if (rest > 0) {
    if (rest === 3) hash ^= bytes[wholeEnd + 2]! << 16;
    if (rest >= 2) hash ^= bytes[wholeEnd + 1]! << 8;
    hash = Math.imul(hash ^ bytes[wholeEnd]!, multiplier);
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return hash ^ (hash >>> 15);
}

/** The partition of a key among `partitionCount`, as Kafka's Java client chooses it. */
export function partitionOfKey(key: Uint8Array, partitionCount: number): number {
  return (murmur2(key) & positiveMask) % partitionCount;
}
