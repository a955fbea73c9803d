/**
 * One partition's way to the log with one durability, or that of one named producer, one batch after the other. I/O
 * thread. It does not choose what comes into its batches.
 *
 *   records ─► open batch ─► submit: room in the ring? ─► PartitionLog.append ─► outcome ─► its streams told
 *
 * A batch takes what one read of a socket brings, half a megabyte, so that a turn of the event loop in which one sender is
 * served makes one batch, and wakes the flush worker once.
 */

import { ErrorCode, errorName } from '../base/error-code.ts';
import { encodeIdentity, identityHeaderCount, noRecordNumber } from '../records/named-records.ts';
import { batchHeaderSizeBytes } from '../records/record-batch.ts';
import type { BufferPool } from '../storage/buffer-pool.ts';
import type {
  AppendOptions,
  AppendResult,
  Durability,
  LogStore,
  NamedAppend,
  PartitionLog,
} from '../storage/partition-log.ts';
import { BatchEncoder } from './batch-encoder.ts';
import { PublishOutcome } from './publish-outcome.ts';
import type { PublishStream } from './publish-stream.ts';
import type { PublishTarget } from './publish-target.ts';
import type { WaitingBytes } from './waiting-bytes.ts';

/** A batch ends here; a larger record is alone in its batch. */
export const targetBatchBytes = 1024 * 1024;
const smallestBufferBytes = 4096;

/** What lanes have in common. */
export interface LaneOwner {
  readonly store: Pick<LogStore, 'whenRoom' | 'maxRequestBytes'>;
  readonly buffers: BufferPool;
  readonly waiting: WaitingBytes;
  /** The lane has an open batch now, which ends with the turn. */
  opened(lane: PublishLane): void;
  /** A batch left that others waited behind, and there is an open one. */
  mayGo(lane: PublishLane): void;
  tellSoon(stream: PublishStream): void;
}

/** A named producer's records in a batch; its last number grows with it. */
export type OpenNamed = { -readonly [Field in keyof NamedAppend]: NamedAppend[Field] };

export interface OpenBatch {
  readonly encoder: BatchEncoder;
  readonly outcome: PublishOutcome;
  /** Those with records in it; one may come more than once. */
  readonly streams: PublishStream[];
  /** Whose record is the last one in it. */
  lastStream: PublishStream | null;
  /** Whose it is, where it is a named producer's. */
  readonly named: OpenNamed | null;
}

export class PublishLane {
  readonly target: PublishTarget;
  readonly log: PartitionLog;
  readonly partition: number;
  /** The named producer, whose lane goes when nothing is in it; null where it is everybody's. */
  readonly name: string | null;
  /** Changes only in a named producer's lane, between batches. */
  durability: Durability;
  /** The largest number that was handed in, of a named producer. */
  lastNumber = noRecordNumber;
  open: OpenBatch | null = null;
  /** Batches that wait for room in the ring. */
  waiting = 0;
  /** The turn in which the following was taken from the topic's settings. */
  turn = -1;
  maxRecordBytes = 0;
  maxBatchBytes = 0;
  needsKey = false;
  readonly #owner: LaneOwner;
  /** What batches take of late, for the first buffer of the next. */
  #usualBytes = 0;

  constructor(owner: LaneOwner, target: PublishTarget, log: PartitionLog, durability: Durability, name: string | null) {
    this.#owner = owner;
    this.target = target;
    this.log = log;
    this.partition = log.partition;
    this.durability = durability;
    this.name = name;
  }

  /** Takes the settings that hold in `turn`. */
  refresh(turn: number): void {
    const { maxMessageBytes, segmentBytes, compactPolicy } = this.log.config;
    const mostBytes = Math.min(maxMessageBytes, segmentBytes, this.#owner.store.maxRequestBytes);
    this.turn = turn;
    this.maxRecordBytes = mostBytes - batchHeaderSizeBytes;
    this.maxBatchBytes = Math.min(targetBatchBytes, mostBytes);
    this.needsKey = compactPolicy;
  }

  /** Whether a record of at most `boundBytes` does not fit the open batch. */
  isFullFor(boundBytes: number): boolean {
    return this.open !== null && this.open.encoder.sizeBytes + boundBytes > this.maxBatchBytes;
  }

  /** Opens a batch whose first record takes at most `recordBytes`. */
  begin(recordBytes: number, named: OpenNamed | null): OpenBatch {
    const owner = this.#owner;
    const firstBytes = Math.max(this.#usualBytes, batchHeaderSizeBytes + recordBytes, smallestBufferBytes);
    this.open = {
      encoder: new BatchEncoder(owner.buffers, firstBytes),
      outcome: new PublishOutcome(this.log.topic, this.partition),
      streams: [],
      lastStream: null,
      named,
    };
    owner.waiting.add(batchHeaderSizeBytes);
    // It goes whenever nothing is in it.
    if (named !== null) this.target.addLane(this);
    owner.opened(this);
    return this.open;
  }

  /** Hands the open batch, where there is one, to the log once the ring has room for it. */
  submit(): void {
    if (this.open === null) return;
    const { encoder, outcome, streams, named } = this.open;
    const owner = this.#owner;
    this.open = null;
    this.waiting++;
    if (named !== null) {
      const identity = encodeIdentity(named.name, named.lastNumber);
      const beforeBytes = encoder.sizeBytes;
      encoder.extendLast(identity, identityHeaderCount);
      owner.waiting.add(encoder.sizeBytes - beforeBytes);
    }
    const options: AppendOptions = {
      durability: this.durability,
      origin: 'client',
      sealed: false,
      ...(named === null ? {} : { named }),
    };
    const bytes = encoder.finish();
    this.#usualBytes = Math.max(bytes.length, this.#usualBytes - (this.#usualBytes >>> 2));
    const told = (result: AppendResult): void => {
      take(outcome, result);
      for (const stream of streams) owner.tellSoon(stream);
    };
    owner.store.whenRoom(bytes.length, () => {
      this.waiting--;
      this.log.append(bytes, options, told);
      encoder.release();
      owner.waiting.leave(bytes.length);
      if (this.name !== null) this.target.dropIfEmpty(this);
      if (this.open !== null && this.waiting === 0) owner.mayGo(this);
    });
  }
}

/** What an append came to, as its outcome. */
function take(outcome: PublishOutcome, result: AppendResult): void {
  const { errorCode, errorMessage, baseOffset, logAppendTimeMs } = result;
  if (errorCode === ErrorCode.NONE) outcome.stored(baseOffset, logAppendTimeMs);
  else outcome.failed(errorCode, errorMessage ?? `The record was not stored: ${errorName(errorCode)}.`);
}
