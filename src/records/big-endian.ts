/**
 * Kafka's fixed-width integers (big-endian, two's complement) in a Uint8Array, without a DataView that would have to be
 * made for every buffer. Any thread. Nothing here checks bounds: callers have checked the length of what they read.
 * An int64 comes as a double: exact between ±2^53, which holds every offset, producer id and sensible timestamp.
 */

const twoTo32 = 4294967296;

export function readInt16(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) >> 16) | bytes[at + 1]!;
}

export function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) >>> 0;
}

/** The int64 at `at`, rounded to the nearest double beyond ±2^53. */
export function readInt64(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) * twoTo32 + readUint32(bytes, at + 4);
}

export function writeInt16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Writes an integer that lies in [-2^63, 2^63). */
export function writeInt64(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / twoTo32);
  writeInt32(bytes, at, high);
  writeInt32(bytes, at + 4, value - high * twoTo32);
}
