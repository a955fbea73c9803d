/** What assigning a consumer group on the broker's side costs: 1,000 members, 1,000 partitions of ten topics. */

import type { Uuid } from '../src/base/uuid.ts';
import type { AssignmentInput } from '../src/broker/groups/consumer/assignors/assignor.ts';
import { assignRanges } from '../src/broker/groups/consumer/assignors/range-assignor.ts';
import { assignUniformly } from '../src/broker/groups/consumer/assignors/uniform-assignor.ts';
import { noPartitions, type Partitions } from '../src/broker/groups/consumer/partitions.ts';
import type { Benchmark } from './benchmark.ts';

const memberCount = 1000;
const topicCount = 10;
const partitionsEach = 100;

const topicIds = Array.from({ length: topicCount }, (_, i) => `topic${i}`.padEnd(22, 'A') as Uuid);

/** Every member but each third subscribes to all topics where `isEqual` is false. */
function group(targets: ReadonlyMap<string, Partitions>, isEqual = true): AssignmentInput {
  const all = new Set(topicIds);
  const half = new Set(topicIds.slice(0, topicCount / 2));
  const members = Array.from({ length: memberCount }, (_, i) => {
    const id = `member-${i}`;
    return {
      id,
      instanceId: null,
      topicIds: isEqual || i % 3 > 0 ? all : half,
      target: targets.get(id) ?? noPartitions,
    };
  });
  return {
    members,
    partitionCounts: new Map(topicIds.map((id) => [id, partitionsEach])),
    isHomogeneous: isEqual,
  };
}

function partitionsIn(assigned: ReadonlyMap<string, Partitions>): number {
  let count = 0;
  for (const partitions of assigned.values()) for (const { size } of partitions.values()) count += size;
  return count;
}

function dealtByHand({ members, partitionCounts }: AssignmentInput): ReadonlyMap<string, Partitions> {
  const assigned = new Map(members.map(({ id }) => [id, new Map<Uuid, Set<number>>()]));
  const ids = [...assigned.keys()];
  let next = 0;
  for (const [topicId, count] of partitionCounts) {
    for (let partition = 0; partition < count; partition++) {
      const own = assigned.get(ids[next++ % ids.length]!)!;
      const partitions = own.get(topicId);
      if (partitions === undefined) own.set(topicId, new Set([partition]));
      else partitions.add(partition);
    }
  }
  return assigned;
}

export function assignorBenchmarks(): Benchmark[] {
  const fresh = group(new Map());
  const before = assignUniformly(fresh);
  before.delete('member-7');
  const again = group(before);
  const unequal = group(new Map(), false);
  return [
    assigning('uniform, all anew', assignUniformly, fresh),
    assigning('uniform, one member came', assignUniformly, again),
    assigning('uniform, unequal subscriptions', assignUniformly, unequal),
    assigning('range', assignRanges, fresh),
  ];
}

/** The rival knows neither what was before nor who subscribes to what. */
function assigning(
  what: string,
  assign: (input: AssignmentInput) => ReadonlyMap<string, Partitions>,
  input: AssignmentInput,
): Benchmark {
  return {
    name: `${memberCount} members assigned: ${what}`,
    unit: 'calls',
    unitsPerRun: 1,
    bytesPerRun: 0,
    contenders: [
      { name: assign.name, run: () => partitionsIn(assign(input)) },
      { name: 'by hand: dealt out in turn', run: () => partitionsIn(dealtByHand(input)) },
    ],
  };
}
