/**
 * The storage seam: one partition's log as everything above it sees it. The local log (`local-log.ts`) is the first
 * store behind it. Sequence decisions, offset assignment, ring, descriptors and flushing lie behind the seam; nothing
 * above knows an offset before completion, so a store that assigns offsets at commit fits as well.
 * I/O thread.
 */

import type { ErrorCode } from '../base/error-code.ts';
import type { Offset } from '../base/numbers.ts';
import type { LogConfig } from './log-config.ts';

/** What an append waits for: nothing (acks=0), the write (acks=1: survives kill -9), the sync (acks=all). */
export type Durability = 'none' | 'written' | 'synced';

export interface AppendOptions {
  readonly durability: Durability;
  /** Coordinators may write what clients may not: to internal topics, control batches. */
  readonly origin: 'client' | 'coordinator';
}

export interface RecordError {
  /** Index of the record within the batch. */
  readonly index: number;
  readonly message: string;
}

/** How an append ended. Unless `errorCode` is NONE the offset is -1; a timeout above this does not undo it. */
export interface AppendResult {
  readonly errorCode: ErrorCode;
  readonly baseOffset: Offset;
  /** -1 unless the topic stamps LogAppendTime. */
  readonly logAppendTimeMs: number;
  readonly logStartOffset: Offset;
  readonly errorMessage: string | null;
  readonly recordErrors: readonly RecordError[];
}

/** Called exactly once; also from within `append` itself, where the outcome is known at once. */
export type AppendListener = (result: AppendResult) => void;

export type IsolationLevel = 'read_uncommitted' | 'read_committed';

export interface ReadOptions {
  readonly offset: Offset;
  readonly maxBytes: number;
  /** Return the first batch even where it is larger than `maxBytes`. */
  readonly minOneBatch: boolean;
  readonly isolation: IsolationLevel;
}

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: Offset;
}

/** What a read found. `records` holds whole batches, the first of which may begin before the offset asked for. */
export interface ReadResult {
  readonly errorCode: ErrorCode;
  readonly records: Uint8Array;
  readonly highWatermark: Offset;
  readonly lastStableOffset: Offset;
  readonly logStartOffset: Offset;
  /** Null for read_uncommitted. */
  readonly abortedTransactions: readonly AbortedTransaction[] | null;
  /** Gives the buffer behind `records` back; call it once the bytes have left the process. */
  release(): void;
}

export interface TimestampedOffset {
  readonly offset: Offset;
  readonly timestampMs: number;
  readonly leaderEpoch: number;
}

export interface EpochEnd {
  /** The largest epoch known that is at most the one asked for; -1 where there is none. */
  readonly leaderEpoch: number;
  /** Where that epoch ends; -1 where it is not known. */
  readonly endOffset: Offset;
}

/** A producer's state in this partition, as DescribeProducers shows it. */
export interface ActiveProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly lastSequence: number;
  readonly lastTimestampMs: number;
}

export interface PartitionLog {
  readonly topic: string;
  readonly partition: number;
  /** The settings that hold at the moment. */
  readonly config: LogConfig;
  readonly logStartOffset: Offset;
  /** What consumers may read up to (exclusive). */
  readonly highWatermark: Offset;
  readonly lastStableOffset: Offset;
  /** The offset after the last that was assigned; at or past the high watermark. */
  readonly endOffset: Offset;
  readonly leaderEpoch: number;
  readonly sizeBytes: number;
  /** Null while it takes writes; else the sentence that says why it does not. */
  readonly refusal: string | null;
  /** Whether something is missing that was on disk: it takes no writes until someone decides, and reads what is left. */
  readonly isDamaged: boolean;

  /**
   * Appends one record batch (magic 2, whole), copying its bytes before it returns. The caller has made sure that the
   * ingest ring has room (`StorageContext.ring.whenRoom`). Errors as Kafka gives them: CORRUPT_MESSAGE, INVALID_RECORD,
   * MESSAGE_TOO_LARGE, INVALID_TIMESTAMP, UNSUPPORTED_FOR_MESSAGE_FORMAT, OUT_OF_ORDER_SEQUENCE_NUMBER,
   * INVALID_PRODUCER_EPOCH, UNKNOWN_PRODUCER_ID, KAFKA_STORAGE_ERROR, NOT_LEADER_OR_FOLLOWER (closed).
   * A duplicate answers with the first's offset once that one is as durable as this one asks.
   */
  append(batch: Uint8Array, options: AppendOptions, listener: AppendListener): void;

