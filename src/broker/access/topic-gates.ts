/**
 * Gates for the topics that requests name and that answers tell of: what Kafka refuses of them, and what it hides.
 * Any thread. Topics of a request have names, or in newer versions ids: what an id stands for is looked up first, and an
 * id that stands for nothing is left to the handler, which says so.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { zeroUuid, type Uuid } from '../../base/uuid.ts';
import * as api from '../../protocol/generated/index.ts';
import { operationsNotAsked } from '../authorized-operations.ts';
import { after, DESCRIBE, each, parted, READ, seen, TOPIC, type Access, type Gate } from './gate.ts';

/** The name of a topic that is named by its id from `firstVersionWithIds` on. */
function nameFrom(firstVersionWithIds: number) {
  return ({ topicId, name }: { readonly topicId: Uuid; readonly name: string }, access: Access): string | null =>
    access.apiVersion < firstVersionWithIds ? name : access.topicName(topicId);
}

const mayDescribe = (access: Access, topic: string): boolean => access.allows(DESCRIBE, TOPIC, topic);

/** The topic's answer with the same error for each of its partitions. */
export function refusedPartitions<
  Topic extends { readonly partitions: readonly { readonly partitionIndex: number }[] },
>(
  topic: Topic,
  errorCode: ErrorCode,
): Omit<Topic, 'partitions'> & { partitions: { partitionIndex: number; errorCode: number }[] } {
  return { ...topic, partitions: topic.partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })) };
}

export const offsetCommitTopics = each<
  api.OffsetCommitRequest,
  api.OffsetCommitResponse,
  api.OffsetCommitRequestTopics,
  api.OffsetCommitResponseTopics
>(READ, TOPIC, {
  of: ({ topics }) => topics,
  nameOf: nameFrom(10),
  only: (request, topics) => ({ ...request, topics }),
  refused: refusedPartitions,
  add: (response, answers) => ({ ...response, topics: [...response.topics, ...answers] }),
});

export const txnOffsetCommitTopics = each<
  api.TxnOffsetCommitRequest,
  api.TxnOffsetCommitResponse,
  api.TxnOffsetCommitRequestTopics,
  api.TxnOffsetCommitResponseTopics
>(READ, TOPIC, {
  of: ({ topics }) => topics,
  nameOf: nameFrom(6),
  only: (request, topics) => ({ ...request, topics }),
  refused: refusedPartitions,
  add: (response, answers) => ({ ...response, topics: [...response.topics, ...answers] }),
});

export const offsetDeleteTopics = each<
  api.OffsetDeleteRequest,
  api.OffsetDeleteResponse,
  api.OffsetDeleteRequestTopics,
  api.OffsetDeleteResponseTopics
>(READ, TOPIC, {
  of: ({ topics }) => topics,
  nameOf: ({ name }) => name,
  only: (request, topics) => ({ ...request, topics }),
  refused: refusedPartitions,
  // Where the group has an error, nothing is said of topics.
  add: (response, answers) =>
    response.errorCode === ErrorCode.NONE ? { ...response, topics: [...response.topics, ...answers] } : response,
});

const firstMetadataWithIds = 12;

/**
 * Of all topics those are listed that may be described. One that was asked for has an error, and is said nothing else of:
 * neither its id, nor its name where the id was asked for, nor whether it is there.
 */
