/**
 * JoinGroup: a member asks to be in the next generation, and waits until it begins. I/O thread.
 * Errors and their order are those of Kafka's coordinator; the request itself was checked by the handler.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { defaultSyncGroupResponse, type JoinGroupResponse } from '../../protocol/generated/index.ts';
import { GroupMember, type MemberDescription } from './group-member.ts';
import { newMemberId } from './member-id.ts';
import { joinError, type Rebalance } from './rebalance.ts';
import type { WaitingResponse } from './waiting-response.ts';

/** A JoinGroup as the group sees it; its bytes are copies. */
export interface Joining {
  /** Empty where the client has none yet. */
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly protocolType: string;
  readonly description: MemberDescription;
  readonly reason: string;
  /** From version 4 on a new member first gets its id, and joins with that (KIP-394). */
  readonly needsMemberId: boolean;
  /** From version 9 on a static leader can be told that there is nothing to assign (KIP-814). */
  readonly canSkipAssignment: boolean;
  /** Whether the client may know of the topic. */
  readonly mayDescribe: (topic: string) => boolean;
  readonly response: WaitingResponse<JoinGroupResponse>;
}

/** Member ids that one group holds for clients that have not joined yet; beyond them, clients have to wait. */
const maxPendingJoins = 10_000;

/** Serves a JoinGroup; the response comes at once or when the next generation begins. */
export function joinGroup(rebalance: Rebalance, joining: Joining): void {
  const { group } = rebalance;
  const { memberId, instanceId, description, response } = joining;
  const isNew = memberId === '';
  if (!isAccepted(rebalance, memberId)) {
    group.remove(memberId);
    response.answer(joinError(ErrorCode.GROUP_MAX_SIZE_REACHED));
    rebalance.completeIfAllJoined();
    return;
  }
  const names = description.protocols.map(({ name }) => name);
  if (!group.supports(joining.protocolType, names)) {
    response.answer(joinError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, memberId));
  } else if (isNew && instanceId !== null) joinStatic(rebalance, joining, instanceId);
  else if (isNew) joinDynamic(rebalance, joining);
  else if (group.pendingJoins.has(memberId)) {
    // A static member never gets an id to come again with; who says so made it up.
    if (instanceId !== null) response.answer(joinError(ErrorCode.UNKNOWN_SERVER_ERROR));
    else addMember(rebalance, joining, memberId);
  } else rejoin(rebalance, joining);
}

/** Whether the group has room: who is in it stays, but a rebalance after `group.max.size` was lowered sheds the rest. */
function isAccepted({ group, surroundings }: Rebalance, memberId: string): boolean {
  const maxSize = surroundings.config.number('group.max.size');
  switch (group.state) {
    case 'PreparingRebalance':
      return group.members.get(memberId)?.hasJoined === true || group.joinedCount < maxSize;
    case 'CompletingRebalance':
    case 'Stable':
      return group.members.has(memberId) || group.members.size < maxSize;
    default:
      return true;
  }
}

function joinDynamic(rebalance: Rebalance, joining: Joining): void {
  const { group, surroundings } = rebalance;
  const memberId = newMemberId(joining.description.clientId, surroundings.random);
  if (!joining.needsMemberId) {
    addMember(rebalance, joining, memberId);
    return;
  }
  if (group.pendingJoins.size >= maxPendingJoins) {
    joining.response.answer(joinError(ErrorCode.COORDINATOR_NOT_AVAILABLE));
    return;
  }
  const session = rebalance.newSession(memberId);
  session.set(joining.description.sessionTimeoutMs);
  group.addPending(memberId, session);
  joining.response.answer(joinError(ErrorCode.MEMBER_ID_REQUIRED, memberId));
}

function joinStatic(rebalance: Rebalance, joining: Joining, instanceId: string): void {
  const memberId = newMemberId(instanceId, rebalance.surroundings.random);
  const oldId = rebalance.group.memberIdOfInstance(instanceId);
  if (oldId === null) addMember(rebalance, joining, memberId);
  else replaceStatic(rebalance, joining, oldId, memberId);
}

function addMember(rebalance: Rebalance, joining: Joining, memberId: string): void {
  const { instanceId, description } = joining;
  const member = new GroupMember(memberId, instanceId, description, rebalance.newSession(memberId));
  wait(rebalance, member, joining);
  rebalance.addNew(member, joining.protocolType);
  rebalance.prepareOrComplete(`member ${memberId} is new; its reason: ${joining.reason}`);
}

