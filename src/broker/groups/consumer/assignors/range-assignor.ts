/**
 * The assignor `range`: the partitions of each topic in runs, in the order of the members, so that members with the same
 * subscription have the same partitions of topics with equally many. Any thread. The result is that of Kafka's.
 *
 *   7 partitions, 3 members     0 1 2 │ 3 4 │ 5 6
 */

import type { Uuid } from '../../../../base/uuid.ts';
import type { AssignableMember, AssignmentInput } from './assignor.ts';
import type { Partitions } from '../partitions.ts';

/** How far the partitions of a topic have been given away. */
interface TopicRange {
  readonly least: number;
  membersWithOneMore: number;
  next: number;
}

export function assignRanges({ members, partitionCounts }: AssignmentInput): Map<string, Partitions> {
  const subscribers = new Map<Uuid, number>();
  for (const { topicIds } of members) {
    for (const topicId of topicIds) subscribers.set(topicId, (subscribers.get(topicId) ?? 0) + 1);
  }
  const ranges = new Map<Uuid, TopicRange>();
  for (const [topicId, count] of subscribers) {
    const partitionCount = partitionCounts.get(topicId) ?? 0;
    ranges.set(topicId, {
      least: Math.floor(partitionCount / count),
      membersWithOneMore: partitionCount % count,
      next: 0,
    });
  }
  const assignment = new Map<string, Partitions>();
  for (const member of members.toSorted(byInstanceThenId)) assignment.set(member.id, takeRanges(member, ranges));
  return assignment;
}

function takeRanges({ topicIds }: AssignableMember, ranges: ReadonlyMap<Uuid, TopicRange>): Partitions {
  const own = new Map<Uuid, Set<number>>();
  for (const topicId of topicIds) {
    const range = ranges.get(topicId)!;
    const length = range.least + (range.membersWithOneMore > 0 ? 1 : 0);
    if (range.membersWithOneMore > 0) range.membersWithOneMore--;
    if (length === 0) continue;
    own.set(topicId, new Set(Array.from({ length }, (_, i) => range.next + i)));
    range.next += length;
  }
  return own;
}

/** Static members first, as their order stays when they come back under another id. */
function byInstanceThenId(a: AssignableMember, b: AssignableMember): number {
  if (a.instanceId !== null && b.instanceId !== null) return compare(a.instanceId, b.instanceId);
  if (a.instanceId !== null) return -1;
  return b.instanceId === null ? compare(a.id, b.id) : 1;
}

/** By UTF-16 units, as Java compares. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
