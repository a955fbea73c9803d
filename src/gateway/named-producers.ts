/**
 * Named producers for every door but Kafka's, whose clients have the idempotent producer: records with a name and a
 * number are stored once, however often they are sent, through whatever door. I/O thread.
 *
 * The contract, which a door passes on: a producer has a name, and numbers its records strictly upwards in each
 * partition, from 0 to 2^53 - 1, with gaps as it likes. What it was not told of it sends again, in the order of its
 * numbers; what is stored already is told so and not stored twice. After a cut it asks (`resume`) for the last number
 * stored and goes on behind it. The partition is the one it gives, or else the one that a hash of its name fixes: the same
 * as a Kafka client's key would get, as long as the topic has as many partitions.
 *
 * How a door uses it:
 *
 *   const problem = problemOfIdentity(name, number);                     // of what came from outside, as a sentence
 *   const producer = new NamedProducer(name);                            // one a connection, or a request, and name
 *   const { lastNumber } = await gateway.resume(producer, 'orders');     // where the client asks; else left out
 *   producer.beginSubmission();                                          // before each message or body
 *   stream.publishNamed(producer, number, null, target, -1, key, value);
 *
 * and its `PublishListener` hears in the stream's order, as of all records: `stored`; `duplicate`, whose offset is -1 where
 * it is not known any more (`stored` is called so where there is no `duplicate`); `failed` with
 *   OUT_OF_ORDER_SEQUENCE_NUMBER  a number is not above the one before it in the same submission, or above one that was
 *                                 refused and has not come again, or does not follow `previousNumber`
 *   PRODUCER_FENCED               another took over with a higher epoch (`resume` with `takeover`): give up
 *   THROTTLING_QUOTA_EXCEEDED     too much waits, or there are too many names: send it again later
 * and any other error as of other records. After an error that passes (`KAFKA_STORAGE_ERROR`, the throttling) no later
 * number is stored until the refused one came again or the client asked; after one that says what is wrong with the record
 * itself (`MESSAGE_TOO_LARGE`) its number is given up, and the record, once it is right, gets a new one.
 *
 * Several connections may use a name at once; what comes first is first. The decisions stand behind `PartitionLog.append`.
 */

import { ErrorCode, errorName } from '../base/error-code.ts';
import { AclOperation } from '../broker/authorizer.ts';
import type { Broker } from '../broker/broker.ts';
import { isInternalTopic } from '../broker/topic-name.ts';
import { partitionOfKey } from '../records/murmur2.ts';
import { isProducerName, isRecordNumber, largestRecordNumber, longestProducerName } from '../records/named-records.ts';
import type { Durability } from '../storage/partition-log.ts';
import type { Caller } from './caller.ts';
import { ensureTopic, type Problem } from './topic-creation.ts';

/** Refused numbers that one connection's producer remembers, of different partitions. */
const maxRefused = 1000;
const maxCached = 10_000;
const utf8 = new TextEncoder();

/** What is wrong with a name and number from outside, as a sentence; null where they are allowed. */
export function problemOfIdentity(name: unknown, number: unknown): string | null {
  if (typeof name !== 'string' || !isProducerName(name)) {
    return `A producer's name has 1 to ${longestProducerName} visible ASCII characters, and no spaces.`;
  }
  if (typeof number !== 'number' || !isRecordNumber(number)) {
    return `The number of a record is a whole number from 0 to ${largestRecordNumber}.`;
  }
  return null;
}

/** One connection's or request's use of a name. */
export class NamedProducer {
  readonly name: string;
  /** From 0 to 32,767; changed by `resume`. */
  epoch: number;
  readonly #nameBytes: Uint8Array;
  /** The last number of the submission, by topic and partition. */
  readonly #submitted = new Map<string, number>();
  /** The smallest number that was refused before a log saw it and has not come again, by topic and partition. */
  readonly #refused = new Map<string, number>();

  /** `name` is allowed (`problemOfIdentity`). */
  constructor(name: string, epoch = 0) {
    this.name = name;
    this.epoch = epoch;
    this.#nameBytes = utf8.encode(name);
  }

