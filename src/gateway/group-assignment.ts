/**
 * What a consumer of a group tells the others, and who of them reads what: the consumer protocol (KIP-429 and before) and
 * the assignors that Kafka's clients offer by default. Any thread; functions without state.
 *
 *   subscription  i16 version │ [topic string] │ user data bytes?
 *   assignment    i16 version │ [topic string, [i32 partition]] │ user data bytes?
 *
 * Later versions only add at the end, so whoever reads takes what it knows.
 */

import { subscribedTopicsOf } from '../broker/groups/consumer-protocol.ts';
import { MalformedFrame, Reader } from '../protocol/reader.ts';
import { Writer } from '../protocol/writer.ts';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A member as the leader sees it. */
export interface SubscribedMember {
  readonly memberId: string;
  readonly topics: readonly string[];
}

type Assign = (
  members: readonly SubscribedMember[],
  partitionCounts: ReadonlyMap<string, number>,
) => Map<string, TopicPartition[]>;

const version = 0;
const leastPartitionsBytes = 6;
const partitionBytes = 4;

/**
 * By their names in the protocol: the first is Java's and librdkafka's, the second librdkafka's and Java's too, the third
 * kafkajs's for the same. Whoever is in a group with one of them has to know what it knows.
 */
export const assignors: ReadonlyMap<string, Assign> = new Map([
  ['range', assignRanges],
  ['roundrobin', assignInTurn],
  ['RoundRobinAssigner', assignInTurn],
]);

export function encodeSubscription(topics: readonly string[]): Uint8Array {
  const writer = new Writer(false);
  writer.int16(version);
  writer.count(topics.length);
  for (const topic of topics) writer.string(topic);
  writer.nullableBytes(null);
  return finished(writer);
}

/** The topics of a subscription; none where the bytes are not one: that member then reads nothing. */
export function decodeSubscription(bytes: Uint8Array): readonly string[] {
  return subscribedTopicsOf(bytes) ?? [];
}

export function encodeAssignment(partitions: readonly TopicPartition[]): Uint8Array {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const own = byTopic.get(topic);
    if (own === undefined) byTopic.set(topic, [partition]);
    else own.push(partition);
  }
  const writer = new Writer(false);
  writer.int16(version);
  writer.count(byTopic.size);
  for (const [topic, own] of byTopic) {
    writer.string(topic);
    writer.count(own.length);
    for (const partition of own) writer.int32(partition);
  }
  writer.nullableBytes(null);
  return finished(writer);
}

/** What a leader assigned; null where the bytes are not an assignment. No bytes at all are no partitions. */
export function decodeAssignment(bytes: Uint8Array): TopicPartition[] | null {
  const partitions: TopicPartition[] = [];
  if (bytes.length === 0) return partitions;
  try {
    const reader = new Reader(bytes);
    reader.int16();
    for (let topicsLeft = reader.count(leastPartitionsBytes); topicsLeft > 0; topicsLeft--) {
      const topic = reader.string();
      for (let left = reader.count(partitionBytes); left > 0; left--)
        partitions.push({ topic, partition: reader.int32() });
    }
    return partitions;
  } catch (error) {
    if (error instanceof MalformedFrame) return null;
    throw error;
  }
}

/** Topic by topic: consecutive partitions for each subscriber, the first ones one more where it does not come out even. */
function assignRanges(
  members: readonly SubscribedMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, TopicPartition[]> {
  const assignment = nothingFor(members);
  for (const topic of topicsOf(members)) {
    const count = partitionCounts.get(topic) ?? 0;
    const subscribers = sorted(members.filter(({ topics }) => topics.includes(topic)));
    const share = Math.floor(count / subscribers.length);
    const withOneMore = count % subscribers.length;
    let partition = 0;
    for (const [i, { memberId }] of subscribers.entries()) {
      const end = partition + share + (i < withOneMore ? 1 : 0);
      for (; partition < end; partition++) assignment.get(memberId)!.push({ topic, partition });
    }
  }
  return assignment;
}

/** All partitions of all topics, one for each subscriber in turn. */
function assignInTurn(
  members: readonly SubscribedMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, TopicPartition[]> {
  const assignment = nothingFor(members);
  const inTurn = sorted(members);
  let turn = 0;
  for (const topic of topicsOf(members)) {
    for (let partition = 0; partition < (partitionCounts.get(topic) ?? 0); partition++) {
      while (!inTurn[turn % inTurn.length]!.topics.includes(topic)) turn++;
      assignment.get(inTurn[turn++ % inTurn.length]!.memberId)!.push({ topic, partition });
    }
  }
  return assignment;
}

function nothingFor(members: readonly SubscribedMember[]): Map<string, TopicPartition[]> {
  return new Map(members.map(({ memberId }) => [memberId, []]));
}

function topicsOf(members: readonly SubscribedMember[]): string[] {
  return [...new Set(members.flatMap(({ topics }) => topics))].toSorted(compare);
}

function sorted(members: readonly SubscribedMember[]): SubscribedMember[] {
  return members.toSorted((a, b) => compare(a.memberId, b.memberId));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function finished(writer: Writer): Uint8Array {
  return new Uint8Array(Buffer.concat(writer.finish()));
}
