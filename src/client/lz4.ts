/**
 * Inflates LZ4 frames (`records/lz4-frame.ts`). Any thread. It does not compress.
 *
 *   block:    { u8 literal length, match length │ more lengths │ literals │ u16 offset │ more lengths }   little-endian,
 *             the last sequence ends with its literals        (lz4_Block_format.md, 1.6)
 *   checksum: XXH32 (xxhash_spec.md)
 */

import { Compression } from '../records/record-batch.ts';
import { InflationFailure } from '../records/inflation.ts';
import { inflateLz4Frame } from '../records/lz4-frame.ts';
import type { CompressionCodec } from './compression.ts';
import { inflatedInPlace } from './in-place.ts';

export const lz4: CompressionCodec = {
  id: Compression.LZ4,
  name: 'lz4',
  decompress: (bytes, maxBytes) =>
    inflatedInPlace(bytes, maxBytes, lz4.name, (memory, sourceBytes, capacityBytes) =>
      inflateLz4Frame(memory, 0, sourceBytes, sourceBytes, capacityBytes, {
        lz4InflateBlock: (source, sizeBytes, target, roomBytes) =>
          inflateBlock(memory, source, source + sizeBytes, target, roomBytes),
        copyBytes: (target, source, sizeBytes) => void memory.copyWithin(target, source, source + sizeBytes),
        xxh32: (address, sizeBytes, seed) => xxh32(memory, address, sizeBytes, seed),
      }),
    ),
};

const leastMatchBytes = 4;
const moreLengths = 15;

function inflateBlock(memory: Uint8Array, source: number, end: number, target: number, roomBytes: number): number {
  const targetEnd = target + roomBytes;
  let at = source;
  let to = target;
  for (;;) {
    if (at >= end) return InflationFailure.MALFORMED;
    const token = memory[at++]!;
    let literals = token >>> 4;
    if (literals === moreLengths) {
      for (let byte = 255; byte === 255; literals += byte) {
        if (at >= end) return InflationFailure.MALFORMED;
        byte = memory[at++]!;
      }
    }
    if (literals > end - at) return InflationFailure.MALFORMED;
    if (literals > targetEnd - to) return InflationFailure.TOO_LARGE;
    memory.copyWithin(to, at, at + literals);
    at += literals;
    to += literals;
    if (at === end) return to - target;
    if (end - at < 2) return InflationFailure.MALFORMED;
    const offset = memory[at]! | (memory[at + 1]! << 8);
    at += 2;
    let match = token & 15;
    if (match === moreLengths) {
      for (let byte = 255; byte === 255; match += byte) {
        if (at >= end) return InflationFailure.MALFORMED;
        byte = memory[at++]!;
      }
    }
    match += leastMatchBytes;
    if (offset === 0 || offset > to - target) return InflationFailure.MALFORMED;
    if (match > targetEnd - to) return InflationFailure.TOO_LARGE;
    for (const matchEnd = to + match; to < matchEnd; to++) memory[to] = memory[to - offset]!;
  }
}

const prime1 = 0x9e3779b1;
const prime2 = 0x85ebca77;
const prime3 = 0xc2b2ae3d;
const prime4 = 0x27d4eb2f;
const prime5 = 0x165667b1;

/** XXH32 of a range. */
function xxh32(bytes: Uint8Array, from: number, sizeBytes: number, seed: number): number {
  const end = from + sizeBytes;
  let at = from;
  let hash: number;
  if (sizeBytes >= 16) {
    const lanes = [seed + prime1 + prime2, seed + prime2, seed, seed - prime1];
    for (; at <= end - 16; at += 16) {
      for (let lane = 0; lane < 4; lane++) {
        const word = littleEndian32(bytes, at + lane * 4);
        lanes[lane] = Math.imul(rotated((lanes[lane]! + Math.imul(word, prime2)) | 0, 13), prime1);
      }
    }
    hash = rotated(lanes[0]!, 1) + rotated(lanes[1]!, 7) + rotated(lanes[2]!, 12) + rotated(lanes[3]!, 18);
  } else hash = seed + prime5;
  hash = (hash + sizeBytes) | 0;
  for (; at <= end - 4; at += 4) {
    hash = Math.imul(rotated((hash + Math.imul(littleEndian32(bytes, at), prime3)) | 0, 17), prime4);
  }
  for (; at < end; at++) hash = Math.imul(rotated((hash + Math.imul(bytes[at]!, prime5)) | 0, 11), prime1);
  hash = Math.imul(hash ^ (hash >>> 15), prime2);
  hash = Math.imul(hash ^ (hash >>> 13), prime3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function littleEndian32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
