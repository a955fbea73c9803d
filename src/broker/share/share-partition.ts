/**
 * How far a share group has come in one partition (KIP-932): which records are out with whom, which may be given out
 * again, and which are done. Pure state; any thread.
 *
 *        start offset                                        end offset
 *   done │ acquired by a │ available, 2nd time │ done │ acquired by b │ not read yet
 *
 * Ranges follow each other without gaps, and neighbours that are alike are one. The first is never done: the start offset
 * moves over what is. What holds no record (compaction, markers) is in them as well, until who reads says so. It neither
 * reads the log, nor keeps time, nor writes (running-share-partition.ts).
 */

import { assert } from '../../base/assert.ts';
import type { StoredPartition } from '../groups/share/share-records.ts';
import {
  AcknowledgeType,
  typeAt,
  type AcknowledgementBatch,
  type AcknowledgeProblem,
  type AcknowledgeRules,
  type DeliveryRules,
  type GivenUp,
} from './acknowledging.ts';
import { lastOfBatch, throttledCount, throttledFrom, type AcquiredRange, type Acquiring } from './acquiring.ts';
import { canJoin, DeliveryState, isTerminal, splitOff, type DeliveryRange } from './delivery-range.ts';

export class SharePartition {
  #ranges: DeliveryRange[] = [];
  #startOffset: number;
  #endOffset: number;
  /** Whether a range may be available; false where none is. */
  #mayHaveAvailable = false;

  /** At `startOffset` with nothing out. */
  constructor(startOffset: number) {
    this.#startOffset = startOffset;
    this.#endOffset = startOffset;
  }