  /** Reads up to the high watermark (or last stable offset); at once from the ring, later from files. */
  read(options: ReadOptions): ReadResult | Promise<ReadResult>;
  /** How many bytes wait between `offset` and the high watermark, roughly; for a fetch's min bytes. */
  availableBytes(offset: Offset, isolation: IsolationLevel): number;

  /** The first record at or after `timestampMs`, or null. Rejects with `EnvironmentError` where it cannot be looked for. */
  offsetForTimestamp(timestampMs: number): Promise<TimestampedOffset | null>;
  /** The record with the largest timestamp (KIP-734), or null in an empty log. Rejects as above. */
  offsetOfMaxTimestamp(): Promise<TimestampedOffset | null>;
  /** Where `leaderEpoch`, or the largest below it that is known, ends (KIP-320). */
  endOffsetForEpoch(leaderEpoch: number): EpochEnd;
  /** The epoch of the record at `offset`; -1 where it is not known. */
  epochAt(offset: Offset): number;

  /** DeleteRecords: raises the log start offset, durably. `offset` -1 means the high watermark. */
  deleteRecordsBefore(offset: Offset): Promise<{ errorCode: ErrorCode; lowWatermark: Offset }>;
  /** Deletes what retention allows; called by the broker's timer. Returns the segments deleted. */
  enforceRetention(): Promise<number>;
  updateConfig(config: LogConfig): void;
  activeProducers(): ActiveProducer[];

  /** Calls `listener` whenever the high watermark or last stable offset moved; returns how to stop it. */
  onAdvance(listener: () => void): () => void;

  /** Resolves once everything appended so far is durable; rejects with `EnvironmentError` where it cannot be. */
  sync(): Promise<void>;
  /** Closes without flushing, answers what waits with UNKNOWN_TOPIC_OR_PARTITION, and renames the directory to `…-delete`. */
  destroy(): Promise<void>;
}

/** The store: hands out partition logs. */
export interface LogStore {
  /**
   * The log of a partition that the metadata log says exists; made at its first write where it has no files yet.
   * Synchronous and cheap: files are opened when they are first needed. Asking again gives the same log.
   */
  open(topic: string, topicId: string, partition: number, config: LogConfig): PartitionLog;
  /** Directories of partitions that are on disk, as `topic`, `topicId` (null where unreadable) and `partition`. */
  found(): readonly { topic: string; topicId: string | null; partition: number }[];
  /** Partitions that are damaged and not opened yet. */
  damaged(): readonly { topic: string; topicId: string | null; partition: number }[];
  /** Renames what `exists` does not know to `…-delete` and has it removed; called once the metadata log is loaded. */
  discardOrphans(exists: (topic: string, topicId: string | null, partition: number) => boolean): void;
  /** Whether the last stop was clean; an unclean one means recovery and a raised leader epoch. */
  readonly startedClean: boolean;
  /** Why nothing is written in this run, as a sentence; null where it is. */
  readonly refusal: string | null;
  /** The leader epoch of this run, durable before the first append. */
  readonly leaderEpoch: number;
  /** Calls `proceed` once the ingest ring can take `sizeBytes` of batches; true where it was called at once. */
  whenRoom(sizeBytes: number, proceed: () => void): boolean;
  /** The largest total that `whenRoom` takes. */
  readonly maxRequestBytes: number;
  /**
   * The records of the compressed batch that is the `sizeBytes` bytes at `at` of `bytes`, inflated into bytes of their own;
   * null where they do not inflate, or to more than the store can hold.
   */
  inflate(bytes: Uint8Array, at: number, sizeBytes: number): Uint8Array | null;
  /** Syncs all, writes checkpoints and the mark of a clean stop. */
  close(): Promise<void>;
}
