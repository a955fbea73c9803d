/**
 * Writes a small group of batches itself, where the flush worker sleeps: two wake-ups of threads less before it is
 * acknowledged. I/O thread, one per flush queue.
 *
 *   WRITEs of one partition, nothing else under way, the files nobody's, the disk quick of late,
 *   the log's descriptor told by the worker and not left since; nobody waits for a sync, or that may be done here too
 *      └─► one gathered write ──whole──► the sync ──► submitted as written and synced, for the worker's books; it sleeps on
 *               │                          └─ failed ─► submitted as such: the worker is woken, and tells
 *               └─ failed, or short ───► submitted as ever: the worker writes the same bytes to the same place
 *
 * A failure is never told here: the worker meets it again, or hears of it, and tells. A write that took long has the next
 * ones go by way of the worker, until several of those came back soon. Who may wait for a sync here says `lone-sync.ts`; it
 * covers all that the partition was promised by then, because nothing else of it was to be synced when the worker told of
 * its log, and nothing but the log has changed since that an acknowledgement needs. It does not know what is answered.
 */

import { systemErrorCode } from '../base/environment-error.ts';
import { QuickCalls } from '../base/quick-calls.ts';
import {
  blankCompletion,
  CompletionKind,
  FlushFailure,
  noLog,
  type Completion,
  type Submission,
  SubmissionFlag,
  SubmissionKind,
} from '../memory/flush-messages.ts';
import type { FlushQueue } from '../memory/flush-queue.ts';
import { LoneSync, maxLoneGroupBytes, type LoneSyncOptions } from './lone-sync.ts';

export interface InPlaceWriterOptions extends LoneSyncOptions {
  readonly queue: FlushQueue;
  /** The whole arena. */
  readonly bytes: Uint8Array;
  readonly ringAddress: number;
  readonly ringSizeBytes: number;
}

/** What the worker told of a partition's files last. */
interface KnownLog {
  generation: number;
  segmentBaseOffset: number;
  log: number;
  logsLeft: number;
  /** Up to where a write that is synced here may go; 0 where more than the log is to be synced. */
  syncedRoomEnd: number;
}

/** Larger groups are worth a worker's wake-up, which then works beside this thread. */
const maxGroupBytes = 16 * 1024;
/**
 * Or not, where groups come so seldom that nobody waits for this thread: a producer that lingers sends one in some
 * milliseconds, and two threads that slept meanwhile take longer to wake up than it takes to write.
 */
const maxSeldomGroupBytes = 256 * 1024;
const seldomMs = 2;
const maxGroupBatches = 8;
/** Everybody waits for a write in place, so that it must not take longer than this. */
const quickMs = 0.5;
/** The worker is woken once so many submissions wait for it, or a quarter of the queue. */
const wakeAt = 256;

export class InPlaceWriter {
  readonly #options: InPlaceWriterOptions;
  readonly #logs = new Map<number, KnownLog>();
  readonly #calls = new QuickCalls(quickMs, true);
  readonly #loneSync: LoneSync;
  readonly #written: Completion = { ...blankCompletion(), kind: CompletionKind.WRITTEN };
  /** Apart from `#written`, which who is told of that may have filled with the next group's. */
  readonly #synced: Completion = { ...blankCompletion(), kind: CompletionKind.SYNCED };
  readonly #writtenOnly: readonly Completion[] = [this.#written];
  readonly #writtenAndSynced: readonly Completion[] = [this.#written, this.#synced];
  readonly #ringPositions: number[] = [];
  readonly #sizes: number[] = [];
  // What was submitted since the last publication.
  #isGroup = true;
  #wantsSync = false;
  #filePosition = 0;
  #groupBytes = 0;
  /** When the last group was published, whichever way. */
  #publishedMs = Number.NEGATIVE_INFINITY;
  /** When a group went by way of the worker whose return is to be timed; NaN where none did. */
  #sentMs = Number.NaN;

  constructor(options: InPlaceWriterOptions) {
    this.#options = options;
    this.#loneSync = new LoneSync(options);
  }

  /** A completion came. */
  told(completion: Completion): void {
    switch (completion.kind) {
      case CompletionKind.WRITTEN:
        return this.#toldWritten(completion);
      case CompletionKind.SYNCED:
        return this.#toldSynced(completion);
      case CompletionKind.WRITE_FAILED:
      case CompletionKind.SYNC_FAILED:
        // The worker drops what comes now, and must not find it written.
        this.forget(completion.slot);
    }
  }

