/**
 * The shared memory between the two threads of the bare server: a ring of bytes and how far it is filled and written.
 *
 *   memory:  [published: i64][written: i64] …64 [the ring's bytes]      both count bytes since the start
 *
 * One thread copies in and publishes, one writes. Nothing waits for room: more in flight than the ring holds is an error.
 */

const counterBytes = 64;
/** Some times what is in flight, and small enough to stay in a processor's cache. */
const ringBytes = 16 * 2 ** 20;
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
    this.#bytes = new Uint8Array(memory, counterBytes);
    this.#counters = new BigInt64Array(memory, 0, counterBytes / BigInt64Array.BYTES_PER_ELEMENT);
  }

  static create(): BareRing {
    return new BareRing(new SharedArrayBuffer(counterBytes + ringBytes));
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

  /** Lets the writer have everything up to `position`. */
  publish(position: number): void {
    this.#set(publishedAt, position);
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
