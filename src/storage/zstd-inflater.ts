/**
 * Inflates Zstandard, bounded: through node:zlib where Node has it (22.15 and newer) for the single frames that
 * producers write, else through a WebAssembly build (`zstd-module.ts`). Any thread.
 */

import { InflationFailure } from '../records/inflation.ts';
import { walkZstdFrames } from '../records/zstd-frame.ts';
import { nodeZlib } from './node-zlib.ts';
import { callZstd } from './zstd-module.ts';

type DecompressSync = (source: Uint8Array, options: { maxOutputLength: number; chunkSize: number }) => Uint8Array;

const smallestChunkBytes = 1024;

/** Null where this Node has none. */
function nativeDecompress(): DecompressSync | null {
  return (nodeZlib() as { zstdDecompressSync?: DecompressSync }).zstdDecompressSync ?? null;
}

/**
 * Inflates the frames at `source` of `bytes` to `target` of the same bytes, at most `capacityBytes`; the size or an
 * `InflationFailure`. Where frames do not state their sizes and might hold more than the capacity, TOO_LARGE is also what
 * a defect in them gives.
 */
export function inflateZstd(
  bytes: Uint8Array,
  source: number,
  sourceSizeBytes: number,
  target: number,
  capacityBytes: number,
  mayUseNode = true,
): number {
  const frames = walkZstdFrames(bytes, source, sourceSizeBytes);
  if (typeof frames === 'number') return frames;
  const roomBytes = Math.min(frames.boundBytes, capacityBytes);
  const input = bytes.subarray(source, source + sourceSizeBytes);
  const output = bytes.subarray(target, target + roomBytes);
  // node:zlib stops after the first frame without a word.
  const decompress = mayUseNode && frames.frameCount === 1 ? nativeDecompress() : null;
  const size = decompress === null ? inflateWithModule(input, output) : inflateWithNode(decompress, input, output);
  if (size >= 0) return size;
  return frames.boundBytes > capacityBytes ? InflationFailure.TOO_LARGE : InflationFailure.MALFORMED;
}

/** The size, or -1 for any error. */
function inflateWithNode(decompress: DecompressSync, input: Uint8Array, output: Uint8Array): number {
  try {
    const options = {
      maxOutputLength: Math.max(output.length, 1),
      // One byte more than comes out spares node:zlib a second chunk.
      chunkSize: Math.max(output.length + 1, smallestChunkBytes),
    };
    const inflated = decompress(input, options);
    if (inflated.length > output.length) return -1;
    output.set(inflated);
    return inflated.length;
  } catch (error) {
    if (isOfInput(error)) return -1;
    throw error;
  }
}

function isOfInput(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code === 'ERR_BUFFER_TOO_LARGE' || (code.startsWith('ZSTD_error_') && code !== 'ZSTD_error_memory_allocation');
}

/** The size, or -1 for any error. */
function inflateWithModule(input: Uint8Array, output: Uint8Array): number {
  return callZstd(input, output, (zstd, source, target) =>
    zstd._decompress(target, output.length, source, input.length),
  );
}
