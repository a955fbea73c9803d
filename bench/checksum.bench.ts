/** CRC-32C: the core's polynomial folding, a native add-on, and tables in JavaScript; and the XXH32 of LZ4 frames. */

import { crc32c as nativeCrc32c } from '@node-rs/crc32';
import { type Benchmark, repeated } from './benchmark.ts';
import { arena, placed } from './material.ts';

const sizes = [
  { name: '1 KiB', sizeBytes: 1024, count: 64 },
  { name: '4 KiB', sizeBytes: 4096, count: 16, atLeast: 0.75 },
  { name: '64 KiB', sizeBytes: 65_536, count: 2, atLeast: 1.5 },
  { name: '1 MiB', sizeBytes: 1_048_576, count: 1, atLeast: 2 },
] as const;

export function checksumBenchmarks(): Benchmark[] {
  return [...crcBenchmarks(), contentHashBenchmark(65_536)];
}

function crcBenchmarks(): Benchmark[] {
  const { core } = arena;
  const tables = slicingTables();
  const source = Buffer.from(Array.from({ length: 1_048_576 }, (_, i) => (i * 2_654_435_761) >>> 13));
  const address = placed(source);
  return sizes.map(({ name, sizeBytes, count, ...floor }) => {
    const bytes = source.subarray(0, sizeBytes);
    return {
      name: `CRC-32C, ${name}`,
      unit: 'calls',
      unitsPerRun: count,
      bytesPerRun: count * sizeBytes,
      contenders: [
        { name: 'core', run: repeated(count, () => core.crc32c(address, sizeBytes) >>> 0) },
        { name: '@node-rs/crc32', run: repeated(count, () => nativeCrc32c(bytes)), ...floor },
        { name: 'slicing-by-16 in JavaScript', run: repeated(count, () => slicingBy16(tables, bytes)) },
      ],
    };
  });
}

/** What LZ4 frames carry over their header, their blocks and their content. */
function contentHashBenchmark(sizeBytes: number): Benchmark {
  const bytes = Buffer.from(Array.from({ length: sizeBytes }, (_, i) => (i * 31) & 0xff));
  const address = placed(bytes);
  const { core } = arena;
  return {
    name: `XXH32, ${sizeBytes / 1024} KiB`,
    unit: 'calls',
    unitsPerRun: 1,
    bytesPerRun: sizeBytes,
    contenders: [
      { name: 'core', run: () => core.xxh32(address, sizeBytes, 0) >>> 0 },
      { name: 'JavaScript over a Buffer', run: () => xxh32ByHand(bytes) },
    ],
  };
}

/** XXH32 with seed 0 (doc/xxhash_spec.md of the xxHash repository), of whole stripes of 16 bytes. */
function xxh32ByHand(bytes: Buffer): number {
  const primes = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d] as const;
  const turned = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));
  const lanes = [primes[0] + primes[1], primes[1], 0, -primes[0]];
  for (let at = 0; at < bytes.length; at += 4) {
    const lane = (at >>> 2) & 3;
    const mixed = (lanes[lane]! + Math.imul(bytes.readInt32LE(at), primes[1])) | 0;
    lanes[lane] = Math.imul(turned(mixed, 13), primes[0]);
  }
  let hash = turned(lanes[0]!, 1) + turned(lanes[1]!, 7) + turned(lanes[2]!, 12) + turned(lanes[3]!, 18);
  hash = (hash + bytes.length) | 0;
  hash = Math.imul(hash ^ (hash >>> 15), primes[1]);
  hash = Math.imul(hash ^ (hash >>> 13), primes[2]);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Sixteen tables in one, for sixteen bytes at once (Kounavis and Berry 2005). */
function slicingTables(): Int32Array {
  const tables = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const previous = tables[i - 256]!;
    tables[i] = (previous >>> 8) ^ tables[previous & 0xff]!;
  }
  return tables;
}

function slicingBy16(tables: Int32Array, bytes: Uint8Array): number {
  let crc = -1;
  let at = 0;
  for (; at + 16 <= bytes.length; at += 16) {
    const mixed = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      tables[3840 + (mixed & 0xff)]! ^
      tables[3584 + ((mixed >>> 8) & 0xff)]! ^
      tables[3328 + ((mixed >>> 16) & 0xff)]! ^
      tables[3072 + (mixed >>> 24)]! ^
      tables[2816 + bytes[at + 4]!]! ^
      tables[2560 + bytes[at + 5]!]! ^
      tables[2304 + bytes[at + 6]!]! ^
      tables[2048 + bytes[at + 7]!]! ^
      tables[1792 + bytes[at + 8]!]! ^
      tables[1536 + bytes[at + 9]!]! ^
      tables[1280 + bytes[at + 10]!]! ^
      tables[1024 + bytes[at + 11]!]! ^
      tables[768 + bytes[at + 12]!]! ^
      tables[512 + bytes[at + 13]!]! ^
      tables[256 + bytes[at + 14]!]! ^
      tables[bytes[at + 15]!]!;
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}
