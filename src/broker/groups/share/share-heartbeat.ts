/**
 * ShareGroupHeartbeat: a member joins or says what has changed, and hears what it is to read. I/O thread.
 * Errors and their order are those of Kafka's coordinator; what can be told from the request alone was checked by the
 * handler.
 */

import { sameTopics } from '../consumer/consumer-member.ts';
import { samePartitions, type Partitions } from '../consumer/partitions.ts';
import { refreshEpoch } from '../consumer/rebalance-epoch.ts';
import { fencedEpoch, groupFull, unknownMember, type Refusal } from '../consumer/refusal.ts';
import { ShareEdit } from './share-edit.ts';
import { newShareMember, shareMemberSizeBytes, type ShareMember } from './share-member.ts';
import type { ShareRun } from './share-run.ts';
import { refreshShareTargets } from './share-targets.ts';

/** The epochs with which a member says something else than where it is. */
export const ShareMemberEpoch = { JOINING: 0, LEAVING: -1 } as const;

/** A heartbeat as the group sees it; null is what has not changed. */
export interface ShareBeat {
  /** Not empty. */
  readonly memberId: string;
  /** 0 for a member that joins. */
  readonly memberEpoch: number;
  readonly rackId: string | null;
  readonly subscribedTopics: ReadonlySet<string> | null;
  readonly clientId: string;
  readonly clientHost: string;
}

/** What a member hears. */
export interface ShareBeatAnswer {
  readonly memberId: string;
  readonly memberEpoch: number;
  /** Null where it is what the member was told last. */
  readonly assignment: Partitions | null;
}

/** Why the group does not take the heartbeat, or null. It changes nothing. */
export function problemOfShareBeat({ group, surroundings }: ShareRun, beat: ShareBeat): Refusal | null {
  const { memberId, memberEpoch } = beat;
  const known = group.members.get(memberId);
  const maxSize = surroundings.config.number('group.share.max.size');
  if (known === undefined && group.members.size >= maxSize) return groupFull(maxSize);
  if (memberEpoch === ShareMemberEpoch.JOINING) return null;
  if (known === undefined) return unknownMember(group.id, memberId);
  // The response that told it the present epoch may have been lost.
  if (memberEpoch === known.epoch || memberEpoch === known.previousEpoch) return null;
  return fencedEpoch(memberId, memberEpoch, known.epoch);
}

/** Takes over a heartbeat that has no problem. */
export function acceptShareBeat(run: ShareRun, beat: ShareBeat): ShareBeatAnswer {
  const { group } = run;
  const edit = new ShareEdit(group);
  const before = group.members.get(beat.memberId) ?? newShareMember(beat.memberId);
  const updated = describedBy(before, beat);
  edit.putMember(updated);
  refreshEpoch(run, edit, !sameTopics(before.subscribedTopics, updated.subscribedTopics));
  refreshShareTargets(run, edit);
  const member = reconciled(run, updated);
  edit.putMember(member);
  run.touch(member.id);
  run.commit(edit);
  const isTold =
    beat.memberEpoch === ShareMemberEpoch.JOINING ||
    beat.subscribedTopics !== null ||
    !samePartitions(before.assigned, member.assigned);
  return { memberId: member.id, memberEpoch: member.epoch, assignment: isTold ? member.assigned : null };
}

/** What the member will take in memory beyond what it does, in bytes, roughly. */
export function addedShareBytes({ group }: ShareRun, beat: ShareBeat): number {
  const known = group.members.get(beat.memberId) ?? null;
  const updated = describedBy(known ?? newShareMember(beat.memberId), beat);
  return shareMemberSizeBytes(updated) - (known === null ? 0 : shareMemberSizeBytes(known));
}

/**
 * The member with its target, where it does not have that yet; without what it does not subscribe to any more, or what is
 * gone: a target may be older than that.
 */
function reconciled({ group, surroundings }: ShareRun, member: ShareMember): ShareMember {
  const isBehind = member.epoch !== group.assignmentEpoch;
  const given = isBehind ? group.targetOf(member.id) : member.assigned;
  const subscribed = surroundings.topics.assignable(member.subscribedTopics);
  const ids = new Set(subscribed.map(({ topicId }) => topicId));
  const isWanted = [...given.keys()].every((topicId) => ids.has(topicId));
  if (isWanted && !isBehind) return member;
  const assigned = isWanted ? given : new Map([...given].filter(([topicId]) => ids.has(topicId)));
  return isBehind
    ? { ...member, previousEpoch: member.epoch, epoch: group.assignmentEpoch, assigned }
    : { ...member, assigned };
}

/** The member with what the heartbeat says about it; the same object where that is nothing new. */
function describedBy(member: ShareMember, beat: ShareBeat): ShareMember {
  const rackId = beat.rackId ?? member.rackId;
  const subscribedTopics = beat.subscribedTopics ?? member.subscribedTopics;
  const { clientId, clientHost } = beat;
  const isSame =
    rackId === member.rackId &&
    clientId === member.clientId &&
    clientHost === member.clientHost &&
    sameTopics(subscribedTopics, member.subscribedTopics);
  return isSame ? member : { ...member, rackId, subscribedTopics, clientId, clientHost };
}
