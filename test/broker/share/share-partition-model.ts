/**
 * A model of a share partition that knows each record by itself, and what members, time and crashes may do to it. It expects of
 * the partition what it says itself.
 */

import fc from 'fast-check';
import { expect } from 'vitest';
import { zeroUuid } from '../../../src/base/uuid.ts';
import { readGroupRecordKey } from '../../../src/broker/groups/group-records.ts';
import {
  partitionChangeRecord,
  partitionRecord,
  placeName,
  type ShareRecordKey,
} from '../../../src/broker/groups/share/share-records.ts';
import { ShareState } from '../../../src/broker/groups/share/share-state.ts';
import { AcknowledgeType, type AcknowledgementBatch } from '../../../src/broker/share/acknowledging.ts';
import type { LogBatch } from '../../../src/broker/share/acquiring.ts';
import { DeliveryState } from '../../../src/broker/share/delivery-range.ts';
import { SharePartition } from '../../../src/broker/share/share-partition.ts';

export const deliveryLimit = 4;
export const lockMs = 100;
const members = ['a', 'b', 'c'];
export const group = 'group';
export const place = { topicId: zeroUuid, partition: 0 };

/** What is known of one offset. */
interface Known {
  state: DeliveryState;
  count: number;
  member: string;
  untilMs: number;
}

const never: Known = { state: DeliveryState.AVAILABLE, count: 0, member: '', untilMs: 0 };

/** Every record of a partition by itself, beside the partition, which it is held against. */
export class Model {
  readonly batches: readonly LogBatch[];
  readonly setsAside: boolean;
  readonly known: Known[] = [];
  start = 0;
  nowMs = 0;
  partition = new SharePartition(0);
  #stored = new ShareState();

  constructor(sizes: readonly { size: number; gap: number }[], setsAside: boolean) {
    let next = 0;
    this.batches = sizes.map(({ size, gap }) => {
      const baseOffset = next + gap;
      next = baseOffset + size;
      return { baseOffset, lastOffset: next - 1 };
    });
    this.setsAside = setsAside;
    this.write(true);
  }

  get endOffset(): number {
    return this.batches.at(-1)!.lastOffset + 1;
  }

  isDone(offset: number): boolean {
    const state = this.known[offset]?.state;
    return offset < this.start || state === DeliveryState.ACKNOWLEDGED || state === DeliveryState.ARCHIVED;
  }

  /** Whether a batch of the log covers the offset. */
  exists(offset: number): boolean {
    return this.batches.some(({ baseOffset, lastOffset }) => baseOffset <= offset && offset <= lastOffset);
  }

  acquire(member: string, batchCount: number, maxRecords: number, maxLocks: number, isLimited: boolean): void {
    const { partition } = this;
    const fetchOffset = partition.nextFetchOffset;
    const first = this.batches.findIndex(({ lastOffset }) => lastOffset >= fetchOffset);
    if (first < 0 || !partition.hasRoom(maxLocks)) return;
    const batches = this.batches.slice(first, first + batchCount);
    const before = partition.endOffset;
    const acquired = partition.acquire({
      memberId: member,
      mode: isLimited ? 'record limit' : 'batch optimized',
      batchSize: 3,
      maxRecords,
      maxLocks,
      deliveryLimit,
      lockedUntilMs: this.nowMs + lockMs,
      fetchOffset,
      batches,
    });
    let total = 0;
    let last = -1;
    for (const { firstOffset, lastOffset, deliveryCount } of acquired) {
      expect(firstOffset).toBeGreaterThan(last);
      expect(lastOffset).toBeGreaterThanOrEqual(firstOffset);
      expect(lastOffset).toBeLessThanOrEqual(batches.at(-1)!.lastOffset);
      expect(firstOffset).toBeGreaterThanOrEqual(batches[0]!.baseOffset);
      last = lastOffset;
      total += lastOffset + 1 - firstOffset;
      for (let offset = firstOffset; offset <= lastOffset; offset++) {
        const known = this.known[offset];
        expect(this.isDone(offset), `offset ${offset} was done`).toBe(false);
        expect(known?.state ?? DeliveryState.AVAILABLE).toBe(DeliveryState.AVAILABLE);
        expect(deliveryCount).toBe((known?.count ?? 0) + 1);
        this.known[offset] = {
          state: DeliveryState.ACQUIRED,
          count: deliveryCount,
          member,
          untilMs: this.nowMs + lockMs,
        };
      }
    }
    if (isLimited) expect(total).toBeLessThanOrEqual(maxRecords);
    // What lies between where was read and what was there holds no record, nor does what was passed over for good.
    for (let offset = Math.min(before, fetchOffset); offset < partition.endOffset; offset++) {
      const isOpen = (this.known[offset]?.state ?? DeliveryState.AVAILABLE) === DeliveryState.AVAILABLE;
      const isPassed = offset >= fetchOffset && offset < batches[0]!.baseOffset;
      if (!isOpen || !(isPassed || (offset >= before && this.known[offset] === undefined))) continue;
      expect(this.exists(offset), `offset ${offset} was passed over`).toBe(false);
      this.known[offset] = { state: DeliveryState.ARCHIVED, count: 0, member: '', untilMs: 0 };
    }
  }

