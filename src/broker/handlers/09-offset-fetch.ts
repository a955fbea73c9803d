/**
 * OffsetFetch: the offsets that groups have committed, for some partitions or all. I/O thread.
 *
 *   versions 1-7   one group   …   8-9   several   …   10   several, topics by id
 *
 * A partition without an offset has -1. The response waits for commits that are under way: a client that sends a commit
 * and does not wait before it asks is told what it committed, as by Kafka, which serves a connection's requests one after
 * the other. With `require_stable` a partition whose offset depends on a transaction that is not over yet has the error
 * UNSTABLE_OFFSET_COMMIT (KIP-447).
 */

import { ErrorCode } from '../../base/error-code.ts';
import { zeroUuid } from '../../base/uuid.ts';
import {
  defaultOffsetFetchResponse,
  defaultOffsetFetchResponseGroups,
  type OffsetFetchRequest,
  type OffsetFetchRequestGroups,
  type OffsetFetchRequestGroupsTopics,
  type OffsetFetchResponse,
  type OffsetFetchResponseGroups,
  type OffsetFetchResponseGroupsTopics,
  type OffsetFetchResponseGroupsTopicsPartitions,
} from '../../protocol/generated/index.ts';
import type { Broker } from '../broker.ts';
import type { CommittedOffset } from '../groups/group-records.ts';
import type { ApiHandler } from '../request-context.ts';

const firstVersionWithAll = 2;
const firstVersionWithGroups = 8;
const firstVersionWithIds = 10;
/** From so many offsets on a response takes no further group: few bytes could ask for the same one again and again. */
const maxOffsets = 200_000;

export const offsetFetchHandler: ApiHandler<OffsetFetchRequest, OffsetFetchResponse> = {
  apiKey: 9,
  async handle(request, { apiVersion }, broker) {
    const asking = { apiVersion, requireStable: request.requireStable, broker };
    if (apiVersion >= firstVersionWithGroups) {
      const groups: OffsetFetchResponseGroups[] = [];
      let offsetCount = 0;
      for (const asked of request.groups) {
        const isTooMuch = offsetCount > maxOffsets;
        const group = isTooMuch ? tooMuch(asked.groupId) : await fetch(asked, asking);
        for (const { partitions } of group.topics) offsetCount += partitions.length;
        groups.push(group);
      }
      return { ...defaultOffsetFetchResponse(), groups };
    }
    const topics = request.topics?.map((topic) => ({ ...topic, topicId: zeroUuid })) ?? null;
    const asked = { groupId: request.groupId, memberId: null, memberEpoch: -1, topics };
    const group = await fetch(asked, asking);
    if (apiVersion >= firstVersionWithAll || group.errorCode === ErrorCode.NONE) {
      return { ...defaultOffsetFetchResponse(), topics: group.topics, errorCode: group.errorCode };
    }
    return { ...defaultOffsetFetchResponse(), topics: failedTopics(topics ?? [], group.errorCode) };
  },
};

function tooMuch(groupId: string): OffsetFetchResponseGroups {
  return { ...defaultOffsetFetchResponseGroups(), groupId, errorCode: ErrorCode.INVALID_REQUEST };
}

/** What holds for all groups of a request. */
interface Asking {
  readonly apiVersion: number;
  readonly requireStable: boolean;
  readonly broker: Broker;
}

async function fetch(
  { groupId, memberId, memberEpoch, topics }: OffsetFetchRequestGroups,
  asking: Asking,
): Promise<OffsetFetchResponseGroups> {
  const { groups } = asking.broker;
  const response = { ...defaultOffsetFetchResponseGroups(), groupId };
  if (!groups.isActive) return { ...response, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE };
  const problem = groups.commits.problemOfFetch(groupId, memberId, memberEpoch);
  if (problem !== ErrorCode.NONE) return { ...response, errorCode: problem };
  await groups.commits.settled(groupId);
  if (topics === null) return { ...response, topics: allOffsets(groupId, asking) };
  return { ...response, topics: topics.map((topic) => offsetsOf(groupId, topic, asking)) };
}

function offsetsOf(
  groupId: string,
  requested: OffsetFetchRequestGroupsTopics,
  { apiVersion, requireStable, broker: { topics, groups } }: Asking,
): OffsetFetchResponseGroupsTopics {
  const withIds = apiVersion >= firstVersionWithIds;
  const topic = withIds ? topics.topicById(requested.topicId) : topics.topic(requested.name);
  const isUnknownId = withIds && topic === null;
  const partitions = requested.partitionIndexes.map((partition) => {
    if (requireStable && topic !== null && groups.commits.isPending(groupId, { topicId: topic.id, partition })) {
      return partitionResponse(partition, null, ErrorCode.UNSTABLE_OFFSET_COMMIT);
    }
    const committed = topic === null ? null : groups.commits.get(groupId, { topicId: topic.id, partition });
    return partitionResponse(partition, committed, isUnknownId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.NONE);
  });
  return { topicId: requested.topicId, name: requested.name, partitions };
}

function allOffsets(
  groupId: string,
  { requireStable, broker: { topics, groups } }: Asking,
): OffsetFetchResponseGroupsTopics[] {
  const responses = new Map<string, OffsetFetchResponseGroupsTopics>();
  for (const { topicId, partition, committed, pending } of groups.commits.slots(groupId)) {
    const topic = topics.topicById(topicId);
    const isUnstable = requireStable && pending.size > 0;
    if (topic === null || committed === null) continue;
    let response = responses.get(topicId);
    if (response === undefined) responses.set(topicId, (response = { topicId, name: topic.name, partitions: [] }));
    response.partitions.push(
      isUnstable
        ? partitionResponse(partition, null, ErrorCode.UNSTABLE_OFFSET_COMMIT)
        : partitionResponse(partition, committed, ErrorCode.NONE),
    );
  }
  return [...responses.values()];
}

function partitionResponse(
  partitionIndex: number,
  committed: CommittedOffset | null,
  errorCode: ErrorCode,
): OffsetFetchResponseGroupsTopicsPartitions {
  return {
    partitionIndex,
    committedOffset: committed?.offset ?? -1,
    committedLeaderEpoch: committed?.leaderEpoch ?? -1,
    metadata: committed?.metadata ?? '',
    errorCode,
  };
}

/** Version 1 has no error for the whole group. */
function failedTopics(
  topics: readonly OffsetFetchRequestGroupsTopics[],
  errorCode: number,
): OffsetFetchResponseGroupsTopics[] {
  return topics.map(({ topicId, name, partitionIndexes }) => ({
    topicId,
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      ...partitionResponse(partitionIndex, null, ErrorCode.NONE),
      errorCode,
    })),
  }));
}
