/**
 * One partition's way to the log with one durability, or that of one named producer, one batch after the other. I/O
 * thread. It does not choose what comes into its batches.
 *
 *   records ─► open batch ─► submit ─► closed │ closed │ first: room in the ring? ─► PartitionLog.append ─► outcome ─► its streams told
 *                                                                  └─ takes long: prepared, then appended ─┘
 *
 * Closed batches are one queue, of which only the first asks for room or is prepared: they reach the log in their order. A
 * lane with a batch that is prepared is slow until nothing waits in it: what it holds then counts in its topic's share of what
 * all slow lanes may hold, so that it stops those who send to that topic, and nobody else.
 *
 * A batch takes what one read of a socket brings, half a megabyte, so that a turn of the event loop in which one sender is
 * served makes one batch, and wakes the flush worker once.
 */

import { present } from '../base/assert.ts';
import { ErrorCode, errorName } from '../base/error-code.ts';
import { noOffset } from '../base/numbers.ts';
import { encodeIdentity, identityHeaderCount, noRecordNumber } from '../records/named-records.ts';
import { batchHeaderSizeBytes } from '../records/record-batch.ts';
import { sharedCopy } from '../storage/batch-preparer.ts';
import type { BufferPool } from '../storage/buffer-pool.ts';
import { LongAppend, onceThereIsRoom } from '../storage/long-append.ts';
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
  /** Of lanes that are not slow. */
  readonly waiting: WaitingBytes;
  /** A topic's share of what may wait in slow lanes. */
  slowShare(): WaitingBytes;
  /** The lane has an open batch now, which ends with the turn. */
  opened(lane: PublishLane): void;
  /** A batch left that others waited behind, and there is an open one. */
  mayGo(lane: PublishLane): void;
  tellSoon(stream: PublishStream): void;
  /** A batch could not be appended, by a defect. */
  failed(error: unknown): void;
}

/** A batch that no record is added to any more. */
interface ClosedBatch {
  /** The bytes; gone while they are prepared, which is done in a copy. */
  encoded: { readonly encoder: BatchEncoder; readonly bytes: Uint8Array } | null;
  readonly sizeBytes: number;
  readonly options: AppendOptions;
  readonly outcome: PublishOutcome;
  readonly told: (result: AppendResult) => void;
  /** What to do once it is in the log's hands, or refused. */
  readonly whenSent: (() => void)[];
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
  /** The turn in which the following was taken from the topic's settings. */
  turn = -1;
  maxRecordBytes = 0;
  maxBatchBytes = 0;
  needsKey = false;
  readonly #owner: LaneOwner;
  /** In order. */
  readonly #closed: ClosedBatch[] = [];
  /** The first of them asks for room, or is being prepared. */
  #isSending = false;
  /** What the batches take, the open one as well, and where that counts. */
  #sizeBytes = 0;
  #counted: WaitingBytes;
  /** What batches take of late, for the first buffer of the next. */
  #usualBytes = 0;

  constructor(owner: LaneOwner, target: PublishTarget, log: PartitionLog, durability: Durability, name: string | null) {
    this.#owner = owner;
    this.#counted = owner.waiting;
    this.target = target;
    this.log = log;
    this.partition = log.partition;
    this.durability = durability;
    this.name = name;
  }

  /** Closed batches that the log does not have yet. */
  get waiting(): number {
    return this.#closed.length;
  }

  /** Counts what came into the open batch. */
  took(sizeBytes: number): void {
    this.#sizeBytes += sizeBytes;
    this.#counted.add(sizeBytes);
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
    this.took(batchHeaderSizeBytes);
    // It goes whenever nothing is in it.
    if (named !== null) this.target.addLane(this);
    owner.opened(this);
    return this.open;
  }

