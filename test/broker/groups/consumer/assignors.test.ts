import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Uuid } from '../../../../src/base/uuid.ts';
import type { AssignableMember, AssignmentInput } from '../../../../src/broker/groups/consumer/assignors/assignor.ts';
import { assignRanges } from '../../../../src/broker/groups/consumer/assignors/range-assignor.ts';
import { assignUniformly } from '../../../../src/broker/groups/consumer/assignors/uniform-assignor.ts';
import { noPartitions, type Partitions } from '../../../../src/broker/groups/consumer/partitions.ts';

const idOf = (topic: number): Uuid => `t${topic}`.padEnd(22, 'A') as Uuid;

/** Members by the numbers of the topics that they subscribe to. */
function inputOf(counts: readonly number[], subscriptions: readonly (readonly number[])[]): AssignmentInput {
  const first = subscriptions[0] ?? [];
  const members = subscriptions.map((topics, i) => ({
    id: `m${i}`,
    instanceId: null,
    topicIds: new Set(topics.map(idOf)),
    target: noPartitions,
  }));
  const subscribed = new Set(subscriptions.flat());
  return {
    members,
    partitionCounts: new Map([...subscribed].map((topic) => [idOf(topic), counts[topic]!])),
    isHomogeneous: subscriptions.every((topics) => topics.join() === first.join()),
  };
}

function again(input: AssignmentInput, assigned: ReadonlyMap<string, Partitions>): AssignmentInput {
  const members = input.members.map((member) => ({ ...member, target: assigned.get(member.id) ?? noPartitions }));
  return { ...input, members };
}

const sizeOf = (partitions: Partitions): number => [...partitions.values()].reduce((sum, { size }) => sum + size, 0);

/** Every partition of a topic that somebody subscribes to is with exactly one of those. */
function expectWhole({ members, partitionCounts }: AssignmentInput, assigned: ReadonlyMap<string, Partitions>): void {
  const owners = new Map<string, string>();
  for (const { id, topicIds } of members) {
    for (const [topicId, partitions] of assigned.get(id)!) {
      expect(topicIds.has(topicId)).toBe(true);
      for (const partition of partitions) {
        expect(owners.has(`${topicId} ${partition}`)).toBe(false);
        owners.set(`${topicId} ${partition}`, id);
      }
    }
  }
  const all = [...partitionCounts].flatMap(([id, count]) => Array.from({ length: count }, (_, i) => `${id} ${i}`));
  expect([...owners.keys()].toSorted()).toEqual(all.toSorted());
}

const groups = fc
  .record({
    counts: fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 5 }),
    members: fc.integer({ min: 1, max: 9 }),
    seed: fc.array(fc.array(fc.nat(4), { maxLength: 5 }), { minLength: 9, maxLength: 9 }),
    isEqual: fc.boolean(),
  })
  .map(({ counts, members, seed, isEqual }) => {
    const topics = seed.slice(0, members).map((list) => [...new Set(list.map((topic) => topic % counts.length))]);
    return inputOf(counts, isEqual ? topics.map(() => topics[0]!) : topics);
  });

describe('range', () => {
  test('gives runs in the order of the members, static ones first', () => {
    const input = inputOf(
      [7, 2],
      [
        [0, 1],
        [0, 1],
        [0, 1],
      ],
    );
    const [a, b, c] = input.members as [AssignableMember, AssignableMember, AssignableMember];
    const assigned = assignRanges({ ...input, members: [b, { ...c, instanceId: 'i' }, a] });
    const runs = ['m2', 'm0', 'm1'].map((id) => [...(assigned.get(id)!.get(idOf(0)) ?? [])]);
    expect(runs).toEqual([
      [0, 1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect([...assigned.get('m2')!.get(idOf(1))!, ...assigned.get('m0')!.get(idOf(1))!]).toEqual([0, 1]);
    expect(assigned.get('m1')!.has(idOf(1))).toBe(false);
  });

  test('gives every partition once', () => {
    fc.assert(fc.property(groups, (input) => expectWhole(input, assignRanges(input))));
  });
});

describe('uniform', () => {
  test('gives every partition once, and equally many where subscriptions are equal', () => {
    fc.assert(
      fc.property(groups, (input) => {
        const assigned = assignUniformly(input);
        expectWhole(input, assigned);
        if (!input.isHomogeneous) return;
        const sizes = [...assigned.values()].map(sizeOf);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('moves nothing where nothing has changed', () => {
    fc.assert(
      fc.property(groups, (input) => {
        const assigned = assignUniformly(input);
        expect(assignUniformly(again(input, assigned))).toEqual(assigned);
      }),
    );
  });

  test('moves no more than it has to when a member comes or goes', () => {
    for (let count = 1; count < 12; count++) {
      const before = inputOf(
        [31, 5],
        Array.from({ length: count }, () => [0, 1]),
      );
      const assigned = assignUniformly(before);
      const grown = inputOf(
        [31, 5],
        Array.from({ length: count + 1 }, () => [0, 1]),
      );
      const after = assignUniformly(again(grown, assigned));
      let moved = 0;
      for (const { id } of before.members) {
        for (const [topicId, partitions] of assigned.get(id)!) {
          for (const partition of partitions) if (after.get(id)!.get(topicId)?.has(partition) !== true) moved++;
        }
      }
      expect(moved).toBe(sizeOf(after.get(`m${count}`)!));
    }
  });

  test('evens out members that subscribe to different topics', () => {
    const assigned = assignUniformly(inputOf([6, 6], [[0], [0, 1], [1]]));
    expect([...assigned.values()].map(sizeOf)).toEqual([4, 4, 4]);
  });

  test('forgets topics that are gone or not subscribed to', () => {
    const input = inputOf([4], [[0], [0]]);
    const gone = new Map([[idOf(9), new Set([0, 1])]]);
    const assigned = assignUniformly(again(input, new Map([['m0', gone]])));
    expectWhole(input, assigned);
  });
});
