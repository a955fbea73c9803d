/**
 * The assignor `simple` of share groups: every partition to equally many members, every member equally many partitions,
 * and as little moved as that allows. Any thread. The counts are those of Kafka's.
 *
 *   2 partitions, 3 members     each partition to 2 members: 0 1 │ 0 │ 1
 *
 * Where all members subscribe to the same topics their partitions are spread together, else those of each topic among its
 * subscribers.
 */

import type { Uuid } from '../../../base/uuid.ts';
import type { AssignableMember, AssignmentInput } from '../consumer/assignors/assignor.ts';
import type { Partitions } from '../consumer/partitions.ts';

interface Place {
  readonly topicId: Uuid;
  readonly partition: number;
  /** The members that have it, as indexes. */
  readonly holders: Set<number>;
}

/** A member while partitions are spread. */
interface Holder {
  /** How many partitions it is to have. */
  readonly wantedCount: number;
  readonly places: Set<Place>;
}

export function assignSimply({ members, partitionCounts, isHomogeneous }: AssignmentInput): Map<string, Partitions> {
  const assignment = new Map<string, Map<Uuid, Set<number>>>(members.map(({ id }) => [id, new Map()]));
  if (isHomogeneous) {
    spread(members, [...(members[0]?.topicIds ?? [])], partitionCounts, assignment);
    return assignment;
  }
  const subscribers = new Map<Uuid, AssignableMember[]>();
  for (const member of members) {
    for (const topicId of member.topicIds) {
      const known = subscribers.get(topicId);
      if (known === undefined) subscribers.set(topicId, [member]);
      else known.push(member);
    }
  }
  for (const [topicId, ofTopic] of subscribers) spread(ofTopic, [topicId], partitionCounts, assignment);
  return assignment;
}

/** Spreads the partitions of `topicIds`, to all of which `members` subscribe. */
function spread(
  members: readonly AssignableMember[],
  topicIds: readonly Uuid[],
  partitionCounts: ReadonlyMap<Uuid, number>,
  into: ReadonlyMap<string, Map<Uuid, Set<number>>>,
): void {
  const placesOf = new Map(topicIds.map((topicId) => [topicId, placesIn(topicId, partitionCounts)]));
  const places = [...placesOf.values()].flat();
  if (places.length === 0 || members.length === 0) return;
  const sharing = Math.ceil(members.length / places.length);
  const holders = members.map((_, index) => ({
    wantedCount: wanted(index, members.length, places.length),
    places: new Set<Place>(),
  }));
  keep(members, placesOf, holders);
  for (const place of places) dropBeyond(place, sharing, holders);
  for (const [index, holder] of holders.entries()) {
    for (const place of holder.places) {
      if (holder.places.size <= holder.wantedCount) break;
      drop(place, index, holders);
    }
  }
  fill(places, sharing, holders);
  for (const [index, { places: has }] of holders.entries()) put(has, into.get(members[index]!.id)!);
}

function placesIn(topicId: Uuid, partitionCounts: ReadonlyMap<Uuid, number>): Place[] {
  const length = partitionCounts.get(topicId) ?? 0;
  return Array.from({ length }, (_, partition) => ({ topicId, partition, holders: new Set() }));
}

/** How many partitions the member with that index is to have, where each goes to equally many. */
function wanted(index: number, memberCount: number, placeCount: number): number {
  const each = (Math.ceil(memberCount / placeCount) * placeCount) / memberCount;
  return Math.ceil(each * (index + 1)) - Math.ceil(each * index);
}

/** What each member has already. */
function keep(
  members: readonly AssignableMember[],
  placesOf: ReadonlyMap<Uuid, readonly Place[]>,
  holders: readonly Holder[],
): void {
  for (const [index, { target }] of members.entries()) {
    if (target.size === 0) continue;
    for (const [topicId, places] of placesOf) {
      // In ascending order, whatever the order of the target: what is dropped first hangs on it.
      for (const partition of [...(target.get(topicId) ?? [])].toSorted((a, b) => a - b)) {
        const place = places[partition];
        if (place === undefined) continue;
        place.holders.add(index);
        holders[index]!.places.add(place);
      }
    }
  }
}

/** Takes the partition away from those that are too many, first from members that have too much themselves. */
function dropBeyond(place: Place, sharing: number, holders: readonly Holder[]): void {
  for (const onlyOverfull of [true, false]) {
    for (const index of place.holders) {
      if (place.holders.size <= sharing) return;
      const { places, wantedCount } = holders[index]!;
      if (!onlyOverfull || places.size > wantedCount) drop(place, index, holders);
    }
  }
}

function drop(place: Place, index: number, holders: readonly Holder[]): void {
  place.holders.delete(index);
  holders[index]!.places.delete(place);
}

/**
 * Gives each partition to members that want more, in turn, until enough have it. A member cannot have one twice: where
 * only such are left, the partition stays with fewer.
 */
function fill(places: readonly Place[], sharing: number, holders: readonly Holder[]): void {
  const hungry = holders.flatMap(({ places: has, wantedCount }, index) => (has.size < wantedCount ? [index] : []));
  let turn = 0;
  for (const place of places) {
    let passed = 0;
    while (place.holders.size < sharing && passed < hungry.length) {
      turn %= hungry.length;
      const index = hungry[turn]!;
      if (place.holders.has(index)) {
        passed++;
        turn++;
        continue;
      }
      passed = 0;
      const { places: has, wantedCount } = holders[index]!;
      place.holders.add(index);
      has.add(place);
      if (has.size < wantedCount) turn++;
      else hungry.splice(turn, 1);
    }
    if (hungry.length === 0) return;
  }
}

function put(places: Iterable<Place>, into: Map<Uuid, Set<number>>): void {
  for (const { topicId, partition } of places) {
    const partitions = into.get(topicId);
    if (partitions === undefined) into.set(topicId, new Set([partition]));
    else partitions.add(partition);
  }
}
