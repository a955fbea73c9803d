/**
 * Appends to one partition's log: checks the batch in the ring, decides, assigns offsets in place, indexes it in memory
 * and hands it to the flusher. I/O thread, one per log.
 *
 *   copy into the ring → scan → refuse? → producer: accept, duplicate, refuse → roll? → assign → index → WRITE
 *
 * What is refused or a duplicate gives its room in the ring back. It does not follow what becomes of a WRITE; see
 * `log-flusher.ts`.
 */

import { assert, present } from '../base/assert.ts';
import { systemErrorCode } from '../base/environment-error.ts';
import { ErrorCode } from '../base/error-code.ts';
import { asOffset, noOffset, type Address, type Offset, type RingPosition } from '../base/numbers.ts';
import type { RandomSource } from '../base/random.ts';
import { SubmissionFlag } from '../memory/flush-messages.ts';
import { readIdentity, type RecordIdentity } from '../records/named-records.ts';
import { attributeBit, batchHeaderSizeBytes, isTransactional } from '../records/record-batch.ts';
import { encodeMarker, markerSizeBytes } from '../records/transaction-marker.ts';
import type { Stage } from './append-progress.ts';
import { noRecordErrors, refusalOfSize, refuse, type Refusal, type ScannedBatch } from './batch-check.ts';
import { addLastTime, indexAborted, indexBatch, lacksLastTime, noteTimestamp } from './batch-indexing.ts';
import { needsRecompression, recompressBatch } from './batch-recompression.ts';
import { scanProduced } from './batch-scan.ts';
import type { LogFlusher } from './log-flusher.ts';
import type { LogState } from './log-state.ts';
import type { AppendListener, AppendOptions, AppendResult, NamedAppend, TransactionMarker } from './partition-log.ts';
import { markerRoomBytes } from './partition-log.ts';
import type { EndMarker } from './producer-rules.ts';
import { emptySegment, type Segment } from './segment.ts';
import { transactionEntrySizeBytes, type TransactionEntry } from './transaction-index.ts';

/** A batch that stands in the ring. */
interface PlacedBatch {
  readonly position: RingPosition;
  readonly address: Address;
  readonly sizeBytes: number;
  /** With what stands behind it for the flush worker. */
  readonly reservedBytes: number;
}

/** What a reservation may take beyond its bytes. */
const ringAlignmentBytes = 8;

const markerOptions: AppendOptions = { durability: 'synced', origin: 'coordinator', sealed: false };

export class LogWriter {
  readonly #log: LogState;
  readonly #flusher: LogFlusher;
  #jitterMs = 0;
  #recordsSinceSync = 0;

  constructor(log: LogState, flusher: LogFlusher) {
    this.#log = log;
    this.#flusher = flusher;
  }

