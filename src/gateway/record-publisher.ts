/**
 * The shortest way from a record to the log, for every door but Kafka's. I/O thread, one per broker.
 *
 *   stream.publish ─► open batch of (partition, durability) ─┬─ end of the turn, or full
 *                     encoded in place                       ▼
 *                                       room in the ring? ─► PartitionLog.append ─► outcome ─► streams told, in order
 *
 * Records of one turn of the event loop for one partition are one batch, whatever streams they came from; so what only
 * one of them may be blamed for is checked before it is encoded. The order of a stream's records for a partition is
 * kept. A named producer's records are batches of their own (`named-producers.ts`). Topics are created where `auto.create.topics.enable` says so, as Metadata does it for Kafka's clients.
 * It does not know sockets; a door that reads too fast is told to stop (`PublishStream.publish`).
 */

import { present } from '../base/assert.ts';
import { ErrorCode, errorName } from '../base/error-code.ts';
import type { Broker } from '../broker/broker.ts';
import type { TopicImage } from '../broker/metadata-image.ts';
import { isInternalTopic } from '../broker/topic-name.ts';
import { encodeIdentity, identityBoundBytes, identityHeaderCount, noRecordNumber } from '../records/named-records.ts';
import type { RecordHeader } from '../records/record-reader.ts';
import { batchHeaderSizeBytes } from '../records/record-batch.ts';
import { BufferPool } from '../storage/buffer-pool.ts';
import type { AppendOptions, AppendResult, Durability } from '../storage/partition-log.ts';
import { BatchEncoder, encodeHeaders, recordOverheadBytes } from './batch-encoder.ts';
import {
  NamedProducerCache,
  outOfOrder,
  resumeProducer,
  type NamedProducer,
  type ResumedProducer,
  type ResumeOptions,
} from './named-producers.ts';
import { PublishOutcome } from './publish-outcome.ts';
import { PublishStream, type PublishListener, type StreamOwner } from './publish-stream.ts';
import { ensureTopic, problemOfMissing, type Problem } from './topic-creation.ts';
import { PublishTarget, type HeldRecord, type Lane, type OpenBatch } from './publish-target.ts';

export interface PublisherOptions {
  /** Calls back once the event loop's turn is over; by default `setImmediate`. */
  readonly afterTurn?: (callback: () => void) => void;
  /** From here on streams are told to stop: bytes that are not in the log's hands yet. Default 16 MiB. */
  readonly maxWaitingBytes?: number;
}

export interface StreamOptions {
  /** What an acknowledgement means; by default `synced`, as acks=all. */
  readonly durability?: Durability;
  /** From here on the stream is told to stop: bytes of which nothing was told yet. Default 8 MiB. */
  readonly maxWaitingBytes?: number;
}

/** A record for `RecordPublisher.publish`; what is left out is null, now, or chosen. */
export interface RecordToPublish {
  readonly key?: Uint8Array | null;
  readonly value?: Uint8Array | null;
  readonly headers?: readonly RecordHeader[] | null;
  readonly timestampMs?: number;
  readonly partition?: number;
}

/** What became of one record of a `publish`. Unless `errorCode` is NONE the offset is -1, and `message` a sentence. */
export interface PublishedRecord {
  readonly errorCode: ErrorCode;
  readonly message: string | null;
  readonly partition: number;
  readonly offset: number;
}

/** A batch ends here, so that it stays in the processor's cache; a larger record is alone in its batch. */
const targetBatchBytes = 256 * 1024;
const smallestBufferBytes = 4096;
const defaultMaxWaitingBytes = 16 * 1024 * 1024;
const defaultStreamBytes = 8 * 1024 * 1024;

export class RecordPublisher implements StreamOwner {
  /** For doors whose senders have no connection of their own. */
  readonly producers = new NamedProducerCache();
  readonly #broker: Broker;
  readonly #afterTurn: (callback: () => void) => void;
  readonly #maxWaitingBytes: number;
  readonly #buffers = new BufferPool();
  readonly #targets = new Map<string, PublishTarget>();
  /** Lanes with an open batch that ends with the turn. */
  #lanes: Lane[] = [];
  #turn = 0;
  #turnScheduled = false;
  #closed = false;
  #nowMs = 0;
  /** Bytes in open batches, in batches that wait for room, and of records that wait for their topic. */
  #waitingBytes = 0;
  #toTell: PublishStream[] = [];
  readonly #toWake = new Set<PublishStream>();
  /** Calls of `publish` that wait for room. */
  #waitingCalls: (() => void)[] = [];
  readonly #stopListening: () => void;

