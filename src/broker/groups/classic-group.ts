/**
 * A classic group: members, generation, leader and the protocol they have in common, as plain data that keeps itself
 * consistent. I/O thread.
 *
 *   Empty ──► PreparingRebalance ──► CompletingRebalance ──► Stable        any ──► Dead
 *     ▲          │    ▲   ▲                  │                 │
 *     └──────────┘    └───┴──────────────────┴─────────────────┘
 *
 * PreparingRebalance waits for JoinGroups, CompletingRebalance for the leader's SyncGroup. What moves a group from state
 * to state, and when, stands in rebalance.ts; it neither answers requests nor writes.
 */

import { assert, present } from '../../base/assert.ts';
import { ErrorCode } from '../../base/error-code.ts';
import { LazyMap, LazySet } from '../../base/lazy-map.ts';
import { consumerProtocolType, subscribedTopicsOf } from './consumer-protocol.ts';
import type { Deadline } from './deadline.ts';
import { descriptionSizeBytes, type GroupMember, type MemberDescription } from './group-member.ts';

/** The names are the wire's. */
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead';

/** What the members of all groups say of themselves and are assigned, together. */
export interface MemberMemory {
  sizeBytes: number;
}

const noTopics: ReadonlySet<string> = new Set();

export class ClassicGroup {
  readonly id: string;
  readonly #memory: MemberMemory;
  generation = 0;
  protocolType: string | null = null;
  /** The protocol that the generation's members have in common. */
  protocolName: string | null = null;
  leaderId: string | null = null;
  /** When the state was entered, in wall-clock milliseconds; -1 where it is not known. */
  stateSinceMs: number;
  /** What the generation's members subscribe to; null where that cannot be told. */
  subscribedTopics: ReadonlySet<string> | null = null;
  readonly members = new LazyMap<string, GroupMember>();
  /** Members of this generation that have not sent a SyncGroup yet. */
  readonly pendingSyncs = new LazySet<string>();
  readonly #memberIdsByInstance = new LazyMap<string, string>();
  readonly #pendingJoins = new LazyMap<string, Deadline>();
  /** How many members support each protocol. */
  readonly #protocolSupport = new LazyMap<string, number>();
  #state: GroupState = 'Empty';
  #previousState: GroupState = 'Dead';
  #joinedCount = 0;

  /** `memory` counts what its members hold, for as long as they are in it. */
  constructor(id: string, nowMs: number, memory: MemberMemory = { sizeBytes: 0 }) {
    this.id = id;
    this.#memory = memory;
    this.stateSinceMs = nowMs;
  }

  /** Member ids that were given (KIP-394) and have not joined yet, with the end of each. */
  get pendingJoins(): Pick<LazyMap<string, Deadline>, 'size' | 'has' | 'keys'> {
    return this.#pendingJoins;
  }

  get state(): GroupState {
    return this.#state;
  }

  /** Whether this is the first rebalance after the group was empty. */
  get isInitialRebalance(): boolean {
    return this.#state === 'PreparingRebalance' && this.#previousState === 'Empty';
  }

  get joinedCount(): number {
    return this.#joinedCount;
  }

  get hasAllJoined(): boolean {
    return this.#joinedCount === this.members.size && this.#pendingJoins.size === 0;
  }

