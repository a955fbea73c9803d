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

import type { PartitionChange, StoredPartition } from '../groups/share/stored-partition.ts';
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
import { DeliveryState, isTerminal, type DeliveryRange } from './delivery-range.ts';
import { DeliveryRanges } from './delivery-ranges.ts';

/** So many ranges may members make of a partition by what they say; all of them are written as one record now and then. */
const maxRanges = 250_000;

const tooManyRanges: AcknowledgeProblem = {
  kind: 'state',
  message: `The members have said so many different things of the partition's records that it has ${maxRanges} ranges: acknowledge runs of records alike.`,
};

export class SharePartition {
  readonly #ranges: DeliveryRanges;
  /** Whether a range may be available; false where none is. */
  #mayHaveAvailable = false;

  /** At `startOffset` with nothing out. */
  constructor(startOffset: number) {
    this.#ranges = new DeliveryRanges(startOffset);
  }

  /**
   * As it was stored, up to `endOffset`: what stood in the log behind that was lost in a crash, and has others in its place,
   * which nobody has seen.
   */
  static restore({ startOffset, ranges }: Omit<StoredPartition, 'leaderEpoch'>, endOffset: number): SharePartition {
    const partition = new SharePartition(Math.min(startOffset, endOffset));
    for (const { recordCount, state, deliveryCount } of ranges) {
      const left = Math.min(recordCount, endOffset - partition.endOffset);
      if (left > 0) partition.#ranges.append(left, state as DeliveryState, deliveryCount);
    }
    partition.#mayHaveAvailable = true;
    partition.#ranges.tidy();
    return partition;
  }

  get startOffset(): number {
    return this.#ranges.startOffset;
  }

  /** The offset after the last that was given out or passed over. */
  get endOffset(): number {
    return this.#ranges.endOffset;
  }

  get ranges(): readonly Readonly<DeliveryRange>[] {
    return this.#ranges.all;
  }

