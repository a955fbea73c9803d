/**
 * What members of consumer groups hear where they are refused: the code, with the sentence for whoever reads logs. Any
 * thread.
 */

import { ErrorCode } from '../../../base/error-code.ts';

export interface Refusal {
  readonly errorCode: ErrorCode;
  readonly message: string;
}

export function refusal(errorCode: ErrorCode, message: string): Refusal {
  return { errorCode, message };
}

export function isRefusal(value: object): value is Refusal {
  return 'errorCode' in value && 'message' in value;
}

export function groupNotFound(message: string): Refusal {
  return refusal(ErrorCode.GROUP_ID_NOT_FOUND, message);
}

export function unknownMember(groupId: string, memberId: string): Refusal {
  return refusal(ErrorCode.UNKNOWN_MEMBER_ID, `Member ${memberId} is not a member of group ${groupId}.`);
}

export function unknownInstance(instanceId: string): Refusal {
  return refusal(ErrorCode.UNKNOWN_MEMBER_ID, `Instance id ${instanceId} is unknown.`);
}

export function fencedInstance(currentId: string, memberId: string, instanceId: string): Refusal {
  const message = `Static member ${memberId} with instance id ${instanceId} was fenced by member ${currentId}.`;
  return refusal(ErrorCode.FENCED_INSTANCE_ID, message);
}

export function unreleasedInstance(currentId: string, memberId: string, instanceId: string): Refusal {
  const message = `Static member ${memberId} cannot join with instance id ${instanceId}, which member ${currentId} has.`;
  return refusal(ErrorCode.UNRELEASED_INSTANCE_ID, message);
}

export function fencedEpoch(memberId: string, received: number, known: number): Refusal {
  const message =
    `Member ${memberId} has the epoch ${received}, and the coordinator knows it at ${known}. ` +
    'The member must give up all its partitions and join again.';
  return refusal(ErrorCode.FENCED_MEMBER_EPOCH, message);
}

export function groupFull(maxSize: number): Refusal {
  return refusal(ErrorCode.GROUP_MAX_SIZE_REACHED, `The group has its most members already: ${maxSize}.`);
}