  /** The longest that any member allows a rebalance to take. */
  get rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const { description } of this.members.values()) longest = Math.max(longest, description.rebalanceTimeoutMs);
    return longest;
  }

  get usesConsumerProtocol(): boolean {
    return this.protocolType === consumerProtocolType;
  }

  enter(state: GroupState, nowMs: number): void {
    this.#previousState = this.#state;
    this.#state = state;
    this.stateSinceMs = nowMs;
  }

  /** The group as its record has it: with members it is stable. Members are added by the caller before. */
  restore(generation: number, leaderId: string | null, protocolName: string | null, stateSinceMs: number): void {
    this.generation = generation;
    this.leaderId = leaderId;
    this.protocolName = protocolName;
    this.#state = this.members.size === 0 ? 'Empty' : 'Stable';
    this.stateSinceMs = stateSinceMs;
    this.#readSubscriptions();
  }

  isLeader(memberId: string): boolean {
    return this.leaderId === memberId;
  }

  memberIdOfInstance(instanceId: string): string | null {
    return this.#memberIdsByInstance.get(instanceId) ?? null;
  }

  /** Whether the member is who it says: UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID where another took its instance id. */
  checkMember(memberId: string, instanceId: string | null): ErrorCode {
    if (instanceId !== null) {
      const current = this.memberIdOfInstance(instanceId);
      if (current === null) return ErrorCode.UNKNOWN_MEMBER_ID;
      if (current !== memberId) return ErrorCode.FENCED_INSTANCE_ID;
    }
    return this.members.has(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID;
  }

  /** Whether a member that brings these could take part: at least one of them is known to all others. */
  supports(protocolType: string, protocolNames: readonly string[]): boolean {
    if (this.#state === 'Empty') return protocolType !== '' && protocolNames.length > 0;
    if (protocolType !== this.protocolType) return false;
    return protocolNames.some((name) => (this.#protocolSupport.get(name) ?? 0) === this.members.size);
  }

  add(member: GroupMember, protocolType: string): void {
    assert(!this.members.has(member.id), 'a member is added once');
    if (this.members.size === 0) this.protocolType = protocolType;
    assert(this.protocolType === protocolType, 'all members have the same protocol type');
    if (member.instanceId !== null) this.#memberIdsByInstance.set(member.instanceId, member.id);
    this.leaderId ??= member.id;
    this.members.set(member.id, member);
    this.#count(member, 1);
    if (member.hasJoined) this.#joinedCount++;
    this.removePending(member.id);
  }

  /** Takes a member out, or a member id that was only given; nothing where it is neither. */
  remove(memberId: string): void {
    this.removePending(memberId);
    this.pendingSyncs.delete(memberId);
    const member = this.members.get(memberId);
    if (member === undefined) return;
    member.session.clear();
    this.members.delete(memberId);
    this.#count(member, -1);
    if (member.hasJoined) this.#joinedCount--;
    if (member.instanceId !== null) this.#memberIdsByInstance.delete(member.instanceId);
    if (this.leaderId === memberId) this.leaderId = firstOf(this.members.keys());
    if (this.members.size === 0) this.#rest();
  }

  /** Keeps a member id that was given, until it joins or `session` ends. */
  addPending(memberId: string, session: Deadline): void {
    this.removePending(memberId);
    this.#pendingJoins.set(memberId, session);
    this.#memory.sizeBytes += pendingSizeBytes(memberId);
  }

  removePending(memberId: string): void {
    const session = this.#pendingJoins.get(memberId);
    if (session === undefined) return;
    session.clear();
    this.#pendingJoins.delete(memberId);
    this.#memory.sizeBytes -= pendingSizeBytes(memberId);
  }

  /** Puts `member`, which has the same instance id, in the place of the static member `oldId`. */
  replaceStatic(oldId: string, member: GroupMember): void {
    const old = present(this.members.get(oldId), 'the static member is there');
    const instanceId = present(old.instanceId, 'the member is static');
    assert(member.instanceId === instanceId, 'the instance id stays');
    const wasLeader = this.isLeader(oldId);
    this.remove(oldId);
    this.members.set(member.id, member);
    this.#count(member, 1);
    if (member.hasJoined) this.#joinedCount++;
    this.#memberIdsByInstance.set(instanceId, member.id);
    if (wasLeader) this.leaderId = member.id;
  }

  /** Gives a member of the group its part of the assignment. */
  assign(member: GroupMember, assignment: Uint8Array): void {
    this.#memory.sizeBytes += assignment.length - member.assignment.length;
    member.assignment = assignment;
  }

  describe(member: GroupMember, description: MemberDescription): void {
    this.#count(member, -1);
    member.description = description;
    this.#count(member, 1);
  }

  /** The member's JoinGroup came (or, with null, is answered). */
  setJoin(member: GroupMember, join: GroupMember['join']): void {
    if (join !== null && !member.hasJoined) this.#joinedCount++;
    if (join === null && member.hasJoined) this.#joinedCount--;
    member.join = join;
  }

  /** Makes a member that has joined the leader, where the leader has not. False where none has joined. */
  electJoinedLeader(): boolean {
    if (this.leaderId === null) return false;
    if (this.members.get(this.leaderId)?.hasJoined === true) return true;
    for (const member of this.members.values()) {
      if (!member.hasJoined) continue;
      this.leaderId = member.id;
      return true;
    }
    return false;
  }

  /** Begins the next generation with the members there are. */
  beginGeneration(nowMs: number): void {
    this.generation++;
    this.protocolName = this.members.size === 0 ? null : this.selectProtocol();
    this.#readSubscriptions();
    this.enter(this.members.size === 0 ? 'Empty' : 'CompletingRebalance', nowMs);
    this.pendingSyncs.clear();
  }

  /** The protocol that the most members prefer among those that all support; the first to be voted for where equal. */
  selectProtocol(): string | null {
    const votes = new Map<string, number>();
    for (const { description } of this.members.values()) {
      const vote = description.protocols.find(({ name }) => this.#protocolSupport.get(name) === this.members.size);
      if (vote !== undefined) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1);
    }
    let selected: string | null = null;
    for (const [name, count] of votes) if (selected === null || count > votes.get(selected)!) selected = name;
    return selected;
  }

  /** Whether the topic's offsets are in use: its members subscribe to it, or it cannot be told. */
  subscribes(topic: string): boolean {
    return this.subscribedTopics?.has(topic) ?? this.usesConsumerProtocol;
  }

  /** A group without members may stay for weeks, with very many others: it keeps no memory for what it had. */
  #rest(): void {
    this.members.clear();
    this.pendingSyncs.clear();
    this.#memberIdsByInstance.clear();
    this.#protocolSupport.clear();
  }

  #readSubscriptions(): void {
    this.subscribedTopics = null;
    if (!this.usesConsumerProtocol) return;
    if (this.members.size === 0) {
      this.subscribedTopics = noTopics;
      return;
    }
    const all = new Set<string>();
    for (const member of this.members.values()) {
      const topics = subscribedTopicsOf(member.metadata(this.protocolName));
      if (topics === null) return;
      for (const topic of topics) all.add(topic);
    }
    this.subscribedTopics = all;
  }

  #count({ id, instanceId, description, assignment }: GroupMember, change: 1 | -1): void {
    const namesLength = id.length + (instanceId?.length ?? 0);
    this.#memory.sizeBytes += change * (namesLength + descriptionSizeBytes(description) + assignment.length);
    for (const name of new Set(description.protocols.map((protocol) => protocol.name))) {
      const count = (this.#protocolSupport.get(name) ?? 0) + change;
      if (count === 0) this.#protocolSupport.delete(name);
      else this.#protocolSupport.set(name, count);
    }
  }
}

/** What a member id that was given takes, in bytes, roughly: a deadline and its timer beside its text. */
function pendingSizeBytes(memberId: string): number {
  return 512 + memberId.length;
}

function firstOf<T>(values: Iterable<T>): T | null {
  for (const value of values) return value;
  return null;
}
