/**
 * The group coordinator: all groups and their offsets. I/O thread.
 *
 *   handlers ──► GroupCoordinator ──┬► Rebalance ──► ClassicGroup                       decide at once, in memory
 *                      │            ├► ConsumerGroups ──► ConsumerRun ──► ConsumerGroup
 *                      │            ├► ShareGroups ──► ShareRun ──► ShareGroup
 *                      │            └► StreamsGroups ──► StreamsRun ──► StreamsGroup
 *                      └──► StateLog ──► GroupState, OffsetStore                        what is durable
 *
 * A group comes into being with a member that joins or with a commit, and stays until it is deleted, or is empty and
 * without offsets when expired ones are looked for (offset-expiry.ts). A restart finds the groups as they were last
 * written; the sessions of their members begin anew, so that who is alive need not join again.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { Logger } from '../../base/logger.ts';
import type { Broker } from '../broker.ts';
import { effectiveGroupValue } from '../group-config.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import type { TopicImage } from '../metadata-image.ts';
import type { ResourceConfigs } from '../resource-configs.ts';
import { DeadLetters } from '../share/dead-letters.ts';
import { SharePartitions } from '../share/share-partitions.ts';
import type { StateLog } from '../state-log.ts';
import { stateLogTopics } from '../topic-name.ts';
import { ClassicGroup, type MemberMemory } from './classic-group.ts';
import { joinConsumerGroup } from './consumer/classic-members.ts';
import { ConsumerGroups } from './consumer/consumer-groups.ts';
import { boundedSetting } from './consumer/group-setting.ts';
import { TopicView } from './consumer/topic-view.ts';
import { coordinatorError } from './coordinator-error.ts';
import { GroupDirectory, type GroupRun } from './group-directory.ts';
import { descriptionSizeBytes, GroupMember } from './group-member.ts';
import { groupKey, groupRecord, type StoredGroup } from './group-records.ts';
import { GroupState } from './group-state.ts';
import { OffsetCommits } from './offset-commits.ts';
import { OffsetExpiry } from './offset-expiry.ts';
import { joinGroup, type Joining } from './join-group.ts';
import { writeWithin } from './member-bounds.ts';
import { joinError, Rebalance, type GroupSurroundings } from './rebalance.ts';
import { ShareGroups } from './share/share-groups.ts';
import { StreamsGroups } from './streams/streams-groups.ts';

/** What one member may say of itself, in bytes: Kafka's bound on the record of a whole group. */
const maxMemberBytes = 1024 * 1024;
/** The same of members that name their topics: many short texts take half as much again beside their characters. */
const maxSubscriberBytes = 1.5 * 1024 * 1024;
/** What all members may say of themselves, and be assigned by leaders of classic groups, together, in bytes. */
const maxMembersBytes = 256 * 1024 * 1024;

export class GroupCoordinator {
  readonly commits: OffsetCommits;
  readonly consumers: ConsumerGroups;
  readonly streams: StreamsGroups;
  readonly shares: ShareGroups;
  /** How far share groups have come in their partitions. */
  readonly sharePartitions: SharePartitions;
  readonly #directory = new GroupDirectory();
  readonly #topics: TopicView;
  readonly #state: GroupState;
  readonly #log: StateLog;
  readonly #logger: Logger;
  readonly #surroundings: GroupSurroundings;
  readonly #expiry: OffsetExpiry;
  readonly #memory: MemberMemory = { sizeBytes: 0 };
  readonly #stopListening: () => void;
  #isActive = true;

