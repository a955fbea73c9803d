/**
 * The shortest way from a record to the log, for every door but Kafka's. I/O thread, one per broker.
 *
 *   stream.publish ─► open batch of (partition, durability) ─┬─ end of the turn, or full
 *                     encoded in place                       ▼
 *                                       room in the ring? ─► PartitionLog.append ─► outcome ─► streams told, in order
 *
 * Records of one turn of the event loop for one partition are one batch, whatever streams they came from; so what only
 * one of them may be blamed for is checked before it is encoded (`record-problem.ts`). The order of a stream's records for
 * a partition is kept. A named producer's records are batches of their own (`named-order.ts`); those of a topic that is
 * not there wait for it (`missing-topics.ts`).
 * It does not know sockets; a door that reads too fast is told to stop (`PublishStream.publish`).
 */

import { ErrorCode } from '../base/error-code.ts';
import { AclOperation } from '../broker/authorizer.ts';
import type { Broker } from '../broker/broker.ts';
import type { TopicImage } from '../broker/metadata-image.ts';
import { isInternalTopic } from '../broker/topic-name.ts';
import { identityBoundBytes } from '../records/named-records.ts';
import type { RecordHeader } from '../records/record-reader.ts';
import { BufferPool } from '../storage/buffer-pool.ts';
import type { Durability } from '../storage/partition-log.ts';
import { encodeHeaders, recordOverheadBytes } from './batch-encoder.ts';
import type { Caller } from './caller.ts';
import { MissingTopics } from './missing-topics.ts';
import { NamedOrder } from './named-order.ts';
import {
  NamedProducerCache,
  resumeProducer,
  type NamedProducer,
  type ResumedProducer,
  type ResumeOptions,
} from './named-producers.ts';
import { PublishLane, targetBatchBytes, type LaneOwner } from './publish-lane.ts';
import { PublishOutcome } from './publish-outcome.ts';
import { noRun, PublishStream, type PublishListener, type RecordFields, type StreamOwner } from './publish-stream.ts';
import { PublishTarget } from './publish-target.ts';
import { overfull, problemOfPartition, problemOfRecord } from './record-problem.ts';
import type { Problem } from './topic-creation.ts';
import { WaitingBytes } from './waiting-bytes.ts';

export interface PublisherOptions {
  /** From here on streams are told to stop: bytes that are not in the log's hands yet. Default 16 MiB. */
  readonly maxWaitingBytes?: number;
}

export interface StreamOptions {
  /** What an acknowledgement means; by default `synced`, as acks=all. */
  readonly durability?: Durability;
  /** From here on the stream is told to stop: bytes of which nothing was told yet. Default 8 MiB. */
  readonly maxWaitingBytes?: number;
  /** Who sends: asked for as the records come, and charged with them. Null, or left out: the broker's own process. */
  readonly caller?: Caller | null;
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

const defaultMaxWaitingBytes = 16 * 1024 * 1024;
const defaultStreamBytes = 8 * 1024 * 1024;

export class RecordPublisher implements StreamOwner {
  /** For doors whose senders have no connection of their own. */
  readonly producers = new NamedProducerCache();
  readonly #broker: Broker;
  readonly #targets = new Map<string, PublishTarget>();
  /** Bytes in open batches, in batches that wait for room, and of records that wait for their topic. */
  readonly #waiting: WaitingBytes;
  readonly #laneOwner: LaneOwner;
  readonly #named: NamedOrder;
  readonly #missing: MissingTopics;
  /** Lanes with an open batch that ends with the turn. */
  #lanes: PublishLane[] = [];
  #turn = 0;
  #turnScheduled = false;
  #closed = false;
  #nowMs = 0;
  #toTell: PublishStream[] = [];
  readonly #stopListening: () => void;