  /** How many records behind the start offset are done. */
  get doneCount(): number {
    let count = 0;
    for (const range of this.#ranges.all) if (isTerminal(range)) count += range.end - range.first;
    return count;
  }

  /** Where the next records are to be read: the first that are available, else those that were not read yet. */
  get nextFetchOffset(): number {
    if (this.#mayHaveAvailable) {
      for (const { state, first } of this.#ranges.all) if (state === DeliveryState.AVAILABLE) return first;
      this.#mayHaveAvailable = false;
    }
    return this.endOffset;
  }

  /** Whether anything may be given out: something again, or something new. */
  hasRoom(maxLocks: number): boolean {
    return this.endOffset - this.startOffset < maxLocks || this.nextFetchOffset < this.endOffset;
  }

  /** How many records from `firstOffset` to before `endOffset` may be given out: those that came back, and new ones. */
  acquirableCount(firstOffset: number, endOffset: number): number {
    let count = Math.max(0, endOffset - Math.max(firstOffset, this.endOffset));
    const from = Math.max(firstOffset, this.startOffset);
    const ranges = this.#ranges.all;
    for (let at = this.#ranges.indexOf(from); at < ranges.length; at++) {
      const { first, end, state } = ranges[at]!;
      if (first >= endOffset) break;
      if (state === DeliveryState.AVAILABLE) count += Math.min(end, endOffset) - Math.max(first, from);
    }
    return count;
  }

  /** When the next lock ends, by `Clock.heardMs`; Infinity where nothing is out. */
  get nextLockEndMs(): number {
    let earliestMs = Infinity;
    for (const { state, lockedUntilMs } of this.#ranges.all) {
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
    let room = Math.min(maxRecords, maxLocks - (this.endOffset - this.startOffset));
    if (room <= 0) {
      // Nothing new; but what is there may be given out again.
      room = Math.min(maxRecords, this.endOffset - fetchOffset);
      lastOffset = Math.min(lastOffset, this.endOffset - 1);
    }
    if (room <= 0) return [];
    const acquired: AcquiredRange[] = [];
    const again = this.#acquireAgain(acquiring, lastOffset, room, acquired);
    if (again < room) this.#acquireNew(acquiring, lastOffset, room - again, acquired);
    this.#ranges.tidy();
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
    const cuts = this.#cutsOf(batches);
    // Who says one thing of what is a range makes none, and may go on where there are as many as there may be.
    if (cuts.length > 0 && this.#ranges.all.length + cuts.length > maxRanges) return tooManyRanges;
    this.#ranges.splitAtAll(cuts);
    const givenUp: GivenUp[] = [];
    for (const batch of batches) {
      const { firstOffset, lastOffset, acknowledgeTypes } = batch;
      const from = Math.max(firstOffset, this.startOffset);
      for (let offset = from; offset <= lastOffset;) {
        const type = typeAt(acknowledgeTypes, offset - firstOffset);
        const end = endOfType(batch, offset);
        for (const range of this.#ranges.cut(offset, end)) this.#settle(range, type, rules, givenUp);
        offset = end;
      }
    }
    this.#ranges.tidy();
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
    for (const range of this.#ranges.cut(firstOffset, lastOffset + 1)) {
      if (range.state === DeliveryState.ACQUIRED) this.#ranges.finish(range, DeliveryState.ARCHIVED);
    }
    this.#ranges.tidy();
  }

  /** What was to be set aside between the offsets has been. */
  setAside(firstOffset: number, lastOffset: number): void {
    for (const range of this.#ranges.cut(firstOffset, lastOffset + 1)) {
      if (range.state === DeliveryState.ARCHIVING) this.#ranges.finish(range, DeliveryState.ARCHIVED);
    }
    this.#ranges.tidy();
  }

  /** What is to be set aside, for a start that finds it so. The cause is not stored. */
  archiving(deliveryLimit: number): GivenUp[] {
    return this.#ranges.all
      .filter(({ state }) => state === DeliveryState.ARCHIVING)
      .map(({ first, end, deliveryCount }) => givenUpOf(first, end, deliveryCount, deliveryCount < deliveryLimit));
  }

  /** The log begins at `offset`: what was before it is done, whoever has it. True where that moves the start offset. */
  advanceTo(offset: number): boolean {
    if (offset <= this.startOffset) return false;
    this.#ranges.beginAt(offset);
    this.#ranges.tidy();
    return true;
  }

  /** As it is to be stored, as a whole: what is out as it was before it was given out. It counts as stored from here on. */
  takeWhole(): Omit<StoredPartition, 'leaderEpoch'> {
    return { startOffset: this.startOffset, ranges: this.#ranges.takeWhole() };
  }

  /** What has changed since it was stored; it counts as stored from here on. */
  takeChanges(): Omit<PartitionChange, 'leaderEpoch'> {
    return { startOffset: this.startOffset, ranges: this.#ranges.takeChanges() };
  }

  /** Gives out again what is available up to `lastOffset`, about `room` records. Returns how many; `room` ends it. */
  #acquireAgain(acquiring: Acquiring, lastOffset: number, room: number, into: AcquiredRange[]): number {
    const { batches, deliveryLimit } = acquiring;
    const throttleCount = throttledFrom(deliveryLimit);
    let count = 0;
    const { baseOffset } = batches[0]!;
    // What became available before the first batch meanwhile was not read.
    const isWithin = baseOffset > this.startOffset && baseOffset < this.endOffset;
    let at = isWithin ? this.#ranges.splitAt(baseOffset) : this.#ranges.indexOf(Math.max(baseOffset, this.startOffset));
    for (; at < this.#ranges.all.length && count < room; at++) {
      const range = this.#ranges.all[at]!;
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
      if (end < range.end) this.#ranges.splitAt(end);
      count += end - range.first;
      this.#giveOut(range, acquiring, into);
      if (isThrottled) return room;
    }
    return count;
  }

  /** Gives out what was not read before, up to `lastOffset`, about `room` records. */
  #acquireNew(acquiring: Acquiring, lastOffset: number, room: number, into: AcquiredRange[]): void {
    const { batches, mode } = acquiring;
    if (lastOffset < this.endOffset) return;
    const next = batches.find((batch) => batch.lastOffset >= this.endOffset)!;
    // Between what was read before and this there is nothing.
    if (next.baseOffset > this.endOffset)
      this.#ranges.append(next.baseOffset - this.endOffset, DeliveryState.ARCHIVED, 0);
    const first = this.endOffset;
    const limit = first + room - 1;
    let last = lastOffset;
    if (limit < last) last = mode === 'record limit' ? limit : Math.min(last, lastOfBatch(batches, limit));
    const range = this.#ranges.append(last + 1 - first, DeliveryState.AVAILABLE, 0);
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
    this.#ranges.touch(range);
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
    for (const range of this.#ranges.cut(fromOffset, Math.min(toOffset, this.endOffset))) {
      if (range.state === DeliveryState.AVAILABLE) this.#ranges.finish(range, DeliveryState.ARCHIVED);
    }
    this.#ranges.tidy();
  }

  #problemOf(
    memberId: string,
    batches: readonly AcknowledgementBatch[],
    { mayRenew }: AcknowledgeRules,
  ): AcknowledgeProblem | null {
    let endBefore = -1;
    for (const { firstOffset, lastOffset, acknowledgeTypes } of batches) {
      const from = Math.max(firstOffset, this.startOffset);
      if (lastOffset < this.startOffset) continue;
      if (this.#ranges.all.length === 0) return { kind: 'state', message: 'No record of the partition is out.' };
      if (lastOffset >= this.endOffset) {
        return { kind: 'request', message: `Offset ${lastOffset} has not been given out.` };
      }
      if (from < endBefore) return { kind: 'state', message: `Offset ${from} is acknowledged twice.` };
      endBefore = lastOffset + 1;
      for (
        let at = this.#ranges.indexOf(from);
        at < this.#ranges.all.length && this.#ranges.all[at]!.first <= lastOffset;
        at++
      ) {
        const range = this.#ranges.all[at]!;
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

  /** Where more ranges have to begin for the batches, of which nothing is wrong: at each change of what they say. */
  #cutsOf(batches: readonly AcknowledgementBatch[]): number[] {
    const cuts: number[] = [];
    const ranges = this.#ranges.all;
    let at = 0;
    const add = (offset: number): void => {
      // Offsets rise: most lie in the same range or in the next, and what lies further on is searched for.
      if (ranges[at]!.end <= offset) at++;
      if (ranges[at]!.end <= offset) at = this.#ranges.indexOf(offset);
      if (ranges[at]!.first !== offset && cuts.at(-1) !== offset) cuts.push(offset);
    };
    for (const batch of batches) {
      let offset = Math.max(batch.firstOffset, this.startOffset);
      for (; offset <= batch.lastOffset; offset = endOfType(batch, offset)) add(offset);
      if (offset < this.endOffset && offset > this.startOffset) add(offset);
    }
    return cuts;
  }

  #settle(range: DeliveryRange, type: number, rules: AcknowledgeRules, givenUp: GivenUp[]): void {
    if (type === AcknowledgeType.RENEW) this.#renew(range, rules.lockedUntilMs);
    else if (type === AcknowledgeType.ACCEPT) this.#ranges.finish(range, DeliveryState.ACKNOWLEDGED);
    else if (type === AcknowledgeType.RELEASE) this.#giveBack(range, rules, givenUp);
    else if (type === AcknowledgeType.GAP) this.#ranges.finish(range, DeliveryState.ARCHIVED);
    else this.#giveUp(range, rules, true, givenUp);
  }

  #takeBack(isMeant: (range: DeliveryRange) => boolean, rules: DeliveryRules): readonly GivenUp[] | null {
    const givenUp: GivenUp[] = [];
    let found = false;
    for (const range of this.#ranges.all) {
      if (range.state !== DeliveryState.ACQUIRED || !isMeant(range)) continue;
      this.#giveBack(range, rules, givenUp);
      found = true;
    }
    if (found) this.#ranges.tidy();
    return found ? givenUp : null;
  }

  #giveBack(range: DeliveryRange, rules: DeliveryRules, givenUp: GivenUp[]): void {
    if (range.deliveryCount >= rules.deliveryLimit) this.#giveUp(range, rules, false, givenUp);
    else this.#makeAvailable(range);
  }

  #makeAvailable(range: DeliveryRange): void {
    this.#ranges.finish(range, DeliveryState.AVAILABLE);
    this.#mayHaveAvailable = true;
  }

  #renew(range: DeliveryRange, lockedUntilMs: number): void {
    range.lockedUntilMs = lockedUntilMs;
    this.#ranges.touch(range);
  }

  #giveUp(range: DeliveryRange, { setsAside }: DeliveryRules, isRejected: boolean, givenUp: GivenUp[]): void {
    this.#ranges.finish(range, setsAside ? DeliveryState.ARCHIVING : DeliveryState.ARCHIVED);
    if (setsAside) givenUp.push(givenUpOf(range.first, range.end, range.deliveryCount, isRejected));
  }
}

function givenUpOf(first: number, end: number, deliveryCount: number, isRejected: boolean): GivenUp {
  const cause = isRejected ? 'rejected' : 'delivered too often';
  return { firstOffset: first, lastOffset: end - 1, deliveryCount, cause };
}

/** The offset after the last that the batch says the same of as of `offset`, without a gap. */
function endOfType({ firstOffset, lastOffset, acknowledgeTypes }: AcknowledgementBatch, offset: number): number {
  if (acknowledgeTypes.length === 1) return lastOffset + 1;
  const type = typeAt(acknowledgeTypes, offset - firstOffset);
  let end = offset + 1;
  while (end <= lastOffset && typeAt(acknowledgeTypes, end - firstOffset) === type) end++;
  return end;
}