  private constructor(broker: Broker, log: StateLog, state: GroupState) {
    this.#log = log;
    this.#state = state;
    this.#logger = broker.logger;
    const { clock, random, config, logger } = broker;
    const append = async (records: readonly KeyedRecord[]): Promise<ErrorCode> =>
      coordinatorError(await log.append(records));
    this.#surroundings = {
      clock,
      random,
      config,
      logger,
      write: (group, assignments) => {
        let addedBytes = 0;
        for (const { id, assignment } of group.members.values()) {
          addedBytes += (assignments.get(id)?.length ?? 0) - assignment.length;
        }
        const bounds = { memory: this.#memory, maxMembersBytes };
        return writeWithin(bounds, addedBytes, () => append([groupRecord(group, assignments)]));
      },
      memberGone: (group) => this.forgetIfUnused(group),
    };
    this.#topics = new TopicView(broker.topics);
    const groupConfigs = (): ResourceConfigs => broker.topics.image.groupConfigs;
    this.consumers = new ConsumerGroups({
      directory: this.#directory,
      state,
      memory: this.#memory,
      classic: this.#surroundings,
      surroundings: {
        clock,
        random,
        config,
        logger,
        topics: this.#topics,
        regexes: broker.patterns,
        setting: (groupId, name) => boundedSetting(name, groupId, groupConfigs(), config),
        append,
      },
      reload: (run) => this.#reload(run),
      maxMemberBytes: maxSubscriberBytes,
      maxMembersBytes,
    });
    this.streams = new StreamsGroups({
      directory: this.#directory,
      state,
      memory: this.#memory,
      surroundings: {
        clock,
        config,
        logger,
        topics: this.#topics,
        setting: (groupId, name) => boundedSetting(name, groupId, groupConfigs(), config),
        text: (groupId, name) => effectiveGroupValue(name, groupConfigs().of(groupId), config),
        append,
        reload: (run) => this.#reload(run),
      },
      maxMemberBytes,
      maxMembersBytes,
    });
    this.sharePartitions = new SharePartitions({
      broker,
      state,
      problemOf: (groupId, place) => this.shares.problemOfPlace(groupId, place),
      append,
      giveUp: (partition, givenUp) => {
        deadLetters.take(partition, givenUp).catch((error: unknown) => {
          logger.error(
            { group: partition.groupId, error },
            'Records that a share group gave up could not be set aside.',
          );
        });
      },
    });
    const deadLetters = new DeadLetters(broker, this.sharePartitions.settings);
    this.shares = new ShareGroups({
      directory: this.#directory,
      state,
      memory: this.#memory,
      surroundings: {
        clock,
        config,
        logger,
        topics: this.#topics,
        setting: (groupId, name) => boundedSetting(name, groupId, groupConfigs(), config),
        append,
        reload: (run) => this.#reload(run),
      },
      placeGone: (groupId, name) => this.sharePartitions.close(groupId, name),
      maxMemberBytes: maxSubscriberBytes,
      maxMembersBytes,
    });
    this.#stopListening = broker.topics.onDeleted((topic) => this.#forgetTopic(topic));
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

  find(id: string): GroupRun | null {
    return this.#directory.find(id);
  }

  groups(): IterableIterator<GroupRun> {
    return this.#directory.runs();
  }

  /** The group, a classic one made where there is none; null where there are too many. */
  findOrCreate(id: string): GroupRun | null {
    const found = this.find(id);
    if (found !== null) return found;
    return this.#directory.hasRoomFor(id) ? this.#create(id) : null;
  }

  /** Serves a JoinGroup: a group comes into being with the first member that has no id yet. */
  join(id: string, joining: Joining): void {
    const isNew = joining.memberId === '';
    // The id of a static member begins with its instance id.
    const sizeBytes = descriptionSizeBytes(joining.description) + 2 * (joining.instanceId?.length ?? 0);
    if (sizeBytes > maxMemberBytes || this.#memory.sizeBytes + sizeBytes > maxMembersBytes) {
      const errorCode = sizeBytes > maxMemberBytes ? ErrorCode.INVALID_REQUEST : ErrorCode.GROUP_MAX_SIZE_REACHED;
      joining.response.answer(joinError(errorCode, joining.memberId));
      return;
    }
    const found = this.find(id);
    // A share group stays one also while it is empty, as in Kafka.
    if (found !== null && found.kind !== 'classic' && (found.kind === 'share' || !found.group.isEmpty)) {
      if (found.kind === 'consumer') joinConsumerGroup(this.consumers, found, joining);
      else joining.response.answer(joinError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, ''));
      return;
    }
    const rebalance = this.#classicFor(id, found, isNew);
    if (rebalance === null) {
      const errorCode = isNew ? ErrorCode.COORDINATOR_NOT_AVAILABLE : ErrorCode.UNKNOWN_MEMBER_ID;
      joining.response.answer(joinError(errorCode, joining.memberId));
      return;
    }
    joinGroup(rebalance, joining);
    this.forgetIfUnused(rebalance.group);
  }

