/**
 * Walks Zstandard frames (RFC 8878) without inflating them: whether they are whole, and how much may come out. Any
 * thread. With that a decoder gets a target that is large enough and no larger than it need be.
 *
 *   frame: u32 magic | u8 descriptor | [u8 window] | [dictionary id] | [content size] | { block } | [u32 checksum]
 *   block: u24 (size << 3 | type << 1 | last) | bytes: `size`, or one that is repeated (RLE)       all little-endian
 *   skippable frame: u32 0x184d2a50–5f | u32 size | bytes
 */

import { InflationFailure } from './inflation.ts';

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a5;
const maxBlockBytes = 128 * 1024;
/** The largest window that decoders take which were not told otherwise; Kafka's consumers are such. */
const maxWindowBytes = 2 ** 27;

const dictionaryIdBytes = [0, 1, 2, 4] as const;
const blockType = { raw: 0, rle: 1, compressed: 2 } as const;

export interface ZstdFrames {
  /** With skippable ones. */
  readonly frameCount: number;
  /** The most bytes that they inflate to together: exact where they state it or nothing in them is compressed. */
  readonly boundBytes: number;
}

/**
 * The frames that fill the range. MALFORMED where there is none, where they are not whole or something else lies among
 * them; TOO_LARGE where a window is larger than 128 MiB.
 */
export function walkZstdFrames(bytes: Uint8Array, source: number, sizeBytes: number): ZstdFrames | InflationFailure {
  const end = source + sizeBytes;
  let at = source;
  let boundBytes = 0;
  let frameCount = 0;
  do {
    if (end - at < 8) return InflationFailure.MALFORMED;
    frameCount++;
    const magic = readLittleEndian(bytes, at, 4);
    if (Math.floor(magic / 16) === skippableMagic) {
      at += 8 + readLittleEndian(bytes, at + 4, 4);
      if (at > end) return InflationFailure.MALFORMED;
      continue;
    }
    if (magic !== frameMagic) return InflationFailure.MALFORMED;
    const descriptor = bytes[at + 4]!;
    const isSingleSegment = (descriptor & 0x20) !== 0;
    const contentSizeFlag = descriptor >> 6;
    const contentSizeBytes = contentSizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 2 ** contentSizeFlag;
    const windowAt = at + 5;
    const contentSizeAt = windowAt + (isSingleSegment ? 0 : 1) + dictionaryIdBytes[(descriptor & 3) as 0 | 1 | 2 | 3];
    at = contentSizeAt + contentSizeBytes;
    if ((descriptor & 0x08) !== 0 || at > end) return InflationFailure.MALFORMED;
    let stated = -1;
    if (contentSizeBytes > 0) stated = readLittleEndian(bytes, contentSizeAt, contentSizeBytes);
    if (contentSizeBytes === 2) stated += 256;
    const windowBytes = isSingleSegment ? stated : windowSizeOf(bytes[windowAt]!);
    if (windowBytes > maxWindowBytes) return InflationFailure.TOO_LARGE;

    let possibleBytes = 0;
    for (let isLast = false; !isLast;) {
      if (end - at < 3) return InflationFailure.MALFORMED;
      const header = readLittleEndian(bytes, at, 3);
      isLast = (header & 1) === 1;
      const type = (header >> 1) & 3;
      const size = header >> 3;
      if (type > blockType.compressed || size > maxBlockBytes) return InflationFailure.MALFORMED;
      possibleBytes += type === blockType.compressed ? maxBlockBytes : size;
      at += 3 + (type === blockType.rle ? 1 : size);
    }
    if ((descriptor & 0x04) !== 0) at += 4;
    if (at > end) return InflationFailure.MALFORMED;
    boundBytes += stated < 0 ? possibleBytes : stated;
  } while (at < end);
  return { frameCount, boundBytes };
}

function windowSizeOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** Up to eight bytes; beyond 2^53 the nearest double. */
function readLittleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}