  #toldWritten(completion: Completion): void {
    const known = this.#logs.get(completion.slot);
    const isNew = known?.logsLeft !== completion.logsLeft || known.generation !== completion.generation;
    if (completion.log === noLog) this.forget(completion.slot);
    else if (isNew) this.#know(completion, known).syncedRoomEnd = 0;
  }

  /** Where the worker tells of a log, a sync of that file alone will cover what is written next. */
  #toldSynced(completion: Completion): void {
    if (!Number.isNaN(completion.durationMs)) this.#loneSync.took(completion.durationMs);
    const known = this.#logs.get(completion.slot);
    if (completion.log !== noLog) this.#know(completion, known).syncedRoomEnd = completion.roomEndPosition;
    else if (known !== undefined) known.syncedRoomEnd = 0;
  }

  #know({ slot, generation, segmentBaseOffset, log, logsLeft }: Completion, known: KnownLog | undefined): KnownLog {
    if (known === undefined) {
      const told = { generation, segmentBaseOffset, log, logsLeft, syncedRoomEnd: 0 };
      this.#logs.set(slot, told);
      return told;
    }
    known.generation = generation;
    known.segmentBaseOffset = segmentBaseOffset;
    known.log = log;
    known.logsLeft = logsLeft;
    return known;
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
      // The worker takes the entry from behind the batch in the ring, whose place is free once all is in its file.
      (fields.flags & SubmissionFlag.TRANSACTION_INDEX_ENTRY) === 0 &&
      (isFirst || follows) &&
      this.#groupBytes + fields.sizeBytes <= maxSeldomGroupBytes &&
      this.#sizes.length < maxGroupBatches;
    if (!this.#isGroup) return;
    if (isFirst) {
      written.slot = fields.slot;
      written.generation = fields.generation;
      this.#filePosition = fields.filePosition;
    }
    if ((fields.flags & SubmissionFlag.SYNC) !== 0) this.#wantsSync = true;
    this.#groupBytes += fields.sizeBytes;
    written.endOffset = fields.endOffset;
    this.#ringPositions.push(fields.ringPosition);
    this.#sizes.push(fields.sizeBytes);
  }

  /**
   * Writes what was added, and publishes it where that went well; then returns what a worker would have answered, in
   * order, until the next call. Null where it is to be published as ever. `isAlone`: nothing is under way that is not in
   * its file.
   */
  write(isAlone: boolean): readonly Completion[] | null {
    const nowMs = this.#options.clock.monotonicMs();
    const isSeldom = nowMs - this.#publishedMs >= seldomMs;
    this.#publishedMs = nowMs;
    const answers = isAlone && this.#isGroup ? this.#tryWrite(isSeldom) : null;
    if (answers === null && isAlone && !this.#calls.areQuick) this.#sentMs = nowMs;
    this.#isGroup = true;
    this.#wantsSync = false;
    this.#groupBytes = 0;
    this.#ringPositions.length = 0;
    this.#sizes.length = 0;
    return answers;
  }

  #tryWrite(isSeldom: boolean): readonly Completion[] | null {
    const { queue } = this.#options;
    const written = this.#written;
    const known = this.#logs.get(written.slot);
    if (known === undefined || known.generation !== written.generation || !this.#calls.areQuick) return null;
    const endPosition = this.#filePosition + this.#groupBytes;
    if (this.#groupBytes > this.#mostBytes(isSeldom)) return null;
    if (this.#wantsSync && endPosition > known.syncedRoomEnd) return null;
    let sync: FlushFailure | null = null;
    if (!queue.files.tryTake()) return null;
    try {
      // Completions that nobody has read yet may say that things are not as they were told.
      if (queue.waitingCompletions > 0 || queue.files.logsLeft !== known.logsLeft) return null;
      if (this.#wantsSync && !this.#loneSync.isAllowed()) return null;
      if (!this.#writeTo(known.log)) return null;
      if (this.#wantsSync) sync = this.#loneSync.sync(known.log);
      queue.publishWritten(this.#sizes.length, sync);
    } finally {
      queue.files.leave();
    }
    written.filePosition = endPosition;
    written.segmentBaseOffset = known.segmentBaseOffset;
    const hasFailed = sync !== null && sync !== FlushFailure.NONE;
    // From here on the worker alone says what holds of it.
    if (hasFailed) this.forget(written.slot);
    const waiting = queue.waitingSubmissions;
    if (hasFailed || waiting >= Math.min(wakeAt, queue.capacity >>> 2)) queue.publish(0);
    if (sync !== FlushFailure.NONE) return this.#writtenOnly;
    const synced = this.#synced;
    synced.slot = written.slot;
    synced.generation = written.generation;
    synced.endOffset = written.endOffset;
    synced.filePosition = endPosition;
    synced.segmentBaseOffset = known.segmentBaseOffset;
    return this.#writtenAndSynced;
  }

  #mostBytes(isSeldom: boolean): number {
    if (this.#wantsSync) return maxLoneGroupBytes;
    return isSeldom ? maxSeldomGroupBytes : maxGroupBytes;
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
