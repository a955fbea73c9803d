/**
 * Inflates Zstandard, bounded: through node:zlib where Node has it (22.15 and newer) for the single frames that
 * producers write, else through the WebAssembly build of zstd in @foxglove/wasm-zstd. I/O thread.
 *
 * That build is loaded when the first zstd batch arrives, and at once, which takes some 10 ms of that batch's time: a
 * start pays nothing for it and no batch has to wait for a promise. Its own entry point loads asynchronously, so the
 * module is taken without it, through the hook that Emscripten has for whoever instantiates (`Module.instantiateWasm`).
 */

import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { assert } from '../base/assert.ts';
import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import { InflationFailure } from '../records/inflation.ts';
import { walkZstdFrames } from '../records/zstd-frame.ts';
import { nodeFileSystem } from './node-file-system.ts';

/** What is used of the Emscripten module; addresses are in its own memory, and `HEAPU8` is new whenever that grew. */
interface ZstdModule {
  readonly HEAPU8: Uint8Array;
  _malloc(sizeBytes: number): number;
  _free(address: number): void;
  /** ZSTD_decompress; -1 for any error. */
  _decompress(target: number, capacityBytes: number, source: number, sourceSizeBytes: number): number;
}
type ZstdFactory = (module: {
  instantiateWasm(imports: WebAssembly.Imports, receive: (instance: WebAssembly.Instance) => void): object;
}) => unknown;

type DecompressSync = (source: Uint8Array, options: { maxOutputLength: number; chunkSize: number }) => Uint8Array;

/** An instance whose memory grew beyond this is given up after the call, because WebAssembly memory never shrinks. */
const keptMemoryBytes = 16 * 1024 * 1024;
const smallestChunkBytes = 1024;
const copyUnitBytes = 8;

const nativeDecompress = (zlib as { zstdDecompressSync?: DecompressSync }).zstdDecompressSync;

let compiled: WebAssembly.Module | null = null;
let instance: ZstdModule | null = null;

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
  useNative = nativeDecompress !== undefined,
): number {
  const frames = walkZstdFrames(bytes, source, sourceSizeBytes);
  if (typeof frames === 'number') return frames;
  const roomBytes = Math.min(frames.boundBytes, capacityBytes);
  const input = bytes.subarray(source, source + sourceSizeBytes);
  const output = bytes.subarray(target, target + roomBytes);
  // node:zlib stops after the first frame without a word.
  const isForNode = useNative && frames.frameCount === 1;
  const size = isForNode ? inflateWithNode(input, output) : inflateWithModule(input, output);
  if (size >= 0) return size;
  return frames.boundBytes > capacityBytes ? InflationFailure.TOO_LARGE : InflationFailure.MALFORMED;
}

/** The size, or -1 for any error. */
function inflateWithNode(input: Uint8Array, output: Uint8Array): number {
  assert(nativeDecompress !== undefined, 'this Node has zstd');
  try {
    const options = {
      maxOutputLength: Math.max(output.length, 1),
      // One byte more than comes out spares node:zlib a second chunk.
      chunkSize: Math.max(output.length + 1, smallestChunkBytes),
    };
    const inflated = nativeDecompress(input, options);
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
  instance ??= instantiate();
  const zstd = instance;
  const allocated = zstd._malloc(input.length + copyUnitBytes);
  // Between shared and other memory V8 copies words only where both sides lie alike within a word, else single bytes.
  const source = allocated + (input.byteOffset % copyUnitBytes);
  const target = zstd._malloc(Math.max(output.length, 1));
  try {
    if (allocated === 0 || target === 0) return -1;
    zstd.HEAPU8.set(input, source);
    const size = zstd._decompress(target, output.length, source, input.length);
    if (size > 0) output.set(zstd.HEAPU8.subarray(target, target + size));
    return size;
  } finally {
    zstd._free(target);
    zstd._free(allocated);
    if (zstd.HEAPU8.length > keptMemoryBytes) instance = null;
  }
}

function instantiate(): ZstdModule {
  const require = createRequire(import.meta.url);
  try {
    compiled ??= new WebAssembly.Module(readFile(require.resolve('@foxglove/wasm-zstd/dist/wasm-zstd.wasm')));
    const module = compiled;
    const factory = require('@foxglove/wasm-zstd/dist/wasm-zstd.js') as ZstdFactory;
    const options = {
      instantiateWasm(imports: WebAssembly.Imports, receive: (instance: WebAssembly.Instance) => void): object {
        const instantiated = new WebAssembly.Instance(module, imports);
        receive(instantiated);
        return instantiated.exports;
      },
    };
    factory(options);
    // The factory adds its functions to the object it was given.
    const zstd = options as unknown as ZstdModule;
    assert(zstd.HEAPU8 instanceof Uint8Array && typeof zstd._decompress === 'function', 'the zstd module has started');
    return zstd;
  } catch (error) {
    throw new EnvironmentError(
      EnvironmentErrorCode.NATIVE_PART_MISSING,
      'Zstandard batches cannot be read: @foxglove/wasm-zstd does not load. Install it, or use Node 22.15 or newer.',
      error,
    );
  }
}

function readFile(path: string): Uint8Array<ArrayBuffer> {
  const file = nodeFileSystem.open(path, 'read');
  try {
    const content = new Uint8Array(nodeFileSystem.sizeOf(file));
    for (let done = 0; done < content.length;) {
      const count = nodeFileSystem.read(file, content.subarray(done), done);
      assert(count > 0, 'a file of an installed package does not shrink');
      done += count;
    }
    return content;
  } finally {
    nodeFileSystem.close(file);
  }
}
