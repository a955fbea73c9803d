/**
 * Inflates Snappy as Kafka's clients write it: one raw block, or the framing of snappy-java (its SnappyCodec). Any
 * thread. Raw blocks are inflated by a function that is given.
 *
 *   framed:  header | { header | chunk }          header: 0x82 "SNAPPY" 0x00 | i32 version | i32 compatible version
 *                                                 chunk:  i32 size | raw block                      all big-endian
 *
 * As Kafka it takes for a raw block whatever does not begin with a whole header, takes further headers among the chunks
 * (streams that were joined), and passes over one to three bytes at the end. It is not the framing format of Snappy itself.
 */

import { readInt32 } from './big-endian.ts';
import { InflationFailure } from './inflation.ts';

/** Inflates one raw block with its length prefix; all addresses are positions in the bytes that it lies in. */
export interface SnappyFunctions {
  snappyInflateBlock(source: number, sourceSizeBytes: number, target: number, targetCapacityBytes: number): number;
}

const headerSizeBytes = 16;
const magicHigh = 0x82534e41 | 0; // 0x82 "SNA"
const magicLow = 0x50505900; // "PPY" 0x00
const oldestVersion = 1;

/**
 * Inflates what lies at `source` of `bytes` to `target` of the same bytes, at most `capacityBytes`; the size or an
 * `InflationFailure`.
 */
export function inflateSnappy(
  bytes: Uint8Array,
  source: number,
  sourceSizeBytes: number,
  target: number,
  capacityBytes: number,
  snappy: SnappyFunctions,
): number {
  if (sourceSizeBytes < headerSizeBytes || !isMagicAt(bytes, source)) {
    return snappy.snappyInflateBlock(source, sourceSizeBytes, target, capacityBytes);
  }
  if (readInt32(bytes, source + 8) < oldestVersion) return InflationFailure.MALFORMED;
  const end = source + sourceSizeBytes;
  let at = source + headerSizeBytes;
  let size = 0;
  while (end - at >= 4) {
    const chunkSize = readInt32(bytes, at);
    if (chunkSize === magicHigh) {
      if (end - at < headerSizeBytes || !isMagicAt(bytes, at)) return InflationFailure.MALFORMED;
      at += headerSizeBytes;
      continue;
    }
    at += 4;
    if (chunkSize < 0 || chunkSize > end - at) return InflationFailure.MALFORMED;
    const inflated = snappy.snappyInflateBlock(at, chunkSize, target + size, capacityBytes - size);
    if (inflated < 0) return inflated;
    size += inflated;
    at += chunkSize;
  }
  return size;
}

function isMagicAt(bytes: Uint8Array, at: number): boolean {
  return readInt32(bytes, at) === magicHigh && readInt32(bytes, at + 4) === magicLow;
}
