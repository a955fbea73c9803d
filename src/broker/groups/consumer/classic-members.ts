/**
 * Members of a consumer group that speak the classic protocol (KIP-848): their JoinGroup says what a heartbeat says, their
 * SyncGroup fetches what they have, and their Heartbeat hears whether to join again. I/O thread.
 *
 *   JoinGroup ──► described, reconciled, answered with the member's epoch as the generation
 *   SyncGroup ──► what is assigned to it
 *   Heartbeat ──► REBALANCE_IN_PROGRESS while its target is ahead of it
 */

import { ErrorCode } from '../../../base/error-code.ts';
import { randomUuid } from '../../../base/uuid.ts';
import {
  defaultJoinGroupResponse,
  defaultSyncGroupResponse,
  type JoinGroupResponse,
  type SyncGroupResponse,
} from '../../../protocol/generated/index.ts';
import { consumerProtocolType, readSubscription, type Subscription } from '../consumer-protocol.ts';
import type { Joining } from '../join-group.ts';
import type { Leaving } from '../leave-group.ts';
import { joinError } from '../rebalance.ts';
import type { Syncing } from '../sync-group.ts';
import { syncError } from '../sync-group.ts';
import type { ConsumerGroups } from './consumer-groups.ts';
import type { ConsumerMember } from './consumer-member.ts';
import type { ConsumerRun } from './consumer-run.ts';
import { GroupEdit } from './group-edit.ts';
import { memberBefore, problemOfSize, putDescribed } from './heartbeat.ts';
import { fenceMembers } from './leave.ts';
import { allowsMigration, assignmentFor, ownedById, problemOfDowngrade } from './migration.ts';
import { reconcile, refreshEpoch, refreshTarget } from './rebalance-epoch.ts';

/** Serves a JoinGroup; the response comes once the member is durable. */
export function joinConsumerGroup(groups: ConsumerGroups, run: ConsumerRun, joining: Joining): void {
  const { response } = joining;
  const memberId = joining.memberId === '' ? randomUuid(run.surroundings.random) : joining.memberId;
  const problem = problemOfJoin(run, joining, memberId);
  if (problem !== ErrorCode.NONE) {
    response.answer(joinError(problem));
    return;
  }
  if (joining.memberId === '' && joining.instanceId === null && joining.needsMemberId) {
    response.answer(joinError(ErrorCode.MEMBER_ID_REQUIRED, memberId));
    return;
  }
  const subscription = readSubscription(joining.description.protocols[0]!.metadata);
  if (subscription === null) {
    response.answer(joinError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL));
    return;
  }
  accept(groups, run, { ...joining, memberId }, subscription, joining.memberId === '');
}

function problemOfJoin(run: ConsumerRun, joining: Joining, memberId: string): ErrorCode {
  const { group, surroundings, isServing } = run;
  const { instanceId, protocolType, description } = joining;
  if (!isServing) return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  if (!allowsMigration(surroundings.config)) return ErrorCode.INCONSISTENT_GROUP_PROTOCOL;
  const size = problemOfSize(group, memberId, instanceId, surroundings.config.number('group.consumer.max.size'));
  if (size !== null) return size.errorCode;
  const names = description.protocols.map(({ name }) => name);
  if (names.length === 0 || !group.supportsClassic(protocolType, names)) return ErrorCode.INCONSISTENT_GROUP_PROTOCOL;
  const known = group.memberOfInstance(instanceId);
  if (joining.memberId === '' || instanceId === null) return ErrorCode.NONE;
  if (known === null) return ErrorCode.UNKNOWN_MEMBER_ID;
  return known.id === memberId ? ErrorCode.NONE : ErrorCode.FENCED_INSTANCE_ID;
}

function accept(
  groups: ConsumerGroups,
  run: ConsumerRun,
  joining: Joining,
  subscription: Subscription,
  isUnknown: boolean,
): void {
  const { group, surroundings } = run;
  const { memberId, instanceId, description } = joining;
  const replaced = group.memberOfInstance(instanceId);
  if (replaced !== null && isUnknown && becomesClassic(run, replaced)) {
    groups.downgradeWith(run, replaced, describedBy({ ...replaced, id: memberId }, joining, subscription), joining);
    return;
  }
  const edit = new GroupEdit(group);
  const before = memberBefore(run, edit, memberId, instanceId, isUnknown);
  const updated = describedBy(before, joining, subscription);
  const changed = putDescribed(run, edit, before, updated, joining.mayDescribe);
  refreshEpoch(run, edit, changed.subscription || changed.needsEpoch);
  refreshTarget(run, edit);
  const owned = ownedById(subscription.owned, surroundings.topics);
  const member = reconcile(run, edit, updated, changed.subscription, owned);
  run.commit(edit);
  void answerOnceWritten(run, joining, {
    ...defaultJoinGroupResponse(),
    memberId,
    generationId: member.epoch,
    protocolType: consumerProtocolType,
    protocolName: description.protocols[0]!.name,
  });
}

/** Whether all that would be left speak the classic protocol, once this member does. */
function becomesClassic({ group, surroundings }: ConsumerRun, replaced: ConsumerMember): boolean {
  const isLast = replaced.classic === null && group.classicCount === group.members.size - 1;
  return isLast && problemOfDowngrade(group.members.size, surroundings.config) === null;
}

