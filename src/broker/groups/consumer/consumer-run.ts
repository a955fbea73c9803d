/**
 * A consumer group as it runs: its state, the deadlines of its members, and the writes of its changes. I/O thread.
 * What requests do to it stands in heartbeat.ts, leave.ts and classic-members.ts; which groups there are, and of which
 * protocol, in group-coordinator.ts.
 */

import type { Clock } from '../../../base/clock.ts';
import { ErrorCode } from '../../../base/error-code.ts';
import type { Logger } from '../../../base/logger.ts';
import type { RandomSource } from '../../../base/random.ts';
import type { BrokerConfig } from '../../broker-config.ts';
import type { KeyedRecord } from '../../keyed-batch.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import type { ConsumerMember } from './consumer-member.ts';
import type { GroupEdit } from './group-edit.ts';
import type { ConsumerSetting } from './group-setting.ts';
import { fenceMember } from './leave.ts';
import { MemberTimers, type MemberTimer } from './member-timers.ts';
import type { TopicRegexes } from './topic-regexes.ts';
import type { TopicView } from './topic-view.ts';

/** What all consumer groups need of the coordinator around them. */
export interface ConsumerSurroundings {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly config: BrokerConfig;
  readonly logger: Logger;
  readonly topics: TopicView;
  readonly regexes: TopicRegexes;
  /** The value that counts for the group. */
  setting(groupId: string, name: ConsumerSetting): number;
  /** Syncs the records together; the errors are those that a client may see. */
  append(records: readonly KeyedRecord[]): Promise<ErrorCode>;
  /** The log did not take a change, and nothing is under way any more: the group is to be read from it anew. */
  reload(run: ConsumerRun): void;
  /** Makes a classic group of it, where only members that speak the classic protocol are left; false where it stays. */
  downgrade(run: ConsumerRun, leaving: readonly ConsumerMember[]): boolean;
}

export class ConsumerRun {
  readonly kind = 'consumer';
  readonly group: ConsumerGroup;
  readonly surroundings: ConsumerSurroundings;
  /** The last change that was sent, whatever became of it. */
  lastWrite: Promise<ErrorCode> | null = null;
  /** Whether a search for the topics that its expressions match is under way. */
  isResolving = false;
  readonly #timers = new Map<string, MemberTimers>();
  #writesUnderWay = 0;
  #failed = false;
  #ended = false;

  constructor(group: ConsumerGroup, surroundings: ConsumerSurroundings) {
    this.group = group;
    this.surroundings = surroundings;
  }

  /** False once the log did not take a change, or the group is another: requests are then refused. */
  get isServing(): boolean {
    return !this.#failed && !this.#ended;
  }

  setTimer(memberId: string, timer: MemberTimer, delayMs: number): void {
    this.#timersOf(memberId).set(timer, delayMs);
  }

  /** As `setTimer`, where it is not set yet. */
  setTimerOnce(memberId: string, timer: MemberTimer, delayMs: number): void {
    const timers = this.#timersOf(memberId);
    if (!timers.isSet(timer)) timers.set(timer, delayMs);
  }

  clearTimer(memberId: string, timer: MemberTimer): void {
    this.#timers.get(memberId)?.clear(timer);
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

  /** The member is gone. */
  dropTimers(memberId: string): void {
    this.#timers.get(memberId)?.clearAll();
    this.#timers.delete(memberId);
  }

  /** Writes a change that holds in memory already. */
  commit({ records }: GroupEdit): void {
    if (records.length === 0) return;
    this.#writesUnderWay++;
    this.lastWrite = this.surroundings.append(records).then((errorCode) => {
      this.#writesUnderWay--;
      if (errorCode !== ErrorCode.NONE) this.#failed = true;
      if (this.#failed && this.#writesUnderWay === 0 && !this.#ended) this.surroundings.reload(this);
      return this.#failed && errorCode === ErrorCode.NONE ? ErrorCode.COORDINATOR_NOT_AVAILABLE : errorCode;
    });
  }

  /** No timer is left; whoever waits for a write still hears of it. */
  end(_errorCode?: ErrorCode): void {
    this.#ended = true;
    for (const timers of this.#timers.values()) timers.clearAll();
    this.#timers.clear();
    this.group.release();
  }

  #timersOf(memberId: string): MemberTimers {
    let timers = this.#timers.get(memberId);
    if (timers === undefined) {
      timers = new MemberTimers(this.surroundings.clock, (reason) => {
        const member = this.group.members.get(memberId);
        if (member !== undefined && this.isServing) fenceMember(this, member, reason);
      });
      this.#timers.set(memberId, timers);
    }
    return timers;
  }
}
