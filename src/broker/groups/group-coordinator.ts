/**
 * The group coordinator: all groups of the classic protocol and their offsets. I/O thread.
 *
 *   handlers ──► GroupCoordinator ──► Rebalance ──► ClassicGroup        decides at once, in memory
 *                      └──► StateLog ──► GroupState, OffsetStore        what is durable
 *
 * A group comes into being with a member that joins or with a commit, and stays until it is deleted, or is empty and
 * without offsets when expired ones are looked for (offset-expiry.ts). A restart finds the groups as they were last
 * written; the sessions of their members begin anew, so that who is alive need not join again.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { Logger } from '../../base/logger.ts';
import type { Broker } from '../broker.ts';
import type { StateLog } from '../state-log.ts';
import { stateLogTopics } from '../topic-name.ts';
import { ClassicGroup, type MemberMemory } from './classic-group.ts';
import { coordinatorError } from './coordinator-error.ts';
import { descriptionSizeBytes, GroupMember } from './group-member.ts';
import { groupKey, groupRecord, type StoredGroup } from './group-records.ts';
import { GroupState } from './group-state.ts';
import { keysOfSlot, OffsetCommits } from './offset-commits.ts';
import { OffsetExpiry } from './offset-expiry.ts';
import { joinGroup, type Joining } from './join-group.ts';
import { joinError, Rebalance, type GroupSurroundings } from './rebalance.ts';

/** As many groups as there may be; each costs memory for as long as its offsets are kept. */
const maxGroups = 1_000_000;
/** What the names of all groups may have together, in characters; a name may have 32767. */
const maxNameLength = 64 * 1024 * 1024;
/** What one member may say of itself, in bytes: Kafka's bound on the record of a whole group. */
const maxMemberBytes = 1024 * 1024;
/** What all members may say of themselves together, in bytes. */
const maxMembersBytes = 256 * 1024 * 1024;

export class GroupCoordinator {
  readonly commits: OffsetCommits;
  readonly #rebalances = new Map<string, Rebalance>();
  readonly #state: GroupState;
  readonly #log: StateLog;
  readonly #logger: Logger;
  readonly #surroundings: GroupSurroundings;
  readonly #expiry: OffsetExpiry;
  readonly #memory: MemberMemory = { sizeBytes: 0 };
  #nameLength = 0;
  #isActive = true;

