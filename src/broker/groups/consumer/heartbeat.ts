/**
 * ConsumerGroupHeartbeat: a member joins, says what has changed and what it has, and hears what it is to have. I/O thread.
 * Errors and their order are those of Kafka's coordinator; what can be told from the request alone was checked by the
 * handler. Members that leave are in leave.ts.
 *
 *   checked ──► member put ──► epoch, where something changed ──► target, where it is due ──► member's next step
 */

import { ErrorCode } from '../../../base/error-code.ts';
import type { KeyedRecord } from '../../keyed-batch.ts';
import { memberSizeBytes, MemberEpoch, newConsumerMember, sameTopics, type ConsumerMember } from './consumer-member.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import type { ConsumerRun } from './consumer-run.ts';
import { GroupEdit } from './group-edit.ts';
import { dropUnusedRegex } from './leave.ts';
import { containsAll, sameEpochedPartitions, type EpochedPartitions, type TopicPartitionsField } from './partitions.ts';
import { assignorOf, reconcile, refreshEpoch, refreshTarget } from './rebalance-epoch.ts';
import {
  fencedEpoch,
  fencedInstance,
  groupFull,
  refusal,
  unknownInstance,
  unknownMember,
  unreleasedInstance,
  type Refusal,
} from './refusal.ts';
import { considerResolving } from './resolve-regexes.ts';

/** A heartbeat as the group sees it; null is what has not changed. */
export interface ConsumerBeat {
  /** Not empty. */
  readonly memberId: string;
  /** 0 for a member that joins. */
  readonly memberEpoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  /** -1 where it has not changed. */
  readonly rebalanceTimeoutMs: number;
  readonly subscribedTopics: ReadonlySet<string> | null;
  readonly subscribedRegex: string | null;
  readonly assignor: string | null;
  readonly owned: readonly TopicPartitionsField[] | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** Whether the client may know of the topic. */
  readonly mayDescribe: (topic: string) => boolean;
}

/** What a member hears. */
export interface ConsumerBeatAnswer {
  readonly memberId: string;
  readonly memberEpoch: number;
  /** Null where it is what the member was told last. */
  readonly assignment: EpochedPartitions | null;
}

/** Why the group does not take the heartbeat, or null. It changes nothing. */
export function problemOfBeat({ group, surroundings }: ConsumerRun, beat: ConsumerBeat): Refusal | null {
  const isJoining = beat.memberEpoch === MemberEpoch.JOINING;
  const problem = problemOfSize(
    group,
    beat.memberId,
    beat.instanceId,
    surroundings.config.number('group.consumer.max.size'),
  );
  if (problem !== null) return problem;
  const known = beat.instanceId === null ? group.members.get(beat.memberId) : group.memberOfInstance(beat.instanceId);
  const problemOfIdentity = isJoining ? problemOfJoin(known ?? null, beat) : problemOfKnown(group, known ?? null, beat);
  if (problemOfIdentity !== null) return problemOfIdentity;
  const regex = beat.subscribedRegex ?? '';
  if (regex === '' || regex === known?.subscribedRegex || group.subscriptions.regexMemberCount(regex) > 0) return null;
  const problemOfRegex = surroundings.regexes.problemOf(regex);
  if (problemOfRegex === null) return null;
  const message = `SubscribedTopicRegex \`${regex}\` is not a valid regular expression: ${problemOfRegex}.`;
  return refusal(ErrorCode.INVALID_REGULAR_EXPRESSION, message);
}

/** Whether the group has room; who is in it stays, under a new id too. */
export function problemOfSize(
  group: ConsumerGroup,
  memberId: string,
  instanceId: string | null,
  maxSize: number,
): Refusal | null {
  if (group.memberOfInstance(instanceId) !== null || group.members.has(memberId)) return null;
  return group.members.size < maxSize ? null : groupFull(maxSize);
}

function problemOfJoin(known: ConsumerMember | null, { memberId, instanceId }: ConsumerBeat): Refusal | null {
  if (instanceId === null || known === null || known.classic !== null) return null;
  return known.epoch === MemberEpoch.LEAVING_STATIC ? null : unreleasedInstance(known.id, memberId, instanceId);
}

function problemOfKnown(group: ConsumerGroup, known: ConsumerMember | null, beat: ConsumerBeat): Refusal | null {
  const { memberId, instanceId, memberEpoch, owned } = beat;
  if (known === null) return instanceId === null ? unknownMember(group.id, memberId) : unknownInstance(instanceId);
  if (instanceId !== null && known.id !== memberId) return fencedInstance(known.id, memberId, instanceId);
  if (memberEpoch === known.epoch) return null;
  // The response that told it the present epoch may have been lost: then it still has what it had, and no more.
  const lostResponse = memberEpoch === known.previousEpoch && owned !== null && containsAll(known.assigned, owned);
  return memberEpoch < known.epoch && lostResponse ? null : fencedEpoch(memberId, memberEpoch, known.epoch);
}

