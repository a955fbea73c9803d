/**
 * LeaveGroup and Heartbeat: members that go, and members that are still there. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { joinError, type Rebalance } from './rebalance.ts';
import { syncError } from './sync-group.ts';

/** Who leaves: a member, or by its instance id alone a static member that someone takes out. */
export interface Leaving {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly reason: string | null;
}

/** Takes the members out, and gives an error code for each. A rebalance begins once for all of them. */
export function leaveGroup(rebalance: Rebalance, leaving: readonly Leaving[]): ErrorCode[] {
  const { group } = rebalance;
  const errorCodes = leaving.map((one) => leave(rebalance, one));
  const goneCount = errorCodes.filter((errorCode) => errorCode === ErrorCode.NONE).length;
  if (goneCount === 0) return errorCodes;
  if (group.state !== 'Empty') {
    rebalance.prepareOrComplete(`${goneCount} member(s) left; the reason: ${leaving[0]?.reason ?? 'not provided'}`);
  }
  rebalance.surroundings.memberGone(group);
  return errorCodes;
}

function leave(rebalance: Rebalance, { memberId, instanceId }: Leaving): ErrorCode {
  const { group } = rebalance;
  if (memberId !== '' && group.pendingJoins.has(memberId)) {
    group.removePending(memberId);
    return ErrorCode.NONE;
  }
  const id = memberId === '' && instanceId !== null ? (group.memberIdOfInstance(instanceId) ?? '') : memberId;
  const errorCode = group.checkMember(id, memberId === '' ? null : instanceId);
  const member = group.members.get(id);
  if (errorCode !== ErrorCode.NONE || member === undefined) return errorCode;
  rebalance.answerJoin(member, joinError(ErrorCode.UNKNOWN_MEMBER_ID));
  rebalance.answerSync(member, syncError(ErrorCode.UNKNOWN_MEMBER_ID));
  group.remove(id);
  return ErrorCode.NONE;
}

/** A member says that it is alive, and hears whether it has to join again. */
export function heartbeat(
  rebalance: Rebalance,
  memberId: string,
  instanceId: string | null,
  generation: number,
): ErrorCode {
  const { group } = rebalance;
  const errorCode = group.checkMember(memberId, instanceId);
  const member = group.members.get(memberId);
  if (errorCode !== ErrorCode.NONE || member === undefined) return errorCode;
  if (generation !== group.generation) return ErrorCode.ILLEGAL_GENERATION;
  rebalance.touch(member);
  return group.state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE;
}
