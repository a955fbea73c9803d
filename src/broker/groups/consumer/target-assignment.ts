/**
 * Makes the target assignment of a consumer group: who is to have which partitions, once all have come to the group's
 * epoch. Any thread; it changes nothing.
 */

import type { Uuid } from '../../../base/uuid.ts';
import type { Assign } from './assignors/assignor.ts';
import { assignRanges } from './assignors/range-assignor.ts';
import { assignUniformly } from './assignors/uniform-assignor.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import { samePartitions, type Partitions } from './partitions.ts';
import type { TopicView } from './topic-view.ts';

/** Those that `group.consumer.assignors` may name; a class of Java's is known by its own name there too. */
const assignors: ReadonlyMap<string, Assign> = new Map([
  ['uniform', assignUniformly],
  ['range', assignRanges],
]);

/** The assignors that are on, in the order of `names`; the first is taken where no member asks for one. */
export function knownAssignors(names: readonly string[]): string[] {
  return names.filter((name) => assignors.has(name));
}

/** The targets that differ from those that there are, by member id. `assignor` is one of the known. */
export function changedTargets(group: ConsumerGroup, assignor: string, topics: TopicView): Map<string, Partitions> {
  const { isHomogeneous, subscriptions } = group;
  const partitionCounts = new Map<Uuid, number>();
  const idsOf = (names: ReadonlySet<string>): ReadonlySet<Uuid> => {
    const found = topics.assignable(names);
    for (const { topicId, partitionCount } of found) partitionCounts.set(topicId, partitionCount);
    return new Set(found.map(({ topicId }) => topicId));
  };
  let shared: ReadonlySet<Uuid> | null = null;
  const members = [...group.members.values()].map((member) => {
    const topicIds = isHomogeneous
      ? (shared ??= idsOf(subscriptions.topicsOf(member)))
      : idsOf(subscriptions.topicsOf(member));
    return { id: member.id, instanceId: member.instanceId, topicIds, target: group.targetOf(member.id) };
  });
  const assigned = assignors.get(assignor)!({ members, partitionCounts, isHomogeneous });
  const changed = new Map<string, Partitions>();
  for (const [memberId, partitions] of assigned) {
    const before = group.targets.get(memberId);
    if (before === undefined || !samePartitions(before, partitions)) changed.set(memberId, partitions);
  }
  return changed;
}
