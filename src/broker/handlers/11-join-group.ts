/**
 * JoinGroup: a member joins its group's next generation; the response waits until that begins. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { JoinGroupRequest, JoinGroupResponse } from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { problemOfRequest } from '../groups/coordinator-error.ts';
import type { Joining } from '../groups/join-group.ts';
import { joinError } from '../groups/rebalance.ts';
import { WaitingResponse } from '../groups/waiting-response.ts';
import type { ApiHandler, RequestContext } from '../request-context.ts';

const firstVersionWithRebalanceTimeout = 1;
const firstVersionWithRequiredMemberId = 4;
const firstVersionWithNullableProtocol = 7;
const firstVersionThatSkipsAssignment = 9;

export const joinGroupHandler: ApiHandler<JoinGroupRequest, JoinGroupResponse> = {
  apiKey: 11,
  handle(request, context, broker) {
    const errorCode = problemOf(request, broker);
    if (errorCode !== ErrorCode.NONE) return forVersion(joinError(errorCode, request.memberId), context.apiVersion);
    const response = new WaitingResponse<JoinGroupResponse>();
    broker.groups.join(request.groupId, joiningOf(request, context, broker, response));
    const outcome = response.outcome(context.connection);
    const finish = (given: JoinGroupResponse | null): JoinGroupResponse | null =>
      given === null ? null : forVersion(given, context.apiVersion);
    return outcome instanceof Promise ? outcome.then(finish) : finish(outcome);
  },
};

function problemOf({ groupId, sessionTimeoutMs }: JoinGroupRequest, { groups, config }: Broker): ErrorCode {
  const errorCode = problemOfRequest(groupId, groups.isActive);
  if (errorCode !== ErrorCode.NONE) return errorCode;
  const isAllowed =
    sessionTimeoutMs >= config.number('group.min.session.timeout.ms') &&
    sessionTimeoutMs <= config.number('group.max.session.timeout.ms');
  return isAllowed ? ErrorCode.NONE : ErrorCode.INVALID_SESSION_TIMEOUT;
}

function joiningOf(
  request: JoinGroupRequest,
  context: RequestContext,
  { authorizer }: Broker,
  response: WaitingResponse<JoinGroupResponse>,
): Joining {
  const { sessionTimeoutMs } = request;
  const { apiVersion, clientId, connection } = context;
  return {
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    protocolType: request.protocolType,
    description: {
      clientId: clientId ?? '',
      clientHost: `/${connection.clientHost}`,
      sessionTimeoutMs,
      rebalanceTimeoutMs:
        apiVersion >= firstVersionWithRebalanceTimeout ? request.rebalanceTimeoutMs : sessionTimeoutMs,
      protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: metadata.slice() })),
    },
    reason: request.reason ?? 'not provided',
    needsMemberId: apiVersion >= firstVersionWithRequiredMemberId,
    canSkipAssignment: apiVersion >= firstVersionThatSkipsAssignment,
    mayDescribe: (topic) => allowsOnTopic(authorizer, context, AclOperation.DESCRIBE, topic),
    response,
  };
}

function forVersion(response: JoinGroupResponse, apiVersion: number): JoinGroupResponse {
  if (apiVersion >= firstVersionWithNullableProtocol || response.protocolName !== null) return response;
  return { ...response, protocolName: '' };
}
