/**
 * A streams group (KIP-1071): members, topology, epochs and target assignment, as plain data that keeps its counts
 * consistent. I/O thread.
 *
 *   topology, topics, members or settings change ──► epoch + 1 ──► target assignment at that epoch ──► members come to it
 *             NotReady while topics are missing      Assigning     Reconciling                         Stable
 *
 * What moves it stands in streams-heartbeat.ts, what a member gets in current-tasks.ts; it neither answers requests nor
 * writes.
 */

import { present } from '../../../base/assert.ts';
import type { MemberMemory } from '../classic-group.ts';
import { isReconciledTo } from '../consumer/consumer-member.ts';
import { EpochGroup, type TargetEpochs } from '../epoch-group.ts';
import type { ConfiguredTopology } from './configured-topology.ts';
import { streamsMemberSizeBytes, type StreamsMember } from './streams-member.ts';
import { topologyBytes } from './streams-records.ts';
import { TaskProcesses } from './task-processes.ts';
import { noTasks, type Tasks } from './tasks.ts';
import { readersOf, type Topology } from './topology.ts';

/** The names are the wire's. */
export type StreamsGroupState = 'Empty' | 'NotReady' | 'Assigning' | 'Reconciling' | 'Stable';

/** What the group's own record says. */
export interface StreamsEpochs extends TargetEpochs {
  /** Of the topics that the topology needs, as they were at `epoch`; see consumer/topic-view.ts. */
  readonly metadataHash: number;
  /** Of the topology that all topics were there for; -1 while they are not. */
  readonly validatedTopologyEpoch: number;
  /** When the target assignment was made, in wall-clock milliseconds; 0 where the next may be made at once. */
  readonly assignedMs: number;
  /** The settings that counted at `epoch`. */
  readonly assignmentConfigs: ReadonlyMap<string, string>;
}

/** As Kafka begins: the first member that joins makes the epoch 2. */
const initialEpochs: StreamsEpochs = {
  epoch: 1,
  metadataHash: 0,
  validatedTopologyEpoch: -1,
  assignmentEpoch: 1,
  assignedMs: 0,
  assignmentConfigs: new Map(),
};

/** How far a member says that it is with tasks, by subtopology and partition; in memory alone. */
export interface TaskOffsets {
  readonly offsets: ReadonlyMap<string, ReadonlyMap<number, number>>;
  readonly endOffsets: ReadonlyMap<string, ReadonlyMap<number, number>>;
}

const noTaskOffsets: TaskOffsets = { offsets: new Map(), endOffsets: new Map() };
const offsetSizeBytes = 32;

export class StreamsGroup extends EpochGroup<StreamsMember, Tasks, StreamsEpochs> {
  readonly protocolType = 'streams';
  readonly processes = new TaskProcesses();
  readonly #memberIdsByInstance = new Map<string, string>();
  readonly #taskOffsets = new Map<string, TaskOffsets>();
  #topology: Topology | null = null;
  #topologyBytes: Uint8Array = new Uint8Array(0);
  #readers: ReadonlyMap<string, string> = new Map();
  /** The topology held against the topics that there were at `hashedVersion`; null where nobody has looked in this run. */
  configured: ConfiguredTopology | null = null;
  /** Grows whenever who can be asked for what has changed; in memory alone. */
  endpointEpoch = 0;
  /** The member that asked the whole application to stop; in memory alone. */
  #shutdownBy: string | null = null;

  /** `memory` counts what its members hold, for as long as they are in it. */
  constructor(id: string, memory: MemberMemory = { sizeBytes: 0 }) {
    super(id, memory, initialEpochs, noTasks);
  }

  /** Null before the first member has joined. */
  get topology(): Topology | null {
    return this.#topology;
  }

  /** The topology's record. */
  get topologyBytes(): Uint8Array {
    return this.#topologyBytes;
  }

  get shutdownBy(): string | null {
    return this.#shutdownBy;
  }

  get state(): StreamsGroupState {
    if (this.isEmpty) return 'Empty';
    if (this.#topology?.epoch !== this.epochs.validatedTopologyEpoch) return 'NotReady';
    if (this.epoch > this.assignmentEpoch) return 'Assigning';
    for (const member of this.members.values()) {
      if (!isReconciledTo(member, this.assignmentEpoch)) return 'Reconciling';
    }
    return 'Stable';
  }

  memberOfInstance(instanceId: string | null): StreamsMember | null {
    const memberId = instanceId === null ? undefined : this.#memberIdsByInstance.get(instanceId);
    return memberId === undefined ? null : present(this.members.get(memberId), 'a static member is a member');
  }

  /** How far the member is with its state; nothing where it has not said so in this run. */
  taskOffsetsOf(memberId: string): TaskOffsets {
    return this.#taskOffsets.get(memberId) ?? noTaskOffsets;
  }

  /** The subtopology that reads the topic; null where none does. */
  readerOf(topic: string): string | null {
    return this.#readers.get(topic) ?? null;
  }

  /** Whether the topic's offsets are in use. */
  subscribes(topic: string): boolean {
    return !this.isEmpty && this.#readers.has(topic);
  }

  protected override sizeOf(member: StreamsMember): number {
    return streamsMemberSizeBytes(member);
  }

  protected override entered(member: StreamsMember): void {
    if (member.instanceId !== null) this.#memberIdsByInstance.set(member.instanceId, member.id);
    this.processes.add(member);
  }

  protected override left(member: StreamsMember): void {
    if (member.instanceId !== null) this.#memberIdsByInstance.delete(member.instanceId);
    this.processes.remove(member);
  }

  override removeMember(memberId: string): void {
    super.removeMember(memberId);
    this.putTaskOffsets(memberId, noTaskOffsets);
    this.#taskOffsets.delete(memberId);
    if (this.isEmpty) this.#shutdownBy = null;
  }

  putTaskOffsets(memberId: string, offsets: TaskOffsets): void {
    this.memory.sizeBytes += taskOffsetsSizeBytes(offsets) - taskOffsetsSizeBytes(this.taskOffsetsOf(memberId));
    this.#taskOffsets.set(memberId, offsets);
  }

  setTopology(topology: Topology): void {
    const bytes = topologyBytes(topology);
    this.memory.sizeBytes += topologySizeBytes(bytes) - topologySizeBytes(this.#topologyBytes);
    this.#topology = topology;
    this.#topologyBytes = bytes;
    this.#readers = readersOf(topology);
    this.configured = null;
  }

  /** The whole application is to stop; the first that asks for it is named. */
  requestShutdown(memberId: string): void {
    this.#shutdownBy ??= memberId;
  }

  override release(): void {
    super.release();
    for (const offsets of this.#taskOffsets.values()) this.memory.sizeBytes -= taskOffsetsSizeBytes(offsets);
    this.memory.sizeBytes -= topologySizeBytes(this.#topologyBytes);
    this.#taskOffsets.clear();
    this.#topologyBytes = new Uint8Array(0);
  }
}

/** A topology is held as objects by their names, as maps of them and as bytes. */
const heldPerByte = 8;

/** What a topology whose record is `bytes` takes in memory, in bytes, roughly. */
export function topologySizeBytes(bytes: Uint8Array): number {
  return bytes.length * heldPerByte;
}

/** What they take in memory, in bytes, roughly. */
export function taskOffsetsSizeBytes({ offsets, endOffsets }: TaskOffsets): number {
  let count = 0;
  for (const partitions of offsets.values()) count += 1 + partitions.size;
  for (const partitions of endOffsets.values()) count += 1 + partitions.size;
  return count * offsetSizeBytes;
}