/** The member's JoinGroup waits, in the place of an earlier one. */
function wait(rebalance: Rebalance, member: GroupMember, joining: Joining): void {
  const { group } = rebalance;
  const { response } = joining;
  const before = member.join;
  if (group.members.has(member.id)) group.setJoin(member, response);
  else member.join = response;
  // Its client has sent another since, so it does not care, but responses leave in order.
  before?.answer(joinError(ErrorCode.REBALANCE_IN_PROGRESS, member.id));
  const isKnownToClient = joining.memberId !== '' || member.instanceId !== null;
  response.onAbandoned(() => {
    if (member.join !== response || group.members.get(member.id) !== member) return;
    if (isKnownToClient) rebalance.touch(member);
    else rebalance.removeMember(member, `the connection of ${member.id} ended before it knew its id`);
  });
}

function rejoin(rebalance: Rebalance, joining: Joining): void {
  const { group } = rebalance;
  const { memberId, description, response } = joining;
  const errorCode = group.checkMember(memberId, joining.instanceId);
  const member = group.members.get(memberId);
  if (errorCode !== ErrorCode.NONE || member === undefined) {
    response.answer(joinError(errorCode, memberId));
    return;
  }
  const isUnchanged = member.hasSameProtocols(description.protocols);
  // A leader that joins again wants an assignment anew, as when a topic's partitions have changed.
  const wantsNothing =
    isUnchanged && (group.state === 'CompletingRebalance' || (group.state === 'Stable' && !group.isLeader(memberId)));
  if (wantsNothing) {
    response.answer(rebalance.generationFor(member));
    return;
  }
  group.describe(member, description);
  wait(rebalance, member, joining);
  rebalance.prepareOrComplete(`member ${memberId} joins again; its reason: ${joining.reason}`);
}

/** A static member came back without its member id: it gets a new one and keeps its place (KIP-345). */
function replaceStatic(rebalance: Rebalance, joining: Joining, oldId: string, memberId: string): void {
  const { group } = rebalance;
  const oldLeaderId = group.leaderId;
  const old = group.members.get(oldId)!;
  rebalance.answerJoin(old, joinError(ErrorCode.FENCED_INSTANCE_ID, oldId));
  rebalance.answerSync(old, { ...defaultSyncGroupResponse(), errorCode: ErrorCode.FENCED_INSTANCE_ID });
  const member = new GroupMember(memberId, old.instanceId, joining.description, rebalance.newSession(memberId));
  member.assignment = old.assignment;
  group.replaceStatic(oldId, member);
  wait(rebalance, member, joining);
  rebalance.touch(member);
  if (group.state === 'Stable' && group.selectProtocol() === group.protocolName) {
    void keepAssignment(rebalance, joining, old, member, oldLeaderId);
  } else if (group.state === 'PreparingRebalance') rebalance.completeIfAllJoined();
  else rebalance.prepare(`static member ${memberId} came back; its reason: ${joining.reason}`);
}

/** The generation goes on with the member's new id, once that is durable. */
async function keepAssignment(
  rebalance: Rebalance,
  joining: Joining,
  old: GroupMember,
  member: GroupMember,
  oldLeaderId: string | null,
): Promise<void> {
  const { group, surroundings } = rebalance;
  const { generation } = group;
  const assignments = new Map([...group.members.values()].map(({ id, assignment }) => [id, assignment]));
  rebalance.lastWrite = surroundings.write(group, assignments);
  const errorCode = await rebalance.lastWrite;
  // Meanwhile a rebalance may have begun, which answers it, or the member may be gone.
  if (group.state !== 'Stable' || group.generation !== generation || group.members.get(member.id) !== member) return;
  const isLeader = group.isLeader(member.id);
  if (errorCode !== ErrorCode.NONE) {
    rebalance.answerJoin(member, { ...rebalance.generationFor(member, false), errorCode, memberId: '' });
    const restored = new GroupMember(old.id, old.instanceId, old.description, rebalance.newSession(old.id));
    restored.assignment = member.assignment;
    group.replaceStatic(member.id, restored);
    rebalance.touch(restored);
    return;
  }
  // Its session could not end while it waited, so it begins anew.
  rebalance.touch(member);
  if (joining.canSkipAssignment) {
    rebalance.answerJoin(member, { ...rebalance.generationFor(member), skipAssignment: isLeader });
  } else {
    // The leader is told its old id, so that it does not take itself for the one that assigns.
    rebalance.answerJoin(member, { ...rebalance.generationFor(member, false), leader: oldLeaderId ?? '' });
  }
}
