/**
 * The I/O thread's side of one partition's files: opens its slot at a flush worker, submits writes, rolls and syncs, and
 * follows the completions. I/O thread, one per log.
 *
 *            WRITE_FAILED, for want of room            RESUME, once there is room
 *   taking ─────────────────────────────────► full ─────────────────────────────► taking
 *      └──── another WRITE_FAILED, SYNC_FAILED ────► failed (until the broker starts again)
 *
 * A failed write takes back what was not written: offsets, producers, indexes, and everybody who waits is told. So does a
 * failed sync, which is final. It assigns nothing and checks no batches; see `log-writer.ts`.
 */

import { assert, present } from '../base/assert.ts';
import { type Offset } from '../base/numbers.ts';
import { LazySet } from '../base/lazy-map.ts';
import {
  CompletionKind,
  FlushFailure,
  type Completion,
  type Submission,
  SubmissionFlag,
  SubmissionKind,
} from '../memory/flush-messages.ts';
import type { FlushChannel, SlotOwner } from './flush-channel.ts';
import { rollBackLog } from './log-rollback.ts';
import type { LogState } from './log-state.ts';
import { openingFields, openingText, resumptionFields, rollFields, submissionFields } from './log-submissions.ts';
import { PendingBatches } from './pending-batches.ts';
import { RoomWatch } from './room-watch.ts';
import type { Segment } from './segment.ts';

const noSlot = -1;
/** How long files that could not be closed are left alone. */
const closeAgainAfterMs = 1000;

export type FlusherState = 'taking' | 'full' | 'failed' | 'closed';

/** Whose log it is. */
export interface FlusherOwner {
  /** Written, synced or the high watermark may have moved, or the log failed. */
  advanced(): void;
}

export class LogFlusher implements SlotOwner {
  readonly pending = new PendingBatches();
  readonly #log: LogState;
  readonly #owner: FlusherOwner;
  #state: FlusherState = 'taking';
  #slot = noSlot;
  #channel: FlushChannel | null = null;
  /** Which worker has the slots of this log, one after the other: each finds what the CLOSE of the last one left. */
  #worker = -1;
  #generation = 0;
  /** There from the first time that the disk is full. */
  #roomWatch: RoomWatch | null = null;
  /** The disk failed in this run, so what it holds is not known for sure. */
  #diskFailed = false;
  /** A SYNC was submitted and not answered, and what it will cover. */
  #syncAskedUpTo: Offset;
  /** Slots that were given up while the log was idle, and whose files are not closed yet. */
  #closing = 0;
  /** Until then a log that is idle keeps its files open. */
  #closeAgainMs = 0;
  /** Those who wait for CLOSED. */
  readonly #closings = new LazySet<(failure: FlushFailure) => void>();
  /** Those who wait for CHECKPOINTED, in order; null where nobody does. */
  #checkpoints: ((failure: FlushFailure) => void)[] | null = null;

  constructor(log: LogState, owner: FlusherOwner) {
    this.#log = log;
    this.#owner = owner;
    this.#syncAskedUpTo = log.progress.synced;
    if (log.refusal !== null) this.#state = 'failed';
  }

  get state(): FlusherState {
    return this.#state;
  }

  /** Whether the worker holds descriptors of this log. */
  get isOpen(): boolean {
    return this.#slot !== noSlot;
  }

  /** Whether the worker ever had this log: then a checkpoint, or closing, brings its index files to what counts. */
  get wasOpened(): boolean {
    return this.#worker >= 0;
  }

  /** What `open` takes of the ring; nothing where the slot is bound. */
  get openingBytes(): number {
    return this.#slot === noSlot ? openingText(this.#log).length : 0;
  }

