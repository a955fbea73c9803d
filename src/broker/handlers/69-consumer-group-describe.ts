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
import { groupOperations, operationsNotAsked } from '../authorized-operations.ts';
import type { Broker } from '../broker.ts';
import type { ConsumerMember } from '../groups/consumer/consumer-member.ts';
import type { ConsumerRun } from '../groups/consumer/consumer-run.ts';
import { assignorOf } from '../groups/consumer/rebalance-epoch.ts';
import { isRefusal } from '../groups/consumer/refusal.ts';
import type { ApiHandler } from '../request-context.ts';

/** The wire's numbers. */
const MemberType = { CLASSIC: 0, CONSUMER: 1 } as const;
/** From so many partitions and topics on a response takes no further group: a request may name one many times. */
const maxElements = 500_000;

export const consumerGroupDescribeHandler: ApiHandler<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse> = {
  apiKey: 69,
  async handle({ groupIds, includeAuthorizedOperations }, _context, broker) {
    let elements = 0;
    const groups: ConsumerGroupDescribeResponseGroups[] = [];
    for (const groupId of groupIds) {
      if (elements > maxElements) {
        const errorMessage = 'The response is large enough: describe fewer groups at once.';
        groups.push({ ...nothing(groupId), errorCode: ErrorCode.INVALID_REQUEST, errorMessage });
        continue;
      }
      await broker.groups.consumers.settled(groupId);
      const described = describe(groupId, broker);
      elements += elementsOf(described);
      const isAsked = includeAuthorizedOperations && described.errorCode === ErrorCode.NONE;
      groups.push({ ...described, authorizedOperations: isAsked ? groupOperations : operationsNotAsked });
    }
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
function named(
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
