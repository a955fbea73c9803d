/**
 * StreamsGroupDescribe (KIP-1071): state, epochs, topology and members of streams groups, with what each has and is to
 * have. I/O thread.
 * Descriptions of topologies (KIP-1331) are kept by a plug-in that this broker does not have.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultStreamsGroupDescribeResponse,
  defaultStreamsGroupDescribeResponseGroups,
  defaultStreamsGroupDescribeResponseGroupsMembers,
  type StreamsGroupDescribeRequest,
  type StreamsGroupDescribeResponse,
  type StreamsGroupDescribeResponseGroups,
  type StreamsGroupDescribeResponseGroupsMembers,
  type StreamsGroupDescribeResponseGroupsTopology,
} from '../../protocol/generated/index.ts';
import { groupOperations } from '../authorized-operations.ts';
import type { Broker } from '../broker.ts';
import { streamsFeature } from '../feature-levels.ts';
import { isRefusal } from '../groups/consumer/refusal.ts';
import { describeGroups } from '../groups/group-descriptions.ts';
import { streamsAssignor } from '../groups/streams/streams-assignment.ts';
import type { StreamsGroup } from '../groups/streams/streams-group.ts';
import type { StreamsMember } from '../groups/streams/streams-member.ts';
import { compareNames, taskFields, type AssignedTasks, type Tasks } from '../groups/streams/tasks.ts';
import type { InternalTopic, Topology } from '../groups/streams/topology.ts';
import type { ApiHandler } from '../request-context.ts';

/** The wire's numbers for why there is no description of a topology. */
const notAskedFor = 0;
const notStored = 1;

export const streamsGroupDescribeHandler: ApiHandler<StreamsGroupDescribeRequest, StreamsGroupDescribeResponse> = {
  apiKey: 89,
  async handle({ groupIds, includeAuthorizedOperations, includeTopologyDescription }, context, broker) {
    const described = await describeGroups(groupIds, {
      nothing,
      describe: (groupId) => describe(groupId, broker),
      settled: (groupId) => broker.groups.streams.settled(groupId),
      operationsOn: includeAuthorizedOperations ? groupOperations(broker, context) : null,
      elementsOf,
    });
    const groups = described.map((group) => ({
      ...group,
      topologyDescriptionStatus:
        includeTopologyDescription && group.errorCode === ErrorCode.NONE ? notStored : notAskedFor,
    }));
    return { ...defaultStreamsGroupDescribeResponse(), groups };
  },
};

function nothing(groupId: string): StreamsGroupDescribeResponseGroups {
  return { ...defaultStreamsGroupDescribeResponseGroups(), groupId };
}

function describe(groupId: string, { groups, topics }: Broker): StreamsGroupDescribeResponseGroups {
  const response = nothing(groupId);
  if (topics.image.features.level(streamsFeature) === 0)
    return { ...response, errorCode: ErrorCode.UNSUPPORTED_VERSION };
  if (!groups.isActive) return { ...response, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE };
  if (groupId === '') return { ...response, errorCode: ErrorCode.INVALID_GROUP_ID };
  const run = groups.streams.find(groupId);
  if (isRefusal(run)) return { ...response, errorCode: run.errorCode, errorMessage: run.message };
  const { group } = run;
  return {
    ...response,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    topology: topologyField(group),
    members: [...group.members.values()].map((member) => describeMember(group, member)),
    assignorName: streamsAssignor,
  };
}

/** The topology, with the partitions of its internal topics once all of them are there. */
function topologyField({ topology, configured }: StreamsGroup): StreamsGroupDescribeResponseGroupsTopology | null {
  if (topology === null) return null;
  const isReady = configured !== null && configured.status === null && configured.subtopologies !== null;
  const subtopologies: Iterable<Topology['subtopologies'][number] | ConfiguredPart> = isReady
    ? configured.subtopologies.values()
    : topology.subtopologies;
  const fields = [...subtopologies].map((subtopology) => ({
    subtopologyId: subtopology.id,
    sourceTopics: subtopology.sourceTopics.toSorted(compareNames),
    repartitionSinkTopics: subtopology.repartitionSinkTopics.toSorted(compareNames),
    stateChangelogTopics: topicFields(subtopology.changelogTopics),
    repartitionSourceTopics: topicFields(subtopology.repartitionSourceTopics),
  }));
  return {
    epoch: topology.epoch,
    subtopologies: fields.toSorted((a, b) => compareNames(a.subtopologyId, b.subtopologyId)),
  };
}

type ConfiguredPart = Omit<Topology['subtopologies'][number], 'copartitionGroups'>;
type TopicFields = NonNullable<
  StreamsGroupDescribeResponseGroupsTopology['subtopologies']
>[number]['stateChangelogTopics'];

function topicFields(topics: readonly InternalTopic[]): TopicFields {
  const fields = topics.map(({ name, partitionCount, replicationFactor, configs }) => ({
    name,
    partitions: partitionCount,
    replicationFactor,
    topicConfigs: configs.map(({ key, value }) => ({ key, value })),
  }));
  return fields.toSorted((a, b) => compareNames(a.name, b.name));
}

function describeMember(group: StreamsGroup, member: StreamsMember): StreamsGroupDescribeResponseGroupsMembers {
  const { offsets, endOffsets } = group.taskOffsetsOf(member.id);
  return {
    ...defaultStreamsGroupDescribeResponseGroupsMembers(),
    memberId: member.id,
    memberEpoch: member.epoch,
    instanceId: member.instanceId,
    rackId: member.rackId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    topologyEpoch: member.topologyEpoch,
    processId: member.processId,
    userEndpoint: member.endpoint,
    clientTags: [...member.clientTags].map(([key, value]) => ({ key, value })),
    taskOffsets: offsetFields(offsets),
    taskEndOffsets: offsetFields(endOffsets),
    assignment: assignmentField(member.assigned),
    targetAssignment: assignmentField(group.targetOf(member.id)),
  };
}

type AssignmentField = StreamsGroupDescribeResponseGroupsMembers['assignment'];

function assignmentField({ active, standby, warmup }: Tasks | AssignedTasks): AssignmentField {
  return { activeTasks: taskFields(active), standbyTasks: taskFields(standby), warmupTasks: taskFields(warmup) };
}

function offsetFields(
  offsets: ReadonlyMap<string, ReadonlyMap<number, number>>,
): StreamsGroupDescribeResponseGroupsMembers['taskOffsets'] {
  const fields = [...offsets].flatMap(([subtopologyId, partitions]) =>
    [...partitions].map(([partition, offset]) => ({ subtopologyId, partition, offset })),
  );
  return fields.toSorted((a, b) => compareNames(a.subtopologyId, b.subtopologyId) || a.partition - b.partition);
}

function elementsOf({ topology, members }: StreamsGroupDescribeResponseGroups): number {
  let elements = 1;
  for (const { sourceTopics, stateChangelogTopics, repartitionSourceTopics } of topology?.subtopologies ?? []) {
    elements += 1 + sourceTopics.length + stateChangelogTopics.length + repartitionSourceTopics.length;
  }
  for (const { assignment, targetAssignment, taskOffsets, taskEndOffsets } of members) {
    elements += 1 + taskOffsets.length + taskEndOffsets.length;
    for (const { activeTasks, standbyTasks, warmupTasks } of [assignment, targetAssignment]) {
      for (const { partitions } of [...activeTasks, ...standbyTasks, ...warmupTasks]) elements += 1 + partitions.length;
    }
  }
  return elements;
}
