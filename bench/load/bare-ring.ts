/**
 * The shared memory between the two threads of the bare server: a ring of bytes and how far it is filled and written.
 *
 *   memory:  [published: i64][written: i64] …4096 [the ring's bytes]      both count bytes since the start
 *
 * One thread copies in and publishes, one writes. Nothing waits for room: more in flight than the ring holds is an error.
 */

/** Writes past the page cache take whole blocks, of memory and of the file. */
const blockBytes = 4096;
/** Some times what is in flight, and small enough to stay in a processor's cache. */
const ringBytes = 16 * 2 ** 20;
const wasmPageBytes = 65_536;
const publishedAt = 0;
const writtenAt = 1;

export class BareRing {
  readonly memory: SharedArrayBuffer;
  readonly #bytes: Uint8Array;
  readonly #counters: BigInt64Array;
  /** Bytes that were copied in so far; only the thread that copies knows. */
  received = 0;
  #seen = 0;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#bytes = new Uint8Array(memory, blockBytes, ringBytes);
    this.#counters = new BigInt64Array(memory, 0, 2);
  }

  static create(): BareRing {
    // The memory of WebAssembly begins at a page, as writes past the page cache want it.
    const pages = Math.ceil((blockBytes + ringBytes) / wasmPageBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    return new BareRing(memory.buffer as ArrayBufferLike as SharedArrayBuffer);
  }

  copyIn(chunk: Uint8Array): void {
    if (this.received + chunk.length - this.#count(writtenAt) > ringBytes) {
      throw new Error('More is in flight than the ring holds.');
    }
    const at = this.received % ringBytes;
    const first = Math.min(chunk.length, ringBytes - at);
    this.#bytes.set(first === chunk.length ? chunk : chunk.subarray(0, first), at);
    if (first < chunk.length) this.#bytes.set(chunk.subarray(first), 0);
    this.received += chunk.length;
  }

  /** Ends a request at the end of a block. */
  padToBlock(): void {
    this.received = Math.ceil(this.received / blockBytes) * blockBytes;
  }

  /** Lets the writer have everything that was copied in. */
  publish(): void {
    this.#set(publishedAt, this.received);
  }

  /** Waits until the writer has written more than when it was asked last; returns how much in all. */
  async writtenBeyond(): Promise<number> {
    for (;;) {
      const written = this.#count(writtenAt);
      if (written > this.#seen) return (this.#seen = written);
      await Atomics.waitAsync(this.#counters, writtenAt, BigInt(written)).value;
    }
  }

  /** The writer's: waits for bytes and returns them, in two parts where they go round the ring. */
  next(): Uint8Array[] {
    const from = this.#count(writtenAt);
    let end = this.#count(publishedAt);
    while (end === from) {
      Atomics.wait(this.#counters, publishedAt, BigInt(end));
      end = this.#count(publishedAt);
    }
    const at = from % ringBytes;
    const size = end - from;
    const first = Math.min(size, ringBytes - at);
    const parts = [this.#bytes.subarray(at, at + first)];
    if (first < size) parts.push(this.#bytes.subarray(0, size - first));
    return parts;
  }

  /** The writer's: `sizeBytes` more are written. */
  wrote(sizeBytes: number): void {
    this.#set(writtenAt, this.#count(writtenAt) + sizeBytes);
  }

  #count(counter: number): number {
    return Number(Atomics.load(this.#counters, counter));
  }

  #set(counter: number, count: number): void {
    Atomics.store(this.#counters, counter, BigInt(count));
    Atomics.notify(this.#counters, counter);
  }
}
