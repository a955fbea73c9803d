/**
 * SyncGroup: a member gets its part of the assignment, and the leader brings it; the response waits until it is durable.
 * I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { SyncGroupRequest, SyncGroupResponse } from '../../protocol/generated/index.ts';
import { syncConsumerGroup } from '../groups/consumer/classic-members.ts';
import { problemOfRequest } from '../groups/coordinator-error.ts';
import { syncError, syncGroup, type Syncing } from '../groups/sync-group.ts';
import { WaitingResponse } from '../groups/waiting-response.ts';
import type { ApiHandler } from '../request-context.ts';

const firstVersionWithProtocol = 5;

export const syncGroupHandler: ApiHandler<SyncGroupRequest, SyncGroupResponse> = {
  apiKey: 14,
  handle(request, { apiVersion, connection }, broker) {
    const { groupId, protocolType, protocolName } = request;
    if (apiVersion >= firstVersionWithProtocol && (protocolType === null || protocolName === null)) {
      return syncError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    }
    const errorCode = problemOfRequest(groupId, broker.groups.isActive);
    if (errorCode !== ErrorCode.NONE) return syncError(errorCode);
    const run = broker.groups.find(groupId);
    if (run === null || run.kind === 'share' || run.kind === 'streams') return syncError(ErrorCode.UNKNOWN_MEMBER_ID);
    const response = new WaitingResponse<SyncGroupResponse>();
    const syncing: Syncing = {
      memberId: request.memberId,
      instanceId: request.groupInstanceId,
      generation: request.generationId,
      protocolType,
      protocolName,
      assignments: new Map(request.assignments.map(({ memberId, assignment }) => [memberId, assignment.slice()])),
      response,
    };
    if (run.kind === 'consumer') syncConsumerGroup(run, syncing);
    else syncGroup(run, syncing);
    return response.outcome(connection);
  },
};
