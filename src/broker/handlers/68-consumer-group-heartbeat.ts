/**
 * ConsumerGroupHeartbeat (KIP-848): a member of a consumer group joins, stays or leaves, and hears what it is to read;
 * answered once what it hears is durable. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { randomUuid } from '../../base/uuid.ts';
import {
  defaultConsumerGroupHeartbeatResponse,
  type ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnTopic, type Authorizer } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import type { ConsumerBeat } from '../groups/consumer/heartbeat.ts';
import { MemberEpoch } from '../groups/consumer/consumer-member.ts';
import { partitionFields } from '../groups/consumer/partitions.ts';
import { isRefusal, refusal, type Refusal } from '../groups/consumer/refusal.ts';
import type { ApiHandler, RequestContext } from '../request-context.ts';

const firstVersionWithClientsId = 1;

export const consumerGroupHeartbeatHandler: ApiHandler<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse> =
  {
    apiKey: 68,
    async handle(request, context, broker) {
      if (request.subscribedTopicRegex !== null && !(await broker.patterns.ready())) {
        return refused(refusal(ErrorCode.UNKNOWN_SERVER_ERROR, 'This broker has no engine for regular expressions.'));
      }
      const problem = problemOf(request, context.apiVersion, broker);
      if (problem !== null) return refused(problem);
      const isLeaving = request.memberEpoch < MemberEpoch.JOINING;
      const answer = isLeaving ? leave(request, broker) : beat(request, context, broker);
      if ('message' in answer) return refused(answer);
      const errorCode = await broker.groups.consumers.settled(request.groupId);
      return errorCode === ErrorCode.NONE ? answer : refused(refusal(errorCode, 'The change could not be written.'));
    },
  };

function refused({ errorCode, message }: Refusal): ConsumerGroupHeartbeatResponse {
  return { ...defaultConsumerGroupHeartbeatResponse(), errorCode, errorMessage: message };
}

/** What is wrong with the request whatever the group is, or null. */
function problemOf(request: ConsumerGroupHeartbeatRequest, apiVersion: number, { groups }: Broker): Refusal | null {
  if (!groups.isActive) return refusal(ErrorCode.COORDINATOR_NOT_AVAILABLE, 'The broker is stopping.');
  const { memberEpoch, instanceId } = request;
  const invalid = (message: string): Refusal => refusal(ErrorCode.INVALID_REQUEST, message);
  const needsId = apiVersion >= firstVersionWithClientsId || memberEpoch > 0 || memberEpoch === MemberEpoch.LEAVING;
  if (needsId && isBlank(request.memberId)) return invalid("MemberId can't be empty.");
  if (isBlank(request.groupId)) return invalid("GroupId can't be empty.");
  if (isBlank(instanceId)) return invalid("InstanceId can't be empty.");
  if (isBlank(request.rackId)) return invalid("RackId can't be empty.");
  if (memberEpoch < MemberEpoch.LEAVING_STATIC) return invalid('MemberEpoch is invalid.');
  if (memberEpoch === MemberEpoch.LEAVING_STATIC && instanceId === null) return invalid("InstanceId can't be null.");
  const problem = memberEpoch === MemberEpoch.JOINING ? problemOfJoin(request) : null;
  if (problem !== null) return invalid(problem);
  const { serverAssignor } = request;
  const known = groups.consumers.assignors();
  if (serverAssignor === null || known.includes(serverAssignor)) return null;
  const message = `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${known.join(', ')}.`;
  return refusal(ErrorCode.UNSUPPORTED_ASSIGNOR, message);
}

function problemOfJoin(request: ConsumerGroupHeartbeatRequest): string | null {
  if (request.rebalanceTimeoutMs === -1) return 'RebalanceTimeoutMs must be provided in first request.';
  if (request.topicPartitions === null || request.topicPartitions.length > 0) {
    return 'TopicPartitions must be empty when (re-)joining.';
  }
  if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null) {
    return 'Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.';
  }
  return null;
}

function isBlank(text: string | null): boolean {
  return text !== null && text.trim() === '';
}

function leave(
  { groupId, memberId, instanceId, memberEpoch }: ConsumerGroupHeartbeatRequest,
  { groups }: Broker,
): Refusal | ConsumerGroupHeartbeatResponse {
  const problem = groups.consumers.leave(groupId, { memberId, instanceId, memberEpoch });
  return problem ?? { ...defaultConsumerGroupHeartbeatResponse(), memberId, memberEpoch };
}

function beat(
  request: ConsumerGroupHeartbeatRequest,
  context: RequestContext,
  { groups, random, authorizer }: Broker,
): Refusal | ConsumerGroupHeartbeatResponse {
  const { groupId } = request;
  const answer = groups.consumers.beat(
    groupId,
    beatOf(request, request.memberId || randomUuid(random), context, authorizer),
  );
  if (isRefusal(answer)) return answer;
  return {
    ...defaultConsumerGroupHeartbeatResponse(),
    memberId: answer.memberId,
    memberEpoch: answer.memberEpoch,
    heartbeatIntervalMs: groups.consumers.heartbeatIntervalMs(groupId),
    assignment: answer.assignment === null ? null : { topicPartitions: partitionFields(answer.assignment) },
  };
}

function beatOf(
  request: ConsumerGroupHeartbeatRequest,
  memberId: string,
  context: RequestContext,
  authorizer: Authorizer,
): ConsumerBeat {
  const { subscribedTopicNames } = request;
  return {
    memberId,
    memberEpoch: request.memberEpoch,
    instanceId: request.instanceId,
    rackId: request.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    subscribedTopics: subscribedTopicNames === null ? null : new Set(subscribedTopicNames),
    subscribedRegex: request.subscribedTopicRegex,
    assignor: request.serverAssignor,
    owned: request.topicPartitions,
    clientId: context.clientId ?? '',
    clientHost: `/${context.connection.clientHost}`,
    mayDescribe: (topic) => allowsOnTopic(authorizer, context, AclOperation.DESCRIBE, topic),
  };
}