  acknowledge(member: string, batches: readonly AcknowledgementBatch[]): void {
    let problem: 'request' | 'state' | null = null;
    for (const { firstOffset, lastOffset } of batches) {
      if (lastOffset < this.start) continue;
      if (this.partition.ranges.length === 0) problem = 'state';
      else if (lastOffset >= this.partition.endOffset) problem = 'request';
      for (let offset = Math.max(firstOffset, this.start); problem === null && offset <= lastOffset; offset++) {
        const known = this.known[offset];
        if (known?.state !== DeliveryState.ACQUIRED || known.member !== member) problem = 'state';
      }
      if (problem !== null) break;
    }
    const rules = { deliveryLimit, setsAside: this.setsAside, mayRenew: true, lockedUntilMs: this.nowMs + lockMs };
    const outcome = this.partition.acknowledge(member, batches, rules);
    if (problem !== null) {
      expect(outcome).toMatchObject({ kind: problem });
      return;
    }
    expect(Array.isArray(outcome)).toBe(true);
    for (const { firstOffset, lastOffset, acknowledgeTypes } of batches) {
      for (let offset = Math.max(firstOffset, this.start); offset <= lastOffset; offset++) {
        this.#settle(this.known[offset]!, acknowledgeTypes[offset - firstOffset] ?? acknowledgeTypes[0]!);
      }
    }
  }

