/** What spreads the partitions of share groups, and how often it looks at what members have. */

import { expect, test } from 'vitest';
import type { Uuid } from '../../../../src/base/uuid.ts';
import type { Partitions } from '../../../../src/broker/groups/consumer/partitions.ts';
import type { AssignableMember } from '../../../../src/broker/groups/consumer/assignors/assignor.ts';
import { simpleSteps } from '../../../../src/broker/groups/share/simple-assignor.ts';
import { atOnce } from '../../../../src/broker/groups/steps.ts';

const topicCount = 20;
const partitionCount = 50;
const memberCount = 100;
const topics = Array.from({ length: topicCount }, (_, i) => `topic-${i}` as Uuid);
const partitionCounts = new Map(topics.map((topicId) => [topicId, partitionCount]));

let lookCount = 0;

class CountedMap<Value> extends Map<Uuid, Value> {
  override get(key: Uuid): Value | undefined {
    lookCount++;
    return super.get(key);
  }
}

class CountedSet extends Set<Uuid> {
  override has(key: Uuid): boolean {
    lookCount++;
    return super.has(key);
  }
}

/** Members that have what they were assigned before, each subscribed to what `topicsOf` says. */
function membersOf(
  topicsOf: (index: number) => readonly Uuid[],
  before: ReadonlyMap<string, ReadonlyMap<Uuid, ReadonlySet<number>>>,
): AssignableMember[] {
  return Array.from({ length: memberCount }, (_, index) => {
    const id = `member-${index}`;
    const target = new CountedMap<ReadonlySet<number>>(before.get(id) ?? []);
    return { id, instanceId: null, topicIds: new CountedSet(topicsOf(index)), target };
  });
}

test.each([
  ['the same topics', true, () => topics, memberCount * topicCount],
  ['a topic each', false, (index: number) => [topics[index % topicCount]!], memberCount],
] as const)(
  'members of %s keep what they have, and each is asked once about each topic of its own',
  (_name, isHomogeneous, topicsOf, mostLooks) => {
    const assign = (before: ReadonlyMap<string, Partitions>): Map<string, Partitions> =>
      atOnce(simpleSteps({ members: membersOf(topicsOf, before), partitionCounts, isHomogeneous }));
    const first = assign(new Map());
    const sizes = [...first.values()].map((places) => [...places.values()].reduce((sum, { size }) => sum + size, 0));
    expect(new Set(sizes)).toEqual(new Set([(topicCount * partitionCount) / memberCount]));
    lookCount = 0;
    expect(assign(first)).toEqual(first);
    expect(lookCount).toBeLessThanOrEqual(mostLooks);
  },
);
