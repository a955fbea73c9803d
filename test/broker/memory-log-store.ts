/**
 * A log store in memory for tests of what stands above the seam: obvious, without disk, ring or recovery. Appends finish
 * at once unless a test holds them. It knows nothing of sequences, retention or transactions.
 */

import { gunzipSync } from 'node:zlib';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset, noOffset, type Offset } from '../../src/base/numbers.ts';
import { writeInt32, writeInt64 } from '../../src/records/big-endian.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import {
  attributesAt,
  batchField,
  batchHeaderSizeBytes,
  baseOffsetAt,
  Compression,
  compressionOf,
  findBatch,
  lastOffsetAt,
  lastOffsetDeltaAt,
  maxTimestampAt,
  wholeBatchesEnd,
} from '../../src/records/record-batch.ts';
import { encodeMarker } from '../../src/records/transaction-marker.ts';
import type { LogConfig } from '../../src/storage/log-config.ts';
import type {
  AppendListener,
  AppendOptions,
  AppendResult,
  ConfirmResult,
  Durability,
  EpochEnd,
  LogStore,
  PartitionLog,
  ReadOptions,
  ReadResult,
  ResumeResult,
  TimestampedOffset,
  TransactionMarker,
} from '../../src/storage/partition-log.ts';

export class MemoryLog implements PartitionLog {
  readonly topic: string;
  readonly partition: number;
  readonly store: MemoryLogStore;
  config: LogConfig;
  batches: Uint8Array[] = [];
  logStartOffset = asOffset(0);
  highWatermark = asOffset(0);
  endOffset = asOffset(0);
  refusal: string | null = null;
  isDamaged = false;
  state: 'open' | 'destroyed' = 'open';
  releases = 0;
  readonly #listeners = new Set<() => void>();
  /** Of named producers, whose batches it takes as they come. */
  readonly #lastNumbers = new Map<string, number>();

  constructor(store: MemoryLogStore, topic: string, partition: number, config: LogConfig) {
    this.store = store;
    this.topic = topic;
    this.partition = partition;
    this.config = config;
  }

  get lastStableOffset(): Offset {
    return this.highWatermark;
  }

  get leaderEpoch(): number {
    return this.store.leaderEpoch;
  }

