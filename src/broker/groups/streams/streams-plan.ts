/**
 * What a heartbeat of a member of a streams group comes to, or why it is refused; nothing is changed yet. I/O thread.
 * Errors and their order are those of Kafka 4.4's coordinator.
 */

import { ErrorCode } from '../../../base/error-code.ts';
import { MemberEpoch } from '../consumer/consumer-member.ts';
import {
  fencedEpoch,
  fencedInstance,
  isRefusal,
  refusal,
  unknownInstance,
  unknownMember,
  unreleasedInstance,
  type Refusal,
} from '../consumer/refusal.ts';
import { equalBytes } from '../equal-bytes.ts';
import { configuredTopology, type ConfiguredTopology } from './configured-topology.ts';
import type { StreamsGroup, TaskOffsets } from './streams-group.ts';
import { newStreamsMember, sameStreamsIdentity, type Endpoint, type StreamsMember } from './streams-member.ts';
import { topologyBytes } from './streams-records.ts';
import type { StreamsRun } from './streams-run.ts';
import { containsAllTasks, roles, type Tasks } from './tasks.ts';
import { requiredTopics, type Topology } from './topology.ts';

/** How far a member is with one task. */
export interface TaskOffsetField {
  readonly subtopologyId: string;
  readonly partition: number;
  readonly offset: number;
}

/** A heartbeat as the group sees it; null is what has not changed. */
export interface StreamsBeat {
  /** Not empty. */
  readonly memberId: string;
  /** 0 for a member that joins. */
  readonly memberEpoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  /** -1 where it has not changed. */
  readonly rebalanceTimeoutMs: number;
  /** Not null for a member that joins. */
  readonly topology: Topology | null;
  readonly owned: Tasks | null;
  readonly processId: string | null;
  readonly endpoint: Endpoint | null;
  readonly clientTags: ReadonlyMap<string, string> | null;
  readonly taskOffsets: readonly TaskOffsetField[] | null;
  readonly taskEndOffsets: readonly TaskOffsetField[] | null;
  readonly stopsApplication: boolean;
  /** Of what the member knows of others' endpoints. */
  readonly endpointEpoch: number;
  readonly apiVersion: number;
  readonly clientId: string;
  readonly clientHost: string;
}

export interface StreamsPlan {
  /** The member as it is known, or as it begins. */
  readonly before: StreamsMember;
  readonly updated: StreamsMember;
  /** The static member whose place it gets; null where it gets none. */
  readonly replaced: StreamsMember | null;
  /** The group's, or where it has none as yet the member's. */
  readonly topology: Topology;
  readonly metadataHash: number;
  readonly configured: ConfiguredTopology;
  /** Null where the member says nothing of them. */
  readonly taskOffsets: TaskOffsets | null;
}

export function planBeat(run: StreamsRun, beat: StreamsBeat): Refusal | StreamsPlan {
  const { group, surroundings } = run;
  const isJoining = beat.memberEpoch === MemberEpoch.JOINING;
  const maxSize = surroundings.config.number('group.streams.max.size');
  const problem = isJoining ? problemOfSize(group, beat, maxSize) : null;
  if (problem !== null) return problem;
  const known = beat.instanceId === null ? group.members.get(beat.memberId) : group.memberOfInstance(beat.instanceId);
  const problemOfIdentity = isJoining
    ? problemOfStaticJoin(known ?? null, beat)
    : problemOfKnown(group, known ?? null, beat);
  if (problemOfIdentity !== null) return problemOfIdentity;
  const replaced = known !== null && known !== undefined && known.id !== beat.memberId ? known : null;
  const before = memberBefore(known ?? null, beat);
  const topology = topologyOf(group, beat);
  if (isRefusal(topology)) return topology;
  const view = viewOf(run, topology);
  if (isRefusal(view)) return view;
  const problemOfTasks = problemOfOwned(view.configured, beat.owned);
  if (problemOfTasks !== null) return problemOfTasks;
  const taskOffsets = reportedOffsets(group, beat);
  if (taskOffsets !== null && isRefusal(taskOffsets)) return taskOffsets;
  return { before, updated: describedBy(before, beat), replaced, topology, ...view, taskOffsets };
}

/** Whether the group has room; who is in it stays, under a new id too. */
function problemOfSize(group: StreamsGroup, { memberId, instanceId }: StreamsBeat, maxSize: number): Refusal | null {
  if (group.memberOfInstance(instanceId) !== null || group.members.has(memberId)) return null;
  if (group.members.size < maxSize) return null;
  const message = `The streams group has reached its maximum capacity of ${maxSize} members.`;
  return refusal(ErrorCode.GROUP_MAX_SIZE_REACHED, message);
}

function problemOfStaticJoin(known: StreamsMember | null, { memberId, instanceId }: StreamsBeat): Refusal | null {
  if (instanceId === null || known === null || known.epoch === MemberEpoch.LEAVING_STATIC) return null;
  return unreleasedInstance(known.id, memberId, instanceId);
}

