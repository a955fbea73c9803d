/**
 * One partition's log on local segments: the `PartitionLog` of the local store. I/O thread. It joins the parts, each of
 * which says itself what it does:
 *
 *   append ─► LogWriter ─► LogFlusher ─► flush worker       read ─► LogReader (ring, files)
 *                              └─► written, synced, high watermark (AppendProgress)
 *   LogRetention: where the log begins        log-checkpoint.ts: from where recovery begins        time-lookup.ts
 */

import type { Timer } from '../base/clock.ts';
import { ErrorCode } from '../base/error-code.ts';
import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import { noOffset, type Offset } from '../base/numbers.ts';
import { Listeners } from '../base/listeners.ts';
import { FlushFailure } from '../memory/flush-messages.ts';
import { checkpointLog, tailSettled, writeFinalFiles } from './log-checkpoint.ts';
import { LeaderEpochs } from './leader-epochs.ts';
import type { CompactionSettings, Compactor } from './compactor.ts';
import { LogCompaction, type CompactionNeed, type CompactionResult } from './log-compaction.ts';
import type { LogConfig } from './log-config.ts';
import { LogFlusher, type FlusherOwner } from './log-flusher.ts';
import { LogReader } from './log-reader.ts';
import { LogRetention } from './log-retention.ts';
import { LogState } from './log-state.ts';
import { LogWriter } from './log-writer.ts';
import type {
  ActiveProducer,
  AppendListener,
  AppendOptions,
  ConfirmResult,
  Durability,
  EpochEnd,
  IsolationLevel,
  PartitionLog,
  ReadOptions,
  ReadResult,
  ResumeResult,
  TimestampedOffset,
  TransactionMarker,
} from './partition-log.ts';
import type { PartitionState } from './partition-state.ts';
import { confirmStored, resumeProducer } from './named-resumption.ts';
import { hasProducersToLoad, loadProducers } from './producer-loading.ts';
import { partitionDirectoryName } from './segment-name.ts';
import type { Closable, StoreContext } from './store-context.ts';
import { findByTimestamp, findLargestTimestamp } from './time-lookup.ts';
import type { Turns } from './turns.ts';

/** A checkpoint is due, whatever the time, once so much was appended: recovery reads it all. */
const checkpointAfterBytes = 64 * 1024 * 1024;

/** Named producers have none. */
const noTransactions = { coordinatorEpoch: -1, currentTransactionFirstOffset: -1 };

/** How long the store leaves anything unsynced. */
const backgroundSyncMs = 1000;

/** What the log asks of the store when it goes away. */
export interface LogOwner {
  /** The log's files are closed; the store renames its directory and forgets it. */
  destroyed(log: LocalLog): Promise<void>;
}

export class LocalLog implements PartitionLog, Closable, FlusherOwner {
  readonly state: LogState;
  older: Closable | null = null;
  newer: Closable | null = null;
  readonly #context: StoreContext;
  readonly #owner: LogOwner;
  readonly #flusher: LogFlusher;
  readonly #writer: LogWriter;
  readonly #reader: LogReader;
  readonly #retention: LogRetention;
  /** Made when it is first asked for: few topics are compacted. */
  #compaction: LogCompaction | null = null;
  /** The log goes away, or the store ends: nothing is compacted any more. */
  #compactionEnded = false;
  readonly #listeners = new Listeners();
  #highWatermark: Offset;
  #lastStableOffset: Offset;
  #producersLoaded: boolean;
  /** Runs while something waits for `flush.ms`. */
  #flush: Timer | null = null;
  /** The checkpoint that is under way; never rejects. */
  #checkpoint: Promise<unknown> | null = null;
  #destruction: Promise<void> | null = null;

  constructor(context: StoreContext, owner: LogOwner, known: PartitionState, topicId: string, config: LogConfig) {
    this.#context = context;
    this.#owner = owner;
    this.state = new LogState(context, known, topicId, config);
    if (this.state.tail?.stage === 'settled') tailSettled(this.state, this.state.tail);
    this.#flusher = new LogFlusher(this.state, this);
    this.#writer = new LogWriter(this.state, this.#flusher);
    this.#reader = new LogReader(this.state);
    this.#retention = new LogRetention(this.state, this.#writer);
    this.#highWatermark = this.state.progress.highWatermark;
    this.#lastStableOffset = this.state.lastStableOffset;
    this.#producersLoaded = !hasProducersToLoad(this.state);
  }

  get topic(): string {
    return this.state.topic;
  }

  get partition(): number {
    return this.state.partition;
  }

  get config(): LogConfig {
    return this.state.config;
  }

  get logStartOffset(): Offset {
    return this.state.logStartOffset;
  }

  get highWatermark(): Offset {
    return this.state.progress.highWatermark;
  }

  get lastStableOffset(): Offset {
    return this.state.lastStableOffset;
  }

  get endOffset(): Offset {
    return this.state.endOffset;
  }

  get leaderEpoch(): number {
    return this.#context.leaderEpoch;
  }

  get sizeBytes(): number {
    return this.state.segments.sizeBytes;
  }

