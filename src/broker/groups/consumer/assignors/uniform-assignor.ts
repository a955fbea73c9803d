/**
 * The assignor `uniform`: members have as equally many partitions as can be, and keep what they have as far as that
 * allows. Any thread. Which of several equal results comes out is not told by Kafka either: there the order of a hash
 * table decides.
 */

import type { Uuid } from '../../../../base/uuid.ts';
import type { Partitions } from '../partitions.ts';
import type { AssignableMember, AssignmentInput } from './assignor.ts';
import { assignUnequal } from './unequal-subscriptions.ts';

type Taken = Map<Uuid, Set<number>>;

export function assignUniformly(input: AssignmentInput): Map<string, Partitions> {
  if (input.members.length === 0) return new Map();
  return input.isHomogeneous ? assignEqual(input) : assignUnequal(input);
}

/** All subscribe to the same topics: each gets the same number, and some get one more. */
function assignEqual({ members, partitionCounts }: AssignmentInput): Map<string, Partitions> {
  let total = 0;
  for (const partitionCount of partitionCounts.values()) total += partitionCount;
  const least = Math.floor(total / members.length);
  let oneMoreLeft = total % members.length;
  const assignment = new Map<string, Taken>();
  const sizes: number[] = [];
  const given = new Map<Uuid, Uint8Array>([...partitionCounts].map(([id, count]) => [id, new Uint8Array(count)]));
  for (const member of members) {
    const keepsOneMore = oneMoreLeft > 0 && countOf(member, partitionCounts) > least;
    if (keepsOneMore) oneMoreLeft--;
    const kept: Taken = new Map();
    sizes.push(keep(member, kept, given, least + (keepsOneMore ? 1 : 0)));
    assignment.set(member.id, kept);
  }
  const free = freePartitions(given);
  for (const [i, member] of members.entries()) {
    const own = assignment.get(member.id)!;
    for (; sizes[i]! < least; sizes[i]!++) takeNext(free, own);
  }
  for (const [i, member] of members.entries()) {
    if (oneMoreLeft === 0) break;
    if (sizes[i]! > least) continue;
    takeNext(free, assignment.get(member.id)!);
    oneMoreLeft--;
  }
  return assignment;
}

/** How many partitions the member has of those that exist. */
function countOf({ target }: AssignableMember, partitionCounts: ReadonlyMap<Uuid, number>): number {
  let count = 0;
  for (const [topicId, partitions] of target) if (partitionCounts.has(topicId)) count += partitions.size;
  return count;
}

/** Lets the member keep up to `most` of what it has; returns how many. */
function keep(member: AssignableMember, kept: Taken, given: ReadonlyMap<Uuid, Uint8Array>, most: number): number {
  let size = 0;
  for (const [topicId, partitions] of member.target) {
    const flags = given.get(topicId);
    if (flags === undefined || size === most) continue;
    const own = new Set<number>();
    for (const partition of partitions) {
      if (size === most) break;
      if (flags[partition] !== 0) continue;
      flags[partition] = 1;
      own.add(partition);
      size++;
    }
    if (own.size > 0) kept.set(topicId, own);
  }
  return size;
}

function* freePartitions(given: ReadonlyMap<Uuid, Uint8Array>): Generator<readonly [Uuid, number]> {
  for (const [topicId, flags] of given) {
    for (let partition = 0; partition < flags.length; partition++)
      if (flags[partition] === 0) yield [topicId, partition];
  }
}

function takeNext(free: Iterator<readonly [Uuid, number]>, own: Taken): void {
  const next = free.next();
  if (next.done === true) return;
  const [topicId, partition] = next.value;
  const partitions = own.get(topicId);
  if (partitions === undefined) own.set(topicId, new Set([partition]));
  else partitions.add(partition);
}
