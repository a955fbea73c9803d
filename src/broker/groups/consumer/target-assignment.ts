/**
 * Makes the target assignment of a group: who is to have which partitions, once all have come to the group's
 * epoch. Any thread; it changes nothing.
 */

import { present } from '../../../base/assert.ts';
import type { Uuid } from '../../../base/uuid.ts';
import type { Assign } from './assignors/assignor.ts';
import { assignRanges } from './assignors/range-assignor.ts';
import { assignorName } from '../../config-grammars.ts';
import { assignUniformly } from './assignors/uniform-assignor.ts';
import { noPartitions, samePartitions, type Partitions } from './partitions.ts';
import type { TopicView } from './topic-view.ts';

/** Those that `group.consumer.assignors` may name; a class of Java's is known by its own name there too. */
const assignors: ReadonlyMap<string, Assign> = new Map([
  ['uniform', assignUniformly],
  ['range', assignRanges],
]);

/** The assignors that are on, in the order of `names`; the first is taken where no member asks for one. */
export function knownAssignors(names: readonly string[]): string[] {
  return [...new Set(names.map(assignorName))].filter((name) => assignors.has(name));
}

/** The assignor with that name, which is one of the known. */
export function assignorNamed(name: string): Assign {
  return present(assignors.get(name), 'the assignor is known');
}

/** A group as its target assignment is made. */
export interface AssignedGroup {
  readonly members: readonly {
    readonly id: string;
    readonly instanceId: string | null;
    /** The names of topics; they need not exist. */
    readonly topics: ReadonlySet<string>;
  }[];
  readonly targets: ReadonlyMap<string, Partitions>;
  /** Whether all members subscribe to the same. */
  readonly isHomogeneous: boolean;
}

/** The targets that differ from those that there are, by member id. */
export function changedTargets(
  { members, targets, isHomogeneous }: AssignedGroup,
  assign: Assign,
  topics: TopicView,
): Map<string, Partitions> {
  const partitionCounts = new Map<Uuid, number>();
  const idsOf = (names: ReadonlySet<string>): ReadonlySet<Uuid> => {
    const found = topics.assignable(names);
    for (const { topicId, partitionCount } of found) partitionCounts.set(topicId, partitionCount);
    return new Set(found.map(({ topicId }) => topicId));
  };
  let shared: ReadonlySet<Uuid> | null = null;
  const assignable = members.map(({ id, instanceId, topics: names }) => {
    const topicIds = isHomogeneous ? (shared ??= idsOf(names)) : idsOf(names);
    return { id, instanceId, topicIds, target: targets.get(id) ?? noPartitions };
  });
  const assigned = assign({ members: assignable, partitionCounts, isHomogeneous });
  const changed = new Map<string, Partitions>();
  for (const [memberId, partitions] of assigned) {
    const before = targets.get(memberId);
    if (before === undefined || !samePartitions(before, partitions)) changed.set(memberId, partitions);
  }
  return changed;
}