export const metadataTopics: Gate<api.MetadataRequest, api.MetadataResponse> = (request, access, handle) => {
  const { topics } = request;
  if (topics === null || (access.apiVersion === 0 && topics.length === 0)) {
    return after(handle(request), (response) => ({
      ...response,
      topics: response.topics.filter(({ name }) => name === null || mayDescribe(access, name)),
    }));
  }
  const withIds = topics.filter(({ topicId }) => topicId !== zeroUuid);
  // Such a request is refused as a whole, before anybody is asked.
  if (withIds.length > 0 && access.apiVersion < firstMetadataWithIds) return handle(request);
  // Names do not count beside ids.
  const asked = withIds.length > 0 ? withIds : topics;
  const { allowed, forbidden } = parted(asked, ({ topicId, name }) => {
    const known = withIds.length > 0 ? access.topicName(topicId) : name;
    return known === null || mayDescribe(access, known);
  });
  if (forbidden.length === 0) return handle(request);
  const keys = new Map(forbidden.map((topic) => [`${topic.topicId}/${topic.name}`, topic]));
  const answers = [...keys.values()].map(({ topicId, name }) => ({
    ...{ errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED, isInternal: false, partitions: [] },
    ...(withIds.length > 0 ? { name: null, topicId } : { name, topicId: zeroUuid }),
    topicAuthorizedOperations: operationsNotAsked,
  }));
  return after(handle({ ...request, topics: allowed }), (response) => ({
    ...response,
    // No topics mean all to the first version: where none is left, what it lists was not asked for.
    topics: allowed.length === 0 ? answers : [...response.topics, ...answers],
  }));
};

export const describedTransactions: Gate<api.DescribeTransactionsRequest, api.DescribeTransactionsResponse> = seen(
  (response, access) => ({
    ...response,
    transactionStates: response.transactionStates.map((state) => ({
      ...state,
      topics: state.topics.filter(({ topic }) => mayDescribe(access, topic)),
    })),
  }),
);

/** A member that names one topic which it may not describe is refused as a whole. */
export const subscribedTopics: Gate<api.ConsumerGroupHeartbeatRequest, api.ConsumerGroupHeartbeatResponse> = (
  request,
  access,
  handle,
) => {
  if ((request.subscribedTopicNames ?? []).every((topic) => mayDescribe(access, topic))) return handle(request);
  return { ...api.defaultConsumerGroupHeartbeatResponse(), errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED };
};

const firstOffsetFetchWithGroups = 8;
const nameOfFetched = nameFrom(10);

/** Topics of a group whose offsets may not be seen: refused where they were asked for, left out of all offsets. */
export const offsetFetchTopics: Gate<api.OffsetFetchRequest, api.OffsetFetchResponse> = (request, access, handle) => {
  if (access.apiVersion < firstOffsetFetchWithGroups) {
    const part = partedOffsets(request.topics, ({ name }) => name, access);
    return after(handle({ ...request, topics: part.allowed }), (response) =>
      response.errorCode === ErrorCode.NONE ? { ...response, topics: part.complete(response.topics) } : response,
    );
  }
  const parts = request.groups.map(({ topics }) =>
    partedOffsets(topics, (topic) => nameOfFetched(topic, access), access),
  );
  const groups = request.groups.map((group, i) => ({ ...group, topics: parts[i]!.allowed }));
  return after(handle({ ...request, groups }), (response) => ({
    ...response,
    // They come in the order in which they were asked for.
    groups: response.groups.map((group, i) =>
      group.errorCode === ErrorCode.NONE ? { ...group, topics: parts[i]!.complete(group.topics) } : group,
    ),
  }));
};

interface FetchedTopic {
  readonly name: string;
  readonly partitionIndexes: readonly number[];
}

type FetchedAnswer<Topic extends FetchedTopic> = Omit<Topic, 'partitionIndexes'> & {
  partitions: api.OffsetFetchResponseTopicsPartitions[];
};

interface PartedOffsets<Topic extends FetchedTopic> {
  /** What the handler is asked for; null for all offsets of the group. */
  readonly allowed: Topic[] | null;
  /** What the principal may see of the handler's answer, and the refusals. */
  complete(answered: readonly FetchedAnswer<Topic>[]): FetchedAnswer<Topic>[];
}

function partedOffsets<Topic extends FetchedTopic>(
  topics: readonly Topic[] | null,
  nameOf: (topic: Topic) => string | null,
  access: Access,
): PartedOffsets<Topic> {
  if (topics === null) {
    return { allowed: null, complete: (answered) => answered.filter(({ name }) => mayDescribe(access, name)) };
  }
  const { allowed, forbidden } = parted(topics, (topic) => {
    const name = nameOf(topic);
    return name === null || mayDescribe(access, name);
  });
  return { allowed, complete: (answered) => [...answered, ...forbidden.map(refusedOffsets)] };
}

