/**
 * The flush worker's round, as separate steps over a queue, the arena's bytes and a file system. The worker runs them
 * in a row; the simulation runs each by itself and does what it likes in between. Flush thread.
 *
 *   take ──► write ──► publish ──► startSync ─ ─ (the disk works; further rounds go on) ─ ─ ► publish
 *   (how     (files)   (WRITTEN,   (what is written by now)                                   (SYNCED, CLOSED, …)
 *    many)              ring free)
 *
 * One sync is under way at a time, and the next starts when it has ended (`partition-syncs.ts`).
 * A failed write drops the partition's submissions until RESUME. A failed sync is final for the partition.
 * What would open more files than allowed waits untaken (`descriptor-limit.ts`): so the queue fills, then the ring, and
 * then producers wait.
 * It decides nothing about offsets, positions or segments, and does not sleep; see `flush-task.ts`.
 */

import { assert, present } from '../base/assert.ts';
import {
  blankSubmission,
  CompletionKind,
  type Submission,
  SubmissionFlag,
  SubmissionKind,
} from '../memory/flush-messages.ts';
import type { FlushQueue } from '../memory/flush-queue.ts';
import type { FileSystem } from '../storage/file-system.ts';
import { flushFailureOf } from '../storage/flush-failure.ts';
import { transactionEntrySizeBytes } from '../storage/transaction-index.ts';
import { parseTailText } from '../storage/unsettled-tail.ts';
import { CompletionOutbox } from './completion-outbox.ts';
import { type DescriptorLimit, openedBy } from './descriptor-limit.ts';
import type { DirectWrites } from './direct-file.ts';
import { PartitionSyncs } from './partition-syncs.ts';
import { maxSourcesPerWrite, PartitionWriter } from './partition-writer.ts';

/** Submissions of one round at most: more would keep the first ones' completions waiting. */
const maxSubmissionsPerRound = 4096;
/** Files that may be open before a LIMIT says how many: room for them is under any bound that can be worked with. */
const defaultMaxOpenFiles = 128;

const utf8 = new TextDecoder('utf-8', { fatal: true });

export interface FlushRoundOptions {
  readonly queue: FlushQueue;
  /** The whole arena. */
  readonly bytes: Uint8Array;
  readonly ringAddress: number;
  readonly ringSizeBytes: number;
  readonly fileSystem: FileSystem;
  /** How large groups are written past the page cache; never, unless given. */
  readonly direct?: DirectWrites;
  /** Files that may be open until a LIMIT says otherwise. */
  readonly maxOpenFiles?: number;
  /** For how long syncs take, in milliseconds; they take no time, unless given. */
  readonly nowMs?: () => number;
}

export class FlushRound {
  readonly #queue: FlushQueue;
  readonly #bytes: Uint8Array;
  readonly #ringAddress: number;
  readonly #ringSizeBytes: number;
  readonly #files: FileSystem;
  readonly #direct: DirectWrites | null;

  /** Writers by slot, and those that were given up by a CLOSE and still have something to sync. */
  readonly #writers = new Map<number, PartitionWriter>();
  readonly #syncs: PartitionSyncs;
  readonly #outbox: CompletionOutbox;
  /** Writers with a group, in the order of their first batch. */
  readonly #gathering = new Set<PartitionWriter>();
  /** Writers whose end moved since the last WRITTEN. */
  readonly #advanced = new Set<PartitionWriter>();
  readonly #submission: Submission = blankSubmission();

  /** One for all writers, of which there may be thousands. */
  readonly #onLogLeft = (): void => this.#queue.files.leaveLog();

  #taken = 0;
  #dealtWith = 0;
  #stopped = false;

