/**
 * What members of a group tell each other through the broker, which does not read it: the consumer protocol (KIP-429,
 * KIP-792, KIP-881 for versions 1 to 3). Any thread; functions without state.
 *
 *   subscription  i16 version │ [topic string] │ user data bytes? │ 1+: owned [topic, [i32]] │ 2+: generation i32 │ 3+: rack string?
 *   assignment    i16 version │ [topic string, [i32 partition]] │ user data bytes?
 *
 * Later versions only add at the end, so whoever reads takes what it knows.
 */

import { Reader } from '../protocol/reader.ts';
import { Writer } from '../protocol/writer.ts';
import { joined } from './compression.ts';
import { byTopic, type TopicPartition } from './offsets.ts';

export interface Subscription {
  readonly topics: readonly string[];
  /** What the member owns at the time; for assignors that leave it there. */
  readonly owned: readonly TopicPartition[];
  /** The generation in which it got that; -1 for none. */
  readonly generationId: number;
}

const subscriptionVersion = 2;
const leastTopicBytes = 2;
const leastPartitionsBytes = 6;

export function encodeSubscription({ topics, owned, generationId }: Subscription): Uint8Array {
  const writer = new Writer(false);
  writer.int16(subscriptionVersion);
  writer.count(topics.length);
  for (const topic of topics) writer.string(topic);
  writer.nullableBytes(null);
  writePartitions(writer, owned);
  writer.int32(generationId);
  return finished(writer);
}

/** Throws `MalformedFrame` for what is none. */
export function decodeSubscription(bytes: Uint8Array): Subscription {
  const reader = new Reader(bytes);
  const version = reader.int16();
  const topics: string[] = [];
  for (let left = reader.count(leastTopicBytes); left > 0; left--) topics.push(reader.string());
  reader.nullableBytes();
  const owned = version >= 1 ? readPartitions(reader) : [];
  return { topics, owned, generationId: version >= 2 ? reader.int32() : -1 };
}

export function encodeAssignment(partitions: readonly TopicPartition[]): Uint8Array {
  const writer = new Writer(false);
  writer.int16(0);
  writePartitions(writer, partitions);
  writer.nullableBytes(null);
  return finished(writer);
}

/** Throws `MalformedFrame` for what is none. No bytes at all are no partitions. */
export function decodeAssignment(bytes: Uint8Array): TopicPartition[] {
  if (bytes.length === 0) return [];
  const reader = new Reader(bytes);
  reader.int16();
  return readPartitions(reader);
}

function writePartitions(writer: Writer, partitions: readonly TopicPartition[]): void {
  const topics = byTopic(partitions);
  writer.count(topics.size);
  for (const [topic, own] of topics) {
    writer.string(topic);
    writer.count(own.length);
    for (const { partition } of own) writer.int32(partition);
  }
}

function readPartitions(reader: Reader): TopicPartition[] {
  const partitions: TopicPartition[] = [];
  for (let topicsLeft = reader.count(leastPartitionsBytes); topicsLeft > 0; topicsLeft--) {
    const topic = reader.string();
    for (let left = reader.count(4); left > 0; left--) partitions.push({ topic, partition: reader.int32() });
  }
  return partitions;
}

function finished(writer: Writer): Uint8Array {
  const { length } = writer;
  return joined(writer.finish(), length);
}