  get sizeBytes(): number {
    return this.batches.reduce((sum, batch) => sum + batch.length, 0);
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  append(batch: Uint8Array, options: AppendOptions, listener: AppendListener): void {
    const { failAppends } = this.store;
    if (failAppends !== ErrorCode.NONE) {
      listener({ ...emptyResult, errorCode: failAppends, logStartOffset: this.logStartOffset });
      return;
    }
    const stored = batch.slice();
    const baseOffset = this.endOffset;
    writeInt64(stored, batchField.baseOffset, baseOffset);
    writeInt32(stored, batchField.leaderEpoch, this.leaderEpoch);
    if (options.sealed === false) writeInt32(stored, batchField.crc, crc32c(stored.subarray(batchField.attributes)));
    this.batches.push(stored);
    if (options.named !== undefined) this.#lastNumbers.set(options.named.name, options.named.lastNumber);
    this.endOffset = asOffset(baseOffset + lastOffsetDeltaAt(stored, 0) + 1);
    this.store.appended.push({ topic: this.topic, options });
    const finish = (): void => {
      this.highWatermark = asOffset(lastOffsetAt(stored, 0) + 1);
      listener({ ...emptyResult, baseOffset, logStartOffset: this.logStartOffset });
      for (const advance of [...this.#listeners]) advance();
    };
    if (this.store.held === null) finish();
    else this.store.held.push(finish);
  }

  appendMarker(marker: TransactionMarker, listener: AppendListener): void {
    const batch = encodeMarker({ timestampMs: 0, ...marker });
    this.append(batch, { durability: 'synced', origin: 'coordinator', sealed: false }, listener);
  }

  hasOpenTransaction(): boolean {
    return false;
  }

  lastNumberOf(name: string): number {
    return this.#lastNumbers.get(name) ?? -1;
  }

  confirm(_name: string, _number: number, _durability: Durability, listener: (result: ConfirmResult) => void): void {
    listener({ errorCode: ErrorCode.NONE, offset: noOffset, errorMessage: null });
  }

  resume(name: string, _epoch: unknown, _durability: Durability, listener: (result: ResumeResult) => void): void {
    listener({ errorCode: ErrorCode.NONE, lastNumber: this.lastNumberOf(name), epoch: 0, errorMessage: null });
  }

  read({ offset, maxBytes, minOneBatch }: ReadOptions): ReadResult {
    const answer = (errorCode: ErrorCode, records: Uint8Array): ReadResult => ({
      errorCode,
      records,
      highWatermark: this.highWatermark,
      lastStableOffset: this.highWatermark,
      logStartOffset: this.logStartOffset,
      abortedTransactions: null,
      release: () => {
        this.releases++;
      },
    });
    if (offset < this.logStartOffset || offset > this.endOffset) {
      return answer(ErrorCode.OFFSET_OUT_OF_RANGE, new Uint8Array());
    }
    const visible = this.#bytesUpTo(this.highWatermark);
    const start = findBatch(visible, 0, visible.length, offset);
    if (start < 0) return answer(ErrorCode.NONE, new Uint8Array());
    const bytes = visible.subarray(start);
    const end = wholeBatchesEnd(bytes, 0, Math.min(maxBytes, bytes.length));
    const first = this.batches.find((batch) => lastOffsetAt(batch, 0) >= offset)!;
    return answer(ErrorCode.NONE, end === 0 && minOneBatch ? bytes.slice(0, first.length) : bytes.slice(0, end));
  }

  availableBytes(offset: Offset): number {
    let sum = 0;
    for (const batch of this.batches) {
      if (lastOffsetAt(batch, 0) >= offset && baseOffsetAt(batch, 0) < this.highWatermark) sum += batch.length;
    }
    return sum;
  }

  async offsetForTimestamp(timestampMs: number): Promise<TimestampedOffset | null> {
    const batch = this.batches.find((candidate) => maxTimestampAt(candidate, 0) >= timestampMs);
    return batch === undefined ? null : this.#timestamped(batch);
  }

  async offsetOfMaxTimestamp(): Promise<TimestampedOffset | null> {
    const batch = this.batches.toSorted((a, b) => maxTimestampAt(b, 0) - maxTimestampAt(a, 0))[0];
    return batch === undefined ? null : this.#timestamped(batch);
  }

  endOffsetForEpoch(leaderEpoch: number): EpochEnd {
    if (leaderEpoch < this.leaderEpoch) return { leaderEpoch: -1, endOffset: noOffset };
    return { leaderEpoch: this.leaderEpoch, endOffset: this.endOffset };
  }

  epochAt(offset: Offset): number {
    return offset < this.endOffset ? this.leaderEpoch : -1;
  }

  async deleteRecordsBefore(offset: Offset): Promise<{ errorCode: ErrorCode; lowWatermark: Offset }> {
    const to = offset === noOffset ? this.highWatermark : offset;
    if (to > this.highWatermark) return { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, lowWatermark: noOffset };
    this.logStartOffset = asOffset(Math.max(this.logStartOffset, to));
    this.batches = this.batches.filter((batch) => lastOffsetAt(batch, 0) >= this.logStartOffset);
    return { errorCode: ErrorCode.NONE, lowWatermark: this.logStartOffset };
  }

  async enforceRetention(): Promise<number> {
    return 0;
  }

  updateConfig(config: LogConfig): void {
    this.config = config;
  }

  activeProducers(): [] {
    return [];
  }

  onAdvance(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async sync(): Promise<void> {}

  async destroy(): Promise<void> {
    this.state = 'destroyed';
    this.store.forget(this);
  }

  #bytesUpTo(end: Offset): Uint8Array {
    const parts = this.batches.filter((batch) => baseOffsetAt(batch, 0) < end);
    return new Uint8Array(Buffer.concat(parts));
  }

  #timestamped(batch: Uint8Array): TimestampedOffset {
    return { offset: baseOffsetAt(batch, 0), timestampMs: maxTimestampAt(batch, 0), leaderEpoch: this.leaderEpoch };
  }
}

const emptyResult: AppendResult = {
  errorCode: ErrorCode.NONE,
  baseOffset: noOffset,
  logAppendTimeMs: -1,
  logStartOffset: noOffset,
  errorMessage: null,
  recordErrors: [],
};

export class MemoryLogStore implements LogStore {
  readonly startedClean = true;
  readonly refusal = null;
  readonly maxRequestBytes = 32 * 1024 * 1024;
  leaderEpoch = 3;
  /** Where a test puts a list, appends wait in it until they are called. */
  held: (() => void)[] | null = null;
  failAppends: ErrorCode = ErrorCode.NONE;
  readonly appended: { readonly topic: string; readonly options: AppendOptions }[] = [];
  /** Produces that wait for room; null while there is enough. */
  waitingForRoom: (() => void)[] | null = null;
  closed = false;
  /** Partitions that are damaged when they are opened, such as `orders-0`. */
  readonly damagedNames = new Set<string>();
  readonly #logs = new Map<string, MemoryLog>();

  open(topic: string, topicId: string, partition: number, config: LogConfig): MemoryLog {
    const key = `${topic}/${topicId}/${partition}`;
    let log = this.#logs.get(key);
    if (log === undefined) this.#logs.set(key, (log = new MemoryLog(this, topic, partition, config)));
    if (this.damagedNames.has(`${topic}-${partition}`)) {
      log.isDamaged = true;
      log.refusal = `Partition ${partition} of ${topic} takes no writes: a test says so.`;
    }
    return log;
  }

  compactDirtiest(): Promise<boolean> {
    return Promise.resolve(false);
  }

  found(): { topic: string; topicId: string | null; partition: number }[] {
    return [...this.#logs.keys()].map((key) => {
      const [topic = '', topicId = '', partition = ''] = key.split('/');
      return { topic, topicId, partition: Number(partition) };
    });
  }

  damaged(): ReturnType<MemoryLogStore['found']> {
    return this.found().filter(({ topic, partition }) => this.damagedNames.has(`${topic}-${partition}`));
  }

  discardOrphans(exists: (topic: string, topicId: string | null, partition: number) => boolean): void {
    for (const { topic, topicId, partition } of this.found()) {
      if (!exists(topic, topicId, partition)) this.#logs.delete(`${topic}/${topicId}/${partition}`);
    }
  }

  whenRoom(_sizeBytes: number, proceed: () => void): boolean {
    if (this.waitingForRoom === null) {
      proceed();
      return true;
    }
    this.waitingForRoom.push(proceed);
    return false;
  }

  async space(): Promise<{ totalBytes: number; freeBytes: number }> {
    return { totalBytes: 2 ** 40, freeBytes: 2 ** 39 };
  }

  inflate(bytes: Uint8Array, at: number, sizeBytes: number): Uint8Array | null {
    const body = bytes.subarray(at + batchHeaderSizeBytes, at + sizeBytes);
    if (compressionOf(attributesAt(bytes, at)) !== Compression.GZIP) return null;
    try {
      return new Uint8Array(gunzipSync(body));
    } catch {
      return null;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  forget(log: MemoryLog): void {
    for (const [key, known] of this.#logs) if (known === log) this.#logs.delete(key);
  }

  /** Finishes the appends that were held, and holds no more. */
  finishHeld(): void {
    const held = this.held ?? [];
    this.held = null;
    for (const finish of held) finish();
  }
}
