/**
 * A streams group as it runs: its state, the deadlines of its members, the wait for more members before the first
 * assignment, and the writes of its changes. I/O thread.
 * What requests do to it stands in streams-heartbeat.ts and streams-leave.ts.
 */

import type { ErrorCode } from '../../../base/error-code.ts';
import type { Logger } from '../../../base/logger.ts';
import type { BrokerConfig } from '../../broker-config.ts';
import type { KeyedRecord } from '../../keyed-batch.ts';
import type { StreamsSetting } from '../consumer/group-setting.ts';
import type { TopicView } from '../consumer/topic-view.ts';
import { Deadline } from '../deadline.ts';
import { problemOfMemberCommit, problemOfMemberFetch } from '../member-offset-checks.ts';
import { MemberRun, type RunSurroundings } from '../member-run.ts';
import type { Committer, OffsetPlace } from '../offset-commits.ts';
import type { StreamsGroup } from './streams-group.ts';
import { refreshTarget } from './streams-assignment.ts';
import { StreamsEdit, streamsRemovals } from './streams-edit.ts';
import { fenceStreamsMember } from './streams-leave.ts';
import type { StreamsMember } from './streams-member.ts';

/** What all streams groups need of the coordinator around them. */
export interface StreamsSurroundings extends RunSurroundings {
  readonly config: BrokerConfig;
  readonly logger: Logger;
  readonly topics: TopicView;
  /** The time that counts for the group, in milliseconds. */
  setting(groupId: string, name: StreamsSetting): number;
  /** The text of another setting of the group that counts. */
  text(groupId: string, name: string): string;
  /** The log did not take a change, and nothing is under way any more: the group is to be read from it anew. */
  reload(run: StreamsRun): void;
}

export class StreamsRun extends MemberRun {
  readonly kind = 'streams';
  readonly group: StreamsGroup;
  readonly surroundings: StreamsSurroundings;
  /** Whether a target assignment is being made, in steps. */
  isPreparing = false;
  readonly #initialDelay: Deadline;

  constructor(group: StreamsGroup, surroundings: StreamsSurroundings) {
    super(surroundings);
    this.group = group;
    this.surroundings = surroundings;
    this.#initialDelay = new Deadline(surroundings.clock, () => this.#assignAfterDelay());
  }

  /** Whether the first assignment still waits for more members. */
  get isDelayed(): boolean {
    return this.#initialDelay.isSet;
  }

  /** Has the first assignment wait, unless it does already. */
  delayAssignment(delayMs: number): void {
    if (!this.#initialDelay.isSet) this.#initialDelay.set(delayMs);
  }

  /** Something was heard from a member. */
  touch({ id }: StreamsMember): void {
    this.setTimer(id, 'session', this.surroundings.setting(this.group.id, 'streams.session.timeout.ms'));
  }

  /** After a start: whoever is in the group has a session, and time to give up what it was told to. */
  startTimers(): void {
    for (const member of this.group.members.values()) {
      this.touch(member);
      if (member.state === 'unrevoked') this.setTimer(member.id, 'rebalance', member.rebalanceTimeoutMs);
    }
  }

  override removals(): KeyedRecord[] {
    return streamsRemovals(this.group);
  }

  override problemOfCommit(committer: Committer, places: readonly OffsetPlace[]): ErrorCode {
    const { group, surroundings } = this;
    return problemOfMemberCommit(group, committer, places, ({ assigned, revoking }, { topicId, partition }) => {
      const subtopologyId = group.readerOf(surroundings.topics.nameOf(topicId) ?? '');
      if (subtopologyId === null) return null;
      const epochs = assigned.active.get(subtopologyId);
      return epochs?.get(partition) ?? revoking.active.get(subtopologyId)?.get(partition) ?? null;
    });
  }

  override problemOfFetch(memberId: string | null, memberEpoch: number): ErrorCode {
    return problemOfMemberFetch(this.group, memberId, memberEpoch);
  }

  override end(errorCode?: ErrorCode): void {
    this.#initialDelay.clear();
    super.end(errorCode);
  }

  protected override reload(): void {
    this.surroundings.reload(this);
  }

  protected override fence(memberId: string, reason: string): void {
    const member = this.group.members.get(memberId);
    if (member !== undefined) fenceStreamsMember(this, member, reason);
  }

  protected override release(): void {
    this.group.release();
  }

  #assignAfterDelay(): void {
    if (this.group.isEmpty || !this.isServing) return;
    const edit = new StreamsEdit(this.group);
    refreshTarget(this, edit);
    this.commit(edit);
  }
}
