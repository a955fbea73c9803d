/**
 * Topics and records for code in the broker's own process, without a socket. I/O thread. Types of keys and values come
 * from serializers.
 */

import { ErrorCode } from '../base/error-code.ts';
import { bytes, text, type Serializer } from '../records/serializers.ts';
import type { RecordHeader } from '../records/record-reader.ts';
import { messageOf, type ChangeResult } from '../broker/topic-catalog.ts';
import type { Durability } from '../storage/partition-log.ts';
import { BrokerError } from './broker-error.ts';
import type { Gateway } from './gateway.ts';
import { RecordIterator, type ConsumeOptions } from './record-iterator.ts';
import type { PublishedRecord, RecordToPublish } from './record-publisher.ts';

/** A record to produce. Absent is null; a null value is a tombstone. */
export interface ProducedRecord<K, V> {
  readonly key?: K | null;
  readonly value?: V | null;
  readonly headers?: readonly RecordHeader[] | Readonly<Record<string, string | Uint8Array | null>>;
  /** Default: by the key as Kafka's Java client has it, else any. */
  readonly partition?: number;
  /** In milliseconds since 1970; default: now. */
  readonly timestampMs?: number;
}

export interface ProduceOptions<K, V> {
  /** Default: strings become UTF-8, and bytes stay what they are. */
  readonly key?: Serializer<K>;
  readonly value?: Serializer<V>;
  /** What `produce` waits for: stored durably (`all`), written (1), nothing but its place (0). Default: `all`. */
  readonly acks?: 'all' | 1 | 0;
}

/** Where a record is. */
export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface TopicOptions {
  /** Default: `num.partitions` of the broker. */
  readonly partitions?: number;
  /** By Kafka's names, such as `cleanup.policy`. */
  readonly configs?: Readonly<Record<string, string>>;
}

const durabilities = { all: 'synced', 1: 'written', 0: 'none' } as const satisfies Record<string, Durability>;

/** Strings and bytes, for those who give no serializer. */
const plain: Serializer<string | Uint8Array> = {
  serialize: (value) => (typeof value === 'string' ? text.serialize(value) : value),
  deserialize: (value) => bytes.deserialize(value),
};

export class EmbeddedClient {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** Creates a topic. Rejects with `BrokerError`, such as TOPIC_ALREADY_EXISTS. */
  async createTopic(name: string, { partitions = -1, configs = {} }: TopicOptions = {}): Promise<void> {
    const spec = { name, partitionCount: partitions, replicationFactor: -1, configs: Object.entries(configs) };
    throwIfFailed(await this.#gateway.broker.topics.create(spec));
  }

  /** Deletes a topic and its records. Rejects with `BrokerError` UNKNOWN_TOPIC_OR_PARTITION where there is none. */
  async deleteTopic(name: string): Promise<void> {
    const { topics } = this.#gateway.broker;
    const topic = topics.topic(name);
    if (topic === null) throw noSuchTopic(name);
    throwIfFailed(await topics.delete(topic.id));
  }

  /** Produces records and resolves with the place of each. Rejects with `BrokerError`, which names those that failed. */
  async produce<K = string | Uint8Array, V = string | Uint8Array>(
    topic: string,
    records: readonly ProducedRecord<K, V>[],
    options: ProduceOptions<K, V> = {},
  ): Promise<RecordPlace[]> {
    const key = options.key ?? (plain as Serializer<never> as Serializer<K>);
    const value = options.value ?? (plain as Serializer<never> as Serializer<V>);
    const raw = records.map((record) => serialized(record, key, value));
    const published = await this.#gateway.publisher.publish(topic, raw, durabilities[options.acks ?? 'all']);
    throwIfAnyFailed(published);
    return published.map(({ partition, offset }) => ({ topic, partition, offset }));
  }

  /**
   * The records of a topic, partition by partition in order, from the first on and as they come. The topic is created
   * where it is missing and the broker creates topics by itself. A loop over them throws a `BrokerError` where the topic is
   * missing or deleted, or the position is not in it.
   */
  consume<K = Uint8Array, V = Uint8Array>(topic: string, options: ConsumeOptions<K, V> = {}): RecordIterator<K, V> {
    return new RecordIterator(this.#gateway.feeds, topic, options, bytes);
  }

  /** Deletes all topics, groups and changed settings: the broker is as it was when it started. Connections stay. */
  async reset(): Promise<void> {
    const { broker } = this.#gateway;
    throwIfFailed(await broker.topics.deleteAll());
    throwIfFailed({ errorCode: await broker.groups.deleteAll(), message: null });
    const nodeId = String(broker.nodeId);
    for (const node of ['', nodeId]) {
      if (broker.topics.image.brokerConfigs(node).size === 0) continue;
      throwIfFailed(await broker.topics.alterBrokerConfigs(node, nodeId, () => new Map(), false));
    }
  }
}

function serialized<K, V>(record: ProducedRecord<K, V>, key: Serializer<K>, value: Serializer<V>): RecordToPublish {
  const { headers, partition, timestampMs } = record;
  return {
    key: record.key === undefined || record.key === null ? null : key.serialize(record.key),
    value: record.value === undefined || record.value === null ? null : value.serialize(record.value),
    ...(headers === undefined ? {} : { headers: headersOf(headers) }),
    ...(partition === undefined ? {} : { partition }),
    ...(timestampMs === undefined ? {} : { timestampMs }),
  };
}

function headersOf(headers: NonNullable<ProducedRecord<unknown, unknown>['headers']>): readonly RecordHeader[] {
  if (Array.isArray(headers)) return headers as readonly RecordHeader[];
  return Object.entries(headers as Readonly<Record<string, string | Uint8Array | null>>).map(([key, value]) => ({
    key,
    value: value === null ? null : plain.serialize(value),
  }));
}

function throwIfAnyFailed(published: readonly PublishedRecord[]): void {
  const failed = [...published.keys()].filter((i) => published[i]!.errorCode !== ErrorCode.NONE);
  const first = failed[0];
  if (first === undefined) return;
  const { errorCode, message } = published[first]!;
  throw new BrokerError(errorCode, message ?? '', failed);
}

function throwIfFailed(result: ChangeResult): void {
  if (result.errorCode !== ErrorCode.NONE) throw new BrokerError(result.errorCode, messageOf(result) ?? '');
}

function noSuchTopic(name: string): BrokerError {
  return new BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `There is no topic ${name}.`);
}
