/**
 * SyncGroup: members ask for their part of the assignment, which the leader brings along with its own. I/O thread.
 * The generation, its members and the assignment are durable before anybody hears of it, so that a restart finds the
 * group as its members know it.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { defaultSyncGroupResponse, type SyncGroupResponse } from '../../protocol/generated/index.ts';
import type { GroupMember } from './group-member.ts';
import type { Rebalance } from './rebalance.ts';
import type { WaitingResponse } from './waiting-response.ts';

/** A SyncGroup as the group sees it; its bytes are copies. */
export interface Syncing {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
  /** Null before version 5. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** By member id; empty unless the leader sends it. */
  readonly assignments: ReadonlyMap<string, Uint8Array>;
  readonly response: WaitingResponse<SyncGroupResponse>;
}

/** Serves a SyncGroup; the response comes at once or when the leader's assignment is durable. */
export function syncGroup(rebalance: Rebalance, syncing: Syncing): void {
  const { group } = rebalance;
  const { memberId, response } = syncing;
  const errorCode = problemOf(rebalance, syncing);
  const member = group.members.get(memberId);
  if (errorCode !== ErrorCode.NONE || member === undefined) {
    response.answer(syncError(errorCode));
    return;
  }
  rebalance.synced(member);
  if (group.state === 'Stable') {
    response.answer(rebalance.assignmentFor(member));
    return;
  }
  wait(rebalance, member, response);
  if (group.isLeader(memberId) && rebalance.writingGeneration !== group.generation) {
    void writeAssignment(rebalance, syncing.assignments);
  }
}

function problemOf({ group }: Rebalance, syncing: Syncing): ErrorCode {
  const errorCode = group.checkMember(syncing.memberId, syncing.instanceId);
  if (errorCode !== ErrorCode.NONE) return errorCode;
  if (syncing.generation !== group.generation) return ErrorCode.ILLEGAL_GENERATION;
  const { protocolType, protocolName } = syncing;
  const differs =
    (protocolType !== null && group.protocolType !== null && protocolType !== group.protocolType) ||
    (protocolName !== null && group.protocolName !== null && protocolName !== group.protocolName);
  if (differs) return ErrorCode.INCONSISTENT_GROUP_PROTOCOL;
  return group.state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE;
}

function wait(rebalance: Rebalance, member: GroupMember, response: Syncing['response']): void {
  // Its client has sent another since, so it does not care, but responses leave in order.
  member.sync?.answer(syncError(ErrorCode.REBALANCE_IN_PROGRESS));
  member.sync = response;
  response.onAbandoned(() => {
    if (member.sync !== response) return;
    member.sync = null;
    if (rebalance.group.members.get(member.id) === member) rebalance.touch(member);
  });
}

async function writeAssignment(rebalance: Rebalance, assignments: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const { group, surroundings } = rebalance;
  const { generation } = group;
  rebalance.writingGeneration = generation;
  rebalance.lastWrite = surroundings.write(group, assignments);
  const errorCode = await rebalance.lastWrite;
  if (rebalance.writingGeneration === generation) rebalance.writingGeneration = -1;
  // Meanwhile another rebalance may have begun, which answers everybody.
  if (group.state !== 'CompletingRebalance' || group.generation !== generation) return;
  if (errorCode === ErrorCode.NONE) {
    rebalance.assign(assignments);
    return;
  }
  rebalance.assignNothing(errorCode);
  rebalance.prepare('the assignment could not be written');
}

export function syncError(errorCode: ErrorCode): SyncGroupResponse {
  return { ...defaultSyncGroupResponse(), errorCode };
}
