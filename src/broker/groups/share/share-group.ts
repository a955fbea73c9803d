/**
 * A share group (KIP-932): members, epochs, target assignment and the partitions that it reads, as plain data. I/O thread.
 * A member has its target as soon as it hears of it, since others may have the same partitions. What moves it from epoch
 * to epoch stands in share-heartbeat.ts; how far it has come in its partitions in ../../share/.
 */

import { assert, present } from '../../../base/assert.ts';
import type { MemberMemory } from '../classic-group.ts';
import { initialEpochs, type GroupEpochs } from '../consumer/consumer-group.ts';
import { noPartitions, type Partitions } from '../consumer/partitions.ts';
import { TopicSubscriptions } from '../consumer/topic-subscriptions.ts';
import { shareMemberSizeBytes, type ShareMember } from './share-member.ts';

/** The names are the wire's. */
export type ShareGroupState = 'Empty' | 'Stable';

export const shareProtocolType = 'share';

export class ShareGroup {
  readonly id: string;
  readonly protocolType = shareProtocolType;
  readonly subscriptions = new TopicSubscriptions();
  /** The names of the partitions that it reads, or has read (`placeName`). */
  readonly partitions = new Set<string>();
  readonly #memory: MemberMemory;
  readonly #members = new Map<string, ShareMember>();
  readonly #targets = new Map<string, Partitions>();
  #epochs: GroupEpochs = initialEpochs;
  /** The version of the topics (`TopicView.version`) of which the metadata hash was taken; -1 for an earlier run's. */
  hashedVersion = -1;

  /** `memory` counts what its members hold, for as long as they are in it. */
  constructor(id: string, memory: MemberMemory = { sizeBytes: 0 }) {
    this.id = id;
    this.#memory = memory;
  }

  get members(): ReadonlyMap<string, ShareMember> {
    return this.#members;
  }

  get targets(): ReadonlyMap<string, Partitions> {
    return this.#targets;
  }

  get epochs(): GroupEpochs {
    return this.#epochs;
  }

  get epoch(): number {
    return this.#epochs.epoch;
  }

  get assignmentEpoch(): number {
    return this.#epochs.assignmentEpoch;
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  get state(): ShareGroupState {
    return this.isEmpty ? 'Empty' : 'Stable';
  }

  /** Whether all members subscribe to the same topics. */
  get isHomogeneous(): boolean {
    return this.subscriptions.isShared(this.#members.size);
  }

  /** Whether the topic's offsets are in use. */
  subscribes(topic: string): boolean {
    return this.subscriptions.has(topic);
  }

  targetOf(memberId: string): Partitions {
    return this.#targets.get(memberId) ?? noPartitions;
  }

  /** Takes a member in, or what is new about one that is there. */
  putMember(member: ShareMember): void {
    const before = this.#members.get(member.id);
    if (before !== undefined) this.#count(before, -1);
    this.#members.set(member.id, member);
    this.#count(member, 1);
  }

  /** Takes a member out, with its target. */
  removeMember(memberId: string): void {
    this.#count(present(this.#members.get(memberId), 'the member is there'), -1);
    this.#members.delete(memberId);
    this.#targets.delete(memberId);
  }

  putTarget(memberId: string, partitions: Partitions): void {
    this.#targets.set(memberId, partitions);
  }

  setEpochs(epochs: GroupEpochs): void {
    assert(epochs.assignmentEpoch <= epochs.epoch, 'a target is for an epoch that has begun');
    this.#epochs = epochs;
  }

  /** Gives back what its members take in memory; the group is not used any more. */
  release(): void {
    for (const member of this.#members.values()) this.#memory.sizeBytes -= shareMemberSizeBytes(member);
    this.#members.clear();
  }

  #count(member: ShareMember, change: 1 | -1): void {
    this.#memory.sizeBytes += change * shareMemberSizeBytes(member);
    this.subscriptions.count({ subscribedTopics: member.subscribedTopics, subscribedRegex: '' }, change);
  }
}