  private constructor(broker: Broker, log: StateLog, state: GroupState) {
    this.#log = log;
    this.#state = state;
    this.#logger = broker.logger;
    this.#surroundings = {
      clock: broker.clock,
      random: broker.random,
      config: broker.config,
      logger: broker.logger,
      write: async (group, assignments) => coordinatorError(await log.append([groupRecord(group, assignments)])),
      memberGone: (group) => this.forgetIfUnused(group),
    };
    this.commits = new OffsetCommits({ broker, log, offsets: state.offsets, coordinator: this });
    this.#expiry = new OffsetExpiry(broker, this);
  }

  /** Reads the log of groups. Rejects with `EnvironmentError` where it cannot be read or a newer Millrace wrote it. */
  static async open(broker: Broker): Promise<GroupCoordinator> {
    const state = new GroupState();
    const log = await broker.openStateLog(stateLogTopics.groups, state);
    const coordinator = new GroupCoordinator(broker, log, state);
    for (const id of state.groupIds()) coordinator.#revive(id);
    for (const id of state.offsets.groups()) if (coordinator.find(id) === null) coordinator.#revive(id);
    coordinator.#expiry.start();
    return coordinator;
  }

  /** False once the broker closes: from then on clients are told to look elsewhere. */
  get isActive(): boolean {
    return this.#isActive;
  }

  find(id: string): Rebalance | null {
    return this.#rebalances.get(id) ?? null;
  }

  groups(): IterableIterator<Rebalance> {
    return this.#rebalances.values();
  }

  /** The group, made where it is not there; null where there are too many. */
  findOrCreate(id: string): Rebalance | null {
    const found = this.#rebalances.get(id);
    if (found !== undefined) return found;
    const isFull = this.#rebalances.size >= maxGroups || this.#nameLength + id.length > maxNameLength;
    return isFull ? null : this.#create(id);
  }

  /** Serves a JoinGroup: a group comes into being with the first member that has no id yet. */
  join(id: string, joining: Joining): void {
    const isNew = joining.memberId === '';
    const sizeBytes = descriptionSizeBytes(joining.description);
    if (sizeBytes > maxMemberBytes || this.#memory.sizeBytes + sizeBytes > maxMembersBytes) {
      const errorCode = sizeBytes > maxMemberBytes ? ErrorCode.INVALID_REQUEST : ErrorCode.GROUP_MAX_SIZE_REACHED;
      joining.response.answer(joinError(errorCode, joining.memberId));
      return;
    }
    const rebalance = isNew ? this.findOrCreate(id) : this.find(id);
    if (rebalance === null) {
      const errorCode = isNew ? ErrorCode.COORDINATOR_NOT_AVAILABLE : ErrorCode.UNKNOWN_MEMBER_ID;
      joining.response.answer(joinError(errorCode, joining.memberId));
      return;
    }
    joinGroup(rebalance, joining);
    this.forgetIfUnused(rebalance.group);
  }

  /** A group of which nothing is durable and nobody is left; an id that was only asked for costs nothing then. */
  forgetIfUnused({ id, state, pendingJoins }: ClassicGroup): void {
    const rebalance = this.find(id);
    if (rebalance === null || state !== 'Empty' || pendingJoins.size > 0 || rebalance.lastWrite !== null) return;
    if (!this.#state.hasGroup(id) && !this.#state.offsets.has(id)) this.#forget(rebalance);
  }

  /** Deletes a group without members, and its offsets; answers once that is durable. */
  async delete(id: string): Promise<ErrorCode> {
    const rebalance = this.find(id);
    if (rebalance === null) return ErrorCode.GROUP_ID_NOT_FOUND;
    if (rebalance.group.state !== 'Empty') return ErrorCode.NON_EMPTY_GROUP;
    const keys = [...this.#state.offsets.slots(id)].flatMap((slot) => keysOfSlot(id, slot));
    keys.push(groupKey(id));
    this.#forget(rebalance);
    const errorCode = await this.#appendRemovals(keys);
    if (errorCode === ErrorCode.NONE) this.#logger.info({ group: id }, 'A group was deleted.');
    else if (this.#isActive && this.find(id) === null) this.#revive(id);
    return coordinatorError(errorCode);
  }

  /** Deletes all groups and their offsets, also those with members, who hear that they have to join again. */
  async deleteAll(): Promise<ErrorCode> {
    const ids = new Set([...this.#rebalances.keys(), ...this.#state.groupIds(), ...this.#state.offsets.groups()]);
    const keys: Uint8Array[] = [];
    for (const id of ids) {
      for (const slot of this.#state.offsets.slots(id)) keys.push(...keysOfSlot(id, slot));
      if (this.#state.hasGroup(id)) keys.push(groupKey(id));
      const rebalance = this.find(id);
      if (rebalance !== null) this.#forget(rebalance);
    }
    return coordinatorError(await this.#appendRemovals(keys));
  }

  /** Answers whoever waits and stops all timers; the log stays open until the broker closes it. */
  close(): void {
    this.#isActive = false;
    this.#expiry.stop();
    // A client that hears this looks for the coordinator again.
    for (const rebalance of this.#rebalances.values()) rebalance.end(ErrorCode.NOT_COORDINATOR);
    this.#rebalances.clear();
  }

  /** All are sent at once, so that nothing that comes later stands between them. The first error counts. */
  async #appendRemovals(keys: readonly Uint8Array[]): Promise<ErrorCode> {
    const appends: Promise<ErrorCode>[] = [];
    for (let start = 0; start < keys.length; start += removalsAtOnce) {
      const records = keys.slice(start, start + removalsAtOnce).map((key) => ({ key, value: null }));
      appends.push(this.#log.append(records));
    }
    const errorCodes = await Promise.all(appends);
    return errorCodes.find((errorCode) => errorCode !== ErrorCode.NONE) ?? ErrorCode.NONE;
  }

  #create(id: string): Rebalance {
    const group = new ClassicGroup(id, this.#surroundings.clock.nowMs(), this.#memory);
    const rebalance = new Rebalance(group, this.#surroundings);
    this.#rebalances.set(id, rebalance);
    this.#nameLength += id.length;
    return rebalance;
  }

  /** The group as the log has it; without a record, one that only commits offsets. */
  #revive(id: string): void {
    const rebalance = this.#create(id);
    const stored = this.#state.group(id);
    if (stored === null) return;
    restoreMembers(rebalance, stored);
    const { group } = rebalance;
    group.protocolType = stored.protocolType;
    group.restore(stored.generation, stored.leaderId, stored.protocolName, stored.stateSinceMs);
    for (const member of group.members.values()) rebalance.touch(member);
    const maxSize = this.#surroundings.config.number('group.max.size');
    if (group.members.size > maxSize) rebalance.prepare(`the group has more than group.max.size=${maxSize} members`);
  }

  #forget(rebalance: Rebalance): void {
    const { id } = rebalance.group;
    if (this.#rebalances.delete(id)) this.#nameLength -= id.length;
    rebalance.end(ErrorCode.COORDINATOR_NOT_AVAILABLE);
  }
}

/** Removals are written in batches of so many records, each far below what a batch may hold. */
const removalsAtOnce = 10_000;

function restoreMembers(rebalance: Rebalance, stored: StoredGroup): void {
  for (const { id, instanceId, clientId, clientHost, ...member } of stored.members) {
    const description = {
      clientId,
      clientHost,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      sessionTimeoutMs: member.sessionTimeoutMs,
      protocols: [{ name: stored.protocolName ?? '', metadata: member.subscription }],
    };
    const restored = new GroupMember(id, instanceId, description, rebalance.newSession(id));
    restored.assignment = member.assignment;
    rebalance.group.add(restored, stored.protocolType ?? '');
  }
}
