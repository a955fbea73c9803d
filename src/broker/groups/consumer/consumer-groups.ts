/**
 * The consumer groups among all groups: how one comes into being, becomes a classic group and comes back, and is read anew
 * where the log did not take a change. I/O thread.
 */

import { assert, present } from '../../../base/assert.ts';
import { ErrorCode } from '../../../base/error-code.ts';
import type { KeyedRecord } from '../../keyed-batch.ts';
import { ClassicGroup } from '../classic-group.ts';
import type { GroupDirectory, GroupRun } from '../group-directory.ts';
import { GroupMember } from '../group-member.ts';
import { groupKey, groupRecord } from '../group-records.ts';
import type { GroupState } from '../group-state.ts';
import type { Joining } from '../join-group.ts';
import { problemOfMemory, type MemberBounds } from '../member-bounds.ts';
import { joinError, Rebalance, type GroupSurroundings } from '../rebalance.ts';
import { ConsumerGroup } from './consumer-group.ts';
import { MemberEpoch, sameTopics, type ConsumerMember } from './consumer-member.ts';
import { ConsumerRun, type ConsumerSurroundings } from './consumer-run.ts';
import { groupRecords, groupRemovals } from './group-edit.ts';
import { acceptBeat, addedSizeBytes, problemOfBeat, type ConsumerBeat, type ConsumerBeatAnswer } from './heartbeat.ts';
import { leave, notServing, type ConsumerLeaving } from './leave.ts';
import { assignmentFor, problemOfDowngrade, problemOfUpgrade, upgraded } from './migration.ts';
import { groupNotFound, isRefusal, refusal, type Refusal } from './refusal.ts';
import { assignorsOf } from './rebalance-epoch.ts';
import { restoreConsumerGroup } from './restore-group.ts';

export interface ConsumerGroupsOptions extends MemberBounds {
  readonly directory: GroupDirectory;
  readonly state: GroupState;
  readonly classic: GroupSurroundings;
  readonly surroundings: Omit<ConsumerSurroundings, 'reload' | 'downgrade'>;
  /** What is in memory is ahead of a log that did not take it: the group is read from the log's state anew. */
  reload(run: GroupRun): void;
}

/** A consumer group that a member asked for, and what has to be written along with its first change. */
interface Opened {
  readonly run: ConsumerRun;
  readonly records: readonly KeyedRecord[];
  /** Whether it is in the directory as yet. */
  readonly isNew: boolean;
}

export class ConsumerGroups {
  readonly #options: ConsumerGroupsOptions;
  readonly #surroundings: ConsumerSurroundings;

