/**
 * Moves one classic group through its rebalances, as Kafka's coordinator does: when one begins, what it waits for, how
 * long, and who is left out. I/O thread.
 *
 *   prepare ──► all have joined, or time is up ──► next generation ──► leader's SyncGroup, synced ──► Stable
 *      ▲                                               │ a member does not sync in time
 *      └───────────────────────────────────────────────┴── a member joins, leaves, changes or dies
 *
 * What a request may do stands in join-group.ts, sync-group.ts and leave-group.ts.
 */

import type { Clock } from '../../base/clock.ts';
import { ErrorCode } from '../../base/error-code.ts';
import type { Logger } from '../../base/logger.ts';
import type { RandomSource } from '../../base/random.ts';
import {
  defaultJoinGroupResponse,
  defaultSyncGroupResponse,
  type JoinGroupResponse,
  type SyncGroupResponse,
} from '../../protocol/generated/index.ts';
import type { BrokerConfig } from '../broker-config.ts';
import type { ClassicGroup } from './classic-group.ts';
import { Deadline } from './deadline.ts';
import { noAssignment, type GroupMember } from './group-member.ts';

/** What a group needs of the coordinator around it. */
export interface GroupSurroundings {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly config: BrokerConfig;
  readonly logger: Logger;
  /** Syncs the group's record with `assignments` by member id; the errors are those that a client may see. */
  write(group: ClassicGroup, assignments: ReadonlyMap<string, Uint8Array>): Promise<ErrorCode>;
  /** A member or member id is gone: the group may be one that need not be kept. */
  memberGone(group: ClassicGroup): void;
}

/** How long a new member is kept that waits for its first generation: its client may have given up long before. */
const newMemberJoinTimeoutMs = 5 * 60 * 1000;

export class Rebalance {
  readonly kind = 'classic';
  readonly group: ClassicGroup;
  readonly surroundings: GroupSurroundings;
  /** The last record that was sent, whatever became of it. */
  lastWrite: Promise<ErrorCode> | null = null;
  /** The generation whose assignment is being written; -1 for none. */
  writingGeneration = -1;
  /** The end of waiting for JoinGroups: of the initial delay, or of the rebalance timeout. Null while none is waited for. */
  #joinDeadline: Deadline | null = null;
  #syncDeadline: Deadline | null = null;
  #initialDelayMs = 0;
  #initialRemainingMs = 0;
  #newMemberAdded = false;

  constructor(group: ClassicGroup, surroundings: GroupSurroundings) {
    this.group = group;
    this.surroundings = surroundings;
  }

