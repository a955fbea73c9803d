/**
 * Requests that bring one record: those for one topic with one durability share a stream, so that nothing but the
 * response is made for each. I/O thread.
 *
 *   request ─► stream of (topic, durability) ─► told in order ─► the request that waits longest is answered
 */

import { present } from '../../base/assert.ts';
import { ErrorCode } from '../../base/error-code.ts';
import type { Offset } from '../../base/numbers.ts';
import type { Broker } from '../../broker/broker.ts';
import type { PublishListener, PublishStream } from '../../gateway/publish-stream.ts';
import type { PublishTarget } from '../../gateway/publish-target.ts';
import type { RecordPublisher } from '../../gateway/record-publisher.ts';
import type { Durability } from '../../storage/partition-log.ts';
import type { RecordArguments } from './record-arguments.ts';
import type { RecordDraft } from './record-shape.ts';

/** Hears what became of its one record. */
export interface SingleListener {
  /** It was stored before; -1 where its offset is not known any more. */
  duplicate(topic: string, partition: number, offset: Offset): void;
  stored(topic: string, partition: number, offset: Offset): void;
  failed(errorCode: ErrorCode, message: string): void;
}

/** What all requests for one topic may have on its way, in bytes; beyond four times as much they are refused. */
const waitingBytes = 16 * 1024 * 1024;

class Lane implements PublishListener {
  readonly target: PublishTarget;
  readonly stream: PublishStream;
  readonly #gone: () => void;
  /** Oldest first; what was told is null, because what it holds would live as long as this array. */
  #waiting: (SingleListener | null)[] = [];
  #first = 0;

  /** `gone` is called when nothing may be handed in any more. */
  constructor(publisher: RecordPublisher, topic: string, durability: Durability, gone: () => void) {
    this.#gone = gone;
    this.target = publisher.target(topic);
    this.stream = publisher.openStream(this, { durability, maxWaitingBytes: waitingBytes });
  }

  /** Who hears of the record that was handed in last. */
  add(listener: SingleListener): void {
    this.#waiting.push(listener);
  }

  stored(_first: number, count: number, topic: string, partition: number, baseOffset: Offset): void {
    for (let i = 0; i < count; i++) this.#next().stored(topic, partition, (baseOffset + i) as Offset);
  }

  duplicate(_first: number, count: number, topic: string, partition: number, baseOffset: Offset): void {
    for (let i = 0; i < count; i++) this.#next().duplicate(topic, partition, (baseOffset + i) as Offset);
  }

  failed(_first: number, count: number, errorCode: ErrorCode, message: string): void {
    for (let i = 0; i < count; i++) this.#next().failed(errorCode, message);
  }

  broken(): void {
    this.#gone();
    const waiting = this.#waiting.slice(this.#first);
    this.#waiting = [];
    this.#first = 0;
    const message = 'Whether the record was stored could not be told, by a defect; the log of the broker says more.';
    for (const listener of waiting) listener?.failed(ErrorCode.UNKNOWN_SERVER_ERROR, message);
  }

  #next(): SingleListener {
    const listener = present(this.#waiting[this.#first] ?? null, 'each record that is told of has a listener');
    this.#waiting[this.#first] = null;
    this.#first++;
    if (this.#first === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#first = 0;
    } else if (this.#first > 1024 && this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return listener;
  }
}

export class SingleRecords {
  readonly #broker: Broker;
  readonly #publisher: RecordPublisher;
  readonly #lanes: Readonly<Record<Durability, Map<string, Lane>>> = {
    none: new Map(),
    written: new Map(),
    synced: new Map(),
  };

  constructor(broker: Broker, publisher: RecordPublisher) {
    this.#broker = broker;
    this.#publisher = publisher;
    // What waits in a lane is answered all the same.
    broker.topics.onDeleted(({ name }) => {
      for (const lanes of Object.values(this.#lanes)) lanes.delete(name);
    });
  }

  /** Publishes one record, whose bytes are copied. `listener` is told later, once. */
  publish(
    topic: string,
    { durability, producer }: RecordArguments,
    draft: RecordDraft,
    listener: SingleListener,
  ): void {
    const lane = this.#lane(topic, durability);
    const { stream, target } = lane;
    const { partition, key, value, timestampMs, headers } = draft;
    if (producer === null) {
      const isValueAlone = value !== null && key === null && headers === null && timestampMs < 0;
      if (isValueAlone) stream.publishSlice(target, partition, value, 0, value.length);
      else stream.publish(target, partition, key, value, timestampMs, headers);
      return lane.add(listener);
    }
    const { firstNumber, previousNumber } = producer;
    const named = this.#publisher.producers.get(producer.name, producer.epoch);
    stream.publishNamed(named, firstNumber, previousNumber, target, partition, key, value, timestampMs, headers);
    lane.add(listener);
  }

  #lane(topic: string, durability: Durability): Lane {
    const lanes = this.#lanes[durability];
    const known = lanes.get(topic);
    if (known !== undefined) return known;
    const lane: Lane = new Lane(this.#publisher, topic, durability, () => {
      if (lanes.get(topic) === lane) lanes.delete(topic);
    });
    // A name that no topic has is nothing to keep: there is no end to them.
    if (this.#broker.topics.topic(topic) !== null) lanes.set(topic, lane);
    return lane;
  }
}