  /** A group of which nothing is durable and nobody is left; an id that was only asked for costs nothing then. */
  forgetIfUnused(group: ClassicGroup): void {
    const { id, state, pendingJoins } = group;
    const rebalance = this.find(id);
    if (rebalance?.kind !== 'classic' || rebalance.group !== group) return;
    if (state !== 'Empty' || pendingJoins.size > 0 || rebalance.lastWrite !== null) return;
    if (!this.#state.offsets.has(id) && !this.#state.hasGroup(id)) this.#forget(rebalance);
  }

  /** Deletes a group without members, and its offsets; answers once that is durable. */
  async delete(id: string): Promise<ErrorCode> {
    const run = this.find(id);
    if (run === null) return ErrorCode.GROUP_ID_NOT_FOUND;
    if (run.group.state !== 'Empty') return ErrorCode.NON_EMPTY_GROUP;
    const removals = removalsOf(run);
    this.sharePartitions.closeGroup(id);
    this.#forget(run);
    const errorCode = await this.commits.removeAll(id, (ofOffsets) =>
      this.#log.appendInBatches([...ofOffsets, ...removals]),
    );
    if (errorCode === ErrorCode.NONE) this.#logger.info({ group: id }, 'A group was deleted.');
    else if (this.#isActive && this.find(id) === null) this.#revive(id);
    return coordinatorError(errorCode);
  }

  /** Deletes all groups and their offsets, also those with members, who hear that they have to join again. */
  async deleteAll(): Promise<ErrorCode> {
    const removals: KeyedRecord[] = [];
    this.sharePartitions.closeAll();
    const ids = [...this.#state.offsets.groups()];
    const ofOffsets = ids.map((id) => this.commits.removeAll(id, (records) => this.#log.appendInBatches(records)));
    for (const run of [...this.groups()]) {
      if (run.kind !== 'classic' || this.#state.hasGroup(run.group.id)) {
        for (const removal of removalsOf(run)) removals.push(removal);
      }
      this.#forget(run);
    }
    const errorCodes = await Promise.all([...ofOffsets, this.#log.appendInBatches(removals)]);
    return coordinatorError(firstError(errorCodes));
  }

  /** Answers whoever waits and stops all timers; the log stays open until the broker closes it. */
  close(): void {
    this.#isActive = false;
    this.#expiry.stop();
    this.#topics.stop();
    this.#stopListening();
    this.sharePartitions.closeAll();
    // A client that hears this looks for the coordinator again.
    for (const run of this.groups()) run.end(ErrorCode.NOT_COORDINATOR);
    this.#directory.clear();
  }

  /** The classic group that a member joins: a new member makes one, also of an empty group of another protocol. */
  #classicFor(id: string, found: GroupRun | null, isNew: boolean): Rebalance | null {
    if (found?.kind === 'classic') return found;
    if (!isNew || (found === null && !this.#directory.hasRoomFor(id))) return null;
    if (found === null) return this.#create(id);
    const removals = removalsOf(found);
    found.end();
    const rebalance = this.#create(id);
    rebalance.lastWrite = this.#log.appendInBatches(removals).then((errorCode) => {
      if (errorCode !== ErrorCode.NONE) this.#reload(rebalance);
      return errorCode;
    });
    return rebalance;
  }

  #create(id: string): Rebalance {
    const group = new ClassicGroup(id, this.#surroundings.clock.nowMs(), this.#memory);
    const rebalance = new Rebalance(group, this.#surroundings);
    this.#directory.put(rebalance);
    return rebalance;
  }

  /** The group as the log has it; without a record, one that only commits offsets. */
  #revive(id: string): void {
    if (this.#state.consumers.has(id)) {
      this.consumers.restore(id);
      return;
    }
    if (this.#state.shares.has(id)) {
      this.shares.restore(id);
      return;
    }
    if (this.#state.streams.has(id)) {
      this.streams.restore(id);
      return;
    }
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

  /** What is in memory is ahead of a log that did not take it: the group is as the log has it. */
  #reload(run: GroupRun): void {
    const { id } = run.group;
    if (!this.#isActive || this.find(id) !== run) return;
    this.#forget(run);
    if (this.#state.hasGroup(id) || this.#state.offsets.has(id)) this.#revive(id);
  }

  /** Share groups have no place in a topic that is gone. */
  #forgetTopic({ id }: TopicImage): void {
    for (const run of this.groups()) if (run.kind === 'share') this.shares.forget(run, id);
  }

  #forget(run: GroupRun): void {
    this.#directory.remove(run.group.id);
    run.end(ErrorCode.COORDINATOR_NOT_AVAILABLE);
  }
}

function firstError(errorCodes: readonly ErrorCode[]): ErrorCode {
  return errorCodes.find((errorCode) => errorCode !== ErrorCode.NONE) ?? ErrorCode.NONE;
}

/** The records that take the group away. */
function removalsOf(run: GroupRun): KeyedRecord[] {
  return run.kind === 'classic' ? [{ key: groupKey(run.group.id), value: null }] : run.removals();
}

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