  get refusal(): string | null {
    return this.state.refusal;
  }

  get isDamaged(): boolean {
    return this.state.isDamaged;
  }

  append(batch: Uint8Array, options: AppendOptions, listener: AppendListener): void {
    if (!this.#producersLoaded) this.#loadProducers();
    this.#writer.append(batch, options, listener);
    this.#context.used(this);
    this.#scheduleFlush();
    if (this.checkpointIsUrgent) this.#context.checkpointSoon();
  }

  appendMarker(marker: TransactionMarker, listener: AppendListener): void {
    if (!this.#producersLoaded) this.#loadProducers();
    this.#writer.appendMarker(marker, listener);
    this.#context.used(this);
    if (this.checkpointIsUrgent) this.#context.checkpointSoon();
  }

  hasOpenTransaction(producerId: number, producerEpoch: number): boolean {
    if (!this.#producersLoaded) this.#loadProducers();
    return this.state.producers.hasOpenTransaction(producerId, producerEpoch);
  }

  /** What waits longer than `flush.ms` is synced; the store does so every second in any case. */
  #scheduleFlush(): void {
    const { flushMs } = this.state.config;
    if (flushMs >= backgroundSyncMs || this.#flush !== null) return;
    this.#flush = this.#context.clock.setTimer(flushMs, () => {
      this.#flush = null;
      this.#flusher.requestSync();
    });
  }

  lastNumberOf(name: string): number {
    if (!this.#producersLoaded) this.#loadProducers();
    return this.state.named.lastNumberOf(name);
  }

  confirm(name: string, number: number, durability: Durability, listener: (result: ConfirmResult) => void): void {
    if (!this.#producersLoaded) this.#loadProducers();
    confirmStored(this.state, this.#flusher, name, number, durability, listener);
  }

  resume(
    name: string,
    epoch: number | 'takeover',
    durability: Durability,
    listener: (result: ResumeResult) => void,
  ): void {
    if (!this.#producersLoaded) this.#loadProducers();
    resumeProducer(this.state, this.#flusher, name, epoch, durability, listener);
  }

  read(options: ReadOptions): ReadResult | Promise<ReadResult> {
    return this.#reader.read(options);
  }

  availableBytes(offset: Offset, isolation: IsolationLevel): number {
    return this.#reader.availableBytes(offset, isolation);
  }

  offsetForTimestamp(timestampMs: number): Promise<TimestampedOffset | null> {
    return findByTimestamp(this.state, timestampMs);
  }

  offsetOfMaxTimestamp(): Promise<TimestampedOffset | null> {
    return findLargestTimestamp(this.state);
  }

  endOffsetForEpoch(leaderEpoch: number): EpochEnd {
    // As in Kafka an epoch begins where the log ended when its leader came, not with its first record: clients ask for
    // the one that they were told with the end of the log, and before anything is written in it.
    const epochs = new LeaderEpochs(this.state.epochs.starts);
    epochs.assign(this.leaderEpoch, this.endOffset);
    return epochs.endOffsetFor(leaderEpoch, this.endOffset);
  }

  epochAt(offset: Offset): number {
    return this.state.epochs.epochAt(offset);
  }

  deleteRecordsBefore(offset: Offset): Promise<{ errorCode: ErrorCode; lowWatermark: Offset }> {
    if (this.#flusher.state === 'closed') {
      return Promise.resolve({ errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, lowWatermark: noOffset });
    }
    if (this.#context.refusal !== null) {
      return Promise.resolve({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR, lowWatermark: noOffset });
    }
    return this.#retention.deleteRecordsBefore(offset);
  }

  enforceRetention(): Promise<number> {
    if (this.#flusher.state === 'closed' || this.#context.refusal !== null) return Promise.resolve(0);
    const wasOpen = this.#flusher.isOpen;
    const deleted = this.#retention.enforce();
    // A segment was ended, for which the files were opened.
    if (this.#flusher.isOpen && !wasOpen) this.#context.used(this);
    return deleted;
  }

  /** Whether, and how much, the log would be compacted. `firstDirtyOffset` counts where none is known in this run. */
  compactionNeed(nowMs: number, firstDirtyOffset: Offset | null): CompactionNeed | null {
    if (!this.config.compactPolicy || this.#compactionEnded) return null;
    const compaction = this.#openCompaction();
    compaction.firstDirtyOffset ??= firstDirtyOffset;
    return compaction.need(nowMs);
  }

  /** As `LogCompaction.run`. */
  compact(compactor: Compactor, settings: CompactionSettings, nowMs: number): Promise<CompactionResult | null> {
    if (!this.#producersLoaded) this.#loadProducers();
    return this.#openCompaction().run(compactor, settings, nowMs);
  }

  #openCompaction(): LogCompaction {
    return (this.#compaction ??= new LogCompaction(this.state, this.#writer, this.#retention));
  }

  #endCompaction(): Promise<void> | undefined {
    this.#compactionEnded = true;
    return this.#compaction?.stop();
  }

  updateConfig(config: LogConfig): void {
    this.state.config = config;
  }

  activeProducers(): ActiveProducer[] {
    if (!this.#producersLoaded) this.#loadProducers();
    const { producers, named } = this.state;
    const namedOnes = Array.from(named.entries(), ({ producerId, producerEpoch, lastSequence, batches }) => {
      const lastTimestampMs = batches.at(-1)!.timestampMs;
      return { producerId, producerEpoch, lastSequence, lastTimestampMs, ...noTransactions };
    });
    return [...producers.activeProducers(), ...namedOnes];
  }

  onAdvance(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (reached: boolean): void => {
        if (reached) return resolve();
        const why = this.refusal ?? `Partition ${this.partition} of ${this.topic} was closed.`;
        reject(new EnvironmentError(EnvironmentErrorCode.IO_FAILED, why));
      };
      const { progress } = this.state;
      const { state } = this.#flusher;
      // Nothing comes of waiting for a disk that failed, nor for files that are closed.
      if (state === 'failed' || state === 'closed') return done(progress.synced >= progress.end);
      this.#flusher.requestSync();
      progress.await(this.endOffset, 'synced', done);
    });
  }

  /** Asks for a sync of what only acks=0 or 1 promised; for the store's timer. */
  syncSoon(): void {
    this.#flusher.requestSync();
  }

  /** Whether the recovery point should move at once. */
  get checkpointIsUrgent(): boolean {
    return this.state.checkpointWanted || this.state.bytesSinceCheckpoint >= checkpointAfterBytes;
  }

  /** Whether something lies behind the recovery point, or beside it. */
  get needsCheckpoint(): boolean {
    const { progress, recoveryPoint, producersChanged, epochsChanged, needsMetadata } = this.state;
    const isBehind = progress.end > recoveryPoint || producersChanged || epochsChanged || needsMetadata;
    return this.#flusher.state === 'taking' && isBehind;
  }

  /** Moves the recovery point as `checkpointLog` does. */
  checkpoint(): Promise<boolean> {
    this.state.bytesSinceCheckpoint = 0;
    this.state.checkpointWanted = false;
    const checkpoint = checkpointLog(this.state, this.#flusher);
    const ended = checkpoint.catch(ignoreHere).then(() => {
      if (this.#checkpoint === ended) this.#checkpoint = null;
    });
    this.#checkpoint = ended;
    return checkpoint;
  }

  /** The recovery point `offset` is on disk, and beside it counts of aborted transactions where it `hasCounts`. */
  recoveryPointSaved(offset: Offset, hasCounts: boolean): void {
    this.state.savedRecoveryPoint = offset;
    this.state.hasSavedCounts = hasCounts;
    this.#retention.deleteUnneeded();
  }

  /** Nothing is written any more, because what writes ended by a defect. */
  abandon(): void {
    this.#flusher.abandon();
  }

  closeFilesIfIdle(): Promise<boolean> {
    return this.#flusher.closeIfIdle();
  }

  /** Flushes and closes, what opens files in its turn; whether all of it is on disk, of which nothing is asked once the log is being destroyed. */
  async closeForStop(turns: Turns): Promise<boolean> {
    if (this.#destruction !== null) {
      await this.#destruction.catch(ignoreHere);
      return true;
    }
    this.#flush?.cancel();
    await this.#endCompaction();
    const failure = await this.#flusher.close(false);
    this.advanced();
    await this.#retention.removeDoomed();
    if (failure !== FlushFailure.NONE || this.state.needsRecovery) return false;
    try {
      if (this.state.hasFiles && !this.state.isDamaged)
        await turns.run(() => writeFinalFiles(this.state, this.#flusher));
      return true;
    } catch (error) {
      const { topic, partition } = this.state;
      this.#context.logger.error({ topic, partition, error }, 'A partition could not be closed cleanly.');
      return false;
    }
  }

  destroy(): Promise<void> {
    this.#destruction ??= this.#destroy();
    return this.#destruction;
  }

  async #destroy(): Promise<void> {
    this.#flush?.cancel();
    await this.#flusher.close(true);
    await this.#endCompaction();
    // They may be writing files into the directory, whose name is somebody else's soon.
    await this.#checkpoint;
    await this.#context.tails.of(partitionDirectoryName(this.topic, this.partition))?.settling?.catch(ignoreHere);
    await this.#retention.removeDoomed();
    for (const segment of this.state.segments.all()) this.#context.indexes.forget(segment);
    this.state.segments.clear();
    this.state.named.clear();
    await this.#owner.destroyed(this);
    this.advanced();
  }

  #loadProducers(): void {
    loadProducers(this.state);
    this.#producersLoaded = true;
  }

  /** As `FlusherOwner`. */
  advanced(): void {
    const { lastStableOffset } = this.state;
    const { highWatermark } = this.state.progress;
    const closed = this.#flusher.state === 'closed';
    const isSame = highWatermark === this.#highWatermark && lastStableOffset === this.#lastStableOffset;
    if (isSame && !closed) return;
    this.#highWatermark = highWatermark;
    this.#lastStableOffset = lastStableOffset;
    this.#listeners.tell();
  }
}

/** Whoever asked hears of the failure; who only waits for the end does not. */
function ignoreHere(): void {}