function problemOfKnown(group: StreamsGroup, known: StreamsMember | null, beat: StreamsBeat): Refusal | null {
  const { memberId, instanceId, memberEpoch, owned } = beat;
  if (known === null) return instanceId === null ? unknownMember(group.id, memberId) : unknownInstance(instanceId);
  if (instanceId !== null && known.id !== memberId) return fencedInstance(known.id, memberId, instanceId);
  if (memberEpoch === known.epoch) return null;
  // The response that told it the present epoch may have been lost: then it still has what it had, and no more.
  const lostResponse = memberEpoch === known.previousEpoch && owned !== null && containsAllTasks(known.assigned, owned);
  return memberEpoch < known.epoch && lostResponse ? null : fencedEpoch(memberId, memberEpoch, known.epoch);
}

function memberBefore(known: StreamsMember | null, { memberId, instanceId, memberEpoch }: StreamsBeat): StreamsMember {
  if (known === null) return newStreamsMember(memberId);
  if (instanceId === null || memberEpoch !== MemberEpoch.JOINING) return known;
  return { ...known, id: memberId, epoch: 0, previousEpoch: 0 };
}

/** The member with what the heartbeat says about it; the same object where that is nothing new. */
function describedBy(member: StreamsMember, beat: StreamsBeat): StreamsMember {
  const isJoining = beat.memberEpoch === MemberEpoch.JOINING;
  const updated = {
    ...member,
    instanceId: beat.instanceId ?? member.instanceId,
    rackId: beat.rackId ?? member.rackId,
    rebalanceTimeoutMs: beat.rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : beat.rebalanceTimeoutMs,
    topologyEpoch: beat.topology?.epoch ?? member.topologyEpoch,
    processId: beat.processId ?? member.processId,
    endpoint: isJoining ? beat.endpoint : (beat.endpoint ?? member.endpoint),
    clientTags: beat.clientTags ?? member.clientTags,
    clientId: beat.clientId,
    clientHost: beat.clientHost,
  };
  return sameStreamsIdentity(member, updated) ? member : updated;
}

/** The topology that counts: one that was given once stays, and members with an older one hear that they are behind. */
function topologyOf(group: StreamsGroup, { topology }: StreamsBeat): Refusal | Topology {
  if (topology === null) {
    return group.topology ?? refusal(ErrorCode.INVALID_REQUEST, 'The group has no topology: join with one.');
  }
  if (group.topology === null) return topology;
  if (group.topology.epoch > topology.epoch) return group.topology;
  if (equalBytes(topologyBytes(topology), group.topologyBytes)) return group.topology;
  return refusal(ErrorCode.INVALID_REQUEST, 'Topology updates are not supported yet.');
}

/** The topology against the topics that there are; looked at again only once topics have changed. */
function viewOf(
  { group, surroundings: { topics } }: StreamsRun,
  topology: Topology,
): Refusal | Pick<StreamsPlan, 'metadataHash' | 'configured'> {
  const { configured, epochs } = group;
  if (configured !== null && group.hashedVersion === topics.version) {
    return { metadataHash: epochs.metadataHash, configured };
  }
  const metadataHash = topics.hash(requiredTopics(topology));
  if (configured !== null && metadataHash === epochs.metadataHash) return { metadataHash, configured };
  const found = configuredTopology(topology, (name) => topics.partitionCountOf(name));
  return 'problem' in found
    ? refusal(ErrorCode.STREAMS_INVALID_TOPOLOGY, found.problem)
    : { metadataHash, configured: found };
}

/** What a member says that it has has to be there, once all topics are. */
function problemOfOwned({ subtopologies, status }: ConfiguredTopology, owned: Tasks | null): Refusal | null {
  if (owned === null || status !== null || subtopologies === null) return null;
  for (const role of roles) {
    for (const [id, partitions] of owned[role]) {
      const subtopology = subtopologies.get(id);
      if (subtopology === undefined) {
        return refusal(ErrorCode.INVALID_REQUEST, `Subtopology ${id} does not exist in the topology.`);
      }
      for (const partition of partitions) {
        if (partition >= 0 && partition < subtopology.taskCount) continue;
        const message = `Task ${partition} for subtopology ${id} is invalid. Number of tasks for this subtopology: ${subtopology.taskCount}`;
        return refusal(ErrorCode.INVALID_REQUEST, message);
      }
    }
  }
  return null;
}

function reportedOffsets(group: StreamsGroup, beat: StreamsBeat): Refusal | TaskOffsets | null {
  if (beat.taskOffsets === null && beat.taskEndOffsets === null) return null;
  const before = group.taskOffsetsOf(beat.memberId);
  const offsets = beat.taskOffsets === null ? before.offsets : byTask(beat.taskOffsets);
  if (isRefusal(offsets)) return offsets;
  const endOffsets = beat.taskEndOffsets === null ? before.endOffsets : byTask(beat.taskEndOffsets);
  return isRefusal(endOffsets) ? endOffsets : { offsets, endOffsets };
}

function byTask(fields: readonly TaskOffsetField[]): Refusal | ReadonlyMap<string, ReadonlyMap<number, number>> {
  const tasks = new Map<string, Map<number, number>>();
  for (const { subtopologyId, partition, offset } of fields) {
    let partitions = tasks.get(subtopologyId);
    if (partitions === undefined) tasks.set(subtopologyId, (partitions = new Map()));
    if (partitions.has(partition)) {
      const message = `Task offsets contain a duplicate entry for subtopology ${subtopologyId} and partition ${partition}.`;
      return refusal(ErrorCode.INVALID_REQUEST, message);
    }
    partitions.set(partition, offset);
  }
  return tasks;
}
