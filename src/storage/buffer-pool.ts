/**
 * Buffers for what is read from the log and has not left the process yet. I/O thread. Sizes are powers of two from 256
 * bytes; a buffer that is given back serves the next of its size, up to a bound on what is kept unused.
 *
 *   small ones:  [ 16 KiB of memory: 512 │ 512 │ 512 │ … ]   made together, because memory of its own costs each of them
 *                                                            more than what it holds: a fetch may read many partitions
 */

import { assert } from '../base/assert.ts';

const smallestBits = 8;
/** Smaller buffers share memory of so much. */
const sharedBits = 14;
const sharedBelowBits = 12;
const defaultKeptBytes = 32 * 1024 * 1024;

export class BufferPool {
  readonly #keptBytesMax: number;
  readonly #free: Uint8Array[][] = [];
  #keptBytes = 0;
  #leasedBytes = 0;

  /** Keeps at most `keptBytesMax` bytes of buffers that nobody uses. */
  constructor(keptBytesMax = defaultKeptBytes) {
    this.#keptBytesMax = keptBytesMax;
  }

  /** Bytes that are leased at the moment. */
  get leasedBytes(): number {
    return this.#leasedBytes;
  }

  /** A buffer of at least `sizeBytes` with undefined content. */
  lease(sizeBytes: number): Uint8Array {
    const bits = Math.max(smallestBits, Math.ceil(Math.log2(sizeBytes)));
    this.#leasedBytes += 2 ** bits;
    const reused = this.#free[bits]?.pop();
    if (reused === undefined) return bits < sharedBelowBits ? this.#makeSome(2 ** bits) : memory(2 ** bits);
    this.#keptBytes -= reused.length;
    return reused;
  }

  /** Gives a buffer back; nobody may look at it afterwards. */
  release(buffer: Uint8Array): void {
    const bits = Math.log2(buffer.length);
    assert(Number.isInteger(bits) && buffer.length <= this.#leasedBytes, 'a leased buffer comes back whole, and once');
    this.#leasedBytes -= buffer.length;
    this.#keep(buffer);
  }

  /** Makes buffers of `sizeBytes` that share their memory; returns one and keeps the others. */
  #makeSome(sizeBytes: number): Uint8Array {
    const shared = memory(2 ** sharedBits);
    for (let at = sizeBytes; at < shared.length; at += sizeBytes) this.#keep(shared.subarray(at, at + sizeBytes));
    return shared.subarray(0, sizeBytes);
  }

  #keep(buffer: Uint8Array): void {
    if (this.#keptBytes + buffer.length > this.#keptBytesMax) return;
    this.#keptBytes += buffer.length;
    (this.#free[Math.log2(buffer.length)] ??= []).push(buffer);
  }
}

/** Plain bytes over memory that nobody cleared: a Buffer's `slice` would be a view where callers expect a copy. */
function memory(sizeBytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(sizeBytes).buffer);
}
