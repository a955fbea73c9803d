/**
 * Who of a group reads which partitions, as its leader decides. Any thread; functions without state.
 *
 * `range` is what Kafka's clients offer first, and all of them know it; every rebalance takes all partitions from all members.
 * `cooperativeSticky` (KIP-429) leaves with each member what it has, as far as shares stay equal; what moves is taken from
 * its owner in one rebalance and given in the next, and everything else goes on meanwhile. All members of a group name the
 * same, or one among those that they name is chosen.
 */

import type { Subscription } from './consumer-protocol.ts';
import { placeName, type TopicPartition } from './offsets.ts';

export interface GroupSubscription extends Subscription {
  readonly memberId: string;
  /** Where the member is static; it then sorts by this. */
  readonly groupInstanceId: string | null;
}

export interface Assignor {
  /** The name in the group's protocol. */
  readonly name: string;
  /** Whether members keep what they have during a rebalance. */
  readonly isCooperative: boolean;
  /** The partitions of each member, by its id. `partitionCounts` has the topics that exist. */
  assign(
    members: readonly GroupSubscription[],
    partitionCounts: ReadonlyMap<string, number>,
  ): Map<string, TopicPartition[]>;
}

/** Topic by topic: consecutive partitions for each subscriber, those before others one more where it does not come out even. */
export const range: Assignor = {
  name: 'range',
  isCooperative: false,
  assign(members, partitionCounts) {
    const assignment = new Map<string, TopicPartition[]>(members.map(({ memberId }) => [memberId, []]));
    for (const topic of topicsOf(members)) {
      const count = partitionCounts.get(topic) ?? 0;
      const subscribers = members.filter(({ topics }) => topics.includes(topic)).toSorted(byStableId);
      const share = Math.floor(count / subscribers.length);
      const withOneMore = count % subscribers.length;
      let partition = 0;
      subscribers.forEach(({ memberId }, i) => {
        const end = partition + share + (i < withOneMore ? 1 : 0);
        for (; partition < end; partition++) assignment.get(memberId)!.push({ topic, partition });
      });
    }
    return assignment;
  },
};

export const cooperativeSticky: Assignor = {
  name: 'cooperative-sticky',
  isCooperative: true,
  assign(members, partitionCounts) {
    const ownerOf = validOwners(members, partitionCounts);
    const target = balanced(members, partitionCounts, ownerOf);
    // What has an owner goes to nobody else before its owner has said in another rebalance that it let go.
    return new Map(
      [...target].map(([memberId, partitions]) => [
        memberId,
        partitions.filter((partition) => (ownerOf.get(placeName(partition)) ?? memberId) === memberId),
      ]),
    );
  },
};

/** Who owns each partition, by name; what two claim belongs to the newer generation, or to neither. */
function validOwners(
  members: readonly GroupSubscription[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, string> {
  const claims = new Map<string, { readonly memberId: string | null; readonly generationId: number }>();
  for (const { memberId, owned, generationId, topics } of members) {
    for (const partition of owned) {
      if (!topics.includes(partition.topic) || partition.partition >= (partitionCounts.get(partition.topic) ?? 0)) {
        continue;
      }
      const name = placeName(partition);
      const other = claims.get(name);
      if (other === undefined || generationId > other.generationId) claims.set(name, { memberId, generationId });
      else if (generationId === other.generationId) claims.set(name, { memberId: null, generationId });
    }
  }
  const owners = new Map<string, string>();
  for (const [name, { memberId }] of claims) if (memberId !== null) owners.set(name, memberId);
  return owners;
}

/** Shares that differ by no more than they must, with as much as possible where it is. */
function balanced(
  members: readonly GroupSubscription[],
  partitionCounts: ReadonlyMap<string, number>,
  ownerOf: ReadonlyMap<string, string>,
): Map<string, TopicPartition[]> {
  const sorted = members.toSorted(byStableId);
  const shares = new Map<string, TopicPartition[]>(sorted.map(({ memberId }) => [memberId, []]));
  const subscribers = new Map<string, string[]>();
  const free: TopicPartition[] = [];
  for (const topic of topicsOf(members)) {
    subscribers.set(
      topic,
      sorted.filter(({ topics }) => topics.includes(topic)).map(({ memberId }) => memberId),
    );
    for (let partition = 0; partition < (partitionCounts.get(topic) ?? 0); partition++) {
      const owner = ownerOf.get(placeName({ topic, partition }));
      if (owner === undefined) free.push({ topic, partition });
      else shares.get(owner)!.push({ topic, partition });
    }
  }
  const sizeOf = (memberId: string): number => shares.get(memberId)!.length;
  const smallest = (topic: string): string =>
    subscribers.get(topic)!.reduce((least, memberId) => (sizeOf(memberId) < sizeOf(least) ? memberId : least));
  for (const partition of free) shares.get(smallest(partition.topic))!.push(partition);
  // Each move makes one share smaller and another, smaller by at least two, larger: it ends.
  for (let isMoving = true; isMoving;) {
    isMoving = false;
    for (const [memberId, share] of [...shares].toSorted(([, a], [, b]) => b.length - a.length)) {
      const at = share.findLastIndex(({ topic }) => sizeOf(memberId) - sizeOf(smallest(topic)) >= 2);
      if (at < 0) continue;
      const [partition] = share.splice(at, 1);
      shares.get(smallest(partition!.topic))!.push(partition!);
      isMoving = true;
      break;
    }
  }
  return shares;
}

function topicsOf(members: readonly GroupSubscription[]): string[] {
  return [...new Set(members.flatMap(({ topics }) => topics))].toSorted();
}

/** As Kafka's assignors sort: static members first, by their own id, then the others. */
function byStableId(one: GroupSubscription, other: GroupSubscription): number {
  if (one.groupInstanceId !== null && other.groupInstanceId !== null) {
    return one.groupInstanceId < other.groupInstanceId ? -1 : 1;
  }
  if (one.groupInstanceId !== null) return -1;
  if (other.groupInstanceId !== null) return 1;
  return one.memberId < other.memberId ? -1 : 1;
}