  constructor(options: ConsumerGroupsOptions) {
    this.#options = options;
    this.#surroundings = {
      ...options.surroundings,
      reload: options.reload,
      downgrade: (run, leaving) => this.#downgradeWithout(run, leaving),
    };
  }

  /** The consumer group as its records have it, in the directory. */
  restore(id: string): ConsumerRun {
    const { state, memory, directory } = this.#options;
    const values = present(state.consumers.values(id), 'the group has records');
    const run = new ConsumerRun(restoreConsumerGroup(id, values, memory), this.#surroundings);
    directory.put(run);
    run.startTimers();
    return run;
  }

  /** Serves a heartbeat of a member that joins or stays. The answer holds once `lastWrite` of the group is durable. */
  beat(groupId: string, beat: ConsumerBeat): Refusal | ConsumerBeatAnswer {
    const opened = this.#open(groupId, beat.memberEpoch === MemberEpoch.JOINING);
    if (isRefusal(opened)) return opened;
    const { run, records, isNew } = opened;
    if (!run.isServing) return notServing;
    const problem = problemOfBeat(run, beat) ?? problemOfMemory(addedSizeBytes(run, beat), this.#options);
    if (problem !== null) {
      if (isNew) run.end();
      return problem;
    }
    if (isNew) this.#install(run);
    return acceptBeat(run, beat, records);
  }

  /** Serves a heartbeat of a member that leaves; null where it is gone. */
  leave(groupId: string, leaving: ConsumerLeaving): Refusal | null {
    const run = this.find(groupId);
    if (isRefusal(run)) return run;
    return run.isServing ? leave(run, leaving) : notServing;
  }

  /** The assignors that members may ask for. */
  assignors(): string[] {
    return assignorsOf(this.#surroundings);
  }

  /** How often members of the group are to send heartbeats, in milliseconds. */
  heartbeatIntervalMs(groupId: string): number {
    return this.#surroundings.setting(groupId, 'consumer.heartbeat.interval.ms');
  }

  /** Resolves once all changes of the group that are under way have been written, with the error of the last. */
  async settled(groupId: string): Promise<ErrorCode> {
    return (await this.#options.directory.find(groupId)?.lastWrite) ?? ErrorCode.NONE;
  }

  /** The consumer group, or why there is none. */
  find(groupId: string): Refusal | ConsumerRun {
    const run = this.#options.directory.find(groupId);
    if (run === null) return groupNotFound(`Group ${groupId} not found.`);
    return run.kind === 'consumer' ? run : groupNotFound(`Group ${groupId} is not a consumer group.`);
  }

  /**
   * Makes a classic group of the consumer group, with `joining`, a static member in the place of `replaced`, and answers
   * its JoinGroup. Where the target does not fit any more, the classic group rebalances.
   */
  downgradeWith(run: ConsumerRun, replaced: ConsumerMember, member: ConsumerMember, joining: Joining): void {
    const { group } = run;
    const fits =
      group.assignmentEpoch === group.epoch && sameTopics(replaced.subscribedTopics, member.subscribedTopics);
    const members = [...group.members.values()].map((other) => (other === replaced ? member : other));
    const rebalance = this.#downgrade(run, members, new Map([[member.id, replaced.id]]));
    const { response } = joining;
    const joined = present(rebalance.group.members.get(member.id), 'the member is in the group');
    // Nobody is to assign: a leader without members would leave all without partitions. Where there is to be another
    // generation at once, Kafka names none, and the member joins again.
    const generation = { ...rebalance.generationFor(joined, false), leader: '' };
    if (!fits) generation.generationId = 0;
    void rebalance.lastWrite?.then((errorCode) =>
      response.answer(errorCode === ErrorCode.NONE ? generation : joinError(errorCode, member.id)),
    );
    if (!fits) rebalance.prepare(`static member ${member.id} made a classic group of a stale consumer group`);
  }

  #open(groupId: string, isJoining: boolean): Refusal | Opened {
    const { directory, state, memory } = this.#options;
    const found = directory.find(groupId);
    if (found?.kind === 'consumer') return { run: found, records: [], isNew: false };
    if (found === null && !isJoining) return groupNotFound(`Consumer group ${groupId} not found.`);
    if (found !== null && (!isJoining || found.kind !== 'classic')) {
      return groupNotFound(`Group ${groupId} is not a consumer group.`);
    }
    if (found !== null && found.group.state !== 'Empty') return this.#upgrade(found);
    if (found === null && !directory.hasRoomFor(groupId)) {
      return refusal(ErrorCode.COORDINATOR_NOT_AVAILABLE, 'There are too many groups.');
    }
    const run = new ConsumerRun(new ConsumerGroup(groupId, memory), this.#surroundings);
    // The records of members that joined the classic group last may be under way still: this one stands behind them.
    const hasRecord = state.hasGroup(groupId) || (found !== null && found.lastWrite !== null);
    return { run, records: hasRecord ? [{ key: groupKey(groupId), value: null }] : [], isNew: true };
  }

  #upgrade({ group: classic }: Rebalance): Refusal | Opened {
    const { memory } = this.#options;
    const { config, topics } = this.#surroundings;
    const problem = problemOfUpgrade(classic, config);
    if (problem !== null) return problem;
    const group = upgraded(classic, topics, memory);
    if (isRefusal(group)) return group;
    const run = new ConsumerRun(group, this.#surroundings);
    return { run, records: [{ key: groupKey(classic.id), value: null }, ...groupRecords(group)], isNew: true };
  }

  /** Puts a new consumer group in, in the place of the classic one that it was, of which whoever waits hears. */
  #install(run: ConsumerRun): void {
    const { directory } = this.#options;
    const before = directory.find(run.group.id);
    directory.put(run);
    if (before !== null) {
      assert(before.kind === 'classic', 'there is no consumer group as yet');
      if (before.group.members.size > 0) {
        this.#surroundings.logger.info({ group: run.group.id }, 'A classic group became a consumer group.');
      }
      before.end(ErrorCode.REBALANCE_IN_PROGRESS);
    }
    run.startTimers();
  }

  /** True where the members that stay all speak the classic protocol, and the group is a classic one from now on. */
  #downgradeWithout(run: ConsumerRun, leaving: readonly ConsumerMember[]): boolean {
    const { group } = run;
    const left = new Set(leaving);
    const remaining = [...group.members.values()].filter((member) => !left.has(member));
    if (remaining.length === 0 || remaining.some(({ classic }) => classic === null)) return false;
    const problem = problemOfDowngrade(remaining.length, this.#surroundings.config);
    if (problem !== null) {
      this.#surroundings.logger.info(
        { group: group.id, reason: problem },
        'A consumer group cannot become a classic one.',
      );
      return false;
    }
    const rebalance = this.#downgrade(run, remaining, new Map());
    rebalance.prepare('the last member of the consumer protocol left');
    return true;
  }

  /** `targetIds`: whose target counts for a member that is not in the consumer group. */
  #downgrade(run: ConsumerRun, members: readonly ConsumerMember[], targetIds: ReadonlyMap<string, string>): Rebalance {
    const { directory, classic: surroundings, memory } = this.#options;
    const { topics, clock, logger } = this.#surroundings;
    const { group } = run;
    const classicGroup = new ClassicGroup(group.id, clock.nowMs(), memory);
    const rebalance = new Rebalance(classicGroup, surroundings);
    const assignments = new Map<string, Uint8Array>();
    for (const member of members) {
      const target = group.targetOf(targetIds.get(member.id) ?? member.id);
      const assignment = assignmentFor(member, target, topics);
      assignments.set(member.id, assignment);
      addClassicMember(rebalance, member, assignment);
    }
    classicGroup.restore(group.epoch, classicGroup.leaderId, classicGroup.selectProtocol(), clock.nowMs());
    const removals = groupRemovals(group);
    directory.put(rebalance);
    run.end();
    rebalance.lastWrite = this.#writeDowngraded(rebalance, [...removals, groupRecord(classicGroup, assignments)]);
    for (const member of classicGroup.members.values()) rebalance.touch(member);
    logger.info({ group: group.id, members: members.length }, 'A consumer group became a classic group.');
    return rebalance;
  }

  async #writeDowngraded(rebalance: Rebalance, records: readonly KeyedRecord[]): Promise<ErrorCode> {
    const errorCode = await this.#surroundings.append(records);
    // The log still has the consumer group, and so does a restart.
    if (errorCode !== ErrorCode.NONE) this.#options.reload(rebalance);
    return errorCode;
  }
}

function addClassicMember(rebalance: Rebalance, member: ConsumerMember, assignment: Uint8Array): void {
  const { sessionTimeoutMs, protocols } = present(member.classic, 'the member speaks the classic protocol');
  const { clientId, clientHost, rebalanceTimeoutMs } = member;
  const description = { clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols };
  const added = new GroupMember(member.id, member.instanceId, description, rebalance.newSession(member.id));
  added.assignment = assignment;
  rebalance.group.add(added, rebalance.group.protocolType ?? 'consumer');
}