  /**
   * As it was stored, up to where the log ends: records that were lost in a crash have others in their place from now on,
   * which nobody has seen.
   */
  static restore({ startOffset, ranges }: StoredPartition, logEndOffset: number): SharePartition {
    const partition = new SharePartition(Math.min(startOffset, logEndOffset));
    for (const { recordCount, state, deliveryCount } of ranges) {
      const left = Math.min(recordCount, logEndOffset - partition.#endOffset);
      if (left > 0) partition.#append(left, state as DeliveryState, deliveryCount);
    }
    partition.#mayHaveAvailable = true;
    partition.#tidy();
    return partition;
  }

  get startOffset(): number {
    return this.#startOffset;
  }

  /** The offset after the last that was given out or passed over. */
  get endOffset(): number {
    return this.#endOffset;
  }

  get ranges(): readonly Readonly<DeliveryRange>[] {
    return this.#ranges;
  }

  /** How many records behind the start offset are done. */
  get doneCount(): number {
    let count = 0;
    for (const range of this.#ranges) if (isTerminal(range)) count += range.end - range.first;
    return count;
  }

  /** Where the next records are to be read: the first that are available, else those that were not read yet. */
  get nextFetchOffset(): number {
    if (this.#mayHaveAvailable) {
      for (const { state, first } of this.#ranges) if (state === DeliveryState.AVAILABLE) return first;
      this.#mayHaveAvailable = false;
    }
    return this.#endOffset;
  }

  /** Whether anything may be given out: something again, or something new. */
  hasRoom(maxLocks: number): boolean {
    return this.#endOffset - this.#startOffset < maxLocks || this.nextFetchOffset < this.#endOffset;
  }

  /** When the next lock ends, in monotonic milliseconds; Infinity where nothing is out. */
  get nextLockEndMs(): number {
    let earliestMs = Infinity;
    for (const { state, lockedUntilMs } of this.#ranges) {
      if (state === DeliveryState.ACQUIRED) earliestMs = Math.min(earliestMs, lockedUntilMs);
    }
    return earliestMs;
  }

  /** Gives records out of what was read; none where all of it is out or done. */
  acquire(acquiring: Acquiring): AcquiredRange[] {
    const { fetchOffset, batches, maxRecords, maxLocks } = acquiring;
    const first = batches[0]!;
    this.#passOver(fetchOffset, first.baseOffset);
    let lastOffset = batches.at(-1)!.lastOffset;
    let room = Math.min(maxRecords, maxLocks - (this.#endOffset - this.#startOffset));
    if (room <= 0) {
      // Nothing new; but what is there may be given out again.
      room = Math.min(maxRecords, this.#endOffset - fetchOffset);
      lastOffset = Math.min(lastOffset, this.#endOffset - 1);
    }
    if (room <= 0) return [];
    const acquired: AcquiredRange[] = [];
    const again = this.#acquireAgain(acquiring, lastOffset, room, acquired);
    if (again < room) this.#acquireNew(acquiring, lastOffset, room - again, acquired);
    this.#tidy();
    return acquired;
  }

  /**
   * Takes over all acknowledgements of a member, or none of them. The batches are in order, each with its first offset at
   * or before its last, and types that match. Gives what is to be set aside.
   */
  acknowledge(
    memberId: string,
    batches: readonly AcknowledgementBatch[],
    rules: AcknowledgeRules,
  ): AcknowledgeProblem | readonly GivenUp[] {
    const problem = this.#problemOf(memberId, batches, rules);
    if (problem !== null) return problem;
    const givenUp: GivenUp[] = [];
    for (const { firstOffset, lastOffset, acknowledgeTypes } of batches) {
      const from = Math.max(firstOffset, this.#startOffset);
      for (let offset = from; offset <= lastOffset;) {
        const type = typeAt(acknowledgeTypes, offset - firstOffset);
        let end = acknowledgeTypes.length === 1 ? lastOffset + 1 : offset + 1;
        while (end <= lastOffset && typeAt(acknowledgeTypes, end - firstOffset) === type) end++;
        for (const range of this.#cut(offset, end)) this.#settle(range, type, rules, givenUp);
        offset = end;
      }
    }
    this.#tidy();
    return givenUp;
  }

  /** Takes back what the member has. Gives what is to be set aside; null where it has nothing. */
  release(memberId: string, rules: DeliveryRules): readonly GivenUp[] | null {
    return this.#takeBack((range) => range.memberId === memberId, rules);
  }

  /** Takes back what was out until `nowMs`. Gives what is to be set aside; null where no lock has ended. */
  expire(nowMs: number, rules: DeliveryRules): readonly GivenUp[] | null {
    return this.#takeBack((range) => range.lockedUntilMs <= nowMs, rules);
  }

  /** Records between the offsets are as if they had been archived: nobody is to see them. Only what is out is meant. */
  archive(firstOffset: number, lastOffset: number): void {
    for (const range of this.#cut(firstOffset, lastOffset + 1)) {
      if (range.state === DeliveryState.ACQUIRED) finish(range, DeliveryState.ARCHIVED);
    }
    this.#tidy();
  }

  /** What was to be set aside between the offsets has been. */
  setAside(firstOffset: number, lastOffset: number): void {
    for (const range of this.#cut(firstOffset, lastOffset + 1)) {
      if (range.state === DeliveryState.ARCHIVING) finish(range, DeliveryState.ARCHIVED);
    }
    this.#tidy();
  }

  /** What is to be set aside, for a start that finds it so. The cause is not stored. */
  archiving(deliveryLimit: number): GivenUp[] {
    return this.#ranges
      .filter(({ state }) => state === DeliveryState.ARCHIVING)
      .map(({ first, end, deliveryCount }) => givenUpOf(first, end, deliveryCount, deliveryCount < deliveryLimit));
  }

  /** The log begins at `offset`: what was before it is done, whoever has it. True where that moves the start offset. */
  advanceTo(offset: number): boolean {
    if (offset <= this.#startOffset) return false;
    this.#cut(this.#startOffset, Math.min(offset, this.#endOffset));
    this.#ranges = this.#ranges.filter(({ first }) => first >= offset);
    this.#startOffset = offset;
    this.#endOffset = Math.max(this.#endOffset, offset);
    this.#tidy();
    return true;
  }

  /** As it is to be stored: what is out as it was before it was given out. */
  stored(): StoredPartition {
    const ranges: { recordCount: number; state: DeliveryState; deliveryCount: number }[] = [];
    for (const { first, end, state, deliveryCount } of this.#ranges) {
      const isOut = state === DeliveryState.ACQUIRED;
      const kept = isOut ? DeliveryState.AVAILABLE : state;
      const count = isOut ? deliveryCount - 1 : deliveryCount;
      const last = ranges.at(-1);
      if (last !== undefined && last.state === kept && last.deliveryCount === count) last.recordCount += end - first;
      else ranges.push({ recordCount: end - first, state: kept, deliveryCount: count });
    }
    // What was never given out needs no range.
    while (ranges.at(-1)?.state === DeliveryState.AVAILABLE && ranges.at(-1)!.deliveryCount === 0) ranges.pop();
    return { startOffset: this.#startOffset, ranges };
  }

  /** Gives out again what is available up to `lastOffset`, about `room` records. Returns how many; `room` ends it. */
  #acquireAgain(acquiring: Acquiring, lastOffset: number, room: number, into: AcquiredRange[]): number {
    const { batches, deliveryLimit } = acquiring;
    const throttleCount = throttledFrom(deliveryLimit);
    let count = 0;
    const { baseOffset } = batches[0]!;
    // What became available before the first batch meanwhile was not read.
    const isWithin = baseOffset > this.#startOffset && baseOffset < this.#endOffset;
    let at = isWithin ? this.#splitAt(baseOffset) : this.#indexOf(Math.max(baseOffset, this.#startOffset));
    for (; at < this.#ranges.length && count < room; at++) {
      const range = this.#ranges[at]!;
      if (range.first > lastOffset) break;
      if (range.state !== DeliveryState.AVAILABLE) continue;
      const { deliveryCount } = range;
      // What fails again and again is given out in smaller pieces, so that one bad record does not spend the others' tries.
      const isThrottled = deliveryCount >= throttleCount;
      if (isThrottled && count > 0) return room;
      let most = isThrottled ? throttledCount(range, deliveryLimit) : room - count;
      if (acquiring.mode === 'record limit') most = Math.min(most, room - count);
      else if (!isThrottled) most = lastOfBatch(batches, range.first + most - 1) + 1 - range.first;
      const end = Math.min(range.end, lastOffset + 1, range.first + most);
      if (end < range.end) this.#ranges.splice(at + 1, 0, splitOff(range, end));
      count += end - range.first;
      this.#giveOut(range, acquiring, into);
      if (isThrottled) return room;
    }
    return count;
  }

  /** Gives out what was not read before, up to `lastOffset`, about `room` records. */
  #acquireNew(acquiring: Acquiring, lastOffset: number, room: number, into: AcquiredRange[]): void {
    const { batches, mode } = acquiring;
    if (lastOffset < this.#endOffset) return;
    const next = batches.find((batch) => batch.lastOffset >= this.#endOffset)!;
    // Between what was read before and this there is nothing.
    if (next.baseOffset > this.#endOffset) this.#append(next.baseOffset - this.#endOffset, DeliveryState.ARCHIVED, 0);
    const first = this.#endOffset;
    const limit = first + room - 1;
    let last = lastOffset;
    if (limit < last) last = mode === 'record limit' ? limit : Math.min(last, lastOfBatch(batches, limit));
    this.#append(last + 1 - first, DeliveryState.AVAILABLE, 0);
    const range = this.#ranges.at(-1)!;
    range.batchCount = lastOfBatch(batches, last) + 1 - Math.min(next.baseOffset, first);
    this.#giveOut(range, acquiring, into);
  }

  #giveOut(
    range: DeliveryRange,
    { memberId, lockedUntilMs, mode, batchSize, batches }: Acquiring,
    into: AcquiredRange[],
  ): void {
    range.state = DeliveryState.ACQUIRED;
    range.deliveryCount++;
    range.memberId = memberId;
    range.lockedUntilMs = lockedUntilMs;
    const { first, end, deliveryCount } = range;
    let from = first;
    if (mode === 'batch optimized' && end - first > batchSize) {
      for (const { baseOffset } of batches) {
        if (baseOffset >= end) break;
        if (baseOffset - from < batchSize || baseOffset <= from) continue;
        into.push({ firstOffset: from, lastOffset: baseOffset - 1, deliveryCount });
        from = baseOffset;
      }
    }
    into.push({ firstOffset: from, lastOffset: end - 1, deliveryCount });
  }

  /** What is available between the offsets is not in the log any more. */
  #passOver(fromOffset: number, toOffset: number): void {
    if (fromOffset >= toOffset) return;
    for (const range of this.#cut(fromOffset, Math.min(toOffset, this.#endOffset))) {
      if (range.state === DeliveryState.AVAILABLE) finish(range, DeliveryState.ARCHIVED);
    }
    this.#tidy();
  }

  #problemOf(
    memberId: string,
    batches: readonly AcknowledgementBatch[],
    { mayRenew }: AcknowledgeRules,
  ): AcknowledgeProblem | null {
    let endBefore = -1;
    for (const { firstOffset, lastOffset, acknowledgeTypes } of batches) {
      const from = Math.max(firstOffset, this.#startOffset);
      if (lastOffset < this.#startOffset) continue;
      if (this.#ranges.length === 0) return { kind: 'state', message: 'No record of the partition is out.' };
      if (lastOffset >= this.#endOffset) {
        return { kind: 'request', message: `Offset ${lastOffset} has not been given out.` };
      }
      if (from < endBefore) return { kind: 'state', message: `Offset ${from} is acknowledged twice.` };
      endBefore = lastOffset + 1;
      for (let at = this.#indexOf(from); at < this.#ranges.length && this.#ranges[at]!.first <= lastOffset; at++) {
        const range = this.#ranges[at]!;
        if (range.state === DeliveryState.ACQUIRED && range.memberId === memberId) continue;
        const why = range.state === DeliveryState.ACQUIRED ? 'out with another member' : 'not out';
        return { kind: 'state', message: `The records from offset ${Math.max(from, range.first)} on are ${why}.` };
      }
      if (!mayRenew && acknowledgeTypes.includes(AcknowledgeType.RENEW)) {
        return { kind: 'state', message: 'The group does not let locks be renewed.' };
      }
    }
    return null;
  }

  #settle(range: DeliveryRange, type: number, rules: AcknowledgeRules, givenUp: GivenUp[]): void {
    if (type === AcknowledgeType.RENEW) range.lockedUntilMs = rules.lockedUntilMs;
    else if (type === AcknowledgeType.ACCEPT) finish(range, DeliveryState.ACKNOWLEDGED);
    else if (type === AcknowledgeType.RELEASE) this.#giveBack(range, rules, givenUp);
    else if (type === AcknowledgeType.GAP) finish(range, DeliveryState.ARCHIVED);
    else giveUp(range, rules, true, givenUp);
  }

  #takeBack(isMeant: (range: DeliveryRange) => boolean, rules: DeliveryRules): readonly GivenUp[] | null {
    const givenUp: GivenUp[] = [];
    let found = false;
    for (const range of this.#ranges) {
      if (range.state !== DeliveryState.ACQUIRED || !isMeant(range)) continue;
      this.#giveBack(range, rules, givenUp);
      found = true;
    }
    if (found) this.#tidy();
    return found ? givenUp : null;
  }

  #giveBack(range: DeliveryRange, rules: DeliveryRules, givenUp: GivenUp[]): void {
    if (range.deliveryCount >= rules.deliveryLimit) giveUp(range, rules, false, givenUp);
    else this.#makeAvailable(range);
  }

  #makeAvailable(range: DeliveryRange): void {
    finish(range, DeliveryState.AVAILABLE);
    this.#mayHaveAvailable = true;
  }

  /** Adds records behind the end offset. */
  #append(recordCount: number, state: DeliveryState, deliveryCount: number): void {
    const first = this.#endOffset;
    const end = first + recordCount;
    this.#ranges.push({ first, end, state, deliveryCount, memberId: '', lockedUntilMs: 0, batchCount: recordCount });
    this.#endOffset = end;
  }

  /** The ranges that are exactly what lies between the offsets, made so where need be. */
  #cut(first: number, end: number): DeliveryRange[] {
    const from = Math.max(first, this.#startOffset);
    const to = Math.min(end, this.#endOffset);
    if (from >= to) return [];
    const start = this.#splitAt(from);
    const stop = to === this.#endOffset ? this.#ranges.length : this.#splitAt(to);
    return this.#ranges.slice(start, stop);
  }

  /** The index of the range that begins at `offset`, made so where need be. */
  #splitAt(offset: number): number {
    const at = this.#indexOf(offset);
    const range = this.#ranges[at]!;
    if (range.first === offset) return at;
    this.#ranges.splice(at + 1, 0, splitOff(range, offset));
    return at + 1;
  }

  /** The index of the range that holds `offset`; the number of ranges where none does. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]!.end <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Joins neighbours that are alike, and moves the start offset over what is done. */
  #tidy(): void {
    const tidied: DeliveryRange[] = [];
    for (const range of this.#ranges) {
      const last = tidied.at(-1);
      if (last === undefined && isTerminal(range)) this.#startOffset = range.end;
      else if (last !== undefined && canJoin(last, range)) last.end = range.end;
      else tidied.push(range);
    }
    this.#ranges = tidied;
    assert(tidied.length === 0 || tidied[0]!.first === this.#startOffset, 'ranges begin at the start offset');
    if (tidied.length === 0) this.#endOffset = this.#startOffset;
  }
}

function finish(range: DeliveryRange, state: DeliveryState): void {
  range.state = state;
  range.memberId = '';
  range.lockedUntilMs = 0;
}

function giveUp(range: DeliveryRange, { setsAside }: DeliveryRules, isRejected: boolean, givenUp: GivenUp[]): void {
  finish(range, setsAside ? DeliveryState.ARCHIVING : DeliveryState.ARCHIVED);
  if (setsAside) givenUp.push(givenUpOf(range.first, range.end, range.deliveryCount, isRejected));
}

function givenUpOf(first: number, end: number, deliveryCount: number, isRejected: boolean): GivenUp {
  const cause = isRejected ? 'rejected' : 'delivered too often';
  return { firstOffset: first, lastOffset: end - 1, deliveryCount, cause };
}
