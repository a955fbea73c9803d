import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { EnvironmentError } from '../../../src/base/environment-error.ts';
import { randomUuid } from '../../../src/base/uuid.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { ClassicGroup } from '../../../src/broker/groups/classic-group.ts';
import { Deadline } from '../../../src/broker/groups/deadline.ts';
import { GroupMember } from '../../../src/broker/groups/group-member.ts';
import {
  checkEndedValue,
  endedRecord,
  groupKey,
  groupRecord,
  offsetKey,
  OffsetRecord,
  readGroupRecordKey,
  readGroupValue,
  readOffsetValue,
  type StoredMember,
} from '../../../src/broker/groups/group-records.ts';

const bytes = fc.uint8Array({ maxLength: 300 });
const timeMs = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const int32 = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const text = fc.string({ unit: 'grapheme', maxLength: 50 });

const members: fc.Arbitrary<StoredMember[]> = fc.uniqueArray(
  fc.record({
    id: text,
    instanceId: fc.option(text),
    clientId: text,
    clientHost: text,
    rebalanceTimeoutMs: int32,
    sessionTimeoutMs: int32,
    subscription: bytes,
    assignment: bytes,
  }),
  { selector: ({ id }) => id, maxLength: 10 },
);

function groupOf(id: string, stored: readonly StoredMember[]): ClassicGroup {
  const group = new ClassicGroup(id, 0);
  for (const { subscription, assignment: _, ...member } of stored) {
    const protocols = [
      { name: 'other', metadata: new Uint8Array([1]) },
      { name: 'range', metadata: subscription },
    ];
    const session = new Deadline(systemClock, () => {});
    group.add(new GroupMember(member.id, member.instanceId, { ...member, protocols }, session), 'consumer');
  }
  return group;
}

test('a group reads as it was written', () => {
  fc.assert(
    fc.property(text, members, int32, timeMs, (id, stored, generation, stateSinceMs) => {
      const group = groupOf(id, stored);
      group.restore(generation, stored[0]?.id ?? null, 'range', stateSinceMs);
      const assignments = new Map(stored.map((member) => [member.id, member.assignment]));
      const { key, value } = groupRecord(group, assignments);
      expect(readGroupRecordKey(key)).toEqual({ kind: 'group', group: id });
      expect(readGroupValue(value!)).toEqual({
        generation,
        stateSinceMs,
        protocolType: stored.length === 0 ? null : 'consumer',
        protocolName: 'range',
        leaderId: stored[0]?.id ?? null,
        members: stored,
      });
    }),
  );
});

test('an offset reads as it was written', () => {
  const offsets = fc.record({
    offset: fc.maxSafeInteger(),
    leaderEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    metadata: text,
    committedMs: timeMs,
    expiresMs: fc.oneof(fc.constant(-1), timeMs),
  });
  fc.assert(
    fc.property(
      fc.record({ group: text, partition: int32, producerId: fc.option(timeMs) }),
      fc.integer(),
      offsets,
      (place, seed, committed) => {
        const name = { ...place, topicId: randomUuid(new SeededRandom(seed)) };
        const { key, value } = new OffsetRecord(name, committed);
        expect(key).toEqual(offsetKey(name));
        expect(readGroupRecordKey(key)).toEqual({ kind: 'offset', ...name });
        expect(readOffsetValue(value)).toEqual(committed);
      },
    ),
  );
});

test('the end of a transaction reads as it was written', () => {
  fc.assert(
    fc.property(text, fc.integer(), int32, timeMs, (group, seed, partition, producerId) => {
      const name = { group, topicId: randomUuid(new SeededRandom(seed)), partition, producerId };
      const { key, value } = endedRecord(name);
      expect(readGroupRecordKey(key)).toEqual({ kind: 'ended', ...name });
      expect(() => checkEndedValue(value!)).not.toThrow();
      expect(() => checkEndedValue(new Uint8Array([...value!, 0]))).toThrow(EnvironmentError);
      expect(() => checkEndedValue(new Uint8Array([value![0]! + 1]))).toThrow(EnvironmentError);
    }),
  );
});

test('an offset of a short group name takes few bytes', () => {
  const name = { group: 'group', topicId: randomUuid(new SeededRandom(1)), partition: 3, producerId: null };
  const committed = { offset: 5, leaderEpoch: 1, metadata: '', committedMs: 1, expiresMs: -1 };
  const { key, value } = new OffsetRecord(name, committed);
  expect(key.length + value.length).toBeLessThanOrEqual(60);
});

test('whatever else is read is refused with a reason', () => {
  const { value } = groupRecord(groupOf('g', []), new Map());
  fc.assert(
    fc.property(
      fc.oneof(
        bytes,
        bytes.map((rest) => new Uint8Array([...value!.subarray(0, 5), ...rest])),
      ),
      (garbage) => {
        for (const read of [readGroupRecordKey, readGroupValue, readOffsetValue]) {
          try {
            read(garbage);
          } catch (error) {
            expect(error).toBeInstanceOf(EnvironmentError);
          }
        }
      },
    ),
  );
  for (let length = 0; length < value!.length; length++) {
    expect(() => readGroupValue(value!.subarray(0, length))).toThrow(EnvironmentError);
  }
  expect(() => readGroupRecordKey(groupKey('group').subarray(1))).toThrow(EnvironmentError);
});
