/**
 * ConsumerGroupDescribe (KIP-848): state, epochs and members of consumer groups, with what each has and is to have.
 * I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { Uuid } from '../../base/uuid.ts';
import {
  defaultConsumerGroupDescribeResponse,
  defaultConsumerGroupDescribeResponseGroups,
  type ConsumerGroupDescribeRequest,
  type ConsumerGroupDescribeResponse,
  type ConsumerGroupDescribeResponseGroups,
  type ConsumerGroupDescribeResponseGroupsMembers,
  type ConsumerGroupDescribeResponseGroupsMembersAssignmentTopicPartitions,
} from '../../protocol/generated/index.ts';
import { groupOperations } from '../authorized-operations.ts';
import type { Broker } from '../broker.ts';
import type { ConsumerMember } from '../groups/consumer/consumer-member.ts';
import type { ConsumerRun } from '../groups/consumer/consumer-run.ts';
import { assignorOf } from '../groups/consumer/rebalance-epoch.ts';
import { isRefusal } from '../groups/consumer/refusal.ts';
import { describeGroups } from '../groups/group-descriptions.ts';
import type { ApiHandler } from '../request-context.ts';

/** The wire's numbers. */
const MemberType = { CLASSIC: 0, CONSUMER: 1 } as const;

export const consumerGroupDescribeHandler: ApiHandler<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse> = {
  apiKey: 69,
  async handle({ groupIds, includeAuthorizedOperations }, context, broker) {
    const groups = await describeGroups(groupIds, {
      nothing,
      describe: (groupId) => describe(groupId, broker),
      settled: (groupId) => broker.groups.consumers.settled(groupId),
      operationsOn: includeAuthorizedOperations ? groupOperations(broker, context) : null,
      elementsOf,
    });
    return { ...defaultConsumerGroupDescribeResponse(), groups };
  },
};

function nothing(groupId: string): ConsumerGroupDescribeResponseGroups {
  return { ...defaultConsumerGroupDescribeResponseGroups(), groupId };
}

function describe(groupId: string, broker: Broker): ConsumerGroupDescribeResponseGroups {
  const response = nothing(groupId);
  if (!broker.groups.isActive) return { ...response, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE };
  if (groupId === '') return { ...response, errorCode: ErrorCode.INVALID_GROUP_ID };
  const run = broker.groups.consumers.find(groupId);
  if (isRefusal(run)) return { ...response, errorCode: run.errorCode, errorMessage: run.message };
  const { group } = run;
  return {
    ...response,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: assignorOf(run),
    members: [...group.members.values()].map((member) => describeMember(run, member, broker)),
  };
}

function describeMember(
  { group }: ConsumerRun,
  member: ConsumerMember,
  broker: Broker,
): ConsumerGroupDescribeResponseGroupsMembers {
  const has = new Map<Uuid, number[]>();
  for (const partitions of [member.assigned, member.revoking]) {
    for (const [topicId, epochs] of partitions) has.set(topicId, [...(has.get(topicId) ?? []), ...epochs.keys()]);
  }
  return {
    memberId: member.id,
    instanceId: member.instanceId,
    rackId: member.rackId,
    memberEpoch: member.epoch,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: [...member.subscribedTopics],
    subscribedTopicRegex: member.subscribedRegex,
    assignment: { topicPartitions: named(has, broker) },
    targetAssignment: { topicPartitions: named(group.targetOf(member.id), broker) },
    memberType: member.classic === null ? MemberType.CONSUMER : MemberType.CLASSIC,
  };
}

/** With the names of the topics; those that are gone are left out. */
export function named(
  partitions: ReadonlyMap<Uuid, Iterable<number>>,
  { topics }: Broker,
): ConsumerGroupDescribeResponseGroupsMembersAssignmentTopicPartitions[] {
  const fields: ConsumerGroupDescribeResponseGroupsMembersAssignmentTopicPartitions[] = [];
  for (const [topicId, indexes] of partitions) {
    const topic = topics.topicById(topicId);
    if (topic === null) continue;
    fields.push({ topicId, topicName: topic.name, partitions: [...indexes].toSorted((a, b) => a - b) });
  }
  return fields;
}

function elementsOf({ members }: ConsumerGroupDescribeResponseGroups): number {
  let elements = 1;
  for (const { subscribedTopicNames, assignment, targetAssignment } of members) {
    elements += 1 + subscribedTopicNames.length;
    for (const { topicPartitions } of [assignment, targetAssignment]) {
      for (const { partitions } of topicPartitions) elements += 1 + partitions.length;
    }
  }
  return elements;
}
