/**
 * Large buffers that are used again: each new one costs the kernel fresh pages, and the garbage collector a round now and
 * then that holds everybody up. I/O thread.
 *
 * Sizes are those of four classes between each two powers of two, so that what is handed out, the beginning of one, is
 * at least four fifths of it. Where more would be kept than may be, those of the size go that was not given back for
 * longest: clients that send requests of another size find room. Small ones and very large ones are not kept.
 */

const smallestKeptBytes = 4096;
const largestKeptBytes = 8 * 1024 * 1024;
/** All that are kept unused, together. */
const spareBytesMax = 16 * 1024 * 1024;
const classesPerDoubling = 4;

export class SpareBuffers {
  /** By their size; that of the one given back last is last. None is empty. */
  readonly #bySize = new Map<number, ArrayBufferLike[]>();
  #spareBytes = 0;

  /** What is kept unused, in bytes. */
  get spareBytes(): number {
    return this.#spareBytes;
  }

  /** A buffer of `byteCount` bytes with undefined content, not shared with anybody. */
  take(byteCount: number): Uint8Array {
    // Not from Node's shared pool: a slice of it would keep all 8 KiB alive.
    if (!isKept(byteCount)) return Buffer.allocUnsafeSlow(byteCount);
    const sizeBytes = classSizeOf(byteCount);
    const spare = this.#takeSpare(sizeBytes);
    if (spare === null) return Buffer.allocUnsafeSlow(sizeBytes).subarray(0, byteCount);
    return Buffer.from(spare, 0, byteCount);
  }

  /** Takes back what `take` gave; nobody may look at it any more. */
  giveBack(buffer: Uint8Array): void {
    const memory = buffer.buffer;
    const sizeBytes = memory.byteLength;
    if (!isKept(sizeBytes) || classSizeOf(sizeBytes) !== sizeBytes) return;
    const spares = this.#bySize.get(sizeBytes) ?? [];
    spares.push(memory);
    this.#spareBytes += sizeBytes;
    this.#bySize.delete(sizeBytes);
    this.#bySize.set(sizeBytes, spares);
    for (const oldestSize of this.#bySize.keys()) {
      while (this.#spareBytes > spareBytesMax && this.#takeSpare(oldestSize) !== null);
      if (this.#spareBytes <= spareBytesMax) return;
    }
  }

  #takeSpare(sizeBytes: number): ArrayBufferLike | null {
    const spares = this.#bySize.get(sizeBytes);
    const spare = spares?.pop();
    if (spares === undefined || spare === undefined) return null;
    if (spares.length === 0) this.#bySize.delete(sizeBytes);
    this.#spareBytes -= sizeBytes;
    return spare;
  }
}

function isKept(sizeBytes: number): boolean {
  return sizeBytes >= smallestKeptBytes && sizeBytes <= largestKeptBytes;
}

/** The size of the class that `byteCount` bytes are of. */
function classSizeOf(byteCount: number): number {
  const stepBytes = 2 ** (Math.ceil(Math.log2(byteCount)) - 1) / classesPerDoubling;
  return Math.ceil(byteCount / stepBytes) * stepBytes;
}