function describedBy(
  member: ConsumerMember,
  { instanceId, description }: Joining,
  { topics, rackId }: Subscription,
): ConsumerMember {
  const { rebalanceTimeoutMs, sessionTimeoutMs, clientId, clientHost, protocols } = description;
  return {
    ...member,
    instanceId: instanceId ?? member.instanceId,
    rackId: rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    subscribedTopics: new Set(topics),
    subscribedRegex: '',
    clientId,
    clientHost,
    classic: { sessionTimeoutMs, protocols },
  };
}

async function answerOnceWritten(run: ConsumerRun, joining: Joining, response: JoinGroupResponse): Promise<void> {
  const errorCode = (await run.lastWrite) ?? ErrorCode.NONE;
  if (errorCode !== ErrorCode.NONE) {
    joining.response.answer(joinError(errorCode, response.memberId));
    return;
  }
  const member = run.group.members.get(response.memberId);
  if (member?.classic !== null && member !== undefined && run.isServing) {
    run.clearTimer(member.id, 'join');
    run.touch(member);
    run.setTimer(member.id, 'sync', joining.description.rebalanceTimeoutMs);
  }
  joining.response.answer(response);
}

/** Serves a SyncGroup; the response comes once all changes before it are durable. */
export function syncConsumerGroup(run: ConsumerRun, syncing: Syncing): void {
  const found = classicMember(run, syncing.memberId, syncing.instanceId);
  if (typeof found === 'number') {
    syncing.response.answer(syncError(found));
    return;
  }
  const errorCode = problemOfSync(run, found, syncing);
  if (errorCode !== ErrorCode.NONE) {
    syncing.response.answer(syncError(errorCode));
    return;
  }
  const { assigned } = found;
  const partitions = new Map([...assigned].map(([topicId, epochs]) => [topicId, new Set(epochs.keys())]));
  void answerSync(run, found, syncing, {
    ...defaultSyncGroupResponse(),
    protocolType: syncing.protocolType,
    protocolName: syncing.protocolName,
    assignment: assignmentFor(found, partitions, run.surroundings.topics),
  });
}

async function answerSync(
  run: ConsumerRun,
  { id }: ConsumerMember,
  { response }: Syncing,
  assignment: SyncGroupResponse,
): Promise<void> {
  const errorCode = (await run.lastWrite) ?? ErrorCode.NONE;
  const member = run.group.members.get(id);
  if (errorCode === ErrorCode.NONE && member !== undefined && run.isServing) {
    run.clearTimer(id, 'sync');
    run.touch(member);
  }
  response.answer(errorCode === ErrorCode.NONE ? assignment : syncError(errorCode));
}

function problemOfSync({ group }: ConsumerRun, member: ConsumerMember, syncing: Syncing): ErrorCode {
  if (syncing.generation !== member.epoch) return ErrorCode.ILLEGAL_GENERATION;
  const { protocolType, protocolName } = syncing;
  const differs =
    (protocolType !== null && protocolType !== consumerProtocolType) ||
    (protocolName !== null && protocolName !== member.classic?.protocols[0]?.name);
  if (differs) return ErrorCode.INCONSISTENT_GROUP_PROTOCOL;
  return group.assignmentEpoch > member.epoch && member.state !== 'unrevoked'
    ? ErrorCode.REBALANCE_IN_PROGRESS
    : ErrorCode.NONE;
}

/** Serves a Heartbeat. */
export function heartbeatInConsumerGroup(
  run: ConsumerRun,
  memberId: string,
  instanceId: string | null,
  generation: number,
): ErrorCode {
  const member = classicMember(run, memberId, instanceId);
  if (typeof member === 'number') return member;
  if (generation !== member.epoch) return ErrorCode.ILLEGAL_GENERATION;
  run.touch(member);
  const { group } = run;
  const isBehind =
    member.epoch < group.assignmentEpoch ||
    member.state === 'unrevoked' ||
    (member.state === 'unreleased' && !group.waitsForOthers(member));
  if (!isBehind) return ErrorCode.NONE;
  run.setTimerOnce(memberId, 'join', member.rebalanceTimeoutMs);
  return ErrorCode.REBALANCE_IN_PROGRESS;
}

/** Serves a LeaveGroup; members of either protocol can be taken out so. Gives an error code for each. */
export function leaveConsumerGroup(run: ConsumerRun, leaving: readonly Leaving[]): ErrorCode[] {
  if (!run.isServing) return leaving.map(() => ErrorCode.COORDINATOR_NOT_AVAILABLE);
  const gone = new Set<ConsumerMember>();
  const errorCodes = leaving.map(({ memberId, instanceId }) => {
    const { group } = run;
    const member = instanceId === null ? group.members.get(memberId) : group.memberOfInstance(instanceId);
    if (member === undefined || member === null) return ErrorCode.UNKNOWN_MEMBER_ID;
    if (instanceId !== null && memberId !== '' && member.id !== memberId) return ErrorCode.FENCED_INSTANCE_ID;
    gone.add(member);
    return ErrorCode.NONE;
  });
  fenceMembers(run, [...gone]);
  return errorCodes;
}

/** The member, where it is there and speaks the classic protocol; else the error code. */
function classicMember(
  { group, isServing }: ConsumerRun,
  memberId: string,
  instanceId: string | null,
): ConsumerMember | ErrorCode {
  if (!isServing) return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  const member = instanceId === null ? group.members.get(memberId) : group.memberOfInstance(instanceId);
  if (member === undefined || member === null) return ErrorCode.UNKNOWN_MEMBER_ID;
  if (member.id !== memberId) return ErrorCode.FENCED_INSTANCE_ID;
  return member.classic === null ? ErrorCode.UNKNOWN_MEMBER_ID : member;
}
