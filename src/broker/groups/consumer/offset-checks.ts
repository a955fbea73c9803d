/**
 * Who may commit and read the offsets of a consumer group: members at their epochs. Any thread.
 * A commit may still carry the epoch before the member's present one, for partitions that it had then and still has.
 */

import { ErrorCode } from '../../../base/error-code.ts';
import type { Committer, OffsetPlace } from '../offset-commits.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import type { ConsumerMember } from './consumer-member.ts';

/** Why the group does not take the commit, or NONE. */
export function problemOfConsumerCommit(
  group: ConsumerGroup,
  { memberId, instanceId, generation, knowsMissingGroups, producerId }: Committer,
  places: readonly OffsetPlace[],
): ErrorCode {
  if (generation < 0 && group.isEmpty) return ErrorCode.NONE;
  // A producer that knows no members may commit for any group, as before KIP-447.
  if (producerId !== null && generation === -1 && memberId === '' && instanceId === null) return ErrorCode.NONE;
  const member = group.members.get(memberId);
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
  // The versions that know missing groups know the errors of member epochs too.
  if (producerId === null && member.classic === null && !knowsMissingGroups) return ErrorCode.UNSUPPORTED_VERSION;
  if (generation === member.epoch) return ErrorCode.NONE;
  const isAllowed =
    generation < member.epoch && places.every((place) => generation >= (epochOf(member, place) ?? Infinity));
  if (isAllowed) return ErrorCode.NONE;
  return knowsMissingGroups ? wrongEpoch(member) : ErrorCode.ILLEGAL_GENERATION;
}

/** Why the group does not tell its offsets, or NONE. `memberId` is null for who is no member. */
export function problemOfConsumerFetch(group: ConsumerGroup, memberId: string | null, memberEpoch: number): ErrorCode {
  if (memberId === null && memberEpoch < 0) return ErrorCode.NONE;
  const member = memberId === null ? undefined : group.members.get(memberId);
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
  return memberEpoch === member.epoch ? ErrorCode.NONE : wrongEpoch(member);
}

/** The epoch at which the member got the partition; null where it does not have it. */
function epochOf({ assigned, revoking }: ConsumerMember, { topicId, partition }: OffsetPlace): number | null {
  return assigned.get(topicId)?.get(partition) ?? revoking.get(topicId)?.get(partition) ?? null;
}

function wrongEpoch({ classic }: ConsumerMember): ErrorCode {
  return classic === null ? ErrorCode.STALE_MEMBER_EPOCH : ErrorCode.ILLEGAL_GENERATION;
}
