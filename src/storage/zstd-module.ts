/**
 * The WebAssembly build of zstd in @foxglove/wasm-zstd, for what node:zlib cannot do. Any thread.
 *
 * It is loaded when it is first needed, and at once, which takes some 10 ms of that batch's time: a start pays nothing for
 * it and no batch has to wait for a promise. Its own entry point loads asynchronously, so the module is taken without it,
 * through the hook that Emscripten has for whoever instantiates (`Module.instantiateWasm`).
 */

import { createRequire } from 'node:module';
import { assert } from '../base/assert.ts';
import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import { nodeFileSystem } from './node-file-system.ts';

/** What is used of the Emscripten module; addresses are in its own memory, and `HEAPU8` is new whenever that grew. */
export interface ZstdModule {
  readonly HEAPU8: Uint8Array;
  _malloc(sizeBytes: number): number;
  _free(address: number): void;
  /** ZSTD_decompress; -1 for any error. */
  _decompress(target: number, capacityBytes: number, source: number, sourceSizeBytes: number): number;
  /** ZSTD_compress; -1 for any error. */
  _compress(target: number, capacityBytes: number, source: number, sourceSizeBytes: number, level: number): number;
}
type ZstdFactory = (module: {
  instantiateWasm(imports: WebAssembly.Imports, receive: (instance: WebAssembly.Instance) => void): object;
}) => unknown;

/** An instance whose memory grew beyond this is given up after the call, because WebAssembly memory never shrinks. */
const keptMemoryBytes = 16 * 1024 * 1024;
const copyUnitBytes = 8;

let compiled: WebAssembly.Module | null = null;
let instance: ZstdModule | null = null;

/**
 * Has `call` work on `input`, which stands at `source` of the module's memory, and write at most `output.length` bytes at
 * `target`, which are copied to `output`. Returns what `call` returns: the size, or -1 for any error.
 */
export function callZstd(
  input: Uint8Array,
  output: Uint8Array,
  call: (zstd: ZstdModule, source: number, target: number) => number,
): number {
  instance ??= instantiate();
  const zstd = instance;
  const allocated = zstd._malloc(input.length + copyUnitBytes);
  // Between shared and other memory V8 copies words only where both sides lie alike within a word, else single bytes.
  const source = allocated + (input.byteOffset % copyUnitBytes);
  const target = zstd._malloc(Math.max(output.length, 1));
  try {
    if (allocated === 0 || target === 0) return -1;
    zstd.HEAPU8.set(input, source);
    const size = call(zstd, source, target);
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
      'Zstandard batches cannot be read or written: @foxglove/wasm-zstd does not load. Install it, or use Node 22.15 or newer.',
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
