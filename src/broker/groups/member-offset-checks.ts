/**
 * Who may commit and read the offsets of a group of the newer protocols: members at their epochs. Any thread.
 * A commit may still carry the epoch before the member's present one, for partitions that it had then and still has.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { Committer, OffsetPlace } from './offset-commits.ts';

interface CommittingMember {
  readonly epoch: number;
  /** Not null for a member that speaks the classic protocol. */
  readonly classic?: object | null;
}

interface CommittingGroup<Member> {
  readonly isEmpty: boolean;
  readonly members: ReadonlyMap<string, Member>;
}

/** Why the group does not take the commit, or NONE. `epochOf`: at which epoch a member got a partition; null where not. */
export function problemOfMemberCommit<Member extends CommittingMember>(
  group: CommittingGroup<Member>,
  { memberId, instanceId, generation, knowsMissingGroups, producerId }: Committer,
  places: readonly OffsetPlace[],
  epochOf: (member: Member, place: OffsetPlace) => number | null,
): ErrorCode {
  if (generation < 0 && group.isEmpty) return ErrorCode.NONE;
  // A producer that knows no members may commit for any group, as before KIP-447.
  if (producerId !== null && generation === -1 && memberId === '' && instanceId === null) return ErrorCode.NONE;
  const member = group.members.get(memberId);
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
  // The versions that know missing groups know the errors of member epochs too.
  if (producerId === null && !isClassic(member) && !knowsMissingGroups) return ErrorCode.UNSUPPORTED_VERSION;
  if (generation === member.epoch) return ErrorCode.NONE;
  const isAllowed =
    generation < member.epoch && places.every((place) => generation >= (epochOf(member, place) ?? Infinity));
  if (isAllowed) return ErrorCode.NONE;
  return knowsMissingGroups ? wrongEpoch(member) : ErrorCode.ILLEGAL_GENERATION;
}

/** Why the group does not tell its offsets, or NONE. `memberId` is null for who is no member. */
export function problemOfMemberFetch(
  group: CommittingGroup<CommittingMember>,
  memberId: string | null,
  memberEpoch: number,
): ErrorCode {
  if (memberId === null && memberEpoch < 0) return ErrorCode.NONE;
  const member = memberId === null ? undefined : group.members.get(memberId);
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
  return memberEpoch === member.epoch ? ErrorCode.NONE : wrongEpoch(member);
}

function isClassic({ classic }: CommittingMember): boolean {
  return classic !== undefined && classic !== null;
}

function wrongEpoch(member: CommittingMember): ErrorCode {
  return isClassic(member) ? ErrorCode.ILLEGAL_GENERATION : ErrorCode.STALE_MEMBER_EPOCH;
}