  constructor(broker: Broker, options: PublisherOptions = {}) {
    this.#broker = broker;
    this.#afterTurn = options.afterTurn ?? setImmediate;
    this.#maxWaitingBytes = options.maxWaitingBytes ?? defaultMaxWaitingBytes;
    this.#stopListening = broker.topics.onDeleted(({ name }) => void this.#targets.delete(name));
  }

  /** Bytes that are not in the log's hands yet; for metrics. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get crowded(): boolean {
    return this.#waitingBytes > this.#maxWaitingBytes;
  }

  /** A stream for one sender, which hears what becomes of its records. Close it when the sender is gone. */
  openStream(listener: PublishListener, options: StreamOptions = {}): PublishStream {
    const { durability = 'synced', maxWaitingBytes = defaultStreamBytes } = options;
    return new PublishStream(this, listener, durability, maxWaitingBytes);
  }

  /** Where records for the topic `name` go, whether or not there is such a topic: what is wrong is told of each record. */
  target(name: string): PublishTarget {
    const known = this.#targets.get(name);
    if (known !== undefined) return known;
    const target = new PublishTarget(name);
    // A name that no topic has is nothing to keep: there is no end to them.
    if (this.#broker.topics.topic(name) !== null) this.#targets.set(name, target);
    return target;
  }

  /**
   * Publishes records and resolves with what became of each, in their order, once all of it is known. While too much
   * waits it waits before it looks at them. Never rejects.
   */
  async publish(
    topic: string,
    records: readonly RecordToPublish[],
    durability: Durability = 'synced',
  ): Promise<PublishedRecord[]> {
    while (this.crowded) await new Promise<void>((resolve) => this.#waitingCalls.push(resolve));
    const results: PublishedRecord[] = [];
    if (records.length === 0) return results;
    return new Promise((resolve) => {
      const stream = this.openStream(
        {
          stored(_first, count, _topic, partition, baseOffset) {
            for (let i = 0; i < count; i++) {
              results.push({ errorCode: ErrorCode.NONE, message: null, partition, offset: baseOffset + i });
            }
          },
          failed(_first, count, errorCode, message) {
            for (let i = 0; i < count; i++) results.push({ errorCode, message, partition: -1, offset: -1 });
          },
          settled(endOrdinal) {
            if (endOrdinal === records.length) resolve(results);
          },
        },
        { durability, maxWaitingBytes: Infinity },
      );
      const target = this.target(topic);
      for (const { partition = -1, key = null, value = null, timestampMs = -1, headers = null } of records) {
        stream.publish(target, partition, key, value, timestampMs, headers);
      }
    });
  }

  /** Hands to the logs what was handed in, before they are closed. */
  close(): void {
    this.#stopListening();
    this.#closed = true;
    this.#endTurn();
  }

  /** As `StreamOwner`. */
  take(
    stream: PublishStream,
    target: PublishTarget,
    partition: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    valueStart: number,
    valueEnd: number,
    timestampMs: number,
    headers: readonly RecordHeader[] | null,
    producer: NamedProducer | null,
    number: number,
    previousNumber: number | null,
  ): void {
    this.#startTurn();
    if (target.turn !== this.#turn) target.refresh(this.#broker.topics.topic(target.name), this.#turn);
    if (producer !== null) {
      const problem = producer.problemOf(target.name, partition, number);
      if (problem !== null) return this.#refuse(stream, noRun, target.name, partition, problem);
    }
    if (stream.overfull) {
      producer?.refused(target.name, partition, number);
      return this.#refuse(stream, noRun, target.name, partition, overfull);
    }
    if (target.topic === null || target.held !== null) {
      const copy = value === null ? null : value.slice(valueStart, valueEnd);
      const fields = { key: key?.slice() ?? null, value: copy, timestampMs, headers };
      this.#hold(target, { stream, partition, ...fields, producer, number, previousNumber });
      return;
    }
    this.#place(
      stream,
      noRun,
      target,
      target.topic,
      partition,
      key,
      value,
      valueStart,
      valueEnd,
      timestampMs,
      headers,
      producer,
      number,
      previousNumber,
    );
  }

  /** Puts a record into its partition's open batch. `run` is the stream's that waits for it; -1 where it is new. */
  #place(
    stream: PublishStream,
    run: number,
    target: PublishTarget,
    topic: TopicImage,
    partition: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    valueStart: number,
    valueEnd: number,
    timestampMs: number,
    headers: readonly RecordHeader[] | null,
    producer: NamedProducer | null,
    number: number,
    previousNumber: number | null,
  ): void {
    const chosen =
      partition >= 0
        ? partition
        : producer === null
          ? target.choose(key, topic)
          : producer.partitionOf(topic.partitionCount);
    const name = producer === null ? null : producer.name;
    const known = name === null ? target.lane(chosen, stream.durability) : target.namedLane(chosen, name);
    const lane = known ?? this.#addLane(target, topic, chosen, stream.durability, name);
    if (lane === null) {
      producer?.refused(target.name, partition, number);
      return this.#refuse(stream, run, target.name, chosen, problemOfPartition(topic, chosen));
    }
    if (lane.turn !== this.#turn) this.#refreshLane(lane);
    const headerBytes = encodeHeaders(headers);
    const boundBytes =
      recordOverheadBytes +
      (key === null ? 0 : key.length) +
      (valueEnd - valueStart) +
      headerBytes.length +
      (name === null ? 0 : identityBoundBytes(name));
    const timeMs = timestampMs < 0 ? this.#nowMs : timestampMs;
    if (boundBytes > lane.maxRecordBytes || timeMs !== this.#nowMs || (key === null && lane.needsKey)) {
      const problem = this.#problemOf(lane, key, timeMs, boundBytes);
      if (problem !== null) {
        if (name !== null) lane.target.dropIfEmpty(lane);
        return this.#refuse(stream, run, target.name, chosen, problem);
      }
    }
    if (producer !== null && !this.#isNext(stream, run, lane, producer, number, previousNumber)) return;
    let batch = lane.open;
    if (batch === null || batch.encoder.sizeBytes + boundBytes > lane.maxBatchBytes) {
      if (batch !== null) {
        this.#submit(lane, batch);
        if (key === null) target.moveOn();
      }
      batch = this.#begin(
        lane,
        boundBytes,
        name === null
          ? null
          : { name, epoch: producer!.epoch, firstNumber: number, lastNumber: number, previousNumber },
      );
    }
    const before = batch.encoder.sizeBytes;
    const delta = batch.encoder.append(key, value, valueStart, valueEnd, timeMs, headerBytes);
    if (batch.named !== null) {
      batch.named.lastNumber = number;
      lane.lastNumber = number;
    }
    const sizeBytes = batch.encoder.sizeBytes - before;
    this.#waitingBytes += sizeBytes;
    const { streams } = batch;
    if (streams.length === 0 || streams[streams.length - 1] !== stream) streams.push(stream);
    if (run === noRun) stream.took(batch.outcome, delta, sizeBytes);
    else stream.moved(run, batch.outcome, delta);
  }

  /**
   * Whether `number` of `producer` is to be appended: its lane is ready then. What was handed in before is answered when
   * that is durable, and what cannot follow is refused; the log looks at it again (`PartitionLog.append`).
   */
  #isNext(
    stream: PublishStream,
    run: number,
    lane: Lane,
    producer: NamedProducer,
    number: number,
    previousNumber: number | null,
  ): boolean {
    const { name, epoch } = producer;
    const { open, log } = lane;
    if (open !== null && (lane.durability !== stream.durability || open.named?.epoch !== epoch))
      this.#submit(lane, open);
    // What the log was given it knows best: it may have refused it.
    if (lane.open === null && lane.waiting === 0) lane.lastNumber = noRecordNumber;
    const last = Math.max(lane.lastNumber, log.lastNumberOf(name));
    if (number <= last) {
      this.#confirm(stream, run, lane, name, number);
      return false;
    }
    if (previousNumber !== null && last >= 0 && previousNumber !== last) {
      const problem = outOfOrder(
        `Producer ${name} sent number ${number} to follow ${previousNumber}, and ${last} is the last that came.`,
      );
      lane.target.dropIfEmpty(lane);
      this.#refuse(stream, run, log.topic, log.partition, problem);
      return false;
    }
    lane.durability = stream.durability;
    return true;
  }

  /** Answers for a number that was handed in before, once it is as durable as the stream asks. */
  #confirm(stream: PublishStream, run: number, lane: Lane, name: string, number: number): void {
    const { log } = lane;
    const outcome = new PublishOutcome(log.topic, log.partition);
    if (run === noRun) stream.took(outcome, 0, 0, false);
    else stream.moved(run, outcome, 0);
    const failed = (errorCode: ErrorCode, message: string): void => {
      outcome.failed(errorCode, message);
      this.tellSoon(stream);
    };
    this.#flushLane(lane, () => {
      if (number > log.lastNumberOf(name)) {
        const message = `The attempt at number ${number} of producer ${name} before this one was not stored: send it again.`;
        return failed(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, message);
      }
      log.confirm(name, number, stream.durability, ({ errorCode, offset, errorMessage }) => {
        if (errorCode !== ErrorCode.NONE) {
          return failed(errorCode, errorMessage ?? `It is not known to be stored: ${errorName(errorCode)}.`);
        }
        outcome.storedBefore(offset);
        this.tellSoon(stream);
      });
    });
  }

  /** Calls `then` once everything that was handed in of a named producer's lane was given to the log. */
  #flushLane(lane: Lane, then: () => void): void {
    if (lane.open !== null) this.#submit(lane, lane.open);
    // The store gives room in the order of asking.
    this.#broker.store.whenRoom(0, () => {
      lane.target.dropIfEmpty(lane);
      then();
    });
  }

  /** As `resumeProducer`, which says what it tells; what was handed in before counts. */
  resume(producer: NamedProducer, topic: string, options: ResumeOptions = {}): Promise<ResumedProducer> {
    return resumeProducer(this.#broker, producer, topic, options, (partition, then) => {
      const target = this.target(topic);
      const lane = target.namedLane(partition, producer.name);
      if (lane === undefined) then();
      else this.#flushLane(lane, then);
    });
  }

  tellSoon(stream: PublishStream): void {
    if (stream.telling) return;
    stream.telling = true;
    this.#toTell.push(stream);
    if (this.#toTell.length === 1) queueMicrotask(() => this.#tell());
  }

  wakeLater(stream: PublishStream): void {
    this.#toWake.add(stream);
  }

  #tell(): void {
    const streams = this.#toTell;
    this.#toTell = [];
    for (const stream of streams) this.#guard(stream, () => stream.tell());
  }

  /** A defect in who listens to a stream costs that stream: the others are told all the same. */
  #guard(stream: PublishStream, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#broker.logger.error(
        { error },
        'What became of records could not be told, by a defect; who sent them is sent away.',
      );
      stream.break();
    }
  }

  /** Bytes went on their way, or will never: those that were told to stop may go on. */
  #left(sizeBytes: number): void {
    this.#waitingBytes -= sizeBytes;
    if (this.#waitingBytes > this.#maxWaitingBytes / 2) return;
    if (this.#toWake.size > 0) {
      const streams = [...this.#toWake];
      this.#toWake.clear();
      for (const stream of streams) this.tellSoon(stream);
    }
    if (this.#waitingCalls.length > 0) {
      const calls = this.#waitingCalls;
      this.#waitingCalls = [];
      for (const call of calls) call();
    }
  }

  #startTurn(): void {
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    this.#nowMs = this.#broker.clock.nowMs();
    this.#afterTurn(() => this.#endTurn());
  }

  #endTurn(): void {
    this.#turnScheduled = false;
    this.#turn++;
    const lanes = this.#lanes;
    this.#lanes = [];
    for (const lane of lanes) {
      const batch = lane.open;
      if (batch === null) continue;
      // While earlier ones wait for room a batch may as well grow.
      if (lane.waiting > 0 && batch.encoder.sizeBytes < targetBatchBytes && !this.#closed) this.#lanes.push(lane);
      else this.#submit(lane, batch);
    }
  }

  #addLane(
    target: PublishTarget,
    topic: TopicImage,
    partition: number,
    durability: Durability,
    name: string | null,
  ): Lane | null {
    const found = isInternalTopic(topic.name) ? null : this.#broker.findPartition(topic, partition);
    if (found === null) return null;
    const lane: Lane = {
      target,
      log: found.log,
      durability,
      name,
      lastNumber: noRecordNumber,
      open: null,
      waiting: 0,
      lastSizeBytes: 0,
      turn: -1,
      maxRecordBytes: 0,
      maxBatchBytes: 0,
      needsKey: false,
    };
    target.addLane(lane);
    return lane;
  }

  /** Takes the settings that hold in this turn. */
  #refreshLane(lane: Lane): void {
    const { maxMessageBytes, segmentBytes, compactPolicy } = lane.log.config;
    const mostBytes = Math.min(maxMessageBytes, segmentBytes, this.#broker.store.maxRequestBytes);
    lane.turn = this.#turn;
    lane.maxRecordBytes = mostBytes - batchHeaderSizeBytes;
    lane.maxBatchBytes = Math.min(targetBatchBytes, mostBytes);
    lane.needsKey = compactPolicy;
  }

  #begin(lane: Lane, recordBytes: number, named: OpenBatch['named']): OpenBatch {
    const { topic, partition } = lane.log;
    const firstBytes = Math.max(lane.lastSizeBytes, batchHeaderSizeBytes + recordBytes, smallestBufferBytes);
    const batch: OpenBatch = {
      encoder: new BatchEncoder(this.#buffers, firstBytes),
      outcome: new PublishOutcome(topic, partition),
      streams: [],
      named,
    };
    this.#waitingBytes += batchHeaderSizeBytes;
    lane.open = batch;
    // It goes whenever nothing is in it.
    if (named !== null) lane.target.addLane(lane);
    this.#lanes.push(lane);
    return batch;
  }

  /** Hands a batch to the log once the ring has room for it. */
  #submit(lane: Lane, { encoder, outcome, streams, named }: OpenBatch): void {
    lane.open = null;
    lane.lastSizeBytes = encoder.sizeBytes;
    lane.waiting++;
    const { log, durability } = lane;
    if (named !== null) {
      const identity = encodeIdentity(named.name, named.lastNumber);
      const beforeBytes = encoder.sizeBytes;
      encoder.extendLast(identity, identityHeaderCount);
      this.#waitingBytes += encoder.sizeBytes - beforeBytes;
    }
    const options: AppendOptions = {
      durability,
      origin: 'client',
      sealed: false,
      ...(named === null ? {} : { named }),
    };
    const bytes = encoder.finish();
    const listener = (result: AppendResult): void => {
      take(outcome, result);
      for (const stream of streams) this.tellSoon(stream);
    };
    this.#broker.store.whenRoom(bytes.length, () => {
      lane.waiting--;
      log.append(bytes, options, listener);
      encoder.release();
      this.#left(bytes.length);
      if (lane.name !== null) lane.target.dropIfEmpty(lane);
      if (lane.open !== null && lane.waiting === 0) this.#startTurn();
    });
  }

  #problemOf(lane: Lane, key: Uint8Array | null, timestampMs: number, boundBytes: number): Problem | null {
    const { config } = lane.log;
    if (boundBytes > lane.maxRecordBytes) {
      const message = `The record takes up to ${boundBytes} bytes, and ${lane.maxRecordBytes} are allowed (max.message.bytes).`;
      return { errorCode: ErrorCode.MESSAGE_TOO_LARGE, message };
    }
    if (!Number.isSafeInteger(timestampMs)) {
      const message = `The timestamp ${timestampMs} is no whole number of milliseconds.`;
      return { errorCode: ErrorCode.INVALID_TIMESTAMP, message };
    }
    if (config.compactPolicy && key === null) {
      return { errorCode: ErrorCode.INVALID_RECORD, message: 'The record has no key, which a compacted topic needs.' };
    }
    if (config.timestampType !== 'CreateTime') return null;
    const aheadMs = timestampMs - this.#nowMs;
    if (aheadMs > config.timestampAfterMaxMs) {
      const message = `The timestamp ${timestampMs} lies more than ${config.timestampAfterMaxMs} ms ahead (message.timestamp.after.max.ms).`;
      return { errorCode: ErrorCode.INVALID_TIMESTAMP, message };
    }
    if (-aheadMs > config.timestampBeforeMaxMs) {
      const message = `The timestamp ${timestampMs} lies more than ${config.timestampBeforeMaxMs} ms back (message.timestamp.before.max.ms).`;
      return { errorCode: ErrorCode.INVALID_TIMESTAMP, message };
    }
    return null;
  }

  #refuse(stream: PublishStream, run: number, topic: string, partition: number, { errorCode, message }: Problem): void {
    const outcome = new PublishOutcome(topic, partition);
    outcome.failed(errorCode, message);
    if (run === noRun) stream.took(outcome, 0, 0, false);
    else stream.moved(run, outcome, 0);
    this.tellSoon(stream);
  }

  /** Keeps a record until its topic was created, or refuses it where it cannot be. */
  #hold(target: PublishTarget, record: Omit<HeldRecord, 'run'>): void {
    const { stream, partition, key, value } = record;
    if (target.held === null) {
      const problem = problemOfMissing(this.#broker, target.name);
      if (problem !== null) {
        record.producer?.refused(target.name, partition, record.number);
        return this.#refuse(stream, noRun, target.name, partition, problem);
      }
      target.held = [];
      this.#targets.set(target.name, target);
      void this.#create(target);
    }
    const sizeBytes = (key?.length ?? 0) + (value?.length ?? 0);
    const run = stream.took(new PublishOutcome(target.name, partition), 0, sizeBytes, false);
    this.#waitingBytes += sizeBytes;
    target.held.push({ ...record, run });
  }

  async #create(target: PublishTarget): Promise<void> {
    const { name } = target;
    const problem = await ensureTopic(this.#broker, name);
    const held = target.held ?? [];
    target.held = null;
    target.refresh(this.#broker.topics.topic(name), this.#turn);
    if (target.topic === null) this.#targets.delete(name);
    this.#startTurn();
    for (const record of held) {
      const { stream, run, partition, key, value, timestampMs, headers, producer, number, previousNumber } = record;
      const { topic } = target;
      const size = value?.length ?? 0;
      if (topic === null) {
        producer?.refused(name, partition, number);
        this.#refuse(stream, run, name, partition, present(problem, 'a topic that is missing has a reason'));
      } else {
        this.#place(
          stream,
          run,
          target,
          topic,
          partition,
          key,
          value,
          0,
          size,
          timestampMs,
          headers,
          producer,
          number,
          previousNumber,
        );
      }
      this.#left((key?.length ?? 0) + size);
    }
  }
}

const noRun = -1;

const overfull: Problem = {
  errorCode: ErrorCode.THROTTLING_QUOTA_EXCEEDED,
  message: 'Too many records wait for an acknowledgement; send no more until some have come.',
};

function problemOfPartition(topic: TopicImage, partition: number): Problem {
  if (isInternalTopic(topic.name)) {
    const message = `Cannot append to internal topic ${topic.name}.`;
    return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, message };
  }
  const message = `The topic ${topic.name} has ${topic.partitionCount} partitions, and none with the number ${partition}.`;
  return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message };
}

/** What an append came to, as its outcome. */
function take(outcome: PublishOutcome, result: AppendResult): void {
  const { errorCode, errorMessage, baseOffset, logAppendTimeMs } = result;
  if (errorCode === ErrorCode.NONE) outcome.stored(baseOffset, logAppendTimeMs);
  else outcome.failed(errorCode, errorMessage ?? `The record was not stored: ${errorName(errorCode)}.`);
}
