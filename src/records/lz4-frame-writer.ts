/**
 * Writes LZ4 frames as Kafka's producers do: independent blocks of 64 KiB without checksums and without the content's size.
 * Any thread. Blocks are compressed, and the header hashed, by functions that are given. The format stands in
 * `lz4-frame.ts`.
 */

import type { Lz4Functions } from './lz4-frame.ts';

/** What is done with whole blocks; all addresses are positions in the bytes that the frame lies in. */
export interface Lz4DeflateFunctions extends Pick<Lz4Functions, 'copyBytes' | 'xxh32'> {
  /** Compresses one block; the size, or -2 where the target may not hold it. `table` is its working memory. */
  lz4DeflateBlock(
    source: number,
    sourceSizeBytes: number,
    target: number,
    targetCapacityBytes: number,
    table: number,
  ): number;
}

const blockBytes = 64 * 1024;
const headerBytes = 7;
const wordBytes = 4;
const flags = 0x60;
const descriptor = 0x40;
const storedBit = 0x80000000;

/** So many bytes hold the frame of `sizeBytes` bytes in any case. */
export function lz4FrameBound(sizeBytes: number): number {
  return headerBytes + sizeBytes + (Math.ceil(sizeBytes / blockBytes) + 1) * wordBytes;
}

/**
 * Writes the frame of the `sourceSizeBytes` bytes at `source` of `bytes` to `target` of the same bytes, where
 * `lz4FrameBound` bytes are free; returns its size.
 */
export function deflateLz4Frame(
  bytes: Uint8Array,
  source: number,
  sourceSizeBytes: number,
  target: number,
  table: number,
  lz4: Lz4DeflateFunctions,
): number {
  writeUint32(bytes, target, 0x184d2204);
  bytes[target + 4] = flags;
  bytes[target + 5] = descriptor;
  bytes[target + 6] = (lz4.xxh32(target + 4, 2, 0) >>> 8) & 0xff;
  let at = target + headerBytes;
  for (let done = 0; done < sourceSizeBytes; done += blockBytes) {
    const size = Math.min(blockBytes, sourceSizeBytes - done);
    const deflated = lz4.lz4DeflateBlock(source + done, size, at + wordBytes, size - 1, table);
    if (deflated > 0) writeUint32(bytes, at, deflated);
    else {
      // What does not become smaller is stored as it is.
      writeUint32(bytes, at, size + storedBit);
      lz4.copyBytes(at + wordBytes, source + done, size);
    }
    at += wordBytes + (deflated > 0 ? deflated : size);
  }
  writeUint32(bytes, at, 0);
  return at + wordBytes - target;
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < wordBytes; i++) bytes[at + i] = value >>> (8 * i);
}
