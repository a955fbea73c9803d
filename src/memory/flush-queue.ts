/**
 * The pair of queues between the I/O thread and one flush worker, in the arena. Each has one writer and one reader.
 * The I/O thread pushes submissions, the worker pushes completions (`flush-messages.ts`).
 *
 *   header, 320 bytes, one 64-byte line a counter so that the two threads do not share lines:
 *     0 u32 submissionTail (I/O thread)    64 u32 submissionHead (worker)
 *   128 u32 completionTail (worker)       192 u32 completionHead (I/O thread)
 *   256 whose turn it is with the files (`file-turns.ts`)
 *   then submission slots of 96 bytes, then twice as many completion slots of 64 bytes
 *
 * Counters only grow, modulo 2^32; a slot is `counter % capacity`. A writer fills slots and publishes them with one
 * atomic store of its counter, a reader that loads the counter sees them whole. `submissionHead` moves when a
 * submission has been dealt with (written), not when it was looked at: the ring's bytes are needed until then.
 * The doorbells lie in the same lines as the counters that they announce: waiting is on the counter itself.
 * What the I/O thread has written to a file itself, and perhaps synced, it submits all the same, marked, so that the
 * worker's books stay true, but wakes nobody up for it.
 * It does not know what is in a slot.
 */

import { assert } from '../base/assert.ts';
import { FileTurns } from './file-turns.ts';
import {
  completionSizeBytes,
  markWritten,
  readCompletion,
  readSubmission,
  submissionSizeBytes,
  writeCompletion,
  writeSubmission,
  type Completion,
  type FlushFailure,
  type Submission,
} from './flush-messages.ts';

const headerSizeBytes = 320;
const turnsPlace = 256;

/** The size of a queue pair whose submission side has `capacity` slots. */
export function flushQueueSizeBytes(capacity: number): number {
  return headerSizeBytes + capacity * submissionSizeBytes + capacity * 2 * completionSizeBytes;
}

const submissionTailIndex = 0;
const submissionHeadIndex = 16;
const completionTailIndex = 32;
const completionHeadIndex = 48;

export class FlushQueue {
  readonly capacity: number;
  readonly files: FileTurns;
  readonly #view: DataView;
  readonly #counters: Int32Array;
  readonly #completionBase: number;

  /** `buffer` is the arena's, `address` where this pair lies, `capacity` a power of two. */
  constructor(buffer: ArrayBufferLike, address: number, capacity: number) {
    assert(capacity > 0 && (capacity & (capacity - 1)) === 0, 'a queue capacity is a power of two');
    this.capacity = capacity;
    this.#view = new DataView(buffer, address, flushQueueSizeBytes(capacity));
    this.#counters = new Int32Array(buffer, address, headerSizeBytes / 4);
    this.#completionBase = headerSizeBytes + capacity * submissionSizeBytes;
    this.files = new FileTurns(buffer, address + turnsPlace);
  }

  // The I/O thread's side.

