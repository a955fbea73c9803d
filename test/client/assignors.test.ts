/** Assignments: whole, fair, and sticky. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cooperativeSticky, type GroupSubscription, range, type TopicPartition } from '../../src/client/index.ts';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../src/client/consumer-protocol.ts';

function member(
  memberId: string,
  topics: readonly string[],
  owned: readonly TopicPartition[] = [],
  generationId = 1,
): GroupSubscription {
  return { memberId, topics, owned, generationId, groupInstanceId: null };
}

const partitionsOf = (topic: string, ...partitions: number[]): TopicPartition[] =>
  partitions.map((partition) => ({ topic, partition }));
const name = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`;

/** Assigns until nobody has to give anything up, as a group does. */
function settled(members: readonly GroupSubscription[], counts: ReadonlyMap<string, number>): GroupSubscription[] {
  let now = [...members];
  for (let round = 2; round < 10; round++) {
    const assignment = cooperativeSticky.assign(now, counts);
    const isSettled = now.every(({ memberId, owned }) => {
      const assigned = new Set(assignment.get(memberId)!.map(name));
      return owned.every((partition) => assigned.has(name(partition)));
    });
    now = now.map((each) => ({ ...each, owned: assignment.get(each.memberId)!, generationId: round }));
    if (isSettled) return now;
  }
  throw new Error('the group does not settle');
}

const groups = fc
  .record({
    counts: fc.array(fc.nat(12), { minLength: 1, maxLength: 4 }),
    subscriptions: fc.array(fc.subarray([0, 1, 2, 3], { minLength: 1 }), { minLength: 1, maxLength: 6 }),
  })
  .map(({ counts, subscriptions }) => ({
    counts: new Map(counts.map((count, i) => [`t${i}`, count])),
    members: subscriptions.map((topics, i) =>
      member(
        `m${i}`,
        topics.map((topic) => `t${topic}`),
      ),
    ),
  }));

function expectWhole(
  members: readonly GroupSubscription[],
  counts: ReadonlyMap<string, number>,
  shares: readonly (readonly TopicPartition[])[],
): void {
  const wanted = [...counts].flatMap(([topic, count]) =>
    members.some(({ topics }) => topics.includes(topic)) ? partitionsOf(topic, ...Array(count).keys()) : [],
  );
  expect(shares.flat().map(name).toSorted()).toEqual(wanted.map(name).toSorted());
  shares.forEach((share, i) => expect(share.every(({ topic }) => members[i]!.topics.includes(topic))).toBe(true));
}

describe('range', () => {
  it('gives consecutive partitions, as Kafka does', () => {
    const assignment = range.assign(
      [member('b', ['t']), member('a', ['t', 'u'])],
      new Map([
        ['t', 5],
        ['u', 1],
      ]),
    );
    expect(assignment.get('a')).toEqual([...partitionsOf('t', 0, 1, 2), ...partitionsOf('u', 0)]);
    expect(assignment.get('b')).toEqual(partitionsOf('t', 3, 4));
  });

  it('gives every partition once, to who asked for it', () => {
    fc.assert(
      fc.property(groups, ({ members, counts }) => {
        const assignment = range.assign(members, counts);
        expectWhole(
          members,
          counts,
          members.map(({ memberId }) => assignment.get(memberId)!),
        );
      }),
    );
  });
});

describe('cooperative-sticky', () => {
  it('gives every partition once, to who asked for it, fairly, and then leaves it so', () => {
    fc.assert(
      fc.property(groups, ({ members, counts }) => {
        const after = settled(members, counts);
        const shares = after.map(({ owned }) => owned);
        expectWhole(members, counts, shares);
        const isSame = members.every(
          ({ topics }) => topics.length === counts.size && topics.every((t) => counts.has(t)),
        );
        if (isSame) {
          const sizes = shares.map(({ length }) => length);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        }
        const again = cooperativeSticky.assign(after, counts);
        for (const { memberId, owned } of after) {
          expect(again.get(memberId)!.map(name).toSorted()).toEqual(owned.map(name).toSorted());
        }
      }),
    );
  });

  it('moves no more than it must when a member comes, and gives nothing that another still has', () => {
    const counts = new Map([['t', 6]]);
    const before = settled([member('a', ['t']), member('b', ['t'])], counts);
    const joined = [...before, member('c', ['t'])];
    const first = cooperativeSticky.assign(joined, counts);
    expect(first.get('c')).toEqual([]);
    for (const { memberId, owned } of before) {
      expect(first.get(memberId)!.length).toBe(2);
      expect(owned).toEqual(expect.arrayContaining(first.get(memberId)!));
    }
    const after = settled(joined, counts);
    expect(after.map(({ owned }) => owned.length)).toEqual([2, 2, 2]);
  });

  it('believes the newer of two who claim a partition, and neither of two alike', () => {
    const counts = new Map([['t', 2]]);
    const both = partitionsOf('t', 0, 1);
    const newer = cooperativeSticky.assign([member('a', ['t'], both, 3), member('b', ['t'], both, 4)], counts);
    expect(newer.get('a')).toEqual([]);
    expect(newer.get('b')!.length).toBe(1);
    const alike = cooperativeSticky.assign([member('a', ['t'], both, 3), member('b', ['t'], both, 3)], counts);
    expect([alike.get('a')!.length, alike.get('b')!.length]).toEqual([1, 1]);
  });
});

describe('the consumer protocol', () => {
  it('says the same after it was written and read', () => {
    const subscription = { topics: ['é', 'b'], owned: partitionsOf('b', 3, 1), generationId: 7 };
    expect(decodeSubscription(encodeSubscription(subscription))).toEqual(subscription);
    const assignment = [...partitionsOf('a', 0, 2), ...partitionsOf('b', 1)];
    expect(decodeAssignment(encodeAssignment(assignment))).toEqual(assignment);
    expect(decodeAssignment(new Uint8Array(0))).toEqual([]);
  });
});