function refusedOffsets<Topic extends FetchedTopic>({ partitionIndexes, ...topic }: Topic): FetchedAnswer<Topic> {
  const partitions = partitionIndexes.map((partitionIndex) => ({
    ...{ partitionIndex, committedOffset: -1, committedLeaderEpoch: -1, metadata: '' },
    errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED,
  }));
  return { ...topic, partitions };
}

/** A description of a group that names a topic which may not be described says nothing but that. */
function describedWith<Request, Response extends { readonly groups: Group[] }, Group extends DescribedGroup>(
  topicsOf: (group: Group) => readonly string[],
  nothing: () => Group,
): Gate<Request, Response> {
  return seen((response, access) => ({
    ...response,
    groups: response.groups.map((group) => {
      if (topicsOf(group).every((topic) => mayDescribe(access, topic))) return group;
      return { ...nothing(), groupId: group.groupId, ...hiddenTopics };
    }),
  }));
}

interface DescribedGroup {
  groupId: string;
  errorCode: number;
  errorMessage: string | null;
}

const hiddenTopics = {
  errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED,
  errorMessage: 'The group has topics that the client may not describe.',
};

export const consumerGroupTopics = describedWith<
  api.ConsumerGroupDescribeRequest,
  api.ConsumerGroupDescribeResponse,
  api.ConsumerGroupDescribeResponseGroups
>(
  ({ members }) =>
    members.flatMap(({ assignment, targetAssignment }) =>
      [assignment, targetAssignment].flatMap(({ topicPartitions }) => topicPartitions.map((each) => each.topicName)),
    ),
  api.defaultConsumerGroupDescribeResponseGroups,
);

export const shareGroupTopics = describedWith<
  api.ShareGroupDescribeRequest,
  api.ShareGroupDescribeResponse,
  api.ShareGroupDescribeResponseGroups
>(
  ({ members }) => members.flatMap(({ assignment }) => assignment.topicPartitions.map(({ topicName }) => topicName)),
  api.defaultShareGroupDescribeResponseGroups,
);

export const streamsGroupTopics = describedWith<
  api.StreamsGroupDescribeRequest,
  api.StreamsGroupDescribeResponse,
  api.StreamsGroupDescribeResponseGroups
>(
  ({ topology }) =>
    (topology?.subtopologies ?? []).flatMap((part) => [
      ...part.sourceTopics,
      ...part.repartitionSinkTopics,
      ...part.repartitionSourceTopics.map(({ name }) => name),
      ...part.stateChangelogTopics.map(({ name }) => name),
    ]),
  api.defaultStreamsGroupDescribeResponseGroups,
);

/** Topics of a share group: refused where they were asked for, left out of all of the group. */
export const shareOffsetTopics: Gate<api.DescribeShareGroupOffsetsRequest, api.DescribeShareGroupOffsetsResponse> = (
  request,
  access,
  handle,
) => {
  const parts = request.groups.map(({ topics }) =>
    topics === null ? null : parted(topics, ({ topicName }) => mayDescribe(access, topicName)),
  );
  const groups = request.groups.map((group, i) => ({ ...group, topics: parts[i]?.allowed ?? null }));
  return after(handle({ ...request, groups }), (response) => ({
    ...response,
    // They come in the order in which they were asked for.
    groups: response.groups.map((group, i) => {
      if (group.errorCode !== ErrorCode.NONE) return group;
      const part = parts[i] ?? null;
      const topics =
        part === null
          ? group.topics.filter(({ topicName }) => mayDescribe(access, topicName))
          : [...group.topics, ...part.forbidden.map(refusedShareOffsets)];
      return { ...group, topics };
    }),
  }));
};

function refusedShareOffsets({
  topicName,
  partitions,
}: api.DescribeShareGroupOffsetsRequestGroupsTopics): api.DescribeShareGroupOffsetsResponseGroupsTopics {
  return {
    topicName,
    topicId: zeroUuid,
    partitions: partitions.map((partitionIndex) => ({
      ...{ partitionIndex, startOffset: -1, leaderEpoch: 0, lag: -1 },
      ...{ errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED, errorMessage: 'Topic authorization failed.' },
    })),
  };
}