  /** Submission slots that are free. */
  get freeSubmissions(): number {
    return this.capacity - ((this.#load(submissionTailIndex) - this.#load(submissionHeadIndex)) >>> 0);
  }

  /** Fills the next slot, which must be free; `publish` makes it visible. `ahead` counts pushes not yet published. */
  push(fields: Submission, ahead: number): void {
    writeSubmission(this.#view, this.#submissionAt(this.#load(submissionTailIndex) + ahead), fields);
  }

  /** Makes `count` pushed submissions visible and wakes the worker if it sleeps. */
  publish(count: number): void {
    Atomics.add(this.#counters, submissionTailIndex, count);
    Atomics.notify(this.#counters, submissionTailIndex);
  }

  /**
   * As `publish` for WRITEs whose bytes are in their file already: marks them so, and leaves the worker asleep. `sync` is
   * how a sync behind the last of them went; null where there was none.
   */
  publishWritten(count: number, sync: FlushFailure | null): void {
    const tail = this.#load(submissionTailIndex);
    for (let i = 0; i < count; i++) {
      markWritten(this.#view, this.#submissionAt(tail + i), i === count - 1 ? sync : null);
    }
    Atomics.add(this.#counters, submissionTailIndex, count);
  }

  /** How many submissions have been dealt with, modulo 2^32. */
  get submissionHead(): number {
    return this.#load(submissionHeadIndex) >>> 0;
  }

  /** How many completions wait. */
  get waitingCompletions(): number {
    return (this.#load(completionTailIndex) - this.#load(completionHeadIndex)) >>> 0;
  }

  /** Reads the completion `ahead` places after the oldest unread one into `into`. */
  readCompletion(ahead: number, into: Completion): void {
    readCompletion(this.#view, this.#completionAt(this.#load(completionHeadIndex) + ahead), into);
  }

  /** Gives `count` completion slots back. */
  releaseCompletions(count: number): void {
    Atomics.add(this.#counters, completionHeadIndex, count);
  }

  /**
   * Resolves once completions wait, or at once where they do. Never rejects. It does not keep the process alive.
   */
  waitForCompletions(): Promise<void> | null {
    const tail = this.#load(completionTailIndex);
    if (tail !== this.#load(completionHeadIndex)) return null;
    const wait = Atomics.waitAsync(this.#counters, completionTailIndex, tail);
    return wait.async ? wait.value.then(() => undefined) : null;
  }

  /** Wakes whoever waits on this side without pushing anything, so that it looks at what else it was told. */
  wakeBoth(): void {
    Atomics.notify(this.#counters, submissionTailIndex);
    Atomics.notify(this.#counters, completionTailIndex);
  }

  // The worker's side.

  /** How many submissions wait. */
  get waitingSubmissions(): number {
    return (this.#load(submissionTailIndex) - this.#load(submissionHeadIndex)) >>> 0;
  }

  /**
   * Completion slots that are free. The worker looks before it takes work whose completions need them; the I/O thread
   * always drains completions, so waiting for room cannot lock both.
   */
  get freeCompletions(): number {
    return this.capacity * 2 - ((this.#load(completionTailIndex) - this.#load(completionHeadIndex)) >>> 0);
  }

  /** Reads the submission `ahead` places after the oldest one not dealt with into `into`. */
  readSubmission(ahead: number, into: Submission): void {
    readSubmission(this.#view, this.#submissionAt(this.#load(submissionHeadIndex) + ahead), into);
  }

  /** Fills a completion slot; `publishCompletions` makes it visible. */
  pushCompletion(fields: Completion, ahead: number): void {
    writeCompletion(this.#view, this.#completionAt(this.#load(completionTailIndex) + ahead), fields);
  }

  /** Declares `count` submissions dealt with, then shows `completionCount` completions and rings the I/O thread. */
  publishCompletions(count: number, completionCount: number): void {
    // The head first: who sees the completions must also see that the ring's bytes are free.
    if (count > 0) Atomics.add(this.#counters, submissionHeadIndex, count);
    Atomics.add(this.#counters, completionTailIndex, completionCount);
    Atomics.notify(this.#counters, completionTailIndex);
  }

  /** Blocks the worker until submissions wait or `timeoutMs` has passed. */
  sleepUntilSubmissions(timeoutMs: number): void {
    const tail = this.#load(submissionTailIndex);
    if (tail === this.#load(submissionHeadIndex)) Atomics.wait(this.#counters, submissionTailIndex, tail, timeoutMs);
  }

  /** As `sleepUntilSubmissions`, without blocking the worker's event loop (a sync may be under way). */
  waitForSubmissions(): Promise<void> | null {
    const tail = this.#load(submissionTailIndex);
    if (tail !== this.#load(submissionHeadIndex)) return null;
    const wait = Atomics.waitAsync(this.#counters, submissionTailIndex, tail);
    return wait.async ? wait.value.then(() => undefined) : null;
  }

  /** Where the slot of the submission lies that came as the `count`th. */
  #submissionAt(count: number): number {
    return headerSizeBytes + ((count >>> 0) & (this.capacity - 1)) * submissionSizeBytes;
  }

  #completionAt(count: number): number {
    return this.#completionBase + ((count >>> 0) & (this.capacity * 2 - 1)) * completionSizeBytes;
  }

  #load(index: number): number {
    return Atomics.load(this.#counters, index);
  }
}
