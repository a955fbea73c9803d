/** Offsets of partitions and of groups, asked for and committed: what consumers and the admin functions share. Any thread. */

import { ErrorCode } from '../base/error-code.ts';
import { listOffsetsClientApi, defaultListOffsetsRequest } from '../protocol/generated/02-list-offsets.ts';
import { offsetCommitClientApi, defaultOffsetCommitRequest } from '../protocol/generated/08-offset-commit.ts';
import { offsetFetchClientApi, defaultOffsetFetchRequest } from '../protocol/generated/09-offset-fetch.ts';
import { zeroUuid } from '../base/uuid.ts';
import { type Cluster, mainLane, type RetryOptions } from './cluster.ts';
import type { Connection } from './connection.ts';
import { KafkaError, throwUnlessNone } from './kafka-error.ts';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface TopicPartitionOffset extends TopicPartition {
  readonly offset: number;
}

/** A place in a partition: its first record, its end, or the first record at or after a time. */
export type Place = 'earliest' | 'latest' | { readonly timestampMs: number };

export type Isolation = 'read_committed' | 'read_uncommitted';

/** A group's position in a partition. */
export interface CommittedOffset extends TopicPartitionOffset {
  readonly leaderEpoch?: number;
  readonly metadata?: string | null;
}

/** Who commits: a member of a generation, or (-1, '') whoever assigns partitions by hand. */
export interface Committer {
  readonly memberId: string;
  readonly generationId: number;
  readonly groupInstanceId: string | null;
}

export const nobody: Committer = { memberId: '', generationId: -1, groupInstanceId: null };

/** Topics go by name up to here. */
const newestOffsets = 9;

export function placeName({ topic, partition }: TopicPartition): string {
  return `partition ${partition} of ${topic}`;
}

/** The items by topic, as requests have them. */
export function byTopic<Item extends TopicPartition>(items: readonly Item[]): Map<string, Item[]> {
  const topics = new Map<string, Item[]>();
  for (const item of items) {
    const others = topics.get(item.topic);
    if (others === undefined) topics.set(item.topic, [item]);
    else others.push(item);
  }
  return topics;
}

/**
 * The offset of `place` in each partition, in their order; a time after the last record gives the end. With
 * read_committed the end is before the first open transaction. Retries. Rejects with a `KafkaError`.
 */
export async function listOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  place: Place,
  isolation: Isolation,
  options: RetryOptions = {},
): Promise<number[]> {
  const offsets = new Map<string, number>();
  for (const [topic, own] of byTopic(partitions)) {
    await cluster.topic(topic, false, options);
    await cluster.retrying(async () => {
      const open = own.filter((partition) => !offsets.has(placeName(partition)));
      const leaders = new Set(open.map(({ partition }) => cluster.leaderId(topic, partition)));
      try {
        for (const leaderId of leaders) {
          const led = open.filter(({ partition }) => cluster.leaderId(topic, partition) === leaderId);
          await listOfLeader(cluster, leaderId, topic, led, place, isolation, offsets, options);
        }
      } catch (error) {
        await cluster.refresh([topic]);
        throw error;
      }
    }, options);
  }
  const all = partitions.map((partition) => offsets.get(placeName(partition))!);
  const afterAll = partitions.filter((_, i) => all[i]! < 0);
  if (afterAll.length === 0 || place === 'latest') return all;
  const ends = await listOffsets(cluster, afterAll, 'latest', isolation, options);
  return all.map((offset) => (offset < 0 ? ends.shift()! : offset));
}

