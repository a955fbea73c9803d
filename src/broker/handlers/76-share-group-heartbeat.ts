/**
 * ShareGroupHeartbeat (KIP-932): a member of a share group joins, stays or leaves, and hears what it is to read; answered
 * once what it hears is durable. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultShareGroupHeartbeatResponse,
  type ShareGroupHeartbeatRequest,
  type ShareGroupHeartbeatResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { isRefusal, refusal, type Refusal } from '../groups/consumer/refusal.ts';
import { ShareMemberEpoch } from '../groups/share/share-heartbeat.ts';
import type { ApiHandler, RequestContext } from '../request-context.ts';
import { isShareMemberId } from '../share/share-member-id.ts';
import { hasShareGroups } from '../share/share-version.ts';

export const shareGroupHeartbeatHandler: ApiHandler<ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse> = {
  apiKey: 76,
  async handle(request, context, broker) {
    const problem = problemOf(request, context, broker);
    if (problem !== null) return refused(problem);
    const { groupId, memberEpoch } = request;
    const answer = memberEpoch === ShareMemberEpoch.LEAVING ? leave(request, broker) : beat(request, context, broker);
    if (isRefusal(answer)) return refused(answer);
    const errorCode = await broker.groups.shares.settled(groupId);
    return errorCode === ErrorCode.NONE ? answer : refused(refusal(errorCode, 'The change could not be written.'));
  },
};

function refused({ errorCode, message }: Refusal): ShareGroupHeartbeatResponse {
  return { ...defaultShareGroupHeartbeatResponse(), errorCode, errorMessage: message };
}

/** What is wrong with the request whatever the group is, or null. */
function problemOf(request: ShareGroupHeartbeatRequest, context: RequestContext, broker: Broker): Refusal | null {
  const { memberEpoch, memberId, groupId, rackId, subscribedTopicNames } = request;
  const invalid = (message: string): Refusal => refusal(ErrorCode.INVALID_REQUEST, message);
  if (!hasShareGroups(broker)) return refusal(ErrorCode.UNSUPPORTED_VERSION, 'Share groups are switched off.');
  if (!isShareMemberId(memberId)) return invalid('The member id has from 1 to 36 characters.');
  const mayRead = (subscribedTopicNames ?? []).every((name) =>
    allowsOnTopic(broker.authorizer, context, AclOperation.DESCRIBE, name),
  );
  if (!mayRead) return refusal(ErrorCode.TOPIC_AUTHORIZATION_FAILED, 'Not all topics may be described.');
  if (!broker.groups.isActive) return refusal(ErrorCode.COORDINATOR_NOT_AVAILABLE, 'The broker is stopping.');
  if (memberId.trim() === '') return invalid("MemberId can't be empty.");
  if (groupId.trim() === '') return invalid("GroupId can't be empty.");
  if (rackId?.trim() === '') return invalid("RackId can't be empty.");
  if (memberEpoch < ShareMemberEpoch.LEAVING) return invalid('MemberEpoch is invalid.');
  if (memberEpoch === ShareMemberEpoch.JOINING && (subscribedTopicNames ?? []).length === 0) {
    return invalid('SubscribedTopicNames must be set in first request.');
  }
  return null;
}

function leave(
  { groupId, memberId, memberEpoch }: ShareGroupHeartbeatRequest,
  { groups }: Broker,
): Refusal | ShareGroupHeartbeatResponse {
  return groups.shares.leave(groupId, memberId) ?? { ...defaultShareGroupHeartbeatResponse(), memberId, memberEpoch };
}

function beat(
  { groupId, memberId, memberEpoch, rackId, subscribedTopicNames }: ShareGroupHeartbeatRequest,
  { clientId, connection }: RequestContext,
  { groups }: Broker,
): Refusal | ShareGroupHeartbeatResponse {
  const answer = groups.shares.beat(groupId, {
    memberId,
    memberEpoch,
    rackId,
    subscribedTopics: subscribedTopicNames === null ? null : new Set(subscribedTopicNames),
    clientId: clientId ?? '',
    clientHost: `/${connection.clientHost}`,
  });
  if (isRefusal(answer)) return answer;
  const { assignment } = answer;
  const topicPartitions = [...(assignment ?? [])].map(([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions].toSorted((a, b) => a - b),
  }));
  return {
    ...defaultShareGroupHeartbeatResponse(),
    memberId: answer.memberId,
    memberEpoch: answer.memberEpoch,
    heartbeatIntervalMs: groups.shares.heartbeatIntervalMs(groupId),
    assignment: assignment === null ? null : { topicPartitions },
  };
}
