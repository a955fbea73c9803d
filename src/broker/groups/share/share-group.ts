/**
 * A share group (KIP-932): members, epochs, target assignment and the partitions that it reads, as plain data. I/O thread.
 * A member has its target as soon as it hears of it, since others may have the same partitions. What moves it from epoch
 * to epoch stands in share-heartbeat.ts; how far it has come in its partitions in ../../share/.
 */

import type { MemberMemory } from '../classic-group.ts';
import { initialEpochs, type GroupEpochs } from '../consumer/consumer-group.ts';
import { noPartitions, type Partitions } from '../consumer/partitions.ts';
import { TopicSubscriptions } from '../consumer/topic-subscriptions.ts';
import { EpochGroup } from '../epoch-group.ts';
import { shareMemberSizeBytes, type ShareMember } from './share-member.ts';

/** The names are the wire's. */
export type ShareGroupState = 'Empty' | 'Stable';

export const shareProtocolType = 'share';

export class ShareGroup extends EpochGroup<ShareMember, Partitions, GroupEpochs> {
  readonly protocolType = shareProtocolType;
  readonly subscriptions = new TopicSubscriptions();
  /** The names of the partitions that it reads, or has read (`placeName`). */
  readonly partitions = new Set<string>();

  /** `memory` counts what its members hold, for as long as they are in it. */
  constructor(id: string, memory: MemberMemory = { sizeBytes: 0 }) {
    super(id, memory, initialEpochs, noPartitions);
  }

  get state(): ShareGroupState {
    return this.isEmpty ? 'Empty' : 'Stable';
  }

  /** Whether all members subscribe to the same topics. */
  get isHomogeneous(): boolean {
    return this.subscriptions.isShared(this.members.size);
  }

  /** Whether the topic's offsets are in use. */
  subscribes(topic: string): boolean {
    return this.subscriptions.has(topic);
  }

  protected override sizeOf(member: ShareMember): number {
    return shareMemberSizeBytes(member);
  }

  protected override entered({ subscribedTopics }: ShareMember): void {
    this.subscriptions.count({ subscribedTopics, subscribedRegex: '' }, 1);
  }

  protected override left({ subscribedTopics }: ShareMember): void {
    this.subscriptions.count({ subscribedTopics, subscribedRegex: '' }, -1);
  }
}
