/**
 * A consumer group (KIP-848): members, epochs, target assignment and subscriptions, as plain data that keeps its counts
 * consistent. I/O thread.
 *
 *   subscriptions or topics change ──► epoch + 1 ──► target assignment at that epoch ──► each member comes to that epoch
 *                                       Assigning     Reconciling                         Stable
 *
 * What moves it from epoch to epoch stands in heartbeat.ts, what a member gets in current-assignment.ts; it neither
 * answers requests nor writes.
 */

import { present } from '../../../base/assert.ts';
import type { MemberMemory } from '../classic-group.ts';
import { consumerProtocolType } from '../consumer-protocol.ts';
import { EpochGroup, type TargetEpochs } from '../epoch-group.ts';
import { changeCount } from './counts.ts';
import { memberSizeBytes, isReconciledTo, type ConsumerMember } from './consumer-member.ts';
import { PartitionEpochs } from './partition-epochs.ts';
import { noPartitions, type Partitions } from './partitions.ts';
import { TopicSubscriptions } from './topic-subscriptions.ts';

/** The names are the wire's. */
export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable';

/** What the group's own record says. */
export interface GroupEpochs extends TargetEpochs {
  /** Of the subscribed topics, as they were at `epoch`; see topic-view.ts. */
  readonly metadataHash: number;
  /** When the target assignment was made, in wall-clock milliseconds; 0 where the next may be made at once. */
  readonly assignedMs: number;
}

/** As Kafka begins: the first member that joins makes the epoch 2. */
export const initialEpochs: GroupEpochs = { epoch: 1, metadataHash: 0, assignmentEpoch: 0, assignedMs: 0 };

export class ConsumerGroup extends EpochGroup<ConsumerMember, Partitions, GroupEpochs> {
  readonly protocolType = consumerProtocolType;
  readonly subscriptions = new TopicSubscriptions();
  readonly partitionEpochs = new PartitionEpochs();
  readonly #memberIdsByInstance = new Map<string, string>();
  /** How many members ask for each assignor. */
  readonly #assignorVotes = new Map<string, number>();
  /** How many of the members that speak the classic protocol support each of its protocols. */
  readonly #classicSupport = new Map<string, number>();
  #classicCount = 0;

  /** `memory` counts what its members hold, for as long as they are in it. */
  constructor(id: string, memory: MemberMemory = { sizeBytes: 0 }) {
    super(id, memory, initialEpochs, noPartitions);
  }

  /** How many members speak the classic protocol. */
  get classicCount(): number {
    return this.#classicCount;
  }

  get state(): ConsumerGroupState {
    if (this.isEmpty) return 'Empty';
    if (this.epoch > this.assignmentEpoch) return 'Assigning';
    for (const member of this.members.values()) {
      if (!isReconciledTo(member, this.assignmentEpoch)) return 'Reconciling';
    }
    return 'Stable';
  }

  memberOfInstance(instanceId: string | null): ConsumerMember | null {
    const memberId = instanceId === null ? undefined : this.#memberIdsByInstance.get(instanceId);
    return memberId === undefined ? null : present(this.members.get(memberId), 'a static member is a member');
  }

  /** Whether the topic's offsets are in use. */
  subscribes(topic: string): boolean {
    return this.subscriptions.has(topic);
  }

  /** The assignor that the most members ask for, the first to be asked for where equal; null where none is. */
  get preferredAssignor(): string | null {
    let preferred: string | null = null;
    let most = 0;
    for (const [name, votes] of this.#assignorVotes) if (votes > most) [preferred, most] = [name, votes];
    return preferred;
  }

  /** Whether all members take part in the same topics in the same way, so that assigning is simple. */
  get isHomogeneous(): boolean {
    return this.subscriptions.isShared(this.members.size);
  }

  /** Whether a classic member that brings these could take part with the others that speak the classic protocol. */
  supportsClassic(protocolType: string, names: readonly string[]): boolean {
    if (protocolType !== consumerProtocolType) return false;
    return names.some((name) => (this.#classicSupport.get(name) ?? 0) === this.#classicCount);
  }

  protected override sizeOf(member: ConsumerMember): number {
    return memberSizeBytes(member);
  }

  protected override entered(member: ConsumerMember): void {
    this.#count(member, 1);
    if (member.instanceId !== null) this.#memberIdsByInstance.set(member.instanceId, member.id);
    this.partitionEpochs.add(member);
  }

  protected override left(member: ConsumerMember): void {
    this.#count(member, -1);
    if (member.instanceId !== null) this.#memberIdsByInstance.delete(member.instanceId);
    this.partitionEpochs.remove(member);
  }

  /** Whether a partition of the member's target is still with another. */
  waitsForOthers(member: ConsumerMember): boolean {
    if (member.state !== 'unreleased') return false;
    for (const [topicId, partitions] of this.targetOf(member.id)) {
      const assigned = member.assigned.get(topicId);
      for (const partition of partitions) {
        if (assigned?.has(partition) !== true && this.partitionEpochs.isOwned(topicId, partition)) return true;
      }
    }
    return false;
  }

  #count(member: ConsumerMember, change: 1 | -1): void {
    this.subscriptions.count(member, change);
    if (member.assignor !== null) changeCount(this.#assignorVotes, member.assignor, change);
    if (member.classic === null) return;
    this.#classicCount += change;
    for (const name of new Set(member.classic.protocols.map((protocol) => protocol.name))) {
      changeCount(this.#classicSupport, name, change);
    }
  }
}
