/**
 * A consumer group as it runs: its state, the deadlines of its members, and the writes of its changes. I/O thread.
 * What requests do to it stands in heartbeat.ts, leave.ts and classic-members.ts; which groups there are, and of which
 * protocol, in group-coordinator.ts.
 */

import type { ErrorCode } from '../../../base/error-code.ts';
import type { Logger } from '../../../base/logger.ts';
import type { RandomSource } from '../../../base/random.ts';
import type { BrokerConfig } from '../../broker-config.ts';
import type { KeyedRecord } from '../../keyed-batch.ts';
import type { LinearPatterns } from '../../linear-patterns.ts';
import { problemOfMemberCommit, problemOfMemberFetch } from '../member-offset-checks.ts';
import { MemberRun, type RunSurroundings } from '../member-run.ts';
import type { Committer, OffsetPlace } from '../offset-commits.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import type { ConsumerMember } from './consumer-member.ts';
import { groupRemovals } from './group-edit.ts';
import type { ConsumerSetting } from './group-setting.ts';
import { fenceMember } from './leave.ts';
import type { TopicView } from './topic-view.ts';

/** What all consumer groups need of the coordinator around them. */
export interface ConsumerSurroundings extends RunSurroundings {
  readonly random: RandomSource;
  readonly config: BrokerConfig;
  readonly logger: Logger;
  readonly topics: TopicView;
  readonly regexes: LinearPatterns;
  /** The value that counts for the group. */
  setting(groupId: string, name: ConsumerSetting): number;
  /** The log did not take a change, and nothing is under way any more: the group is to be read from it anew. */
  reload(run: ConsumerRun): void;
  /** Makes a classic group of it, where only members that speak the classic protocol are left; false where it stays. */
  downgrade(run: ConsumerRun, leaving: readonly ConsumerMember[]): boolean;
}

export class ConsumerRun extends MemberRun {
  readonly kind = 'consumer';
  readonly group: ConsumerGroup;
  readonly surroundings: ConsumerSurroundings;
  /** Whether a search for the topics that its expressions match is under way. */
  isResolving = false;

  constructor(group: ConsumerGroup, surroundings: ConsumerSurroundings) {
    super(surroundings);
    this.group = group;
    this.surroundings = surroundings;
  }

  /** Something was heard from a member. */
  touch({ id, classic }: ConsumerMember): void {
    const { setting } = this.surroundings;
    this.setTimer(id, 'session', classic?.sessionTimeoutMs ?? setting(this.group.id, 'consumer.session.timeout.ms'));
  }

  /** After a start: whoever is in the group has a session, and time to give up what it was told to. */
  startTimers(): void {
    for (const member of this.group.members.values()) {
      this.touch(member);
      if (member.state === 'unrevoked' && member.classic === null) {
        this.setTimer(member.id, 'rebalance', member.rebalanceTimeoutMs);
      }
    }
  }

  override removals(): KeyedRecord[] {
    return groupRemovals(this.group);
  }

  override problemOfCommit(committer: Committer, places: readonly OffsetPlace[]): ErrorCode {
    return problemOfMemberCommit(
      this.group,
      committer,
      places,
      ({ assigned, revoking }, { topicId, partition }) =>
        assigned.get(topicId)?.get(partition) ?? revoking.get(topicId)?.get(partition) ?? null,
    );
  }

  override problemOfFetch(memberId: string | null, memberEpoch: number): ErrorCode {
    return problemOfMemberFetch(this.group, memberId, memberEpoch);
  }

  protected override reload(): void {
    this.surroundings.reload(this);
  }

  protected override fence(memberId: string, reason: string): void {
    const member = this.group.members.get(memberId);
    if (member !== undefined) fenceMember(this, member, reason);
  }

  protected override release(): void {
    this.group.release();
  }
}
