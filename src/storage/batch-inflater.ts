/**
 * Inflates the bodies of compressed record batches from one place of the arena to another, whatever their codec, and
 * never to more than the caller allows. I/O thread; everything is synchronous.
 *
 *   gzip     node:zlib, all members (RFC 1952)                          one copy, of what came out
 *   snappy   `records/snappy-framing.ts` over the core                  none
 *   lz4      `records/lz4-frame.ts` over the core                       none
 *   zstd     `zstd-inflater.ts`                                         one copy, or two on Node 20
 *
 * It knows nothing of records; `record-validation.ts` does.
 */

import type { Address } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import { InflationFailure } from '../records/inflation.ts';
import { inflateLz4Frame } from '../records/lz4-frame.ts';
import { Compression, compressionOf } from '../records/record-batch.ts';
import { inflateSnappy } from '../records/snappy-framing.ts';
import { nodeZlib } from './node-zlib.ts';
import { inflateZstd } from './zstd-inflater.ts';

/** A byte of DEFLATE stands for at most this many (RFC 1951: a match of 258 bytes takes two bits at least). */
const maxDeflateRatio = 1032;
const smallestChunkBytes = 16 * 1024;

/**
 * Inflates `sourceSizeBytes` bytes at `source` of the arena to `target`, with the codec that the batch's `attributes`
 * name, which must be one; source and target do not overlap. Returns the size, at most `capacityBytes`, or an
 * `InflationFailure`. Beyond the capacity nothing is written.
 */
export function inflateBatch(
  arena: Arena,
  attributes: number,
  source: Address,
  sourceSizeBytes: number,
  target: Address,
  capacityBytes: number,
): number {
  const { bytes, core } = arena;
  switch (compressionOf(attributes)) {
    case Compression.GZIP:
      return inflateGzip(bytes, source, sourceSizeBytes, target, capacityBytes);
    case Compression.SNAPPY:
      return inflateSnappy(bytes, source, sourceSizeBytes, target, capacityBytes, core);
    case Compression.LZ4:
      return inflateLz4Frame(bytes, source, sourceSizeBytes, target, capacityBytes, core);
    case Compression.ZSTD:
      return inflateZstd(bytes, source, sourceSizeBytes, target, capacityBytes);
    default:
      return InflationFailure.MALFORMED;
  }
}

function inflateGzip(
  bytes: Uint8Array,
  source: number,
  sourceSizeBytes: number,
  target: number,
  capacityBytes: number,
): number {
  const input = bytes.subarray(source, source + sourceSizeBytes);
  // The last four bytes are the last member's size. It may lie, so it is only a hint for the first chunk, kept to what
  // can come out; one byte more than comes out spares node:zlib a second chunk.
  const stated = sourceSizeBytes < 4 ? 0 : new DataView(bytes.buffer, source + sourceSizeBytes - 4).getUint32(0, true);
  const possibleBytes = Math.min(capacityBytes, sourceSizeBytes * maxDeflateRatio);
  const chunkSize = Math.max(Math.min(stated, possibleBytes) + 1, smallestChunkBytes);
  try {
    const inflated = nodeZlib().gunzipSync(input, { maxOutputLength: Math.max(capacityBytes, 1), chunkSize });
    if (inflated.length > capacityBytes) return InflationFailure.TOO_LARGE;
    bytes.set(inflated, target);
    return inflated.length;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ERR_BUFFER_TOO_LARGE') return InflationFailure.TOO_LARGE;
    if (code === 'Z_DATA_ERROR' || code === 'Z_BUF_ERROR' || code === 'Z_NEED_DICT') return InflationFailure.MALFORMED;
    throw error;
  }
}