  release(member: string): void {
    this.partition.release(member, { deliveryLimit, setsAside: this.setsAside });
    for (const known of this.#out()) if (known.member === member) this.#giveBack(known);
  }

  advanceTime(ms: number): void {
    this.nowMs += ms;
    this.partition.expire(this.nowMs, { deliveryLimit, setsAside: this.setsAside });
    for (const known of this.#out()) if (known.untilMs <= this.nowMs) this.#giveBack(known);
  }

  setAside(): void {
    for (const { firstOffset, lastOffset } of this.partition.archiving(deliveryLimit)) {
      this.partition.setAside(firstOffset, lastOffset);
    }
    for (const known of this.known) if (known?.state === DeliveryState.ARCHIVING) known.state = DeliveryState.ARCHIVED;
  }

  deleteBefore(offset: number): void {
    this.partition.advanceTo(offset);
    this.start = Math.max(this.start, offset);
  }

  /** What is there is stored, as a whole or what has changed since. */
  write(isWhole: boolean): void {
    const { partition } = this;
    const { key, value } = isWhole
      ? partitionRecord(group, place, { ...partition.takeWhole(), leaderEpoch: 7 })
      : partitionChangeRecord(group, place, { ...partition.takeChanges(), leaderEpoch: 7 });
    this.#stored.apply(readGroupRecordKey(key) as ShareRecordKey, value);
  }

  /** What was stored is written again, as it is read by the next start. */
  snapshot(): void {
    const next = new ShareState();
    for (const { key, value } of this.#stored.snapshot()) next.apply(readGroupRecordKey(key) as ShareRecordKey, value);
    expect(next.partition(group, placeName(place))).toEqual(this.#stored.partition(group, placeName(place)));
    this.#stored = next;
  }

  crash(isWhole: boolean): void {
    this.write(isWhole);
    const stored = this.#stored.partition(group, placeName(place));
    expect(stored.leaderEpoch).toBe(7);
    this.partition = SharePartition.restore(stored, this.endOffset);
    for (const known of this.#out()) {
      Object.assign(known, { state: DeliveryState.AVAILABLE, count: known.count - 1, member: '' });
    }
    // What is behind the end now is as if it had never been given out, so it was not.
    for (const forgotten of this.known.splice(this.partition.endOffset)) {
      expect(forgotten ?? never).toMatchObject({ state: DeliveryState.AVAILABLE, count: 0 });
    }
  }

  check(): void {
    const { partition } = this;
    while (this.known[this.start] !== undefined && this.isDone(this.start)) this.start++;
    expect(partition.startOffset).toBe(this.start);
    let next = partition.startOffset;
    for (const range of partition.ranges) {
      expect(range.first).toBe(next);
      expect(range.end).toBeGreaterThan(range.first);
      next = range.end;
      for (let offset = range.first; offset < range.end; offset++) {
        const known = this.known[offset];
        expect(range.state, `state of ${offset}`).toBe(known?.state ?? DeliveryState.AVAILABLE);
        if (this.isDone(offset)) continue;
        expect(range.deliveryCount, `count of ${offset}`).toBe(known?.count ?? 0);
        expect(range.memberId).toBe(known?.member ?? '');
      }
    }
    expect(partition.endOffset).toBe(next);
    expect(partition.ranges[0]?.state).not.toBe(DeliveryState.ARCHIVED);
    expect(partition.ranges[0]?.state).not.toBe(DeliveryState.ACKNOWLEDGED);
    const firstAvailable = partition.ranges.find(({ state }) => state === DeliveryState.AVAILABLE);
    expect(partition.nextFetchOffset).toBe(firstAvailable?.first ?? partition.endOffset);
  }

  #out(): Known[] {
    return this.known.filter((known) => known?.state === DeliveryState.ACQUIRED);
  }

  #settle(known: Known, type: number): void {
    if (type === AcknowledgeType.RENEW) known.untilMs = this.nowMs + lockMs;
    else if (type === AcknowledgeType.RELEASE) this.#giveBack(known);
    else if (type === AcknowledgeType.REJECT) this.#giveUp(known);
    else {
      known.state = type === AcknowledgeType.ACCEPT ? DeliveryState.ACKNOWLEDGED : DeliveryState.ARCHIVED;
      known.member = '';
    }
  }

  #giveBack(known: Known): void {
    if (known.count >= deliveryLimit) this.#giveUp(known);
    else Object.assign(known, { state: DeliveryState.AVAILABLE, member: '' });
  }

  #giveUp(known: Known): void {
    known.state = this.setsAside ? DeliveryState.ARCHIVING : DeliveryState.ARCHIVED;
    known.member = '';
  }
}

const member = fc.constantFrom(...members);
const acknowledgement = fc
  .record({
    first: fc.nat(60),
    types: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 8 }),
    isOne: fc.boolean(),
  })
  .map(({ first, types, isOne }) => ({
    firstOffset: first,
    lastOffset: first + types.length - 1,
    acknowledgeTypes: isOne ? types.slice(0, 1) : types,
  }));

/** What a member that keeps to the protocol acknowledges: some of what it has. */
export function own(model: Model, who: string, type: number, share: number): AcknowledgementBatch[] {
  const batches: AcknowledgementBatch[] = [];
  for (const { state, memberId, first, end } of model.partition.ranges) {
    if (state !== DeliveryState.ACQUIRED || memberId !== who) continue;
    const lastOffset = first + Math.max(0, Math.ceil((end - first) * share) - 1);
    batches.push({ firstOffset: first, lastOffset, acknowledgeTypes: [type] });
  }
  return batches;
}

/** Something that happens to a partition. */
export const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('acquire' as const),
      member,
      batches: fc.integer({ min: 1, max: 6 }),
      records: fc.integer({ min: 1, max: 12 }),
      locks: fc.integer({ min: 1, max: 30 }),
      isLimited: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('own' as const),
      member,
      type: fc.integer({ min: 0, max: 4 }),
      share: fc.constantFrom(0.3, 0.5, 1),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('any' as const), member, batch: acknowledgement }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), member }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.constantFrom(30, 101) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('aside' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), offset: fc.nat(20) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('write' as const), isWhole: fc.constantFrom(false, false, true) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('snapshot' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), isWhole: fc.boolean() }) },
);