  constructor(options: FlushRoundOptions) {
    this.#queue = options.queue;
    this.#bytes = options.bytes;
    this.#ringAddress = options.ringAddress;
    this.#ringSizeBytes = options.ringSizeBytes;
    this.#files = options.fileSystem;
    this.#direct = options.direct ?? null;
    this.#outbox = new CompletionOutbox(options.queue);
    this.#syncs = new PartitionSyncs({
      fileSystem: options.fileSystem,
      outbox: this.#outbox,
      maxOpenFiles: options.maxOpenFiles ?? defaultMaxOpenFiles,
      isGathering: (writer) => this.#gathering.has(writer),
      nowMs: options.nowMs ?? (() => 0),
    });
  }

  /** Whether nothing can be taken before the sync that is under way has ended. */
  get isHeld(): boolean {
    return this.#descriptors.isHeld && this.#syncs.underWay !== null;
  }

  /** Whether STOP was dealt with. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Whether STOP was dealt with and nothing that was asked for before it is left to do. */
  get finished(): boolean {
    return this.#stopped && this.nothingLeft;
  }

  /** The sync that is under way: resolves when it has ended, never rejects. Null where there is none. */
  get syncUnderWay(): Promise<void> | null {
    return this.#syncs.underWay;
  }

  /** Completions that found no room, or wait for `publish`. */
  get unpublished(): number {
    return this.#outbox.count;
  }

  /** Whether nothing is left to do but to wait for submissions. */
  get idle(): boolean {
    return this.nothingLeft && this.#queue.waitingSubmissions === 0;
  }

  /** Whether all that was taken is done. */
  get nothingLeft(): boolean {
    return (
      this.#taken === 0 &&
      this.#dealtWith === 0 &&
      this.#outbox.count === 0 &&
      this.#syncs.nothingLeft &&
      !this.#descriptors.hasLimitsToKeep
    );
  }

  /** Takes what waits, as far as there is room for its completions. Returns how many submissions that is. */
  take(): number {
    assert(this.#taken === 0, 'what was taken is written before more is taken');
    // Completions that wait for room come first; each submission causes at most one before its sync.
    const room = this.#outbox.count > 0 || this.#stopped || this.isHeld ? 0 : this.#queue.freeCompletions;
    this.#taken = Math.min(this.#queue.waitingSubmissions - this.#dealtWith, room, maxSubmissionsPerRound);
    return this.#taken;
  }

  /** Does to the files what the taken submissions ask for. */
  write(): void {
    const submission = this.#submission;
    if (this.#taken > 0) this.#descriptors.beginRound();
    for (let i = 0; i < this.#taken; i++) {
      this.#queue.readSubmission(this.#dealtWith + i, submission);
      if (!this.#hasRoomFor(submission)) {
        this.#taken = i;
        break;
      }
      if (submission.kind === SubmissionKind.WRITE) this.#gather(submission);
      else this.#control(submission);
    }
    for (const writer of this.#gathering) this.#writeGroup(writer);
    this.#gathering.clear();
    this.#descriptors.endOfGroups();
    for (const writer of this.#advanced) this.#outbox.tell(writer, CompletionKind.WRITTEN);
    this.#advanced.clear();
    this.#dealtWith += this.#taken;
    this.#taken = 0;
  }

  /** Frees the slots and ring bytes of what was written, and shows as many completions as have room. */
  publish(): void {
    this.#syncs.throwDefect();
    this.#outbox.publish(this.#dealtWith);
    this.#dealtWith = 0;
  }

  /**
   * Begins a sync of partitions that ask for one, unless one is under way. Returns whether it began. With `inPlace`
   * one that is a single file's is over when this returns: two wake-ups of threads less, while nothing else is written.
   */
  startSync(inPlace = false): boolean {
    if (this.#syncs.underWay !== null) return false;
    for (const slot of this.#descriptors.keepLimits()) this.#outbox.tellLimited(slot);
    return this.#syncs.start(inPlace);
  }

  /** Closes all descriptors; for the end, when no sync is under way. */
  closeFiles(): void {
    assert(this.#syncs.underWay === null, 'files are closed after the sync that uses them');
    for (const writer of this.#writers.values()) writer.close();
    this.#writers.clear();
  }

  /** Whether no more files than allowed will be open once `submission` is dealt with; else it waits for a sync. */
  #hasRoomFor({ kind, slot }: Submission): boolean {
    const canWait = this.#syncs.underWay !== null || this.#gathering.size > 0;
    switch (kind) {
      case SubmissionKind.WRITE: {
        const writer = this.#writerOf(slot);
        if (writer.isLogOpen || this.#gathering.has(writer)) return true;
        return this.#descriptors.hasRoomForGroup(canWait);
      }
      case SubmissionKind.ROLL:
        return this.#descriptors.hasRoom(openedBy.roll, canWait);
      case SubmissionKind.CLOSE:
      case SubmissionKind.RESUME:
        return this.#descriptors.hasRoom(openedBy.close, canWait);
      default:
        return true;
    }
  }

  #gather(submission: Submission): void {
    const writer = this.#writerOf(submission.slot);
    const isWritten = (submission.flags & SubmissionFlag.WRITTEN) !== 0;
    if (!takesWrites(writer, submission)) {
      assert(!isWritten, 'the I/O thread writes for partitions that take writes');
      return;
    }
    if (writer.gathered === maxSourcesPerWrite && !this.#writeGroup(writer)) return;
    if (isWritten && !this.#countWritten(writer, submission)) return;
    const { sizeBytes, filePosition, endOffset } = submission;
    const start = this.#ringAddress + (submission.ringPosition % this.#ringSizeBytes);
    if (!isWritten) {
      const synced = (submission.flags & SubmissionFlag.SYNC) !== 0;
      writer.gather(this.#bytes.subarray(start, start + sizeBytes), filePosition, endOffset, synced);
      if (synced) this.#syncs.wanted.add(writer);
    }
    if ((submission.flags & SubmissionFlag.OFFSET_INDEX_ENTRY) !== 0) {
      writer.gatherIndexEntry(submission.indexRelativeOffset, submission.filePosition);
    }
    if ((submission.flags & SubmissionFlag.TIME_INDEX_ENTRY) !== 0) {
      writer.gatherTimeIndexEntry(submission.timeIndexTimestamp, submission.timeIndexRelativeOffset);
    }
    if ((submission.flags & SubmissionFlag.TRANSACTION_INDEX_ENTRY) !== 0) {
      const behind = start + sizeBytes;
      writer.gatherTransactionEntry(this.#bytes.slice(behind, behind + transactionEntrySizeBytes));
    }
    this.#gathering.add(writer);
  }

  /** Counts what the I/O thread has written, and synced where it did. Returns whether the partition goes on. */
  #countWritten(writer: PartitionWriter, { sizeBytes, filePosition, endOffset, flags, failure }: Submission): boolean {
    writer.gatherWritten(sizeBytes, filePosition, endOffset, (flags & SubmissionFlag.SYNCED) !== 0);
    if ((flags & SubmissionFlag.SYNC_FAILED) === 0) return true;
    // Whatever waits for its indexes is for the next start to find.
    this.#gathering.delete(writer);
    this.#syncs.failedElsewhere(writer, failure);
    return false;
  }

  #control(submission: Submission): void {
    switch (submission.kind) {
      case SubmissionKind.OPEN:
        this.#open(submission);
        return;
      case SubmissionKind.STOP:
        this.#stopped = true;
        return;
      case SubmissionKind.LIMIT:
        this.#descriptors.limit(submission.sizeBytes, submission.slot);
        return;
    }
    const writer = this.#writerOf(submission.slot);
    // What a partition was told before comes first.
    if (this.#gathering.delete(writer)) this.#writeGroup(writer);
    switch (submission.kind) {
      case SubmissionKind.ROLL:
        this.#roll(writer, submission);
        return;
      case SubmissionKind.SYNC:
        this.#syncs.wanted.addUnhurried(writer);
        return;
      case SubmissionKind.CHECKPOINT:
        writer.checkpointsWanted++;
        this.#syncs.wanted.addUnhurried(writer);
        return;
      case SubmissionKind.CLOSE:
        this.#close(writer, (submission.flags & SubmissionFlag.DISCARD) !== 0);
        return;
      case SubmissionKind.RESUME:
        this.#resume(writer, submission);
        return;
      default:
        assert(false, 'a submission has one of the kinds that exist');
    }
  }

  #open(submission: Submission): void {
    assert(!this.#writers.has(submission.slot), 'a slot is closed before it is opened again');
    const start = this.#ringAddress + (submission.ringPosition % this.#ringSizeBytes);
    // Decoding needs bytes of its own: the arena is shared memory.
    const text = utf8.decode(this.#bytes.slice(start, start + submission.sizeBytes));
    const [path = '', topicId = '', tail] = text.split('\n');
    this.#writers.set(
      submission.slot,
      new PartitionWriter(this.#files, this.#direct, {
        slot: submission.slot,
        generation: submission.generation,
        directory: path,
        topicId,
        create: (submission.flags & SubmissionFlag.CREATE) !== 0,
        indexesUnsure: (submission.flags & SubmissionFlag.INDEXES_UNSURE) !== 0,
        segmentBaseOffset: submission.baseOffset,
        endOffset: submission.endOffset,
        position: submission.filePosition,
        indexSizeBytes: submission.indexSizeBytes,
        timeIndexSizeBytes: submission.timeIndexSizeBytes,
        transactionIndexSizeBytes: submission.transactionIndexSizeBytes,
        tail: tail === undefined ? null : parseTailText(tail),
        onLogLeft: this.#onLogLeft,
      }),
    );
  }

  #roll(writer: PartitionWriter, submission: Submission): void {
    if (!takesWrites(writer, submission)) return;
    const hasEntry = (submission.flags & SubmissionFlag.TIME_INDEX_ENTRY) !== 0;
    this.#attempt(writer, () =>
      writer.roll(
        submission.baseOffset,
        hasEntry
          ? { timestamp: submission.timeIndexTimestamp, relativeOffset: submission.timeIndexRelativeOffset }
          : null,
      ),
    );
  }

  #resume(writer: PartitionWriter, submission: Submission): void {
    if (writer.state === 'sync-failed') return;
    assert(submission.generation > writer.generation, 'a RESUME begins a new generation');
    // Should the cut fail, it is the new generation's writes that are dropped.
    writer.generation = submission.generation;
    assert(submission.filePosition === writer.position, 'writing resumes after the last whole batch');
    const cut = (): void => {
      writer.cut();
      writer.cutIndexes(submission);
    };
    if (!this.#attempt(writer, cut)) return;
    writer.state = 'open';
    this.#outbox.tell(writer, CompletionKind.RESUMED);
  }

  #close(writer: PartitionWriter, discard: boolean): void {
    this.#writers.delete(writer.slot);
    if (this.#advanced.delete(writer)) this.#outbox.tell(writer, CompletionKind.WRITTEN);
    this.#syncs.close(writer, discard);
  }

  #writeGroup(writer: PartitionWriter): boolean {
    const before = writer.endOffset;
    const done = this.#attempt(writer, () => {
      writer.writeGroup(() => this.#descriptors.makeRoom(openedBy.direct));
      const hasFull = writer.hasFullIndexes;
      if (hasFull && this.#descriptors.makeRoom(openedBy.indexes)) writer.appendIndexes();
    });
    this.#descriptors.files.used(writer);
    if (done && writer.endOffset !== before) this.#advanced.add(writer);
    return done;
  }

  /** Runs what writes; a failure of the disk becomes WRITE_FAILED. Returns whether it went well. */
  #attempt(writer: PartitionWriter, work: () => void): boolean {
    try {
      work();
      this.#descriptors.files.recount(writer);
      return true;
    } catch (error) {
      const failure = flushFailureOf(error);
      if (failure === null) throw error;
      writer.state = 'write-failed';
      this.#descriptors.files.recount(writer);
      // WRITE_FAILED says what is written, so a WRITTEN after it would only repeat that.
      this.#advanced.delete(writer);
      this.#outbox.tell(writer, CompletionKind.WRITE_FAILED, failure);
      return false;
    }
  }

  get #descriptors(): DescriptorLimit {
    return this.#syncs.descriptors;
  }

  #writerOf(slot: number): PartitionWriter {
    return present(this.#writers.get(slot), 'a slot is opened before it is used');
  }
}

function takesWrites(writer: PartitionWriter, submission: Submission): boolean {
  return writer.state === 'open' && submission.generation === writer.generation;
}