async function listOfLeader(
  cluster: Cluster,
  leaderId: number,
  topic: string,
  partitions: readonly TopicPartition[],
  place: Place,
  isolation: Isolation,
  offsets: Map<string, number>,
  { signal }: RetryOptions,
): Promise<void> {
  if (leaderId < 0) throw new KafkaError(ErrorCode.LEADER_NOT_AVAILABLE, `${placeName(partitions[0]!)} has no leader`);
  const connection = await cluster.connection(leaderId, mainLane, signal);
  const timestamp = place === 'earliest' ? -2 : place === 'latest' ? -1 : place.timestampMs;
  const response = await connection.request(
    listOffsetsClientApi,
    {
      ...defaultListOffsetsRequest(),
      replicaId: -1,
      isolationLevel: isolation === 'read_committed' ? 1 : 0,
      topics: [
        {
          name: topic,
          partitions: partitions.map(({ partition }) => ({
            partitionIndex: partition,
            currentLeaderEpoch: -1,
            timestamp,
          })),
        },
      ],
    },
    { signal },
  );
  for (const { partitionIndex, errorCode, offset } of response.topics[0]?.partitions ?? []) {
    const partition = { topic, partition: partitionIndex };
    throwUnlessNone(errorCode, `the offsets of ${placeName(partition)}`);
    offsets.set(placeName(partition), offset);
  }
}

/**
 * What `group` has committed, by `placeName`; what has no offset is left out. `partitions` null: all there is. With
 * read_committed offsets that a transaction is about to commit are waited for (UNSTABLE_OFFSET_COMMIT is retriable).
 * Rejects with a `KafkaError`.
 */
export async function fetchCommitted(
  connection: Connection,
  group: string,
  partitions: readonly TopicPartition[] | null,
  isolation: Isolation,
  signal?: AbortSignal,
): Promise<Map<string, CommittedOffset>> {
  const topics =
    partitions === null
      ? null
      : [...byTopic(partitions)].map(([name, own]) => ({
          topicId: zeroUuid,
          name,
          partitionIndexes: own.map(({ partition }) => partition),
        }));
  const response = await connection.request(
    offsetFetchClientApi,
    {
      ...defaultOffsetFetchRequest(),
      groupId: group,
      topics,
      groups: [{ groupId: group, memberId: null, memberEpoch: -1, topics }],
      requireStable: isolation === 'read_committed' && connection.versionOf(offsetFetchClientApi, newestOffsets) >= 7,
    },
    { signal, maxVersion: newestOffsets },
  );
  const found = response.groups[0] ?? response;
  throwUnlessNone(found.errorCode, `the offsets of group ${group}`);
  const committed = new Map<string, CommittedOffset>();
  for (const { name, partitions: own } of found.topics) {
    for (const { partitionIndex, committedOffset, committedLeaderEpoch, metadata, errorCode } of own) {
      const partition = { topic: name, partition: partitionIndex };
      throwUnlessNone(errorCode, `group ${group}'s offset of ${placeName(partition)}`);
      if (committedOffset < 0) continue;
      committed.set(placeName(partition), {
        ...partition,
        offset: committedOffset,
        leaderEpoch: committedLeaderEpoch,
        metadata,
      });
    }
  }
  return committed;
}

/** Commits `offsets` for `group`. Rejects with a `KafkaError`, at the first partition that has an error. */
export async function commitOffsets(
  connection: Connection,
  group: string,
  offsets: readonly CommittedOffset[],
  committer: Committer,
  signal?: AbortSignal,
): Promise<void> {
  const response = await connection.request(
    offsetCommitClientApi,
    {
      ...defaultOffsetCommitRequest(),
      groupId: group,
      generationIdOrMemberEpoch: committer.generationId,
      memberId: committer.memberId,
      groupInstanceId: committer.groupInstanceId,
      topics: [...byTopic(offsets)].map(([name, own]) => ({
        topicId: zeroUuid,
        name,
        partitions: own.map(({ partition, offset, leaderEpoch = -1, metadata = null }) => ({
          partitionIndex: partition,
          committedOffset: offset,
          committedLeaderEpoch: leaderEpoch,
          committedMetadata: metadata,
        })),
      })),
    },
    { signal, maxVersion: newestOffsets },
  );
  for (const { name, partitions } of response.topics) {
    for (const { partitionIndex, errorCode } of partitions) {
      throwUnlessNone(errorCode, `group ${group}'s offset of ${placeName({ topic: name, partition: partitionIndex })}`);
    }
  }
}
