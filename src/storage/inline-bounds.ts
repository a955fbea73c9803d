/**
 * What of a produced batch the I/O thread does itself, and what takes so long that another thread is to do it
 * (`batch-preparer.ts`). I/O thread. The bounds are far above what handing a batch over costs, some 100 µs, and about what
 * others do not notice.
 */

import { attributesAt, Compression, compressionOf } from '../records/record-batch.ts';
import type { CompressionLevels } from './batch-deflater.ts';
import { needsRecompression } from './batch-recompression.ts';
import type { LogConfig } from './log-config.ts';

export interface InlineBounds {
  /** What the records of a compressed batch may take once they are inflated. */
  readonly inflatedBytes: number;
  /** How long compressing them again may take, by `compressionMs`. */
  readonly compressionMs: number;
}

/** A batch of Kafka's default `max.message.bytes`, as it was before it was compressed, is inflated here. */
export const defaultInlineBounds: InlineBounds = { inflatedBytes: 1_114_112, compressionMs: 1 };

/** Nothing takes too long. */
export const noInlineBounds: InlineBounds = { inflatedBytes: Infinity, compressionMs: Infinity };

/** Nanoseconds a byte of JSON-like records, by the lowest level that takes so long; the slowest that was seen, rounded up. */
const zstdCosts: readonly (readonly [level: number, nsPerByte: number])[] = [
  [16, 500],
  [13, 260],
  [6, 100],
  [3, 15],
  [-Infinity, 8],
];
const gzipCosts: readonly (readonly [level: number, nsPerByte: number])[] = [
  [7, 100],
  [4, 50],
  [1, 20],
];
/** Level -1 of zlib is its level 6. */
const defaultGzipLevel = 6;
const blockCostNsPerByte = 5;
const nsPerMs = 1e6;

/** About how long compressing `sizeBytes` of records with `codec` takes, in milliseconds. */
export function compressionMs(codec: Compression, levels: CompressionLevels, sizeBytes: number): number {
  return (sizeBytes * nsPerByte(codec, levels)) / nsPerMs;
}

function nsPerByte(codec: Compression, { gzip, zstd }: CompressionLevels): number {
  switch (codec) {
    case Compression.NONE:
      return 0;
    case Compression.SNAPPY:
    case Compression.LZ4:
      return blockCostNsPerByte;
    case Compression.GZIP:
      return costAt(gzip < 0 ? defaultGzipLevel : gzip, gzipCosts);
    case Compression.ZSTD:
      return costAt(zstd, zstdCosts);
  }
}

function costAt(level: number, costs: readonly (readonly [level: number, nsPerByte: number])[]): number {
  return costs.find(([lowest]) => level >= lowest)?.[1] ?? 0;
}

/**
 * Whether the batch, one from a client, takes longer than `bounds` allow in any case, by what its header says: what does
 * not is found out where its records are inflated.
 */
export function surelyTakesLong(batch: Uint8Array, config: LogConfig, bounds: InlineBounds): boolean {
  const attributes = attributesAt(batch, 0);
  if (compressionOf(attributes) !== Compression.NONE && batch.length > bounds.inflatedBytes) return true;
  return needsRecompression({ attributes }, config) && compressesLong(batch.length, config, bounds);
}

/** Whether compressing `sizeBytes` of records as a topic with `config` asks for takes longer than `bounds` allow. */
export function compressesLong(sizeBytes: number, config: LogConfig, bounds: InlineBounds): boolean {
  return (
    compressionMs(config.compression ?? Compression.NONE, config.compressionLevels, sizeBytes) > bounds.compressionMs
  );
}
