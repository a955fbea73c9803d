/**
 * Large buffers that are used again: each new one costs the kernel fresh pages, and the garbage collector a round now and
 * then that holds everybody up. I/O thread.
 *
 * Sizes are powers of two; what is handed out is the beginning of one. Small ones and very large ones are not kept.
 */

const smallestKeptBytes = 4096;
const largestKeptBytes = 8 * 1024 * 1024;
/** All that are kept unused, together. */
const spareBytesMax = 16 * 1024 * 1024;

export class SpareBuffers {
  readonly #bySize = new Map<number, ArrayBufferLike[]>();
  #spareBytes = 0;

  /** What is kept unused, in bytes. */
  get spareBytes(): number {
    return this.#spareBytes;
  }

  /** A buffer of `byteCount` bytes with undefined content, not shared with anybody. */
  take(byteCount: number): Uint8Array {
    // Not from Node's shared pool: a slice of it would keep all 8 KiB alive.
    if (byteCount < smallestKeptBytes || byteCount > largestKeptBytes) return Buffer.allocUnsafeSlow(byteCount);
    const sizeBytes = 2 ** Math.ceil(Math.log2(byteCount));
    const spare = this.#bySize.get(sizeBytes)?.pop();
    if (spare === undefined) return Buffer.allocUnsafeSlow(sizeBytes).subarray(0, byteCount);
    this.#spareBytes -= sizeBytes;
    return Buffer.from(spare, 0, byteCount);
  }

  /** Takes back what `take` gave; nobody may look at it any more. */
  giveBack(buffer: Uint8Array): void {
    const { byteLength } = buffer.buffer;
    if (byteLength < smallestKeptBytes || byteLength > largestKeptBytes || (byteLength & (byteLength - 1)) !== 0)
      return;
    if (this.#spareBytes + byteLength > spareBytesMax) return;
    const spares = this.#bySize.get(byteLength);
    if (spares === undefined) this.#bySize.set(byteLength, [buffer.buffer]);
    else spares.push(buffer.buffer);
    this.#spareBytes += byteLength;
  }
}
