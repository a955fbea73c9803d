/**
 * ShareGroupDescribe (KIP-932): state, epochs and members of share groups, with what each has. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultShareGroupDescribeResponse,
  defaultShareGroupDescribeResponseGroups,
  type ShareGroupDescribeRequest,
  type ShareGroupDescribeResponse,
  type ShareGroupDescribeResponseGroups,
} from '../../protocol/generated/index.ts';
import { groupOperations } from '../authorized-operations.ts';
import type { Broker } from '../broker.ts';
import { isRefusal } from '../groups/consumer/refusal.ts';
import { describeGroups } from '../groups/group-descriptions.ts';
import type { ApiHandler } from '../request-context.ts';
import { hasShareGroups } from '../share/share-version.ts';
import { named } from './69-consumer-group-describe.ts';

const assignorName = 'simple';

export const shareGroupDescribeHandler: ApiHandler<ShareGroupDescribeRequest, ShareGroupDescribeResponse> = {
  apiKey: 77,
  async handle({ groupIds, includeAuthorizedOperations }, context, broker) {
    const groups = await describeGroups(groupIds, {
      nothing,
      describe: (groupId) => describe(groupId, broker),
      settled: (groupId) => broker.groups.shares.settled(groupId),
      operationsOn: includeAuthorizedOperations ? groupOperations(broker, context) : null,
      elementsOf,
    });
    return { ...defaultShareGroupDescribeResponse(), groups };
  },
};

function nothing(groupId: string): ShareGroupDescribeResponseGroups {
  return { ...defaultShareGroupDescribeResponseGroups(), groupId };
}

function describe(groupId: string, broker: Broker): ShareGroupDescribeResponseGroups {
  const response = nothing(groupId);
  if (!hasShareGroups(broker)) return { ...response, errorCode: ErrorCode.UNSUPPORTED_VERSION };
  if (!broker.groups.isActive) return { ...response, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE };
  if (groupId === '') return { ...response, errorCode: ErrorCode.INVALID_GROUP_ID };
  const run = broker.groups.shares.find(groupId);
  if (isRefusal(run)) return { ...response, errorCode: run.errorCode, errorMessage: run.message };
  const { group } = run;
  return {
    ...response,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName,
    members: [...group.members.values()].map((member) => ({
      memberId: member.id,
      rackId: member.rackId,
      memberEpoch: member.epoch,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.subscribedTopics],
      assignment: { topicPartitions: named(member.assigned, broker) },
    })),
  };
}

function elementsOf({ members }: ShareGroupDescribeResponseGroups): number {
  let elements = 1;
  for (const { subscribedTopicNames, assignment } of members) {
    elements += 1 + subscribedTopicNames.length;
    for (const { partitions } of assignment.topicPartitions) elements += 1 + partitions.length;
  }
  return elements;
}
