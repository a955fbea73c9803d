/**
 * A log store that passes every call on to another one, and so do its logs: what changes something (small segments, a
 * planted bug) overrides what it is about. Any thread.
 */

import type { Offset } from '../../src/base/numbers.ts';
import type { CompactionSettings } from '../../src/storage/compactor.ts';
import type { LogConfig } from '../../src/storage/log-config.ts';
import type {
  ActiveProducer,
  AppendListener,
  AppendOptions,
  EpochEnd,
  IsolationLevel,
  LogStore,
  PartitionLog,
  ReadOptions,
  ReadResult,
  TimestampedOffset,
} from '../../src/storage/partition-log.ts';

export class WrappedPartitionLog implements PartitionLog {
  protected readonly inner: PartitionLog;

  constructor(inner: PartitionLog) {
    this.inner = inner;
  }

  get topic(): string {
    return this.inner.topic;
  }

  get partition(): number {
    return this.inner.partition;
  }

  get config(): LogConfig {
    return this.inner.config;
  }

  get logStartOffset(): Offset {
    return this.inner.logStartOffset;
  }

  get highWatermark(): Offset {
    return this.inner.highWatermark;
  }

  get lastStableOffset(): Offset {
    return this.inner.lastStableOffset;
  }

  get endOffset(): Offset {
    return this.inner.endOffset;
  }

  get leaderEpoch(): number {
    return this.inner.leaderEpoch;
  }

  get sizeBytes(): number {
    return this.inner.sizeBytes;
  }

  get refusal(): string | null {
    return this.inner.refusal;
  }

  get isDamaged(): boolean {
    return this.inner.isDamaged;
  }

  append(batch: Uint8Array, options: AppendOptions, listener: AppendListener): void {
    this.inner.append(batch, options, listener);
  }

  appendMarker(...given: Parameters<PartitionLog['appendMarker']>): void {
    this.inner.appendMarker(...given);
  }

  hasOpenTransaction(producerId: number, producerEpoch: number): boolean {
    return this.inner.hasOpenTransaction(producerId, producerEpoch);
  }

  lastNumberOf(name: string): number {
    return this.inner.lastNumberOf(name);
  }

  confirm(...given: Parameters<PartitionLog['confirm']>): void {
    this.inner.confirm(...given);
  }

  resume(...given: Parameters<PartitionLog['resume']>): void {
    this.inner.resume(...given);
  }

  read(options: ReadOptions): ReadResult | Promise<ReadResult> {
    return this.inner.read(options);
  }

  availableBytes(offset: Offset, isolation: IsolationLevel): number {
    return this.inner.availableBytes(offset, isolation);
  }

  offsetForTimestamp(timestampMs: number): Promise<TimestampedOffset | null> {
    return this.inner.offsetForTimestamp(timestampMs);
  }

  offsetOfMaxTimestamp(): Promise<TimestampedOffset | null> {
    return this.inner.offsetOfMaxTimestamp();
  }

  endOffsetForEpoch(leaderEpoch: number): EpochEnd {
    return this.inner.endOffsetForEpoch(leaderEpoch);
  }

  epochAt(offset: Offset): number {
    return this.inner.epochAt(offset);
  }

  deleteRecordsBefore(offset: Offset): ReturnType<PartitionLog['deleteRecordsBefore']> {
    return this.inner.deleteRecordsBefore(offset);
  }

  enforceRetention(): Promise<number> {
    return this.inner.enforceRetention();
  }

  updateConfig(config: LogConfig): void {
    this.inner.updateConfig(config);
  }

  activeProducers(): ActiveProducer[] {
    return this.inner.activeProducers();
  }

  onAdvance(listener: () => void): () => void {
    return this.inner.onAdvance(listener);
  }

  sync(): Promise<void> {
    return this.inner.sync();
  }

  destroy(): Promise<void> {
    return this.inner.destroy();
  }
}

/** Wraps each log once, so that asking again gives the same one. */
export class WrappedLogStore implements LogStore {
  protected readonly inner: LogStore;
  readonly #wrap: (log: PartitionLog) => PartitionLog;
  readonly #wrapped = new WeakMap<PartitionLog, PartitionLog>();

  constructor(inner: LogStore, wrap: (log: PartitionLog) => PartitionLog) {
    this.inner = inner;
    this.#wrap = wrap;
  }

  open(topic: string, topicId: string, partition: number, config: LogConfig): PartitionLog {
    const log = this.inner.open(topic, topicId, partition, config);
    let wrapped = this.#wrapped.get(log);
    if (wrapped === undefined) this.#wrapped.set(log, (wrapped = this.#wrap(log)));
    return wrapped;
  }

  compactDirtiest(settings: CompactionSettings): Promise<boolean> {
    return this.inner.compactDirtiest(settings);
  }

  found(): ReturnType<LogStore['found']> {
    return this.inner.found();
  }

  space(): ReturnType<LogStore['space']> {
    return this.inner.space();
  }

  damaged(): ReturnType<LogStore['damaged']> {
    return this.inner.damaged();
  }

  discardOrphans(exists: (topic: string, topicId: string | null, partition: number) => boolean): void {
    this.inner.discardOrphans(exists);
  }

  get refusal(): string | null {
    return this.inner.refusal;
  }

  get startedClean(): boolean {
    return this.inner.startedClean;
  }

  get leaderEpoch(): number {
    return this.inner.leaderEpoch;
  }

  inflate(bytes: Uint8Array, at: number, sizeBytes: number): Uint8Array | null {
    return this.inner.inflate(bytes, at, sizeBytes);
  }

  whenRoom(sizeBytes: number, proceed: () => void): boolean {
    return this.inner.whenRoom(sizeBytes, proceed);
  }

  get maxRequestBytes(): number {
    return this.inner.maxRequestBytes;
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

class TunedLog extends WrappedPartitionLog {
  readonly #tune: (config: LogConfig) => LogConfig;

  constructor(inner: PartitionLog, tune: (config: LogConfig) => LogConfig) {
    super(inner);
    this.#tune = tune;
  }

  override updateConfig(config: LogConfig): void {
    super.updateConfig(this.#tune(config));
  }
}

/** A store whose logs have settings that no client could set, such as segments of a few KiB. */
export class TunedLogStore extends WrappedLogStore {
  readonly #tune: (config: LogConfig) => LogConfig;

  constructor(inner: LogStore, tune: (config: LogConfig) => LogConfig) {
    super(inner, (log) => new TunedLog(log, tune));
    this.#tune = tune;
  }

  override open(topic: string, topicId: string, partition: number, config: LogConfig): PartitionLog {
    return super.open(topic, topicId, partition, this.#tune(config));
  }
}
