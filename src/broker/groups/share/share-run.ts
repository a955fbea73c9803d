/**
 * A share group as it runs: its state, the sessions of its members, and the writes of its changes. I/O thread.
 * What requests do to it stands in share-heartbeat.ts.
 */

import { ErrorCode } from '../../../base/error-code.ts';
import type { Logger } from '../../../base/logger.ts';
import type { BrokerConfig } from '../../broker-config.ts';
import type { KeyedRecord } from '../../keyed-batch.ts';
import type { ShareSetting } from '../consumer/group-setting.ts';
import type { TopicView } from '../consumer/topic-view.ts';
import { MemberRun, type RunSurroundings } from '../member-run.ts';
import { shareGroupRemovals } from './share-edit.ts';
import type { ShareGroup } from './share-group.ts';
import { fenceShareMember } from './share-leave.ts';

/** What all share groups need of the coordinator around them. */
export interface ShareSurroundings extends RunSurroundings {
  readonly config: BrokerConfig;
  readonly logger: Logger;
  readonly topics: TopicView;
  /** The value that counts for the group, in milliseconds. */
  setting(groupId: string, name: ShareSetting): number;
  /** The log did not take a change, and nothing is under way any more: the group is to be read from it anew. */
  reload(run: ShareRun): void;
}

export class ShareRun extends MemberRun {
  readonly kind = 'share';
  readonly group: ShareGroup;
  readonly surroundings: ShareSurroundings;
  /** Whether a target assignment is being made, in steps. */
  isPreparing = false;

  constructor(group: ShareGroup, surroundings: ShareSurroundings) {
    super(surroundings);
    this.group = group;
    this.surroundings = surroundings;
  }

  /** Something was heard from a member, or it is in the group after a start. */
  touch(memberId: string): void {
    this.setTimer(memberId, 'session', this.surroundings.setting(this.group.id, 'share.session.timeout.ms'));
  }

  override removals(): KeyedRecord[] {
    return shareGroupRemovals(this.group);
  }

  /** Where a share group is it does not say with commits. */
  override problemOfCommit(): ErrorCode {
    return ErrorCode.GROUP_ID_NOT_FOUND;
  }

  override problemOfFetch(): ErrorCode {
    return ErrorCode.NONE;
  }

  protected override reload(): void {
    this.surroundings.reload(this);
  }

  protected override fence(memberId: string, reason: string): void {
    if (!this.group.members.has(memberId)) return;
    const { logger } = this.surroundings;
    logger.info({ group: this.group.id, member: memberId, reason }, 'A member of a share group was taken out.');
    fenceShareMember(this, memberId);
  }

  protected override release(): void {
    this.group.release();
  }
}
