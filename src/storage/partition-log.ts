/**
 * The storage seam: one partition's log as everything above it sees it. The local log (`local-log.ts`) is the first
 * store behind it. Sequence decisions, offset assignment, ring, descriptors and flushing lie behind the seam; nothing
 * above knows an offset before completion, so a store that assigns offsets at commit fits as well.
 * I/O thread.
 */

import type { ErrorCode } from '../base/error-code.ts';
import type { Offset } from '../base/numbers.ts';
import type { TransactionOutcome } from '../records/transaction-marker.ts';
import type { DiskSpace } from './file-system.ts';
import type { CompactionSettings } from './compactor.ts';
import type { LogConfig } from './log-config.ts';

/** What an append waits for: nothing (acks=0), the write (acks=1: survives kill -9), the sync (acks=all). */
export type Durability = 'none' | 'written' | 'synced';

export interface AppendOptions {
  readonly durability: Durability;
  /** Coordinators may write what clients may not: to internal topics, control batches. */
  readonly origin: 'client' | 'coordinator';
  /** False for a batch that was encoded in this process and has no CRC yet: the log writes it into its copy. */
  readonly sealed?: boolean;
  /** Whose batch it is, where it is a named producer's. */
  readonly named?: NamedAppend;
}

/**
 * What a named producer says of its batch, whose last record carries name and last number in its headers
 * (`records/named-records.ts`). The store writes producer id, epoch and sequence into the batch's header.
 */
export interface NamedAppend {
  /** As `isProducerName` allows. */
  readonly name: string;
  /** From 0 to 32,767; what has a lower one than was seen is fenced. */
  readonly epoch: number;
  /** The numbers rise strictly from the first record to the last, from 0 to 2^53 - 1. */
  readonly firstNumber: number;
  readonly lastNumber: number;
  /** The number that the producer takes for the last one stored, -1 for none; null where it does not say. */
  readonly previousNumber: number | null;
}

/** The marker that ends a transaction in one partition. */
export interface TransactionMarker {
  readonly producerId: number;
  /** From transaction version 2 on the epoch that the end raised it to. */
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly outcome: TransactionOutcome;
  /** In milliseconds since 1970; the clock's time where it is left out. */
  readonly timestampMs?: number;
  /** The feature `transaction.version` that the transaction was run with; 0 where it is left out. */
  readonly transactionVersion?: number;
}

/** What `appendMarker` takes of the ring, at most: for `LogStore.whenRoom`. */
export const markerRoomBytes = 128;

/** What became of numbers that were stored before. */
export interface ConfirmResult {
  readonly errorCode: ErrorCode;
  /** Of the record with that number; -1 where it is not known any more. */
  readonly offset: Offset;
  readonly errorMessage: string | null;
}

/** Where a named producer goes on. */
export interface ResumeResult {
  readonly errorCode: ErrorCode;
  /** -1 where none is stored, or none is known any more. */
  readonly lastNumber: number;
  /** The epoch that the producer has to have from now on. */
  readonly epoch: number;
  readonly errorMessage: string | null;
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
  /** -1 where no transaction has ended here. */
  readonly coordinatorEpoch: number;
  /** -1 where no transaction is open. */
  readonly currentTransactionFirstOffset: number;
}

export interface PartitionLog {
  readonly topic: string;
  readonly partition: number;
  /** The settings that hold at the moment. */
  readonly config: LogConfig;
  readonly logStartOffset: Offset;
  /** What consumers may read up to (exclusive). */
  readonly highWatermark: Offset;
  /** What consumers that read committed may read up to (exclusive): before the first transaction of unknown outcome. */
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
   *
   * A named producer's batch is taken whole or not at all. DUPLICATE_SEQUENCE_NUMBER: its first number is not above the
   * last stored, so leave those records out and `confirm` them. OUT_OF_ORDER_SEQUENCE_NUMBER: a number before its first
   * was refused and has not come again, or `previousNumber` is not the last stored. PRODUCER_FENCED: another has a
   * higher epoch. THROTTLING_QUOTA_EXCEEDED: there are too many names.
   */
  append(batch: Uint8Array, options: AppendOptions, listener: AppendListener): void;
  /**
   * Ends the producer's transaction here: appends a control batch, whose durability is always 'synced', whatever the
   * topic says. The caller has made sure that the ring has room (`markerRoomBytes`). It is written also where no
   * transaction is open, so that a coordinator may repeat it. TRANSACTION_COORDINATOR_FENCED: a higher coordinator epoch
   * has been seen. INVALID_PRODUCER_EPOCH: a higher producer epoch has been seen, or, from transaction version 2 on, the
   * same one with a transaction that is open. Else errors as `append` gives them.
   */
  appendMarker(marker: TransactionMarker, listener: AppendListener): void;
  /** Whether a transaction of that producer and epoch is open here, also where its first batch is not durable yet. */
  hasOpenTransaction(producerId: number, producerEpoch: number): boolean;

  /** The last number stored of the named producer, -1 where none is known: what `append` compares with. */
  lastNumberOf(name: string): number;
  /**
   * Answers for `number`, at most `lastNumberOf(name)`, once it is as durable as asked: it is never promised before the
   * first attempt that stored it. KAFKA_STORAGE_ERROR and UNKNOWN_TOPIC_OR_PARTITION where it never will be.
   */
  confirm(name: string, number: number, durability: Durability, listener: (result: ConfirmResult) => void): void;
  /**
   * Tells a named producer where it goes on, once that is as durable as asked. `epoch` -1 is the one that holds, and
   * `takeover` one above it, which fences those that have it; a fence lasts through crashes once a batch carries it.
   * PRODUCER_FENCED where `epoch` is lower than what holds; else errors as `confirm` gives them.
   */
  resume(
    name: string,
    epoch: number | 'takeover',
    durability: Durability,
    listener: (result: ResumeResult) => void,
  ): void;

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
  /** How large the volume is that the store lies on. Rejects where the system does not say. */
  space(): Promise<DiskSpace>;
  /**
   * Compacts, of the open logs whose topics ask for it, the one that needs it most. Resolves with whether there was one and
   * it went well: then there may be more to do. Failures are logged.
   */
  compactDirtiest(settings: CompactionSettings): Promise<boolean>;
  /** Syncs all, writes checkpoints and the mark of a clean stop. */
  close(): Promise<void>;
}