  /** Hands the open batch, where there is one, to the log once the ring has room for it. */
  submit(): void {
    if (this.open === null) return;
    const { encoder, outcome, streams, named } = this.open;
    this.open = null;
    if (named !== null) {
      const identity = encodeIdentity(named.name, named.lastNumber);
      const beforeBytes = encoder.sizeBytes;
      encoder.extendLast(identity, identityHeaderCount);
      this.took(encoder.sizeBytes - beforeBytes);
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
      for (const stream of streams) this.#owner.tellSoon(stream);
    };
    const encoded = { encoder, bytes };
    this.#closed.push({ encoded, sizeBytes: bytes.length, options, outcome, told, whenSent: [] });
    if (!this.#isSending) this.#send();
  }

  /** Calls `then` once all that was handed in is in the log's hands, or refused. */
  whenSent(then: () => void): void {
    this.submit();
    const last = this.#closed.at(-1);
    if (last === undefined) then();
    else last.whenSent.push(then);
  }

  /** Has the first batch ask for room, and then the next, as long as there is room at once. */
  #send(): void {
    this.#isSending = true;
    for (let first = this.#closed[0]; first !== undefined; first = this.#closed[0]) {
      const { encoded, sizeBytes, options, told } = first;
      const { bytes } = present(encoded, 'what asks for room is not being prepared');
      let isLate = false;
      let isLong = false;
      const hasRoom = this.#owner.store.whenRoom(sizeBytes, () => {
        isLong = !this.log.append(bytes, options, told);
        if (isLong) void this.#prepare(first);
        else this.#sent();
        if (isLate && !isLong) this.#send();
      });
      isLate = true;
      if (!hasRoom || isLong) return;
    }
    this.#isSending = false;
  }

  async #prepare(first: ClosedBatch): Promise<void> {
    const { options, outcome, told } = first;
    const { encoder, bytes } = present(first.encoded, 'a batch is prepared once');
    this.#slowDown();
    const long = new LongAppend({ log: this.log, records: sharedCopy(bytes), options, listener: told });
    first.encoded = null;
    encoder.release();
    try {
      await long.run((sizeBytes, append) => onceThereIsRoom(this.#owner.store, sizeBytes, append));
    } catch (error) {
      this.#owner.failed(error);
      if (!outcome.settled) told(defect);
    }
    this.#sent();
    this.#send();
  }

  /** The first batch is in the log's hands, or refused. */
  #sent(): void {
    const { encoded, sizeBytes, whenSent } = present(this.#closed.shift(), 'one was sent');
    encoded?.encoder.release();
    this.#sizeBytes -= sizeBytes;
    this.#counted.leave(sizeBytes);
    if (this.#closed.length === 0) this.#count(this.#owner.waiting);
    if (this.name !== null) this.target.dropIfEmpty(this);
    if (this.open !== null && this.#closed.length === 0) this.#owner.mayGo(this);
    for (const call of whenSent) call();
  }

  /** From here on it counts among the slow. */
  #slowDown(): void {
    this.target.slow ??= this.#owner.slowShare();
    this.#count(this.target.slow);
  }

  #count(where: WaitingBytes): void {
    if (where === this.#counted) return;
    where.add(this.#sizeBytes);
    this.#counted.leave(this.#sizeBytes);
    this.#counted = where;
  }
}

const defect: AppendResult = {
  errorCode: ErrorCode.UNKNOWN_SERVER_ERROR,
  baseOffset: noOffset,
  logAppendTimeMs: -1,
  logStartOffset: noOffset,
  errorMessage: "The records could not be stored, by a defect; see the broker's log.",
  recordErrors: [],
};

/** What an append came to, as its outcome. */
function take(outcome: PublishOutcome, result: AppendResult): void {
  const { errorCode, errorMessage, baseOffset, logAppendTimeMs } = result;
  if (errorCode === ErrorCode.NONE) outcome.stored(baseOffset, logAppendTimeMs);
  else outcome.failed(errorCode, errorMessage ?? `The record was not stored: ${errorName(errorCode)}.`);
}
