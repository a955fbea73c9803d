/**
 * What exists: topics with their ids, partitions and settings, changed broker settings, and the next block of producer
 * ids. Rebuilt by applying the metadata log's keyed records in order; `snapshot` is the shortest list that rebuilds it.
 * I/O thread.
 *
 *   key    ["topic", name] · ["broker-config", "" or node id] · ["producer-ids"] · [kind of a part, …]
 *   value  {"version": 1, …}, or null: gone
 *
 * The parts keep what else there is, each its own kind. It does not write the log (state-log.ts) nor open partitions
 * (broker.ts); how keys and values are written stands in metadata-record.ts.
 */

import { parseUuid, type Uuid } from '../base/uuid.ts';
import { FeatureLevels } from './feature-levels.ts';
import type { KeyedRecord } from './keyed-batch.ts';
import {
  corrupt,
  fieldsOf,
  integerField,
  json,
  newer,
  parseJson,
  recordVersion as version,
  textsField,
  type Fields,
  type ImagePart,
} from './metadata-record.ts';
import { QuotaImage } from './quotas/quota-image.ts';
import { ResourceConfigs } from './resource-configs.ts';
import { ScramCredentials } from './scram-credentials.ts';
import { collisionKey } from './topic-name.ts';

export interface TopicImage {
  readonly name: string;
  readonly id: Uuid;
  readonly partitionCount: number;
  /** The topic's own settings, checked. */
  readonly configs: ReadonlyMap<string, string>;
}

const none: ReadonlyMap<string, string> = new Map();

export class MetadataImage {
  readonly features = new FeatureLevels();
  readonly quotas = new QuotaImage();
  readonly scramCredentials = new ScramCredentials();
  readonly groupConfigs = new ResourceConfigs('group-config');
  readonly clientMetrics = new ResourceConfigs('client-metrics');
  readonly #topics = new Map<string, TopicImage>();
  readonly #topicsById = new Map<Uuid, TopicImage>();
  readonly #namesByCollisionKey = new Map<string, Set<string>>();
  readonly #brokerConfigs = new Map<string, ReadonlyMap<string, string>>();
  readonly #parts: ReadonlyMap<string, ImagePart> = new Map<string, ImagePart>(
    [this.features, this.quotas, this.scramCredentials, this.groupConfigs, this.clientMetrics].map((part) => [
      part.kind,
      part,
    ]),
  );
  #nextProducerId = 0;
  #partitionCount = 0;

  get topicCount(): number {
    return this.#topics.size;
  }

  /** The partitions of all topics together. */
  get partitionCount(): number {
    return this.#partitionCount;
  }

  /** The first producer id of the next block. */
  get nextProducerId(): number {
    return this.#nextProducerId;
  }

  topic(name: string): TopicImage | null {
    return this.#topics.get(name) ?? null;
  }

  topicById(id: Uuid): TopicImage | null {
    return this.#topicsById.get(id) ?? null;
  }

  topics(): IterableIterator<TopicImage> {
    return this.#topics.values();
  }

  /** A topic that exists and whose name differs from `name` only in dots and underscores, or null. */
  collidingTopic(name: string): string | null {
    for (const other of this.#namesByCollisionKey.get(collisionKey(name)) ?? []) if (other !== name) return other;
    return null;
  }

  /** Changed broker settings, for the node with this id, or for all nodes (an empty text). */
  brokerConfigs(node: string): ReadonlyMap<string, string> {
    return this.#brokerConfigs.get(node) ?? none;
  }

  /**
   * Takes over one record. Throws `EnvironmentError`: DATA_CORRUPT where it cannot be read, DATA_DIRECTORY_NEWER where
   * a newer Millrace wrote it.
   */
  apply(record: KeyedRecord): void {
    const key = parseJson(record.key);
    if (!Array.isArray(key) || !key.every((part): part is string => typeof part === 'string')) throw corrupt('a key');
    const [kind, name] = key;
    const part = kind === undefined ? undefined : this.#parts.get(kind);
    const value = record.value === null ? null : fieldsOf(record.value);
    if (kind === 'topic' && name !== undefined) this.#applyTopic(name, value);
    else if (kind === 'broker-config' && name !== undefined) this.#applyBrokerConfig(name, value);
    else if (part !== undefined) part.apply(key.slice(1), value);
    else if (kind === 'producer-ids') this.#nextProducerId = value === null ? 0 : integerField(value, 'next');
    else throw newer(`records of the kind ${JSON.stringify(kind)}`);
  }

  /** The records that rebuild this image. */
  *snapshot(): Generator<KeyedRecord> {
    if (this.#nextProducerId > 0) yield producerIdsRecord(this.#nextProducerId);
    for (const [node, configs] of this.#brokerConfigs) yield brokerConfigRecord(node, configs);
    for (const part of this.#parts.values()) yield* part.snapshot();
    for (const topic of this.#topics.values()) yield topicRecord(topic);
  }

  #applyTopic(name: string, value: Fields | null): void {
    const before = this.#topics.get(name);
    if (before !== undefined) this.#forget(before);
    if (value === null) return;
    const id = typeof value['id'] === 'string' ? parseUuid(value['id']) : null;
    if (id === null) throw corrupt(`the id of topic ${name}`);
    const partitionCount = integerField(value, 'partitions');
    const topic: TopicImage = { name, id, partitionCount, configs: textsField(value, 'configs') };
    this.#topics.set(name, topic);
    this.#topicsById.set(id, topic);
    this.#partitionCount += partitionCount;
    const collision = collisionKey(name);
    const names = this.#namesByCollisionKey.get(collision) ?? new Set();
    this.#namesByCollisionKey.set(collision, names.add(name));
  }

  #forget(topic: TopicImage): void {
    this.#topics.delete(topic.name);
    this.#topicsById.delete(topic.id);
    this.#partitionCount -= topic.partitionCount;
    const collision = collisionKey(topic.name);
    const names = this.#namesByCollisionKey.get(collision);
    names?.delete(topic.name);
    if (names?.size === 0) this.#namesByCollisionKey.delete(collision);
  }

  #applyBrokerConfig(node: string, value: Fields | null): void {
    if (value === null) this.#brokerConfigs.delete(node);
    else this.#brokerConfigs.set(node, textsField(value, 'configs'));
  }
}

/** Says that the topic exists as given. */
export function topicRecord(topic: TopicImage): KeyedRecord {
  return {
    key: json(['topic', topic.name]),
    value: json({
      version,
      id: topic.id,
      partitions: topic.partitionCount,
      configs: Object.fromEntries(topic.configs),
    }),
  };
}

/** Says that the topic is gone. */
export function topicRemovedRecord(name: string): KeyedRecord {
  return { key: json(['topic', name]), value: null };
}

/** Says which broker settings were changed: for the node with this id, or for all nodes (an empty text). */
export function brokerConfigRecord(node: string, configs: ReadonlyMap<string, string>): KeyedRecord {
  const value = configs.size === 0 ? null : json({ version, configs: Object.fromEntries(configs) });
  return { key: json(['broker-config', node]), value };
}

/** Says that producer ids below `next` may have been given. */
export function producerIdsRecord(next: number): KeyedRecord {
  return { key: json(['producer-ids']), value: json({ version, next }) };
}
