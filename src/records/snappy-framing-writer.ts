/**
 * Writes Snappy in the framing of snappy-java, as Kafka's producers do: chunks of 32 KiB. Any thread. Raw blocks are
 * compressed by a function that is given. The format stands in `snappy-framing.ts`.
 */

import { writeInt32 } from './big-endian.ts';

/** Compresses one raw block with its length prefix; all addresses are positions in the bytes that it lies in. */
export interface SnappyDeflateFunctions {
  /** The size, or -2 where the target may not hold it. `table` is its working memory. */
  snappyDeflateBlock(
    source: number,
    sourceSizeBytes: number,
    target: number,
    targetCapacityBytes: number,
    table: number,
  ): number;
}

const header = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1];
const chunkBytes = 32 * 1024;
/** What a chunk may take beyond its bytes: its size, the length prefix, and a tag for every literal. */
const chunkOverheadBytes = 64 + chunkBytes / 6;

/** So many bytes hold the framing of `sizeBytes` bytes in any case. */
export function snappyBound(sizeBytes: number): number {
  return header.length + Math.ceil(sizeBytes / chunkBytes) * Math.ceil(chunkOverheadBytes) + sizeBytes;
}

/**
 * Writes the `sourceSizeBytes` bytes at `source` of `bytes`, compressed, to `target` of the same bytes, where
 * `snappyBound` bytes are free; returns the size.
 */
export function deflateSnappy(
  bytes: Uint8Array,
  source: number,
  sourceSizeBytes: number,
  target: number,
  table: number,
  snappy: SnappyDeflateFunctions,
): number {
  bytes.set(header, target);
  let at = target + header.length;
  for (let done = 0; done < sourceSizeBytes; done += chunkBytes) {
    const size = Math.min(chunkBytes, sourceSizeBytes - done);
    const room = size + Math.ceil(chunkOverheadBytes) - 4;
    const deflated = snappy.snappyDeflateBlock(source + done, size, at + 4, room, table);
    writeInt32(bytes, at, deflated);
    at += 4 + deflated;
  }
  return at - target;
}