  constructor(broker: Broker, options: PublisherOptions = {}) {
    const tellSoon = (stream: PublishStream): void => this.tellSoon(stream);
    const refuse = this.#refuse.bind(this);
    this.#broker = broker;
    this.#waiting = new WaitingBytes(options.maxWaitingBytes ?? defaultMaxWaitingBytes, tellSoon);
    const { store } = broker;
    this.#laneOwner = {
      store,
      buffers: new BufferPool(),
      waiting: this.#waiting,
      opened: (lane) => void this.#lanes.push(lane),
      mayGo: () => this.#startTurn(),
      tellSoon,
    };
    this.#named = new NamedOrder({ store, tellSoon, refuse });
    this.#missing = new MissingTopics({
      broker,
      waiting: this.#waiting,
      keep: (target, isKept) => {
        if (isKept) this.#targets.set(target.name, target);
        else this.#targets.delete(target.name);
      },
      refresh: (target) => {
        this.#startTurn();
        target.refresh(broker.topics.topic(target.name), this.#turn);
        return target.topic !== null;
      },
      place: (stream, run, target, fields) => {
        if (target.topic !== null) this.#place(stream, run, target, target.topic, fields);
      },
      refuse,
    });
    this.#stopListening = broker.topics.onDeleted(({ name }) => void this.#targets.delete(name));
  }

  /** Bytes that are not in the log's hands yet; for metrics. */
  get waitingBytes(): number {
    return this.#waiting.count;
  }

  get crowded(): boolean {
    return this.#waiting.crowded;
  }

  /** A stream for one sender, which hears what becomes of its records. Close it when the sender is gone. */
  openStream(listener: PublishListener, options: StreamOptions = {}): PublishStream {
    const { durability = 'synced', maxWaitingBytes = defaultStreamBytes, caller = null } = options;
    return new PublishStream(this, listener, { durability, maxWaitingBytes, caller });
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
    while (this.crowded) await this.#waiting.someLeft();
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
  take(stream: PublishStream, given: PublishTarget, fields: RecordFields): void {
    const { producer, partition, number } = fields;
    this.#startTurn();
    if (given.turn !== this.#turn) this.#refresh(given);
    const target = given.kept;
    if (producer !== null) {
      const problem = producer.problemOf(target.name, partition, number);
      if (problem !== null) return this.#refuse(stream, noRun, target.name, partition, problem);
    }
    let problem = stream.caller?.problemOf(AclOperation.WRITE, target.name) ?? null;
    if (problem === null) {
      if (stream.overfull) problem = overfull;
      else if (target.topic === null || target.isMissing) problem = this.#missing.hold(stream, target, fields);
      else return this.#place(stream, noRun, target, target.topic, fields);
      if (problem === null) return;
    }
    producer?.refused(target.name, partition, number);
    this.#refuse(stream, noRun, target.name, partition, problem);
  }

  /** As `StreamOwner`: the shortest way, of a record that needs nothing but to be encoded behind the one before it. */
  takeNext(
    stream: PublishStream,
    target: PublishTarget,
    partition: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const { lane } = stream;
    if (lane === null || lane.turn !== this.#turn || lane.target !== target.kept) return false;
    const { open } = lane;
    const boundBytes = recordOverheadBytes + end - start + 1;
    const isNext =
      open !== null &&
      open.lastStream === stream &&
      (partition < 0 || partition === lane.partition) &&
      boundBytes <= lane.maxRecordBytes &&
      !lane.isFullFor(boundBytes) &&
      !lane.needsKey &&
      !stream.overfull;
    if (!isNext) return false;
    const sizeBytes = open.encoder.appendValue(bytes, start, end, this.#nowMs);
    this.#waiting.add(sizeBytes);
    stream.tookNext(sizeBytes);
    return true;
  }

  /** Brings `given` to how its topic stands in this turn. */
  #refresh(given: PublishTarget): void {
    const topic = this.#broker.topics.topic(given.name);
    const kept = this.#targets.get(given.name) ?? given;
    if (topic !== null) this.#targets.set(given.name, kept);
    if (kept.turn !== this.#turn) kept.refresh(topic, this.#turn);
    kept.kept = kept;
    given.kept = kept;
    given.turn = this.#turn;
  }

  /** Puts a record into its partition's open batch. `run` is the stream's that waits for it; `noRun` where it is new. */
  #place(stream: PublishStream, run: number, target: PublishTarget, topic: TopicImage, fields: RecordFields): void {
    const { key, producer, number, previousNumber } = fields;
    const chosen = partitionOf(fields, target, topic);
    const name = producer === null ? null : producer.name;
    const known = name === null ? target.lane(chosen, stream.durability) : target.namedLane(chosen, name);
    const lane = known ?? this.#addLane(target, topic, chosen, stream.durability, name);
    if (lane === null) {
      producer?.refused(target.name, fields.partition, number);
      return this.#refuse(stream, run, target.name, chosen, problemOfPartition(topic, chosen));
    }
    if (lane.turn !== this.#turn) lane.refresh(this.#turn);
    const headerBytes = encodeHeaders(fields.headers);
    const keyBytes = key === null ? 0 : key.length;
    const nameBytes = name === null ? 0 : identityBoundBytes(name);
    const valueBytes = fields.valueEnd - fields.valueStart;
    const boundBytes = recordOverheadBytes + keyBytes + valueBytes + headerBytes.length + nameBytes;
    const timeMs = fields.timestampMs < 0 ? this.#nowMs : fields.timestampMs;
    if (boundBytes > lane.maxRecordBytes || timeMs !== this.#nowMs || (key === null && lane.needsKey)) {
      const problem = problemOfRecord(lane, key, timeMs, boundBytes, this.#nowMs);
      if (problem !== null) {
        if (name !== null) lane.target.dropIfEmpty(lane);
        return this.#refuse(stream, run, target.name, chosen, problem);
      }
    }
    if (producer !== null && !this.#named.isNext(stream, run, lane, producer, number, previousNumber)) return;
    if (lane.isFullFor(boundBytes)) {
      lane.submit();
      if (key === null) target.moveOn();
    }
    const batch =
      lane.open ??
      lane.begin(
        boundBytes,
        name === null
          ? null
          : { name, epoch: producer!.epoch, firstNumber: number, lastNumber: number, previousNumber },
      );
    const before = batch.encoder.sizeBytes;
    const delta = batch.encoder.append(key, fields.value, fields.valueStart, fields.valueEnd, timeMs, headerBytes);
    if (batch.named !== null) {
      batch.named.lastNumber = number;
      lane.lastNumber = number;
    }
    const sizeBytes = batch.encoder.sizeBytes - before;
    this.#waiting.add(sizeBytes);
    if (batch.lastStream !== stream) batch.streams.push(stream);
    batch.lastStream = stream;
    if (run !== noRun) return stream.moved(run, batch.outcome, delta);
    stream.took(batch.outcome, delta, sizeBytes);
    if (name === null) stream.lane = lane;
  }

  /** As `resumeProducer`, which says what it tells; what was handed in before counts. */
  resume(producer: NamedProducer, topic: string, options: ResumeOptions = {}): Promise<ResumedProducer> {
    return resumeProducer(this.#broker, producer, topic, options, (partition, then) => {
      const lane = this.target(topic).namedLane(partition, producer.name);
      if (lane === undefined) then();
      else this.#named.flush(lane, then);
    });
  }

  tellSoon(stream: PublishStream): void {
    if (stream.telling) return;
    stream.telling = true;
    this.#toTell.push(stream);
    if (this.#toTell.length === 1) queueMicrotask(() => this.#tell());
  }

  wakeLater(stream: PublishStream): void {
    this.#waiting.wakeLater(stream);
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

  #startTurn(): void {
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    this.#nowMs = this.#broker.clock.nowMs();
    this.#broker.clock.afterTurn(() => this.#endTurn());
  }

  #endTurn(): void {
    this.#turnScheduled = false;
    this.#turn++;
    const lanes = this.#lanes;
    this.#lanes = [];
    for (const lane of lanes) {
      if (lane.open === null) continue;
      // While earlier ones wait for room a batch may as well grow.
      const mayGrow = lane.waiting > 0 && lane.open.encoder.sizeBytes < targetBatchBytes;
      if (mayGrow && !this.#closed) this.#lanes.push(lane);
      else lane.submit();
    }
  }

  #addLane(
    target: PublishTarget,
    topic: TopicImage,
    partition: number,
    durability: Durability,
    name: string | null,
  ): PublishLane | null {
    const found = isInternalTopic(topic.name) ? null : this.#broker.findPartition(topic, partition);
    if (found === null) return null;
    const lane = new PublishLane(this.#laneOwner, target, found.log, durability, name);
    target.addLane(lane);
    return lane;
  }

  #refuse(stream: PublishStream, run: number, topic: string, partition: number, { errorCode, message }: Problem): void {
    const outcome = new PublishOutcome(topic, partition);
    outcome.failed(errorCode, message);
    if (run === noRun) stream.took(outcome, 0, 0, false);
    else stream.moved(run, outcome, 0);
    this.tellSoon(stream);
  }
}

function partitionOf({ partition, key, producer }: RecordFields, target: PublishTarget, topic: TopicImage): number {
  if (partition >= 0) return partition;
  return producer === null ? target.choose(key, topic) : producer.partitionOf(topic.partitionCount);
}