  /** Makes the deadline that ends the session of the member, or of the member id that was only given. */
  newSession(memberId: string): Deadline {
    return new Deadline(this.surroundings.clock, () => this.#sessionPassed(memberId));
  }

  /** Something was heard from the member. */
  touch(member: GroupMember): void {
    member.session.set(member.description.sessionTimeoutMs);
  }

  /** A member that has just joined for the first time is taken in. */
  addNew(member: GroupMember, protocolType: string): void {
    member.isNew = true;
    if (this.group.isInitialRebalance) this.#newMemberAdded = true;
    this.group.add(member, protocolType);
    member.session.set(newMemberJoinTimeoutMs);
  }

  /** Begins a rebalance, or ends the one under way where nobody is missing any more. */
  prepareOrComplete(reason: string): void {
    if (this.group.state === 'PreparingRebalance') this.completeIfAllJoined();
    else this.prepare(reason);
  }

  /** Begins a rebalance: all members are to join again. */
  prepare(reason: string): void {
    const { group } = this;
    const { clock, config, logger } = this.surroundings;
    if (group.state === 'CompletingRebalance') this.assignNothing(ErrorCode.REBALANCE_IN_PROGRESS);
    group.pendingSyncs.clear();
    this.#endSyncWait();
    const isInitial = group.state === 'Empty';
    group.enter('PreparingRebalance', clock.nowMs());
    logger.info({ group: group.id, generation: group.generation, reason }, 'A group rebalances.');
    if (isInitial) {
      this.#initialDelayMs = config.number('group.initial.rebalance.delay.ms');
      this.#initialRemainingMs = Math.max(group.rebalanceTimeoutMs - this.#initialDelayMs, 0);
      this.#awaitJoins(this.#initialDelayMs);
    } else if (group.hasAllJoined) this.#completeJoin();
    else this.#awaitJoins(group.rebalanceTimeoutMs);
  }

  /** Begins the next generation where nobody is missing; the initial rebalance waits for its delay all the same. */
  completeIfAllJoined(): void {
    const { group } = this;
    if (group.state === 'PreparingRebalance' && !group.isInitialRebalance && group.hasAllJoined) this.#completeJoin();
  }

  /** Takes the member out at once, though it may be alive. */
  removeMember(member: GroupMember, reason: string): void {
    const { group } = this;
    this.answerJoin(member, joinError(ErrorCode.UNKNOWN_MEMBER_ID));
    this.answerSync(member, { ...defaultSyncGroupResponse(), errorCode: ErrorCode.UNKNOWN_MEMBER_ID });
    group.remove(member.id);
    if (group.state === 'Stable' || group.state === 'CompletingRebalance') this.prepareOrComplete(reason);
    else if (group.state === 'PreparingRebalance' && group.hasAllJoined) this.#completeJoin();
  }

  answerJoin(member: GroupMember, response: JoinGroupResponse): void {
    const { join } = member;
    if (join === null) return;
    this.group.setJoin(member, null);
    join.answer(response);
  }

  answerSync(member: GroupMember, response: SyncGroupResponse): boolean {
    const { sync } = member;
    if (sync === null) return false;
    member.sync = null;
    sync.answer(response);
    return true;
  }

  /** The response that tells a member its generation; the leader also learns who is in it. */
  generationFor(member: GroupMember, withMembers = this.group.isLeader(member.id)): JoinGroupResponse {
    const { group } = this;
    const members = [...group.members.values()].map((other) => ({
      memberId: other.id,
      groupInstanceId: other.instanceId,
      metadata: other.metadata(group.protocolName),
    }));
    return {
      ...defaultJoinGroupResponse(),
      generationId: group.generation,
      protocolType: group.protocolType,
      protocolName: group.protocolName,
      leader: group.leaderId ?? '',
      memberId: member.id,
      members: withMembers ? members : [],
    };
  }

  /** The response that tells a member its part of the assignment. */
  assignmentFor({ assignment }: GroupMember): SyncGroupResponse {
    const { protocolType, protocolName } = this.group;
    return { ...defaultSyncGroupResponse(), protocolType, protocolName, assignment };
  }

  /** The leader's assignment is durable: the group is stable, and whoever waits for its part gets it. */
  assign(assignments: ReadonlyMap<string, Uint8Array>): void {
    const { group } = this;
    for (const member of group.members.values()) {
      group.assign(member, assignments.get(member.id) ?? noAssignment);
      // Its session could not end while it waited, so it begins anew.
      if (this.answerSync(member, this.assignmentFor(member))) this.touch(member);
    }
    group.enter('Stable', this.surroundings.clock.nowMs());
  }

  /** Whoever waits for an assignment gets the error instead. */
  assignNothing(errorCode: ErrorCode): void {
    for (const member of this.group.members.values()) {
      this.group.assign(member, noAssignment);
      if (this.answerSync(member, { ...defaultSyncGroupResponse(), errorCode })) this.touch(member);
    }
  }

  /** The member has sent its SyncGroup. */
  synced(member: GroupMember): void {
    this.group.pendingSyncs.delete(member.id);
    if (this.group.pendingSyncs.size === 0) this.#endSyncWait();
  }

  /** Ends the group: no timer is left, and whoever waits gets the error. */
  end(errorCode: ErrorCode): void {
    const { group } = this;
    this.#endJoinWait();
    this.#endSyncWait();
    for (const member of [...group.members.values()]) {
      this.answerJoin(member, { ...joinError(errorCode), memberId: member.id });
      this.answerSync(member, { ...defaultSyncGroupResponse(), errorCode });
      group.remove(member.id);
    }
    for (const memberId of [...group.pendingJoins.keys()]) group.removePending(memberId);
    group.enter('Dead', this.surroundings.clock.nowMs());
  }

  #awaitJoins(delayMs: number): void {
    this.#joinDeadline ??= new Deadline(this.surroundings.clock, () => this.#joinTimePassed());
    this.#joinDeadline.set(delayMs);
  }

