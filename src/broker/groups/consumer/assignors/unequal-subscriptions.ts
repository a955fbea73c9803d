/**
 * The assignor `uniform` where members subscribe to different topics: each partition first stays where it is, what is free
 * goes to the least loaded of its topic's subscribers, and then partitions move from the most to the least loaded as long
 * as that makes them more equal. Any thread.
 */

import type { Uuid } from '../../../../base/uuid.ts';
import type { Partitions } from '../partitions.ts';
import type { AssignmentInput } from './assignor.ts';
import { LoadLevels } from './load-levels.ts';

interface TopicOwners {
  readonly topicId: Uuid;
  /** Indexes of the members that subscribe to it. */
  readonly subscribers: readonly number[];
  /** The index of the member that has each partition; -1 for none. */
  readonly owners: Int32Array;
}

/** After so many rounds through all topics it is equal enough. */
const maxRounds = 16;

export function assignUnequal(input: AssignmentInput): Map<string, Partitions> {
  const loads = new Int32Array(input.members.length);
  const topics = topicsOf(input);
  for (const topic of topics.values()) keepOwners(topic, input, loads);
  const sorted = [...topics.values()].toSorted(byPartitionsPerSubscriber);
  for (const topic of sorted) assignFree(topic, loads);
  const shared = sorted.filter(({ subscribers }) => subscribers.length > 1);
  for (let round = 0; round < maxRounds; round++) {
    let moved = 0;
    for (const topic of shared) moved += balance(topic, loads);
    if (moved === 0) break;
  }
  return collect(input, sorted);
}

function topicsOf({ members, partitionCounts }: AssignmentInput): Map<Uuid, TopicOwners> {
  const subscribers = new Map<Uuid, number[]>();
  for (const [i, { topicIds }] of members.entries()) {
    for (const topicId of topicIds) {
      const indexes = subscribers.get(topicId);
      if (indexes === undefined) subscribers.set(topicId, [i]);
      else indexes.push(i);
    }
  }
  const topics = new Map<Uuid, TopicOwners>();
  for (const [topicId, indexes] of subscribers) {
    const owners = new Int32Array(partitionCounts.get(topicId) ?? 0).fill(-1);
    topics.set(topicId, { topicId, subscribers: indexes, owners });
  }
  return topics;
}

function keepOwners(
  { topicId, subscribers, owners }: TopicOwners,
  { members }: AssignmentInput,
  loads: Int32Array,
): void {
  for (const i of subscribers) {
    for (const partition of members[i]!.target.get(topicId) ?? []) {
      if (owners[partition] !== -1) continue;
      owners[partition] = i;
      loads[i]!++;
    }
  }
}

/** The topics that fill their subscribers the most come first, as those with fewer can then even out. */
function byPartitionsPerSubscriber(a: TopicOwners, b: TopicOwners): number {
  const difference = b.owners.length / b.subscribers.length - a.owners.length / a.subscribers.length;
  if (difference !== 0) return difference;
  if (a.subscribers.length !== b.subscribers.length) return a.subscribers.length - b.subscribers.length;
  return a.topicId < b.topicId ? -1 : 1;
}

function assignFree({ subscribers, owners }: TopicOwners, loads: Int32Array): void {
  if (!owners.includes(-1)) return;
  const levels = new LoadLevels(subscribers, loads);
  for (let partition = 0; partition < owners.length; partition++) {
    if (owners[partition] === -1) owners[partition] = levels.fillLeast();
  }
}

/** Returns how many partitions moved. */
function balance({ subscribers, owners }: TopicOwners, loads: Int32Array): number {
  const levels = new LoadLevels(subscribers, loads);
  if (levels.spread <= 1) return 0;
  const owned = new Map<number, number[]>();
  for (const [partition, owner] of owners.entries()) {
    const own = owned.get(owner);
    if (own === undefined) owned.set(owner, [partition]);
    else own.push(partition);
  }
  let moved = 0;
  while (levels.spread > 1) {
    const partition = owned.get(levels.most)?.pop();
    if (partition === undefined) {
      levels.dropMost();
      continue;
    }
    levels.drainMost();
    owners[partition] = levels.fillLeast();
    moved++;
  }
  return moved;
}

function collect({ members }: AssignmentInput, topics: readonly TopicOwners[]): Map<string, Partitions> {
  const taken = members.map(() => new Map<Uuid, Set<number>>());
  for (const { topicId, owners } of topics) {
    for (const [partition, owner] of owners.entries()) {
      const own = taken[owner]!;
      const partitions = own.get(topicId);
      if (partitions === undefined) own.set(topicId, new Set([partition]));
      else partitions.add(partition);
    }
  }
  return new Map(members.map(({ id }, i) => [id, taken[i]!]));
}