  /** Binds a slot at a worker, where there is none. The active segment exists in the list. */
  open(): void {
    if (this.#slot !== noSlot) return;
    const log = this.#log;
    const { context } = log;
    const text = openingText(log);
    const position = present(context.ring.reserve(text.length), 'the caller made sure of room in the ring');
    context.arena.bytes.set(text, context.ring.addressOf(position));
    this.#slot = context.takeSlot();
    if (this.#worker < 0) this.#worker = this.#slot % context.channels.length;
    this.#channel = context.channels[this.#worker]!;
    this.#channel.bind(this.#slot, this);
    this.#channel.submit(openingFields(this.#blank(SubmissionKind.OPEN), log, position, text.length), position);
  }

  /** A blank WRITE to be filled by the caller and given to `write` at once. */
  writeFields(): Submission {
    return this.#blank(SubmissionKind.WRITE);
  }

  write(fields: Submission): void {
    this.#openChannel().submit(fields, fields.ringPosition);
    if ((fields.flags & SubmissionFlag.SYNC) !== 0) this.#syncAskedUpTo = fields.endOffset as Offset;
  }

  /** Ends `sealed`, with its largest timestamp as a last time index entry where asked, and begins one at `baseOffset`. */
  roll(sealed: Segment, withTimeEntry: boolean, baseOffset: Offset): void {
    const fields = rollFields(this.#blank(SubmissionKind.ROLL), sealed, withTimeEntry, baseOffset);
    this.#openChannel().submit(fields, this.#log.context.ring.head);
  }

  /** Asks for a sync of everything appended so far, unless one is on its way. */
  requestSync(): void {
    const { progress, context } = this.#log;
    const works = this.#state === 'taking' || this.#state === 'full';
    if (!works || this.#slot === noSlot || progress.end <= this.#syncAskedUpTo) return;
    this.#syncAskedUpTo = progress.end;
    this.#openChannel().submit(this.#blank(SubmissionKind.SYNC), context.ring.head);
  }

  /** Makes log and indexes durable as they are now. Resolves with how that went; null where it cannot be done now. */
  checkpoint(): Promise<FlushFailure> | null {
    if (this.#state !== 'taking') return null;
    if (this.#slot === noSlot) {
      // Closing did it already, or is about to: the indexes are on disk only when it is done.
      const { synced, end } = this.#log.progress;
      return synced === end && this.#closing === 0 ? Promise.resolve(FlushFailure.NONE) : null;
    }
    this.#syncAskedUpTo = this.#log.progress.end;
    this.#openChannel().submit(this.#blank(SubmissionKind.CHECKPOINT), this.#log.context.ring.head);
    return new Promise((resolve) => {
      if (this.#checkpoints === null) this.#checkpoints = [resolve];
      else this.#checkpoints.push(resolve);
    });
  }

  /**
   * Takes no more and closes the files, synced unless `discard`; resolves with how that went once the worker is done.
   * Who waits for what is not written by then is told that it never will be.
   */
  async close(discard: boolean): Promise<FlushFailure> {
    assert(this.#state !== 'closed', 'a log is closed once');
    this.#state = 'closed';
    this.#roomWatch?.stop();
    const failure = this.#slot === noSlot ? FlushFailure.NONE : await this.#closeSlot(discard);
    // A checkpoint that the closing overtook has no completion of its own.
    this.#answerCheckpoints(FlushFailure.OTHER);
    this.#log.progress.rollBackToWritten();
    this.#log.progress.abandonSync();
    return this.#diskFailed && failure === FlushFailure.NONE ? FlushFailure.IO : failure;
  }

  /**
   * Gives the descriptors back where nothing is under way; the next append opens them again. Resolves with whether none
   * are held. Index entries that wait are written first, so that a disk without room leaves the files open as they are.
   */
  async closeIfIdle(): Promise<boolean> {
    const slot = this.#slot;
    if (slot === noSlot || this.#isClosed) return true;
    const { clock } = this.#log.context;
    if (!this.#isIdle || clock.monotonicMs() < this.#closeAgainMs) return false;
    const failure = await (this.checkpoint() ?? FlushFailure.OTHER);
    if (this.#slot !== slot || this.#isClosed) return true;
    if (failure !== FlushFailure.NONE) this.#closeAgainMs = clock.monotonicMs() + closeAgainAfterMs;
    if (failure !== FlushFailure.NONE || !this.#isIdle) return false;
    this.#closing++;
    void this.#closeSlot(false).then((closed) => {
      this.#closing--;
      if (closed !== FlushFailure.NONE) this.#fail(`Its files could not be closed (${failureText(closed)})`);
    });
    this.#slot = noSlot;
    this.#channel = null;
    return true;
  }

  get #isClosed(): boolean {
    return this.#state === 'closed';
  }

  get #isIdle(): boolean {
    const { progress } = this.#log;
    return this.#state === 'taking' && progress.written === progress.end && this.#checkpoints === null;
  }

  /** A sync of what the log had at the start failed, which no worker was asked for. */
  syncFailed(reason: string): void {
    if (this.#state === 'failed' || this.#state === 'closed') return;
    this.#fail(reason);
    this.#log.progress.abandonSync();
  }

  /** The worker ended by a defect: nothing that was submitted will be answered, so who waits for it is told here. */
  abandon(): void {
    this.#fail('what writes it ended by a defect', 'Start the broker again.');
    this.#slot = noSlot;
    this.#channel = null;
    this.#answerCheckpoints(FlushFailure.OTHER);
    for (const closed of this.#closings) closed(FlushFailure.OTHER);
    this.#closings.clear();
    this.#log.progress.rollBackToWritten();
    this.#log.progress.abandonSync();
  }

  #closeSlot(discard: boolean): Promise<FlushFailure> {
    const fields = this.#blank(SubmissionKind.CLOSE);
    fields.flags = discard ? SubmissionFlag.DISCARD : 0;
    const channel = this.#openChannel();
    const slot = this.#slot;
    const done = new Promise<FlushFailure>((resolve) => {
      // The slot may be given up before the worker is done, and its last completions still count.
      channel.unbind(slot);
      const completed = (completion: Completion): void => {
        if (completion.kind !== CompletionKind.CLOSED) return this.completed(completion);
        channel.unbind(slot);
        this.#closings.delete(resolve);
        resolve(completion.failure);
      };
      channel.bind(slot, { completed });
      this.#closings.add(resolve);
    });
    channel.submit(fields, this.#log.context.ring.head);
    return done;
  }

  /** As `SlotOwner`. */
  completed(completion: Completion): void {
    const segment = completion.segmentBaseOffset as Offset;
    if (segment > this.#log.confirmedSegment) this.#confirmed(segment);
    switch (completion.kind) {
      case CompletionKind.WRITTEN:
        return this.#written(completion.endOffset as Offset);
      case CompletionKind.SYNCED:
        return this.#synced(completion.endOffset as Offset);
      case CompletionKind.WRITE_FAILED:
        return this.#writeFailed(completion);
      case CompletionKind.SYNC_FAILED:
        this.#answerCheckpoints(completion.failure);
        return this.#syncFailed(completion);
      case CompletionKind.CHECKPOINTED:
        return this.#checkpointed(completion.failure);
      case CompletionKind.RESUMED:
        this.#log.context.logger.info({ topic: this.#log.topic, partition: this.#log.partition }, 'Writing goes on.');
        return;
      default:
        assert(false, 'a completion of a slot has one of the kinds that exist');
    }
  }

  /** The worker has begun the segment at `baseOffset`, so that all of those before it is in their files. */
  #confirmed(baseOffset: Offset): void {
    const { segments, context, directory, confirmedSegment } = this.#log;
    this.#log.confirmedSegment = baseOffset;
    for (let i = Math.max(segments.find(confirmedSegment), 0); i < segments.count; i++) {
      const segment = segments.at(i);
      if (segment.baseOffset >= baseOffset) return;
      if (segment.transactions !== null) context.indexes.transactionsOf(segment, directory, true);
    }
  }

  #written(endOffset: Offset): void {
    const { progress } = this.#log;
    if (endOffset <= progress.written) return;
    this.#log.hasFiles = true;
    this.#log.settleProducers(endOffset);
    this.pending.settleUpTo(endOffset);
    progress.reachedWritten(endOffset);
    this.#owner.advanced();
  }

  #synced(endOffset: Offset): void {
    const { progress } = this.#log;
    if (endOffset <= progress.synced) return;
    // Whoever wrote behind the tail wrote that again before, and this sync was of all of it.
    const { tail } = this.#log;
    if (tail !== null && endOffset > tail.tail.endOffset) {
      if (tail.stage === 'journaled') tail.stage = 'synced';
      this.#log.tail = null;
    }
    progress.reachedSynced(endOffset);
    this.#owner.advanced();
  }

  #writeFailed(completion: Completion): void {
    if (this.#state === 'closed') return this.#takeBack(completion);
    if (completion.generation !== this.#generation) return;
    const { failure } = completion;
    if (failure === FlushFailure.IO) {
      this.#state = 'failed';
      this.#diskFailed = true;
    } else if (this.#state === 'taking') this.#state = 'full';
    const reason = `a write failed (${failureText(failure)})`;
    this.#log.refusal =
      failure === FlushFailure.IO
        ? `${this.#name} takes no writes: ${reason}. Check the disk, then start the broker again.`
        : `${this.#name} takes no writes at the moment: ${reason}. It goes on by itself once that has passed.`;
    this.#log.context.logger.error(
      { topic: this.#log.topic, partition: this.#log.partition, failure: failureText(failure) },
      'A write to the log failed.',
    );
    // Answers come last: who is told may append again, and must meet the new state.
    this.#takeBack(completion);
    this.#answerCheckpoints(failure);
    if (this.#state !== 'full') return;
    this.#roomWatch ??= new RoomWatch(
      this.#log.context,
      () => this.#state === 'full',
      () => this.#resume(),
    );
    this.#roomWatch.start();
  }

  /** Forgets what was appended and not written. */
  #takeBack(completion: Completion): void {
    const log = this.#log;
    const endOffset = completion.endOffset as Offset;
    if (endOffset > log.progress.written) this.#written(endOffset);
    rollBackLog(log, this.pending, completion);
    // What asked for a sync may be among what was dropped, with what was written before it.
    if (this.#syncAskedUpTo > log.progress.synced) this.#syncAskedUpTo = log.progress.synced;
    log.progress.rollBackToWritten();
    this.#owner.advanced();
  }

  #syncFailed(completion: Completion): void {
    if (this.#state !== 'failed') {
      this.#fail(`a sync failed (${failureText(completion.failure)}), so what the disk holds is not known`);
    }
    // The worker drops what it had not written by then; a slot that was given up before had written all.
    if (completion.slot === this.#slot) this.#takeBack(completion);
    this.#log.progress.abandonSync();
  }

  #fail(reason: string, advice = 'Check the disk, then start the broker again.'): void {
    if (this.#state !== 'closed') this.#state = 'failed';
    this.#diskFailed = true;
    const log = this.#log;
    log.refusal = `${this.#name} takes no writes: ${reason}. ${advice}`;
    log.context.logger.error({ topic: log.topic, partition: log.partition, reason }, 'A partition failed.');
    this.#owner.advanced();
  }

  /** Takes writes again; should the worker's cut fail, WRITE_FAILED of the new generation follows. */
  #resume(): void {
    this.#generation++;
    const fields = resumptionFields(this.#blank(SubmissionKind.RESUME), this.#log);
    this.#openChannel().submit(fields, this.#log.context.ring.head);
    this.#state = 'taking';
    this.#log.refusal = null;
  }

  #checkpointed(failure: FlushFailure): void {
    const done = this.#checkpoints?.shift();
    if (this.#checkpoints?.length === 0) this.#checkpoints = null;
    done?.(failure);
  }

  #answerCheckpoints(failure: FlushFailure): void {
    const waiting = this.#checkpoints ?? [];
    this.#checkpoints = null;
    for (const done of waiting) done(failure);
  }

  #blank(kind: SubmissionKind): Submission {
    return submissionFields(kind, this.#slot, this.#generation);
  }

  #openChannel(): FlushChannel {
    return present(this.#channel, 'a slot is open');
  }

  get #name(): string {
    return `Partition ${this.#log.partition} of ${this.#log.topic}`;
  }
}

function failureText(failure: FlushFailure): string {
  switch (failure) {
    case FlushFailure.NO_SPACE:
      return 'the disk is full';
    case FlushFailure.IO:
      return 'the disk reports an error';
    default:
      return 'the system refused it';
  }
}
