/**
 * Whose turn it is with the partitions' files: the flush worker's, which has them while it is awake, or the I/O thread's,
 * for the time of one small write and perhaps its sync. Two words of a flush queue's header, one for each worker.
 *
 *                 wakes up                    has a small write
 *   the worker's ◄──────── ── nobody's ── ─────────────────────► the I/O thread's
 *                 ────────►                ◄────────────────────
 *                goes to sleep                 at once, always
 *
 * The worker takes them before all else when it wakes up, and waits where it must; the I/O thread only ever tries. So who
 * has them finds what the other one did to them complete, its completions included. `logsLeft` counts how often a
 * descriptor stopped being the one to which a partition's batches go: one that was told before may be another file's by
 * now. It does not know files.
 */

const Holder = { NOBODY: 0, WORKER: 1, IO_THREAD: 2 } as const;

const holderIndex = 0;
const logsLeftIndex = 1;

export class FileTurns {
  readonly #words: Int32Array;

  /** Two words at `address`, zeros at first: the files are nobody's. */
  constructor(buffer: ArrayBufferLike, address: number) {
    this.#words = new Int32Array(buffer, address, 2);
  }

  /** The I/O thread's: takes the files where they are nobody's. The worker does nothing then until `leave`. */
  tryTake(): boolean {
    return Atomics.compareExchange(this.#words, holderIndex, Holder.NOBODY, Holder.IO_THREAD) === Holder.NOBODY;
  }

  /** The worker's: takes the files; blocks while the I/O thread has them. */
  take(): void {
    while (Atomics.compareExchange(this.#words, holderIndex, Holder.NOBODY, Holder.WORKER) !== Holder.NOBODY) {
      Atomics.wait(this.#words, holderIndex, Holder.IO_THREAD);
    }
  }

  /** Gives them back, whoever has them. */
  leave(): void {
    Atomics.store(this.#words, holderIndex, Holder.NOBODY);
    Atomics.notify(this.#words, holderIndex);
  }

  /** How often a log was left, modulo 2^32; for who has the files. */
  get logsLeft(): number {
    return Atomics.load(this.#words, logsLeftIndex) >>> 0;
  }

  /** The worker's: a descriptor is about to stop being the one to which a partition's batches go. */
  leaveLog(): void {
    Atomics.add(this.#words, logsLeftIndex, 1);
  }
}
