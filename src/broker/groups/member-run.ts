/**
 * What groups of the newer protocols have in common as they run: the deadlines of their members, and the writes of their
 * changes, which hold in memory before they are durable. I/O thread.
 */

import type { Clock } from '../../base/clock.ts';
import { ErrorCode } from '../../base/error-code.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import { MemberTimers, type MemberTimer } from './consumer/member-timers.ts';
import type { Committer, OffsetPlace } from './offset-commits.ts';

/** What such a group needs of the coordinator around it. */
export interface RunSurroundings {
  readonly clock: Clock;
  /** Syncs the records together; the errors are those that a client may see. */
  append(records: readonly KeyedRecord[]): Promise<ErrorCode>;
}

export abstract class MemberRun {
  /** The last change that was sent, whatever became of it. */
  lastWrite: Promise<ErrorCode> | null = null;
  readonly #surroundings: RunSurroundings;
  readonly #timers = new Map<string, MemberTimers>();
  #writesUnderWay = 0;
  #failed = false;
  #ended = false;

  constructor(surroundings: RunSurroundings) {
    this.#surroundings = surroundings;
  }

  /** The records that take all of the group away. */
  abstract removals(): KeyedRecord[];

  /** Why the group does not take a commit, or NONE. */
  abstract problemOfCommit(committer: Committer, places: readonly OffsetPlace[]): ErrorCode;

  /** Why the group does not tell its offsets to who asks, or NONE; `memberId` is null for who is no member. */
  abstract problemOfFetch(memberId: string | null, memberEpoch: number): ErrorCode;

  /** The log did not take a change, and nothing is under way any more: the group is to be read from it anew. */
  protected abstract reload(): void;

  /** A deadline of the member has passed; `reason` says which. */
  protected abstract fence(memberId: string, reason: string): void;

  /** The group is not used any more. */
  protected abstract release(): void;

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

  /** The member is gone. */
  dropTimers(memberId: string): void {
    this.#timers.get(memberId)?.clearAll();
    this.#timers.delete(memberId);
  }

  /** Writes a change that holds in memory already. */
  commit({ records }: { readonly records: readonly KeyedRecord[] }): void {
    if (records.length === 0) return;
    this.#writesUnderWay++;
    this.lastWrite = this.#surroundings.append(records).then((errorCode) => {
      this.#writesUnderWay--;
      if (errorCode !== ErrorCode.NONE) this.#failed = true;
      if (this.#failed && this.#writesUnderWay === 0 && !this.#ended) this.reload();
      return this.#failed && errorCode === ErrorCode.NONE ? ErrorCode.COORDINATOR_NOT_AVAILABLE : errorCode;
    });
  }

  /** No timer is left; whoever waits for a write still hears of it. */
  end(_errorCode?: ErrorCode): void {
    this.#ended = true;
    for (const timers of this.#timers.values()) timers.clearAll();
    this.#timers.clear();
    this.release();
  }

  #timersOf(memberId: string): MemberTimers {
    let timers = this.#timers.get(memberId);
    if (timers === undefined) {
      timers = new MemberTimers(this.#surroundings.clock, (reason) => {
        if (this.isServing) this.fence(memberId, reason);
      });
      this.#timers.set(memberId, timers);
    }
    return timers;
  }
}
