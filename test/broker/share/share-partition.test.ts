/**
 * A share partition against a model that knows each record by itself: whatever members do, and wherever a crash falls,
 * nothing that is done comes again, nothing is lost, and counts are right.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readGroupRecordKey } from '../../../src/broker/groups/group-records.ts';
import {
  partitionChangeRecord,
  partitionRecord,
  placeName,
  type ShareRecordKey,
} from '../../../src/broker/groups/share/share-records.ts';
import type { KeyedRecord } from '../../../src/broker/keyed-batch.ts';
import { ShareState } from '../../../src/broker/groups/share/share-state.ts';
import { AcknowledgeType, type AcknowledgementBatch } from '../../../src/broker/share/acknowledging.ts';
import { DeliveryState } from '../../../src/broker/share/delivery-range.ts';
import { SharePartition } from '../../../src/broker/share/share-partition.ts';
import { Model, own, step, deliveryLimit, lockMs, group, place } from './share-partition-model.ts';

describe('a share partition', () => {
  it('begins behind all that is done, whatever was done last and however', () => {
    const partition = new SharePartition(0);
    const batches = [0, 1, 2, 3].map((offset) => ({ baseOffset: offset, lastOffset: offset }));
    const acquiring = {
      mode: 'record limit',
      batchSize: 1,
      deliveryLimit,
      lockedUntilMs: lockMs,
      maxLocks: 9,
    } as const;
    const rules = { deliveryLimit, setsAside: false, mayRenew: true, lockedUntilMs: lockMs };
    for (const [memberId, maxRecords] of [
      ['b', 1],
      ['a', 2],
    ] as const) {
      const fetchOffset = partition.nextFetchOffset;
      partition.acquire({ ...acquiring, memberId, maxRecords, fetchOffset, batches: batches.slice(fetchOffset) });
    }
    const say = (memberId: string, offset: number, type: number): unknown =>
      partition.acknowledge(memberId, [{ firstOffset: offset, lastOffset: offset, acknowledgeTypes: [type] }], rules);
    expect(say('a', 1, AcknowledgeType.ACCEPT)).toEqual([]);
    expect(say('a', 2, AcknowledgeType.GAP)).toEqual([]);
    expect(partition.startOffset).toBe(0);
    expect(say('b', 0, AcknowledgeType.GAP)).toEqual([]);
    expect(partition.startOffset).toBe(3);
    expect(partition.ranges).toEqual([]);
  });

  it('takes what others say of ranges as they are where there are as many as there may be', () => {
    const recordCount = 300_000;
    const partition = new SharePartition(0);
    const acquiring = {
      mode: 'batch optimized' as const,
      batchSize: recordCount,
      maxRecords: 1,
      maxLocks: 2000,
      deliveryLimit,
      lockedUntilMs: lockMs,
      fetchOffset: 0,
      batches: [{ baseOffset: 0, lastOffset: recordCount - 1 }],
    };
    partition.acquire({ ...acquiring, memberId: 'a' });
    const rules = { deliveryLimit, setsAside: false, mayRenew: true, lockedUntilMs: lockMs };
    const turns = [AcknowledgeType.RELEASE, AcknowledgeType.ACCEPT];
    const acknowledgeTypes = Array.from({ length: 249_999 }, (_, i) => turns[i % 2]!);
    expect(partition.acknowledge('a', [{ firstOffset: 0, lastOffset: 249_998, acknowledgeTypes }], rules)).toEqual([]);
    expect(partition.ranges).toHaveLength(250_000);
    partition.acquire({ ...acquiring, memberId: 'b', mode: 'record limit' });
    const one = (firstOffset: number, lastOffset: number): AcknowledgementBatch[] => [
      { firstOffset, lastOffset, acknowledgeTypes: [AcknowledgeType.ACCEPT] },
    ];
    // One more there is no room for, though who says it has all of it.
    expect(partition.acknowledge('a', one(260_000, 269_999), rules)).toMatchObject({ kind: 'state' });
    expect(partition.acknowledge('b', one(0, 0), rules)).toEqual([]);
    expect(partition.startOffset).toBe(2);
    expect(partition.acknowledge('a', one(249_999, recordCount - 1), rules)).toEqual([]);
  });

  it('takes as many different acknowledgements at once as a request may have, up to what it may hold, and all or none', () => {
    const recordCount = 300_000;
    const partition = new SharePartition(0);
    partition.acquire({
      memberId: 'a',
      mode: 'batch optimized',
      batchSize: recordCount,
      maxRecords: 1,
      maxLocks: 2000,
      deliveryLimit,
      lockedUntilMs: lockMs,
      fetchOffset: 0,
      batches: [{ baseOffset: 0, lastOffset: recordCount - 1 }],
    });
    const rules = { deliveryLimit, setsAside: false, mayRenew: true, lockedUntilMs: lockMs };
    const turns = [AcknowledgeType.RELEASE, AcknowledgeType.ACCEPT];
    const mixed = (firstOffset: number, count: number): AcknowledgementBatch => ({
      firstOffset,
      lastOffset: firstOffset + count - 1,
      acknowledgeTypes: Array.from({ length: count }, (_, i) => turns[i % 2]!),
    });
    expect(partition.acknowledge('a', [mixed(0, 200_000)], rules)).toEqual([]);
    expect(partition.ranges).toHaveLength(200_001);
    const stored = new ShareState();
    const store = ({ key, value }: KeyedRecord): void => stored.apply(readGroupRecordKey(key) as ShareRecordKey, value);
    store(partitionRecord(group, place, { ...partition.takeWhole(), leaderEpoch: 7 }));
    expect(partition.ranges.at(-2)).toMatchObject({ first: 199_999, end: 200_000, state: DeliveryState.ACKNOWLEDGED });
    expect(partition.acknowledge('a', [mixed(200_000, 100_000)], rules)).toMatchObject({ kind: 'state' });
    expect(partition.ranges).toHaveLength(200_001);
    const rest = { firstOffset: 200_000, lastOffset: recordCount - 1, acknowledgeTypes: [AcknowledgeType.ACCEPT] };
    expect(partition.acknowledge('a', [rest], rules)).toEqual([]);
    store(partitionChangeRecord(group, place, { ...partition.takeChanges(), leaderEpoch: 7 }));
    const restored = SharePartition.restore(stored.partition(group, placeName(place)), recordCount);
    expect(restored.ranges.length).toBe(partition.ranges.length);
    // A change at the beginning leaves all the rest as it was.
    partition.acquire({
      memberId: 'a',
      mode: 'record limit',
      batchSize: 1,
      maxRecords: 1,
      maxLocks: 2000,
      deliveryLimit,
      lockedUntilMs: lockMs,
      fetchOffset: 0,
      batches: [{ baseOffset: 0, lastOffset: recordCount - 1 }],
    });
    const first = { firstOffset: 0, lastOffset: 0, acknowledgeTypes: [AcknowledgeType.ACCEPT] };
    expect(partition.acknowledge('a', [first], rules)).toEqual([]);
    store(partitionChangeRecord(group, place, { ...partition.takeChanges(), leaderEpoch: 7 }));
    expect(stored.partition(group, placeName(place))).toMatchObject({ startOffset: 2 });
    expect(restored.ranges.at(-1)).toMatchObject({
      first: 199_999,
      end: recordCount,
      state: DeliveryState.ACKNOWLEDGED,
    });
  });

  it('is what a model says that knows every record by itself', () => {
    const sizes = fc.array(fc.record({ size: fc.integer({ min: 1, max: 6 }), gap: fc.constantFrom(0, 0, 0, 1, 3) }), {
      minLength: 4,
      maxLength: 16,
    });
    fc.assert(
      fc.property(sizes, fc.boolean(), fc.array(step, { maxLength: 60 }), (log, setsAside, steps) => {
        const model = new Model(log, setsAside);
        for (const each of steps) {
          if (each.do === 'acquire') model.acquire(each.member, each.batches, each.records, each.locks, each.isLimited);
          else if (each.do === 'own') model.acknowledge(each.member, own(model, each.member, each.type, each.share));
          else if (each.do === 'any') model.acknowledge(each.member, [each.batch]);
          else if (each.do === 'release') model.release(each.member);
          else if (each.do === 'time') model.advanceTime(each.ms);
          else if (each.do === 'aside') model.setAside();
          else if (each.do === 'delete') model.deleteBefore(Math.min(each.offset, model.endOffset));
          else if (each.do === 'write') model.write(each.isWhole);
          else if (each.do === 'snapshot') model.snapshot();
          else model.crash(each.isWhole);
          model.check();
        }
      }),
      { numRuns: 400 },
    );
  });
});
