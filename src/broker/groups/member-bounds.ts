/**
 * What members of groups may say of themselves, each and all together, in bytes. I/O thread.
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

/**
 * Carries out a write of what takes `addedBytes` more once it is durable, or gives GROUP_MAX_SIZE_REACHED. While it is on its
 * way others find the room taken; from then on it is the members' who have it, and after a failure nobody's.
 */
export async function writeWithin(
  { memory, maxMembersBytes }: Omit<MemberBounds, 'maxMemberBytes'>,
  addedBytes: number,
  write: () => Promise<ErrorCode>,
): Promise<ErrorCode> {
  if (addedBytes <= 0) return write();
  if (memory.sizeBytes + addedBytes > maxMembersBytes) return ErrorCode.GROUP_MAX_SIZE_REACHED;
  memory.sizeBytes += addedBytes;
  try {
    return await write();
  } finally {
    memory.sizeBytes -= addedBytes;
  }
}
