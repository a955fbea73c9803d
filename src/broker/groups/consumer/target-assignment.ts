/**
 * Makes the target assignment of a group: who is to have which partitions, once all have come to the group's
 * epoch. Any thread; it changes nothing.
 */

import { present } from '../../../base/assert.ts';
import type { Uuid } from '../../../base/uuid.ts';
import { atOnce, Pace, type Steps } from '../steps.ts';
import type { AssignableMember, Assign, AssignmentInput } from './assignors/assignor.ts';
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
export function changedTargets(group: AssignedGroup, assign: Assign, topics: TopicView): Map<string, Partitions> {
  // oxlint-disable-next-line require-yield -- it is one step.
  const steps = function* (input: AssignmentInput): Steps<Map<string, Partitions>> {
    return assign(input);
  };
  return atOnce(changedTargetSteps(group, steps, topics));
}

/** The same in steps, as `assign` goes in steps. */
export function* changedTargetSteps(
  { members, targets, isHomogeneous }: AssignedGroup,
  assign: (input: AssignmentInput) => Steps<Map<string, Partitions>>,
  topics: TopicView,
): Steps<Map<string, Partitions>> {
  const pace = new Pace();
  const partitionCounts = new Map<Uuid, number>();
  const idsOf = (names: ReadonlySet<string>): ReadonlySet<Uuid> => {
    const found = topics.assignable(names);
    for (const { topicId, partitionCount } of found) partitionCounts.set(topicId, partitionCount);
    return new Set(found.map(({ topicId }) => topicId));
  };
  let shared: ReadonlySet<Uuid> | null = null;
  const assignable: AssignableMember[] = [];
  const take = ({ id, instanceId, topics: names }: AssignedGroup['members'][number]): void => {
    const topicIds = isHomogeneous ? (shared ??= idsOf(names)) : idsOf(names);
    assignable.push({ id, instanceId, topicIds, target: targets.get(id) ?? noPartitions });
  };
  yield* pace.over(members, take, ({ topics: names }) => (isHomogeneous ? 0 : names.size));
  const assigned = yield* assign({ members: assignable, partitionCounts, isHomogeneous });
  const changed = new Map<string, Partitions>();
  const compare = ([memberId, partitions]: readonly [string, Partitions]): void => {
    const before = targets.get(memberId);
    if (before === undefined || !samePartitions(before, partitions)) changed.set(memberId, partitions);
  };
  yield* pace.over(assigned, compare, ([, partitions]) => partitions.size);
  return changed;
}
