/**
 * Heartbeat: a member is alive, and hears whether its group rebalances. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultHeartbeatResponse,
  type HeartbeatRequest,
  type HeartbeatResponse,
} from '../../protocol/generated/index.ts';
import type { Broker } from '../broker.ts';
import { heartbeatInConsumerGroup } from '../groups/consumer/classic-members.ts';
import { problemOfRequest } from '../groups/coordinator-error.ts';
import { heartbeat } from '../groups/leave-group.ts';
import type { ApiHandler } from '../request-context.ts';

export const heartbeatHandler: ApiHandler<HeartbeatRequest, HeartbeatResponse> = {
  apiKey: 12,
  handle(request, _context, broker) {
    return { ...defaultHeartbeatResponse(), errorCode: beat(request, broker) };
  },
};

function beat({ groupId, memberId, groupInstanceId, generationId }: HeartbeatRequest, { groups }: Broker): ErrorCode {
  const errorCode = problemOfRequest(groupId, groups.isActive);
  if (errorCode !== ErrorCode.NONE) return errorCode;
  const run = groups.find(groupId);
  if (run === null || run.kind === 'share' || run.kind === 'streams') return ErrorCode.UNKNOWN_MEMBER_ID;
  return run.kind === 'consumer'
    ? heartbeatInConsumerGroup(run, memberId, groupInstanceId, generationId)
    : heartbeat(run, memberId, groupInstanceId, generationId);
}