  /** As `PartitionLog.append`. */
  append(batch: Uint8Array, options: AppendOptions, listener: AppendListener): void {
    const log = this.#log;
    const refusal = this.#refusalBefore(batch.length, options) ?? this.#open();
    if (refusal !== null) {
      const { named } = options;
      if (named !== undefined && passes(refusal)) log.named.owe(named.name, named.firstNumber);
      return listener(this.#refused(refusal));
    }
    const placed = this.#place(batch, 0);
    const { position, address } = placed;
    const { ring } = log.context;
    const nowMs = log.context.clock.nowMs();
    const { batch: scanned, refusal: problem } = scanProduced(
      log.context,
      address,
      batch.length,
      options,
      log.config,
      nowMs,
    );
    if (problem !== null) {
      ring.withdraw(position, batch.length);
      return listener(this.#refused(problem));
    }
    if (options.named !== undefined) {
      if (this.#isRefusedNamed(scanned, placed, options.named, listener)) return;
    } else if (scanned.producerId >= 0 && this.#isRepeatedOrRefused(scanned, placed, options, listener)) return;
    const stored = this.#inTopicsCompression(scanned, placed, options);
    if ('errorCode' in stored) return listener(this.#refused(stored));
    this.#accept(scanned, stored, options, null, null, nowMs, listener);
  }

  /** The batch in the compression that its topic asks for; where it is refused for that, it is taken out of the ring. */
  #inTopicsCompression(scanned: ScannedBatch, placed: PlacedBatch, options: AppendOptions): PlacedBatch | Refusal {
    const { context, config } = this.#log;
    // Of a named producer's batch recovery has to read the last record as it stands there.
    if (options.named !== undefined || !needsRecompression(scanned, config)) return placed;
    const { ring, arena } = context;
    const made = recompressBatch(context, scanned, placed.address, config);
    ring.withdraw(placed.position, placed.reservedBytes);
    if ('errorCode' in made) return made;
    const { sizeBytes } = made;
    const refusal = this.#refusalBefore(sizeBytes, options);
    if (refusal !== null) return refusal;
    const position = present(ring.reserve(sizeBytes), 'there is room for a batch that was not refused');
    const address = ring.addressOf(position);
    arena.core.copyBytes(address, made.address, sizeBytes);
    return { position, address, sizeBytes, reservedBytes: sizeBytes };
  }

  /** As `PartitionLog.appendMarker`. */
  appendMarker(given: TransactionMarker, listener: AppendListener): void {
    const log = this.#log;
    const { clock, ring } = log.context;
    const nowMs = clock.nowMs();
    const marker: EndMarker = { timestampMs: nowMs, transactionVersion: 0, ...given };
    const refusal =
      this.#refusalBefore(markerSizeBytes, markerOptions, markerRoomBytes) ?? log.producers.refusalOfMarker(marker);
    const problem = refusal ?? this.#open();
    if (problem !== null) return listener(this.#refused({ recordErrors: noRecordErrors, ...problem }));
    const aborted = this.#abortedBy(marker);
    const placed = this.#place(encodeMarker(marker), aborted === null ? 0 : transactionEntrySizeBytes);
    const { position, address, sizeBytes, reservedBytes } = placed;
    const scan = scanProduced(log.context, address, sizeBytes, markerOptions, log.config, nowMs);
    if (scan.refusal !== null) {
      ring.withdraw(position, reservedBytes);
      return listener(this.#refused(scan.refusal));
    }
    this.#accept(scan.batch, placed, markerOptions, marker, aborted, nowMs, listener);
  }

  /** What the marker, as the next batch, adds to the transaction index; null where it aborts nothing. */
  #abortedBy({ producerId, outcome }: EndMarker): TransactionEntry | null {
    const { producers, progress } = this.#log;
    const ended = outcome === 'abort' ? producers.endedBy(producerId, progress.end) : null;
    return ended === null ? null : { producerId, lastOffset: progress.end, ...ended };
  }

  /** Copies the batch into the ring, with room for `behindBytes` more. */
  #place(batch: Uint8Array, behindBytes: number): PlacedBatch {
    const { ring, arena } = this.#log.context;
    const reservedBytes = batch.length + behindBytes;
    const position = present(ring.reserve(reservedBytes), 'the caller made sure of room in the ring');
    const address = ring.addressOf(position);
    arena.copyIn(batch, address);
    return { position, address, sizeBytes: batch.length, reservedBytes };
  }

  /** Ends the active segment, though it is not full, where it can be done now: it becomes old enough to be deleted. */
  rollNow(): boolean {
    const { segments, progress, refusal } = this.#log;
    if (refusal !== null || this.#flusher.state !== 'taking' || segments.active === null) return false;
    if (!this.#hasRoom(0) || this.#open() !== null) return false;
    this.#roll(progress.end);
    // Perhaps nothing is appended for long: the new file's name reaches the disk, and the descriptors of the old go back.
    void this.#flusher.checkpoint();
    return true;
  }

  #refusalBefore(sizeBytes: number, { origin }: AppendOptions, roomBytes = sizeBytes): Refusal | null {
    const { config, refusal } = this.#log;
    if (this.#flusher.state === 'closed') {
      return refuse(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'The partition is being closed.');
    }
    if (refusal !== null) return refuse(ErrorCode.KAFKA_STORAGE_ERROR, refusal);
    const problem = refusalOfSize(sizeBytes, origin, config);
    if (problem !== null) return problem;
    if (!this.#hasRoom(roomBytes)) {
      return refuse(
        ErrorCode.KAFKA_STORAGE_ERROR,
        'One request wrote to more new partitions than can be opened at once.',
      );
    }
    return null;
  }

  /** Whether the ring takes a batch of `sizeBytes` now, and before it what opens the files where they are not open. */
  #hasRoom(sizeBytes: number): boolean {
    const openingBytes = this.#flusher.openingBytes;
    const neededBytes = sizeBytes + (openingBytes === 0 ? 0 : openingBytes + ringAlignmentBytes);
    return neededBytes === 0 || this.#log.context.ring.hasRoom(neededBytes);
  }

  /** Opens the files at the worker where they are not, with a first segment where there is none; or why that fails. */
  #open(): Refusal | null {
    const { segments, progress, context, directory, topic, partition } = this.#log;
    if (segments.active === null) this.#begin(progress.end);
    if (!this.#flusher.isOpen) this.#flusher.open();
    const active = present(segments.active, 'a segment was begun');
    try {
      context.indexes.of(active, directory, true);
      // An abort adds to it, whose writing does not end in this.
      if (active.transactionIndexSizeBytes > 0) context.indexes.transactionsOf(active, directory, false);
      return null;
    } catch (error) {
      if (systemErrorCode(error) === null) throw error;
      context.logger.error({ topic, partition, error }, 'The indexes of a segment could not be read.');
      return refuse(
        ErrorCode.KAFKA_STORAGE_ERROR,
        `The indexes of partition ${partition} of ${topic} could not be read; see the broker's log.`,
      );
    }
  }

  #begin(baseOffset: Offset): Segment {
    const { segments, context, config } = this.#log;
    this.#jitterMs = config.segmentJitterMs === 0 ? 0 : jitterMs(context.random, config.segmentJitterMs);
    return segments.add(emptySegment(baseOffset, context.clock.nowMs()));
  }

  /** Deals with a batch of an idempotent producer that is not new; false where it is to be appended. */
  #isRepeatedOrRefused(
    scanned: ScannedBatch,
    { position, sizeBytes }: PlacedBatch,
    options: AppendOptions,
    listener: AppendListener,
  ): boolean {
    const { producers, context } = this.#log;
    const decision = producers.decide(producedBatch(scanned), options.origin);
    if (decision.outcome === 'accept') return false;
    context.ring.withdraw(position, sizeBytes);
    if (decision.outcome === 'refuse') {
      listener(this.#refused(refuse(decision.errorCode, decision.message)));
      return true;
    }
    const appendTimeMs = this.#log.config.timestampType === 'LogAppendTime' ? decision.timestampMs : -1;
    this.#answerOnce(decision.baseOffset, asOffset(decision.lastOffset + 1), appendTimeMs, options, false, listener);
    // What the first one did not ask for, its repetition may.
    if (this.#stageOf(options, false) === 'synced') this.#flusher.requestSync();
    return true;
  }

  /** Decides on a named producer's batch and makes it an idempotent one; false where it is to be appended. */
  #isRefusedNamed(
    scanned: ScannedBatch,
    { position, address, sizeBytes }: PlacedBatch,
    named: NamedAppend,
    listener: AppendListener,
  ): boolean {
    const { arena, ring } = this.#log.context;
    assert(
      isIdentityOf(named, readIdentity(arena.bytes, address, address + sizeBytes)),
      'a named batch says whose it is',
    );
    const decision = this.#log.named.decide(named);
    if (decision.outcome === 'refuse') {
      ring.withdraw(position, sizeBytes);
      listener(this.#refused(refuse(decision.errorCode, decision.message)));
      return true;
    }
    ({
      producerId: scanned.producerId,
      producerEpoch: scanned.producerEpoch,
      baseSequence: scanned.baseSequence,
    } = decision);
    arena.core.encodeBatchHeader(
      address,
      sizeBytes - batchHeaderSizeBytes,
      scanned.recordCount,
      scanned.attributes & ~attributeBit.logAppendTime,
      scanned.baseTimestamp,
      scanned.maxTimestamp,
      scanned.producerId,
      scanned.producerEpoch,
      scanned.baseSequence,
    );
    return false;
  }

  #accept(
    scanned: ScannedBatch,
    placed: PlacedBatch,
    options: AppendOptions,
    marker: EndMarker | null,
    aborted: TransactionEntry | null,
    nowMs: number,
    listener: AppendListener,
  ): void {
    const log = this.#log;
    const { context, progress } = log;
    const baseOffset = progress.end;
    const endOffset = asOffset(baseOffset + scanned.lastOffsetDelta + 1);
    const appendTimeMs = log.config.timestampType === 'LogAppendTime' ? nowMs : -1;
    if (appendTimeMs >= 0) {
      context.arena.core.stampLogAppendTime(placed.address, appendTimeMs);
      scanned.maxTimestamp = appendTimeMs;
    }
    const lastOffset = asOffset(endOffset - 1);
    if (log.segments.mustRoll(placed.sizeBytes, lastOffset, scanned.maxTimestamp, nowMs, log.config, this.#jitterMs)) {
      this.#roll(baseOffset);
    }
    context.arena.core.assignOffsets(placed.address, baseOffset, context.leaderEpoch);
    // A marker that a power cut took would leave its transaction open for good: its coordinator takes it for ended.
    const forced = this.#syncForced(scanned.recordCount) || marker !== null;
    const synced = this.#stageOf(options, forced) === 'synced';
    this.#submit(scanned, placed, baseOffset, endOffset, synced, aborted);
    if (log.epochs.assign(context.leaderEpoch, baseOffset)) log.epochsChanged = true;
    if (scanned.producerId >= 0) {
      if (marker !== null) log.producers.applyMarker(marker, baseOffset);
      else if (options.named === undefined) log.producers.apply(producedBatch(scanned), baseOffset);
      else log.named.apply(options.named, namedBatch(scanned, baseOffset), nowMs);
      log.producersChanged = true;
    }
    // Or the table would grow though the ring has long come round, most of all where there are many partitions.
    log.recent.forgetBefore(context.ring.oldestHeld);
    log.recent.add(baseOffset, endOffset, placed.position, placed.sizeBytes);
    progress.assigned(endOffset, synced);
    this.#answerOnce(baseOffset, endOffset, appendTimeMs, options, forced, listener);
  }

  #roll(baseOffset: Offset): void {
    const sealed = present(this.#log.segments.active, 'a segment is there to be ended');
    const withTimeEntry = lacksLastTime(sealed);
    this.#flusher.roll(sealed, withTimeEntry, baseOffset);
    const next = this.#begin(baseOffset);
    next.timeIndexSizeBeforeBytes = sealed.timeIndexSizeBytes;
    if (withTimeEntry) addLastTime(sealed);
    this.#log.context.indexes.of(next, this.#log.directory, true);
    this.#log.context.indexes.of(sealed, this.#log.directory, false);
  }

  #submit(
    scanned: ScannedBatch,
    placed: PlacedBatch,
    baseOffset: Offset,
    endOffset: Offset,
    synced: boolean,
    aborted: TransactionEntry | null,
  ): void {
    const segment = present(this.#log.segments.active, 'a segment is there to be written');
    this.#flusher.pending.add(endOffset, segment);
    noteTimestamp(segment, scanned.maxTimestamp, endOffset);
    const fields = this.#flusher.writeFields();
    fields.flags = synced ? SubmissionFlag.SYNC : 0;
    fields.ringPosition = placed.position;
    fields.sizeBytes = placed.sizeBytes;
    fields.baseOffset = baseOffset;
    fields.endOffset = endOffset;
    fields.filePosition = segment.sizeBytes;
    fields.ringEndPosition = placed.position + placed.reservedBytes;
    if (segment.bytesSinceIndexEntry > this.#log.config.indexIntervalBytes) indexBatch(segment, endOffset, fields);
    if (aborted !== null) indexAborted(this.#log, segment, aborted, placed.address + placed.sizeBytes, fields);
    segment.bytesSinceIndexEntry += placed.sizeBytes;
    segment.sizeBytes += placed.sizeBytes;
    this.#log.bytesSinceCheckpoint += placed.sizeBytes;
    this.#flusher.write(fields);
  }

  /** Whether `flush.messages` asks for a sync with this batch, whatever its acks. */
  #syncForced(recordCount: number): boolean {
    this.#recordsSinceSync += recordCount;
    if (this.#recordsSinceSync < this.#log.config.flushMessages) return false;
    this.#recordsSinceSync = 0;
    return true;
  }

  #stageOf({ durability }: AppendOptions, forced: boolean): Stage {
    if (forced) return 'synced';
    return this.#log.stageOf(durability);
  }

  /** Answers `listener` when the batch is as durable as asked, or will never be. */
  #answerOnce(
    baseOffset: Offset,
    endOffset: Offset,
    logAppendTimeMs: number,
    options: AppendOptions,
    forced: boolean,
    listener: AppendListener,
  ): void {
    const log = this.#log;
    const done: AppendResult = {
      errorCode: ErrorCode.NONE,
      baseOffset,
      logAppendTimeMs,
      logStartOffset: log.logStartOffset,
      errorMessage: null,
      recordErrors: noRecordErrors,
    };
    if (options.durability === 'none') return listener(done);
    log.progress.await(endOffset, this.#stageOf(options, forced), (reached) => {
      listener(reached ? done : this.#refused(log.lossRefusal));
    });
  }

  #refused({ errorCode, message, recordErrors }: Refusal): AppendResult {
    return {
      errorCode,
      baseOffset: noOffset,
      logAppendTimeMs: -1,
      logStartOffset: this.#log.logStartOffset,
      errorMessage: message,
      recordErrors,
    };
  }
}

/** A whole number of milliseconds from 0 to below `mostMs`. */
function jitterMs(random: RandomSource, mostMs: number): number {
  const bytes = new Uint8Array(4);
  random.fill(bytes);
  return Math.floor((new DataView(bytes.buffer).getUint32(0) / 2 ** 32) * mostMs);
}

function producedBatch(scanned: ScannedBatch) {
  return {
    producerId: scanned.producerId,
    producerEpoch: scanned.producerEpoch,
    baseSequence: scanned.baseSequence,
    lastOffsetDelta: scanned.lastOffsetDelta,
    maxTimestampMs: scanned.maxTimestamp,
    isTransactional: isTransactional(scanned.attributes),
  };
}

function namedBatch(
  { producerId, producerEpoch, baseSequence, recordCount, maxTimestamp }: ScannedBatch,
  baseOffset: Offset,
) {
  return { producerId, producerEpoch, baseSequence, baseOffset, recordCount, timestampMs: maxTimestamp };
}

/** Whether the same batch may be taken later. */
function passes({ errorCode }: Refusal): boolean {
  return errorCode === ErrorCode.KAFKA_STORAGE_ERROR || errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER;
}

function isIdentityOf({ name, lastNumber }: NamedAppend, found: RecordIdentity | null): boolean {
  return found !== null && found.name === name && found.number === lastNumber;
}
