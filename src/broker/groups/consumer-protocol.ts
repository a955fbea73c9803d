/**
 * What the broker reads and writes of the consumers' own protocol, which in classic groups is between the members: it
 * knows who subscribes to a topic, and members of both protocols can be in one group (consumer/migration.ts). Any thread.
 *
 *   subscription   version int16 · topics array of string · user data bytes? ·                              (KIP-429)
 *                  from 1: owned array of (topic string · partitions array of int32) ·
 *                  from 2: generation int32 · from 3: rack string?
 *   assignment     version int16 · array of (topic string · partitions array of int32) · user data bytes?
 */

import { MalformedFrame, Reader } from '../../protocol/reader.ts';
import { Writer } from '../../protocol/writer.ts';

/** The protocol type of groups of consumers; connect workers and others have their own. */
export const consumerProtocolType = 'consumer';

/** Partitions of one topic. */
export interface NamedPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

export interface Subscription {
  /** At most the newest that is known here. */
  readonly version: number;
  readonly topics: readonly string[];
  /** Empty before version 1. */
  readonly owned: readonly NamedPartitions[];
  readonly rackId: string | null;
}

export interface Assignment {
  readonly partitions: readonly NamedPartitions[];
  readonly hasUserData: boolean;
}

const minStringBytes = 2;
const minPartitionsBytes = 6;
const partitionBytes = 4;
const newestVersion = 3;

/** The topics of a subscription, or null where the bytes are not one. */
export function subscribedTopicsOf(subscription: Uint8Array): string[] | null {
  return whole(subscription, (reader) => {
    reader.int16();
    return readTopics(reader);
  });
}

/** All of a subscription, or null where the bytes are not one. */
export function readSubscription(bytes: Uint8Array): Subscription | null {
  return whole(bytes, (reader) => {
    const version = Math.min(reader.int16(), newestVersion);
    if (version < 0) throw new MalformedFrame('a subscription has a version below 0');
    const topics = readTopics(reader);
    reader.nullableBytes();
    const owned = version >= 1 ? readPartitions(reader) : [];
    if (version >= 2) reader.int32();
    const rackId = version >= 3 ? reader.nullableString() : null;
    return { version, topics, owned, rackId };
  });
}

/** An assignment, or null where the bytes are not one. No bytes at all are no partitions. */
export function readAssignment(bytes: Uint8Array): Assignment | null {
  if (bytes.length === 0) return { partitions: [], hasUserData: false };
  return whole(bytes, (reader) => {
    reader.int16();
    const partitions = readPartitions(reader);
    const userData = reader.nullableBytes();
    return { partitions, hasUserData: userData !== null && userData.length > 0 };
  });
}

/** An assignment in the version of the subscription that it answers. */
export function encodeAssignment(version: number, partitions: readonly NamedPartitions[]): Uint8Array {
  const writer = new Writer(false);
  writer.int16(version);
  writer.count(partitions.length);
  for (const { topic, partitions: indexes } of partitions) {
    writer.string(topic);
    writer.count(indexes.length);
    for (const partition of indexes) writer.int32(partition);
  }
  writer.nullableBytes(null);
  return new Uint8Array(Buffer.concat(writer.finish()));
}

function readTopics(reader: Reader): string[] {
  const topics: string[] = [];
  for (let left = reader.count(minStringBytes); left > 0; left--) topics.push(reader.string());
  return topics;
}

function readPartitions(reader: Reader): NamedPartitions[] {
  const all: NamedPartitions[] = [];
  for (let left = reader.count(minPartitionsBytes); left > 0; left--) {
    const topic = reader.string();
    const partitions: number[] = [];
    for (let more = reader.count(partitionBytes); more > 0; more--) partitions.push(reader.int32());
    all.push({ topic, partitions });
  }
  return all;
}

function whole<T>(bytes: Uint8Array, fields: (reader: Reader) => T): T | null {
  try {
    return fields(new Reader(bytes));
  } catch (error) {
    if (error instanceof MalformedFrame) return null;
    throw error;
  }
}
