/**
 * Writes a small group of batches itself, where the flush worker sleeps: two wake-ups of threads less before it is
 * acknowledged. I/O thread, one per flush queue.
 *
 *   WRITEs of one partition, nobody waits for a sync, nothing else under way, the files nobody's,
 *   the log's descriptor told by the worker and not left since, the disk quick of late
 *      └─► one gathered write ──whole──► submitted as written, for the worker's books; it sleeps on
 *               └─ failed, or short ───► submitted as ever: the worker writes the same bytes to the same place
 *
 * A failure is never told here: the worker meets it again, and tells. A write that took long has the next ones go by way
 * of the worker, until several of those came back soon. It does not know what is answered.
 */

import type { Clock } from '../base/clock.ts';
import { systemErrorCode } from '../base/environment-error.ts';
import { QuickCalls } from '../base/quick-calls.ts';
import {
  blankCompletion,
  CompletionKind,
  noLog,
  type Completion,
  type FlushQueue,
  type Submission,
  SubmissionFlag,
  SubmissionKind,
} from '../memory/flush-queue.ts';
import type { FileSystem } from './file-system.ts';

export interface InPlaceWriterOptions {
  readonly queue: FlushQueue;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  /** The whole arena. */
  readonly bytes: Uint8Array;
  readonly ringAddress: number;
  readonly ringSizeBytes: number;
}

/** What the worker told of a partition's files. */
interface KnownLog {
  readonly generation: number;
  readonly segmentBaseOffset: number;
  readonly log: number;
  readonly logsLeft: number;
}

/** Larger groups are worth a worker's wake-up, which then works beside this thread. */
const maxGroupBytes = 16 * 1024;
const maxGroupBatches = 8;
/** Everybody waits for a write in place, so that it must not take longer than this. */
const quickMs = 0.5;
/** The worker is woken once so many submissions wait for it, or a quarter of the queue. */
const wakeAt = 256;

export class InPlaceWriter {
  readonly #options: InPlaceWriterOptions;
  readonly #logs = new Map<number, KnownLog>();
  readonly #calls = new QuickCalls(quickMs, true);
  readonly #written: Completion = { ...blankCompletion(), kind: CompletionKind.WRITTEN };
  readonly #ringPositions: number[] = [];
  readonly #sizes: number[] = [];
  // What was submitted since the last publication.
  #isGroup = true;
  #filePosition = 0;
  #groupBytes = 0;
  /** When a group went by way of the worker whose return is to be timed; NaN where none did. */
  #sentMs = Number.NaN;

  constructor(options: InPlaceWriterOptions) {
    this.#options = options;
  }

  /** A completion came. */
  told(completion: Completion): void {
    if (completion.kind !== CompletionKind.WRITTEN) return;
    const { slot, generation, segmentBaseOffset, log, logsLeft } = completion;
    const known = this.#logs.get(slot);
    if (log === noLog) this.#logs.delete(slot);
    else if (known?.logsLeft !== logsLeft || known.generation !== generation) {
      this.#logs.set(slot, { generation, segmentBaseOffset, log, logsLeft });
    }
  }

  /** Nothing more is written to `slot`. */
  forget(slot: number): void {
    this.#logs.delete(slot);
  }

  /** All that was published has come back. */
  returned(): void {
    if (Number.isNaN(this.#sentMs)) return;
    this.#calls.took(this.#options.clock.monotonicMs() - this.#sentMs);
    this.#sentMs = Number.NaN;
  }

  /** Something was submitted that is not published yet. */
  add(fields: Submission): void {
    const written = this.#written;
    const isFirst = this.#sizes.length === 0;
    const follows = written.slot === fields.slot && this.#filePosition + this.#groupBytes === fields.filePosition;
    this.#isGroup &&=
      fields.kind === SubmissionKind.WRITE &&
      (fields.flags & SubmissionFlag.SYNC) === 0 &&
      (isFirst || follows) &&
      this.#groupBytes + fields.sizeBytes <= maxGroupBytes &&
      this.#sizes.length < maxGroupBatches;
    if (!this.#isGroup) return;
    if (isFirst) {
      written.slot = fields.slot;
      written.generation = fields.generation;
      this.#filePosition = fields.filePosition;
    }
    this.#groupBytes += fields.sizeBytes;
    written.endOffset = fields.endOffset;
    this.#ringPositions.push(fields.ringPosition);
    this.#sizes.push(fields.sizeBytes);
  }

  /**
   * Writes what was added, and publishes it where that went well; then returns what a worker would have answered, until
   * the next call. Null where it is to be published as ever. `isAlone`: nothing is under way that is not in its file.
   */
  write(isAlone: boolean): Completion | null {
    const written = isAlone && this.#isGroup ? this.#tryWrite() : null;
    if (written === null && isAlone && !this.#calls.areQuick) this.#sentMs = this.#options.clock.monotonicMs();
    this.#isGroup = true;
    this.#groupBytes = 0;
    this.#ringPositions.length = 0;
    this.#sizes.length = 0;
    return written;
  }

  #tryWrite(): Completion | null {
    const { queue } = this.#options;
    const written = this.#written;
    const known = this.#logs.get(written.slot);
    if (known === undefined || known.generation !== written.generation || !this.#calls.areQuick) return null;
    if (!queue.files.tryTake()) return null;
    try {
      // Completions that nobody has read yet may say that things are not as they were told.
      if (queue.waitingCompletions > 0 || queue.files.logsLeft !== known.logsLeft) return null;
      if (!this.#writeTo(known.log)) return null;
      queue.publishWritten(this.#sizes.length);
    } finally {
      queue.files.leave();
    }
    if (queue.waitingSubmissions >= Math.min(wakeAt, queue.capacity >>> 2)) queue.publish(0);
    written.filePosition = this.#filePosition + this.#groupBytes;
    written.segmentBaseOffset = known.segmentBaseOffset;
    return written;
  }

  /** Whether all bytes of the group are in the file. */
  #writeTo(log: number): boolean {
    const { fileSystem, clock, bytes, ringAddress, ringSizeBytes } = this.#options;
    const sources = this.#sizes.map((sizeBytes, i) => {
      const start = ringAddress + (this.#ringPositions[i]! % ringSizeBytes);
      return bytes.subarray(start, start + sizeBytes);
    });
    const startedMs = clock.monotonicMs();
    try {
      return fileSystem.write(log, sources, this.#filePosition) === this.#groupBytes;
    } catch (error) {
      const code = systemErrorCode(error);
      // A descriptor that is none was told wrongly.
      if (code === null || code === 'EBADF') throw error;
      return false;
    } finally {
      this.#calls.took(clock.monotonicMs() - startedMs);
    }
  }
}
