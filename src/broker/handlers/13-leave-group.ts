/**
 * LeaveGroup: members leave, several at once from version 3 on (KIP-345). I/O thread.
 * Where the group is empty afterwards, the response waits until that is durable.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultLeaveGroupResponse,
  type LeaveGroupRequest,
  type LeaveGroupRequestMembers,
  type LeaveGroupResponse,
} from '../../protocol/generated/index.ts';
import { leaveConsumerGroup } from '../groups/consumer/classic-members.ts';
import { problemOfRequest } from '../groups/coordinator-error.ts';
import type { GroupRun } from '../groups/group-directory.ts';
import { leaveGroup, type Leaving } from '../groups/leave-group.ts';
import type { ApiHandler } from '../request-context.ts';

const firstVersionWithMembers = 3;

export const leaveGroupHandler: ApiHandler<LeaveGroupRequest, LeaveGroupResponse> = {
  apiKey: 13,
  async handle(request, { apiVersion }, broker) {
    const { groupId } = request;
    const hasMembers = apiVersion >= firstVersionWithMembers;
    const members: readonly LeaveGroupRequestMembers[] = hasMembers
      ? request.members
      : [{ memberId: request.memberId, groupInstanceId: null, reason: null }];
    const problem = problemOfRequest(groupId, broker.groups.isActive);
    if (problem !== ErrorCode.NONE) return { ...defaultLeaveGroupResponse(), errorCode: problem };
    const rebalance = broker.groups.find(groupId);
    const writeBefore = rebalance?.lastWrite ?? null;
    const leaving = members.map(({ memberId, groupInstanceId, reason }) => ({
      memberId,
      instanceId: groupInstanceId,
      reason,
    }));
    const errorCodes = leaveAll(rebalance, leaving);
    // Where what is left of the group cannot be written, the members are gone all the same until it is read again.
    if (rebalance !== null && rebalance.lastWrite !== writeBefore) await rebalance.lastWrite;
    if (!hasMembers) return { ...defaultLeaveGroupResponse(), errorCode: errorCodes[0]! };
    return {
      ...defaultLeaveGroupResponse(),
      members: members.map(({ memberId, groupInstanceId }, i) => ({
        memberId,
        groupInstanceId,
        errorCode: errorCodes[i]!,
      })),
    };
  },
};

function leaveAll(run: GroupRun | null, leaving: readonly Leaving[]): ErrorCode[] {
  const isJoined = run?.kind === 'classic' || run?.kind === 'consumer';
  if (!isJoined) return leaving.map(() => ErrorCode.UNKNOWN_MEMBER_ID);
  return run.kind === 'consumer' ? leaveConsumerGroup(run, leaving) : leaveGroup(run, leaving);
}