  /** The numbers from here on are compared with each other, and no more with those before. */
  beginSubmission(): void {
    if (this.#submitted.size > 0) this.#submitted.clear();
  }

  /** The partition that the name has in a topic of so many. */
  partitionOf(partitionCount: number): number {
    return partitionOfKey(this.#nameBytes, partitionCount);
  }

  /** Publisher: why `number` may not be sent now; null where it may. `partition` is as the sender gave it. */
  problemOf(topic: string, partition: number, number: number): Problem | null {
    if (!isRecordNumber(number)) {
      const message = `The number of a record is at most ${largestRecordNumber}; producer ${this.name} sent ${number}.`;
      return { errorCode: ErrorCode.INVALID_RECORD, message };
    }
    const place = `${partition} ${topic}`;
    const before = this.#submitted.get(place) ?? -1;
    if (number <= before) {
      return outOfOrder(
        `Producer ${this.name} sent number ${number} behind ${before} in one submission, where numbers rise.`,
      );
    }
    this.#submitted.set(place, number);
    const refused = this.#refused.get(place) ?? Infinity;
    if (number > refused) {
      return outOfOrder(
        `Producer ${this.name} sent number ${number}, and ${refused} before it was not stored: send that first, or ask for the last number stored and go on from there.`,
      );
    }
    if (refused !== Infinity) this.#refused.delete(place);
    return null;
  }

  /** Publisher: `number` was refused, though it may be taken later. */
  refused(topic: string, partition: number, number: number): void {
    const place = `${partition} ${topic}`;
    if ((this.#refused.get(place) ?? Infinity) <= number) return;
    if (this.#refused.size >= maxRefused) this.#refused.delete(this.#refused.keys().next().value!);
    this.#refused.set(place, number);
  }

  /** The producer is told its last number. */
  resumed(topic: string, epoch: number): void {
    this.epoch = epoch;
    for (const place of this.#refused.keys()) if (place.endsWith(` ${topic}`)) this.#refused.delete(place);
  }
}

/**
 * Producers of those who have no connection of their own: requests with one name share what is known of refused numbers.
 * The names that came last are kept.
 */
export class NamedProducerCache {
  readonly #producers = new Map<string, NamedProducer>();

  /** The producer, at the beginning of a submission. */
  get(name: string, epoch: number): NamedProducer {
    const producer = this.#producers.get(name) ?? new NamedProducer(name);
    this.#producers.delete(name);
    this.#producers.set(name, producer);
    if (this.#producers.size > maxCached) this.#producers.delete(this.#producers.keys().next().value!);
    producer.epoch = epoch;
    producer.beginSubmission();
    return producer;
  }
}

export interface ResumeOptions {
  /** -1, or left out: the one that the name fixes. */
  readonly partition?: number;
  /** Fences whoever uses the name so far. */
  readonly takeover?: boolean;
  /** How durable the last number has to be that is told; by default `synced`. */
  readonly durability?: Durability;
  /** Who asks; null, or left out, where the broker's own process does. */
  readonly caller?: Caller | null;
}

/** Where a producer goes on. Unless `errorCode` is NONE `message` is a sentence. */
export interface ResumedProducer {
  readonly errorCode: ErrorCode;
  readonly message: string | null;
  readonly partition: number;
  /** -1 where none is stored, or none is known any more. */
  readonly lastNumber: number;
  readonly epoch: number;
}

/**
 * Tells `producer` the last number stored in its partition of `topic`, once that is as durable as asked, and gives it the
 * epoch that holds, or with `takeover` the next. The topic is created where naming it creates it. `flush` hands to the log
 * what waits of the name and then calls back. Never rejects.
 */
export async function resumeProducer(
  broker: Broker,
  producer: NamedProducer,
  topicName: string,
  { partition = -1, takeover = false, durability = 'synced', caller = null }: ResumeOptions,
  flush: (partition: number, then: () => void) => void,
): Promise<ResumedProducer> {
  const refused = ({ errorCode, message }: Problem): ResumedProducer => {
    return { errorCode, message, partition, lastNumber: -1, epoch: -1 };
  };
  const problem = caller?.problemOf(AclOperation.WRITE, topicName) ?? (await ensureTopic(broker, topicName, caller));
  if (problem !== null) return refused(problem);
  const topic = broker.topics.topic(topicName);
  const chosen = partition >= 0 || topic === null ? partition : producer.partitionOf(topic.partitionCount);
  const found = isInternalTopic(topicName) ? null : broker.findPartition(topic, chosen);
  if (found === null) {
    const message = `The topic ${topicName} has no partition ${chosen} to write to.`;
    return refused({ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message });
  }
  return new Promise((resolve) => {
    flush(chosen, () => {
      const epoch = takeover ? 'takeover' : -1;
      found.log.resume(producer.name, epoch, durability, (result) => {
        const { errorCode, errorMessage } = result;
        if (errorCode !== ErrorCode.NONE) {
          const message = errorMessage ?? `The producer cannot go on: ${errorName(errorCode)}.`;
          return resolve({ ...refused({ errorCode, message }), partition: chosen });
        }
        producer.resumed(topicName, result.epoch);
        const { lastNumber } = result;
        resolve({ errorCode, message: null, partition: chosen, lastNumber, epoch: result.epoch });
      });
    });
  });
}

export function outOfOrder(message: string): Problem {
  return { errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, message };
}