/** Takes over a heartbeat that has no problem. `records` are written along with the change, before it. */
export function acceptBeat(
  run: ConsumerRun,
  beat: ConsumerBeat,
  records: readonly KeyedRecord[] = [],
): ConsumerBeatAnswer {
  const { group } = run;
  const edit = new GroupEdit(group, records);
  const before = memberBefore(run, edit, beat.memberId, beat.instanceId, beat.memberEpoch === MemberEpoch.JOINING);
  const updated = describedBy(before, beat);
  const changed = putDescribed(run, edit, before, updated, beat.mayDescribe);
  refreshEpoch(run, edit, changed.needsEpoch);
  refreshTarget(run, edit);
  const member = reconcile(run, edit, updated, changed.subscription, beat.owned);
  run.touch(member);
  run.commit(edit);
  const isFull =
    beat.rebalanceTimeoutMs !== -1 &&
    (beat.subscribedTopics !== null || beat.subscribedRegex !== null) &&
    beat.owned !== null;
  const isTold =
    beat.memberEpoch === MemberEpoch.JOINING || isFull || !sameEpochedPartitions(before.assigned, member.assigned);
  return { memberId: member.id, memberEpoch: member.epoch, assignment: isTold ? member.assigned : null };
}

/** The member as it is known, or as it begins; a static one that comes back gets the place of the one before. */
export function memberBefore(
  run: ConsumerRun,
  edit: GroupEdit,
  memberId: string,
  instanceId: string | null,
  isJoining: boolean,
): ConsumerMember {
  const { group } = run;
  const known = instanceId === null ? group.members.get(memberId) : group.memberOfInstance(instanceId);
  if (known === undefined || known === null) return newConsumerMember(memberId);
  if (instanceId === null || !isJoining) return known;
  const target = group.targetOf(known.id);
  edit.removeMember(known.id);
  run.dropTimers(known.id);
  const replacing = { ...known, id: memberId, epoch: 0, previousEpoch: 0 };
  edit.putMember(replacing);
  edit.putTarget(memberId, target);
  return replacing;
}

/** What a changed description means for the group. */
export interface DescribedChange {
  readonly subscription: boolean;
  readonly needsEpoch: boolean;
}

/** Puts the member as it describes itself now, and has expressions looked up where that is due. */
export function putDescribed(
  run: ConsumerRun,
  edit: GroupEdit,
  before: ConsumerMember,
  updated: ConsumerMember,
  mayDescribe: (topic: string) => boolean,
): DescribedChange {
  const { subscriptions } = run.group;
  const assignorBefore = assignorOf(run);
  const regex = updated.subscribedRegex;
  const isNewRegex = regex !== '' && subscriptions.regexMemberCount(regex) === 0;
  edit.putMember(updated);
  const regexChanged = before.subscribedRegex !== regex;
  if (regexChanged) dropUnusedRegex(edit, before.subscribedRegex);
  // A new expression matches nothing as yet: what it matches changes the epoch once that is known.
  const regexCounts = regexChanged && (regex === '' || subscriptions.resolved.has(regex));
  considerResolving(run, regexChanged && isNewRegex, mayDescribe);
  const topicsChanged = !sameTopics(before.subscribedTopics, updated.subscribedTopics);
  return {
    subscription: topicsChanged || regexChanged,
    needsEpoch: topicsChanged || regexCounts || assignorOf(run) !== assignorBefore,
  };
}

/** The member with what the heartbeat says about it; the same object where that is nothing new. */
function describedBy(member: ConsumerMember, beat: ConsumerBeat): ConsumerMember {
  const isSame =
    member.classic === null &&
    (beat.instanceId === null || beat.instanceId === member.instanceId) &&
    (beat.rackId === null || beat.rackId === member.rackId) &&
    (beat.rebalanceTimeoutMs === -1 || beat.rebalanceTimeoutMs === member.rebalanceTimeoutMs) &&
    (beat.subscribedTopics === null || sameTopics(beat.subscribedTopics, member.subscribedTopics)) &&
    (beat.subscribedRegex === null || beat.subscribedRegex === member.subscribedRegex) &&
    (beat.assignor === null || beat.assignor === member.assignor) &&
    beat.clientId === member.clientId &&
    beat.clientHost === member.clientHost;
  if (isSame) return member;
  return {
    ...member,
    instanceId: beat.instanceId ?? member.instanceId,
    rackId: beat.rackId ?? member.rackId,
    rebalanceTimeoutMs: beat.rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : beat.rebalanceTimeoutMs,
    subscribedTopics: beat.subscribedTopics ?? member.subscribedTopics,
    subscribedRegex: beat.subscribedRegex ?? member.subscribedRegex,
    assignor: beat.assignor ?? member.assignor,
    clientId: beat.clientId,
    clientHost: beat.clientHost,
    classic: null,
  };
}

/** What the member will take in memory beyond what it does, in bytes, roughly. */
export function addedSizeBytes({ group }: ConsumerRun, beat: ConsumerBeat): number {
  const known = group.members.get(beat.memberId) ?? null;
  const updated = describedBy(known ?? newConsumerMember(beat.memberId), beat);
  return memberSizeBytes(updated) - (known === null ? 0 : memberSizeBytes(known));
}