  #endJoinWait(): void {
    this.#joinDeadline?.clear();
    this.#joinDeadline = null;
  }

  #awaitSyncs(delayMs: number): void {
    this.#syncDeadline ??= new Deadline(this.surroundings.clock, () => this.#syncTimePassed());
    this.#syncDeadline.set(delayMs);
  }

  #endSyncWait(): void {
    this.#syncDeadline?.clear();
    this.#syncDeadline = null;
  }

  #joinTimePassed(): void {
    if (!this.group.isInitialRebalance || !this.#newMemberAdded || this.#initialRemainingMs === 0) {
      this.#completeJoin();
      return;
    }
    // More members came during the delay: it is prolonged, as long as the rebalance timeout allows (KIP-134).
    this.#newMemberAdded = false;
    const passedMs = this.#initialDelayMs;
    this.#initialDelayMs = Math.min(
      this.surroundings.config.number('group.initial.rebalance.delay.ms'),
      this.#initialRemainingMs,
    );
    this.#initialRemainingMs = Math.max(this.#initialRemainingMs - passedMs, 0);
    this.#awaitJoins(this.#initialDelayMs);
  }

  #completeJoin(): void {
    const { group } = this;
    const { clock, logger } = this.surroundings;
    this.#endJoinWait();
    this.#newMemberAdded = false;
    // Static members may come back later; the others have missed this generation.
    for (const member of [...group.members.values()]) {
      if (!member.hasJoined && member.instanceId === null) group.remove(member.id);
    }
    if (!group.electJoinedLeader() && group.members.size > 0) {
      // Only static members are left, and none has joined: their sessions decide.
      this.#awaitJoins(group.rebalanceTimeoutMs);
      return;
    }
    group.beginGeneration(clock.nowMs());
    logger.info(
      { group: group.id, generation: group.generation, members: group.members.size },
      'A generation of a group begins.',
    );
    if (group.members.size === 0) {
      this.lastWrite = this.surroundings.write(group, new Map());
      return;
    }
    for (const member of group.members.values()) {
      this.answerJoin(member, this.generationFor(member));
      this.touch(member);
      member.isNew = false;
      group.pendingSyncs.add(member.id);
    }
    this.#awaitSyncs(group.rebalanceTimeoutMs);
  }

  #syncTimePassed(): void {
    const { group } = this;
    if (group.pendingSyncs.size === 0 || (group.state !== 'CompletingRebalance' && group.state !== 'Stable')) return;
    const missing = [...group.pendingSyncs];
    for (const memberId of missing) group.remove(memberId);
    this.prepare(`${missing.length} member(s) did not sync in time`);
  }

  #sessionPassed(memberId: string): void {
    const { group } = this;
    const member = group.members.get(memberId);
    if (member === undefined) {
      group.removePending(memberId);
      if (group.state === 'PreparingRebalance' && group.hasAllJoined) this.#completeJoin();
      this.surroundings.memberGone(group);
    } else if (!member.needsNoHeartbeat) {
      this.surroundings.logger.info({ group: group.id, member: memberId }, 'A member was not heard of in time.');
      this.removeMember(member, `the session of ${memberId} ended`);
    }
  }
}

export function joinError(errorCode: ErrorCode, memberId = ''): JoinGroupResponse {
  return { ...defaultJoinGroupResponse(), errorCode, memberId, protocolName: null };
}
