/**
 * The streams groups among all groups: how one comes into being and is read anew where the log did not take a change.
 * I/O thread.
 */

import { assert, present } from '../../../base/assert.ts';
import { ErrorCode } from '../../../base/error-code.ts';
import type { KeyedRecord } from '../../keyed-batch.ts';
import type { MemberMemory } from '../classic-group.ts';
import { MemberEpoch } from '../consumer/consumer-member.ts';
import { notServing } from '../consumer/leave.ts';
import { groupNotFound, isRefusal, refusal, type Refusal } from '../consumer/refusal.ts';
import type { GroupDirectory } from '../group-directory.ts';
import { groupKey } from '../group-records.ts';
import type { GroupState } from '../group-state.ts';
import { restoreStreamsGroup } from './restore-streams-group.ts';
import { StreamsGroup, taskOffsetsSizeBytes, topologySizeBytes } from './streams-group.ts';
import { acceptStreamsBeat, type StreamsBeatAnswer } from './streams-heartbeat.ts';
import { leaveStreams, type StreamsLeaving } from './streams-leave.ts';
import { streamsMemberSizeBytes } from './streams-member.ts';
import { planBeat, type StreamsBeat, type StreamsPlan } from './streams-plan.ts';
import { topologyBytes } from './streams-records.ts';
import { StreamsRun, type StreamsSurroundings } from './streams-run.ts';

export interface StreamsGroupsOptions {
  readonly directory: GroupDirectory;
  readonly state: GroupState;
  readonly memory: MemberMemory;
  readonly surroundings: StreamsSurroundings;
  /** What one member may say of itself, and all together, in bytes. */
  readonly maxMemberBytes: number;
  readonly maxMembersBytes: number;
}

/** A group that a member asked for, and what has to be written along with its first change. */
interface Opened {
  readonly run: StreamsRun;
  readonly records: readonly KeyedRecord[];
  /** Whether it is in the directory as yet. */
  readonly isNew: boolean;
}

export class StreamsGroups {
  readonly #options: StreamsGroupsOptions;

  constructor(options: StreamsGroupsOptions) {
    this.#options = options;
  }

  /** The streams group as its records have it, in the directory. */
  restore(id: string): StreamsRun {
    const { state, memory, directory, surroundings } = this.#options;
    const values = present(state.streams.values(id), 'the group has records');
    const run = new StreamsRun(restoreStreamsGroup(id, values, memory), surroundings);
    directory.put(run);
    run.startTimers();
    return run;
  }

  /** Serves a heartbeat of a member that joins or stays. The answer holds once `lastWrite` of the group is durable. */
  beat(groupId: string, beat: StreamsBeat): Refusal | StreamsBeatAnswer {
    const opened = this.#open(groupId, beat.memberEpoch === MemberEpoch.JOINING);
    if (isRefusal(opened)) return opened;
    const { run, records, isNew } = opened;
    if (!run.isServing) return notServing;
    const planned = planBeat(run, beat);
    const plan = isRefusal(planned) ? planned : (this.#problemOfMemory(run, planned) ?? planned);
    if (isRefusal(plan)) {
      if (isNew) run.end();
      return plan;
    }
    if (isNew) this.#install(run);
    return acceptStreamsBeat(run, beat, plan, records);
  }

  /** Serves a heartbeat of a member that leaves; null where it is gone. */
  leave(groupId: string, leaving: StreamsLeaving): Refusal | null {
    const run = this.find(groupId);
    if (isRefusal(run)) return run;
    return run.isServing ? leaveStreams(run, leaving) : notServing;
  }

  /** How often members of the group are to send heartbeats, in milliseconds. */
  heartbeatIntervalMs(groupId: string): number {
    return this.#options.surroundings.setting(groupId, 'streams.heartbeat.interval.ms');
  }

  /** Resolves once all changes of the group that are under way have been written, with the error of the last. */
  async settled(groupId: string): Promise<ErrorCode> {
    return (await this.#options.directory.find(groupId)?.lastWrite) ?? ErrorCode.NONE;
  }

  /** The streams group, or why there is none. */
  find(groupId: string): Refusal | StreamsRun {
    const run = this.#options.directory.find(groupId);
    if (run === null) return groupNotFound(`Group ${groupId} not found.`);
    return run.kind === 'streams' ? run : notStreams(groupId);
  }

  #open(groupId: string, isJoining: boolean): Refusal | Opened {
    const { directory, state, memory, surroundings } = this.#options;
    const found = directory.find(groupId);
    if (found?.kind === 'streams') return { run: found, records: [], isNew: false };
    if (!isJoining && found === null) return groupNotFound(`Streams group ${groupId} not found.`);
    // An empty classic group, which may have had nothing but offsets, gives its place.
    if (found !== null && !(isJoining && found.kind === 'classic' && found.group.state === 'Empty')) {
      return notStreams(groupId);
    }
    if (found === null && !directory.hasRoomFor(groupId)) {
      return refusal(ErrorCode.COORDINATOR_NOT_AVAILABLE, 'There are too many groups.');
    }
    const run = new StreamsRun(new StreamsGroup(groupId, memory), surroundings);
    // The records of members that joined the classic group last may be under way still: this one stands behind them.
    const hasRecord = state.hasGroup(groupId) || (found !== null && found.lastWrite !== null);
    return { run, records: hasRecord ? [{ key: groupKey(groupId), value: null }] : [], isNew: true };
  }

  /** Puts a new group in, in the place of the classic one that it was, of which whoever waits hears. */
  #install(run: StreamsRun): void {
    const { directory } = this.#options;
    const before = directory.find(run.group.id);
    directory.put(run);
    if (before === null) return;
    assert(before.kind === 'classic', 'there is no group of another protocol');
    before.end(ErrorCode.REBALANCE_IN_PROGRESS);
  }

  #problemOfMemory({ group }: StreamsRun, { before, updated, topology, taskOffsets }: StreamsPlan): Refusal | null {
    const { maxMemberBytes, maxMembersBytes, memory } = this.#options;
    const isKnown = group.members.has(before.id);
    const bytes = group.topology === null ? topologyBytes(topology) : nothing;
    const memberBytes = streamsMemberSizeBytes(updated) - (isKnown ? streamsMemberSizeBytes(before) : 0);
    const known = group.taskOffsetsOf(before.id);
    const offsetsBytes = taskOffsets === null ? 0 : taskOffsetsSizeBytes(taskOffsets) - taskOffsetsSizeBytes(known);
    const addedBytes = topologySizeBytes(bytes) + memberBytes + offsetsBytes;
    if (addedBytes <= 0) return null;
    if (bytes.length + memberBytes + offsetsBytes > maxMemberBytes)
      return refusal(ErrorCode.INVALID_REQUEST, 'The member says too much of itself.');
    return memory.sizeBytes + addedBytes <= maxMembersBytes
      ? null
      : refusal(ErrorCode.GROUP_MAX_SIZE_REACHED, 'The members of all groups say too much of themselves together.');
  }
}

const nothing = new Uint8Array(0);

function notStreams(groupId: string): Refusal {
  return groupNotFound(`Group ${groupId} is not a streams group.`);
}
