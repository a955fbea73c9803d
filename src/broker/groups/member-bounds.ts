/**
 * What members of groups of the newer protocols may say of themselves, each and all together, in bytes. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { MemberMemory } from './classic-group.ts';
import { refusal, type Refusal } from './consumer/refusal.ts';

export interface MemberBounds {
  readonly memory: MemberMemory;
  readonly maxMemberBytes: number;
  readonly maxMembersBytes: number;
}

/** Why a member cannot say `addedBytes` more of itself, or null where it can. */
export function problemOfMemory(
  addedBytes: number,
  { memory, maxMemberBytes, maxMembersBytes }: MemberBounds,
): Refusal | null {
  if (addedBytes <= 0) return null;
  if (addedBytes > maxMemberBytes) return refusal(ErrorCode.INVALID_REQUEST, 'The member subscribes to too much.');
  return memory.sizeBytes + addedBytes <= maxMembersBytes
    ? null
    : refusal(ErrorCode.GROUP_MAX_SIZE_REACHED, 'The members of all groups say too much of themselves together.');
}
