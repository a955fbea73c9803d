/**
 * Inflates LZ4 frames (lz4_Frame_format.md, 1.6) as Kafka's batches of magic 2 carry them. Any thread. The blocks are
 * inflated, and hashed, by functions that are given.
 *
 *   frame: u32 magic | u8 flags | u8 block size | [u64 content size] | u8 header checksum | { block } | u32 0
 *          | [u32 content checksum]
 *   block: u32 size, highest bit: stored as it is | bytes | [u32 block checksum]                  all little-endian
 *
 *   flags: 7–6 version = 1 │ 5 blocks are independent │ 4 block checksums │ 3 content size │ 2 content checksum │ 1–0 = 0
 *
 * As Kafka it reads the first frame, whatever follows, and takes no linked blocks and no dictionaries. Content size and
 * content checksum, which Kafka passes over, are checked, because other clients' consumers check them.
 */

import { InflationFailure } from './inflation.ts';

/** What is done with whole blocks; all addresses are positions in the bytes that the frame lies in. */
export interface Lz4Functions {
  /** Inflates one block; the size, or an `InflationFailure`. Matches reach back over `historySizeBytes` before it. */
  lz4InflateBlock(
    source: number,
    sourceSizeBytes: number,
    target: number,
    targetCapacityBytes: number,
    historySizeBytes: number,
  ): number;
  copyBytes(target: number, source: number, sizeBytes: number): void;
  /** XXH32 of the range. */
  xxh32(address: number, sizeBytes: number, seed: number): number;
}

const frameMagic = 0x184d2204;
const smallestHeaderBytes = 7;
const contentSizeBytes = 8;

const flag = { blockChecksums: 0x10, contentSize: 0x08, contentChecksum: 0x04 } as const;
/** Version and independence, and the bits that must be 0: a dictionary's and the reserved one. */
const fixedFlagsMask = 0xe3;
const fixedFlags = 0x60;

const storedBlock = 0x80000000;
/** Beyond a block's largest size the core may write what it then overwrites; with this room it is faster. */
const slackBytes = 64;

/**
 * Inflates the frame at `source` of `bytes` to `target` of the same bytes, at most `capacityBytes`; the size or an
 * `InflationFailure`.
 */
export function inflateLz4Frame(
  bytes: Uint8Array,
  source: number,
  sourceSizeBytes: number,
  target: number,
  capacityBytes: number,
  lz4: Lz4Functions,
): number {
  const end = source + sourceSizeBytes;
  if (sourceSizeBytes < smallestHeaderBytes || readUint32(bytes, source) !== frameMagic) {
    return InflationFailure.MALFORMED;
  }
  const flags = bytes[source + 4]!;
  const maxBlockBytes = maxBlockSizeOf(bytes[source + 5]!);
  if ((flags & fixedFlagsMask) !== fixedFlags || maxBlockBytes === 0) return InflationFailure.MALFORMED;
  const headerSize = smallestHeaderBytes + ((flags & flag.contentSize) === 0 ? 0 : contentSizeBytes);
  if (sourceSizeBytes < headerSize) return InflationFailure.MALFORMED;
  const headerHash = lz4.xxh32(source + 4, headerSize - 5, 0);
  if (bytes[source + headerSize - 1] !== ((headerHash >>> 8) & 0xff)) return InflationFailure.MALFORMED;
  let statedSize = -1;
  if (headerSize > smallestHeaderBytes) {
    statedSize = readUint32(bytes, source + 6) + readUint32(bytes, source + 10) * 2 ** 32;
    if (statedSize > capacityBytes) return InflationFailure.TOO_LARGE;
  }

  let at = source + headerSize;
  let size = 0;
  for (;;) {
    if (end - at < 4) return InflationFailure.MALFORMED;
    const word = readUint32(bytes, at);
    const isStored = word >= storedBlock;
    const blockSize = isStored ? word - storedBlock : word;
    at += 4;
    if (blockSize === 0) break;
    if (blockSize > maxBlockBytes || blockSize > end - at) return InflationFailure.MALFORMED;
    if (isStored) {
      if (blockSize > capacityBytes - size) return InflationFailure.TOO_LARGE;
      lz4.copyBytes(target + size, at, blockSize);
      size += blockSize;
    } else {
      const room = Math.min(capacityBytes - size, maxBlockBytes + slackBytes);
      const inflated = lz4.lz4InflateBlock(at, blockSize, target + size, room, 0);
      if (inflated > maxBlockBytes) return InflationFailure.MALFORMED;
      if (inflated < 0) return room > maxBlockBytes ? InflationFailure.MALFORMED : inflated;
      size += inflated;
    }
    if ((flags & flag.blockChecksums) !== 0) {
      if (end - at - blockSize < 4) return InflationFailure.MALFORMED;
      if (lz4.xxh32(at, blockSize, 0) >>> 0 !== readUint32(bytes, at + blockSize)) return InflationFailure.MALFORMED;
      at += 4;
    }
    at += blockSize;
  }
  if (statedSize >= 0 && statedSize !== size) return InflationFailure.MALFORMED;
  if ((flags & flag.contentChecksum) !== 0) {
    if (end - at < 4) return InflationFailure.MALFORMED;
    if (lz4.xxh32(target, size, 0) >>> 0 !== readUint32(bytes, at)) return InflationFailure.MALFORMED;
  }
  return size;
}

/** The largest block that the descriptor's second byte allows: 64 KiB, 256 KiB, 1 MiB or 4 MiB; 0 where it is wrong. */
function maxBlockSizeOf(descriptor: number): number {
  const code = descriptor >> 4;
  return (descriptor & 0x8f) === 0 && code >= 4 ? 2 ** (8 + 2 * code) : 0;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
