/**
 * Compresses the bodies of record batches from one place of an arena to another, whatever their codec. Any thread;
 * everything is synchronous. What the codecs' formats are stands with those that inflate them (`batch-inflater.ts`).
 *
 *   gzip     node:zlib                                                   one copy, of what came out
 *   snappy   `records/snappy-framing-writer.ts` over the core            none
 *   lz4      `records/lz4-frame-writer.ts` over the core                 none
 *   zstd     node:zlib where it has it, else `zstd-module.ts`            one copy, or two
 */

import { assert } from '../base/assert.ts';
import type { Address } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import { deflateLz4Frame, lz4FrameBound } from '../records/lz4-frame-writer.ts';
import { Compression } from '../records/record-batch.ts';
import { deflateSnappy, snappyBound } from '../records/snappy-framing-writer.ts';
import { nodeZlib } from './node-zlib.ts';
import { callZstd } from './zstd-module.ts';

/** How hard the codecs try, as topics' settings say; LZ4 and Snappy have one way here. */
export interface CompressionLevels {
  /** 1 to 9; -1 is zlib's own choice. */
  readonly gzip: number;
  /** As zstd has them, below 0 for less than level 1. */
  readonly zstd: number;
}

export const defaultCompressionLevels: CompressionLevels = { gzip: -1, zstd: 3 };

type CompressSync = (source: Uint8Array, options: { params: Record<number, number> }) => Uint8Array;

/** ZSTD_c_compressionLevel */
const zstdLevelParameter = 100;
/** Gzip's header and trailer, and a DEFLATE block's header for each that is stored. */
const gzipOverheadBytes = 64;

/** So many bytes hold `sizeBytes` bytes compressed with `codec` in any case. */
export function deflatedBound(codec: Compression, sizeBytes: number): number {
  switch (codec) {
    case Compression.SNAPPY:
      return snappyBound(sizeBytes);
    case Compression.LZ4:
      return lz4FrameBound(sizeBytes);
    default:
      return sizeBytes + Math.ceil(sizeBytes / 128) + gzipOverheadBytes;
  }
}

/**
 * Compresses `sourceSizeBytes` bytes at `source` of the arena to `target`, where `deflatedBound` bytes are free. `table` is
 * the address of `deflateTableBytes` of working memory. Returns the size.
 */
export function deflateBatch(
  arena: Arena,
  codec: Compression,
  levels: CompressionLevels,
  source: Address,
  sourceSizeBytes: number,
  target: Address,
  table: Address,
): number {
  const { bytes, core } = arena;
  switch (codec) {
    case Compression.NONE:
      core.copyBytes(target, source, sourceSizeBytes);
      return sourceSizeBytes;
    case Compression.SNAPPY:
      return deflateSnappy(bytes, source, sourceSizeBytes, target, table, core);
    case Compression.LZ4:
      return deflateLz4Frame(bytes, source, sourceSizeBytes, target, table, core);
    case Compression.GZIP: {
      const input = bytes.subarray(source, source + sourceSizeBytes);
      return placed(bytes, nodeZlib().gzipSync(input, { level: levels.gzip }), target);
    }
    case Compression.ZSTD: {
      const input = bytes.subarray(source, source + sourceSizeBytes);
      const nativeCompress = (nodeZlib() as { zstdCompressSync?: CompressSync }).zstdCompressSync;
      if (nativeCompress !== undefined) {
        const params = { [zstdLevelParameter]: levels.zstd };
        return placed(bytes, nativeCompress(input, { params }), target);
      }
      const capacityBytes = deflatedBound(codec, sourceSizeBytes);
      const output = bytes.subarray(target, target + capacityBytes);
      const size = callZstd(input, output, (zstd, from, to) =>
        zstd._compress(to, capacityBytes, from, sourceSizeBytes, levels.zstd),
      );
      assert(size > 0, 'zstd compresses whatever fits its bound');
      return size;
    }
  }
}

function placed(bytes: Uint8Array, deflated: Uint8Array, target: number): number {
  bytes.set(deflated, target);
  return deflated.length;
}
