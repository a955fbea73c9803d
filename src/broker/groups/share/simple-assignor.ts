/**
 * The assignor `simple` of share groups: every partition to equally many members, every member equally many partitions,
 * and as little moved as that allows. Any thread. The counts are those of Kafka's.
 *
 *   2 partitions, 3 members     each partition to 2 members: 0 1 │ 0 │ 1
 *
 * Where all members subscribe to the same topics their partitions are spread together, else those of each topic among its
 * subscribers. It goes in steps, between which others may have their turn: what it was given must not change meanwhile.
 */

import type { Uuid } from '../../../base/uuid.ts';
import type { AssignableMember, AssignmentInput } from '../consumer/assignors/assignor.ts';
import type { Partitions } from '../consumer/partitions.ts';
import { Pace, type Steps } from '../steps.ts';

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

/** Gives every member its partitions; the result has every member. */
export function* simpleSteps(input: AssignmentInput): Steps<Map<string, Partitions>> {
  const { members, isHomogeneous } = input;
  const pace = new Pace();
  const assignment = new Map<string, Map<Uuid, Set<number>>>(members.map(({ id }) => [id, new Map()]));
  if (isHomogeneous) {
    yield* spread(pace, members, [...(members[0]?.topicIds ?? [])], input, assignment);
    return assignment;
  }
  const subscribers = new Map<Uuid, AssignableMember[]>();
  const enter = (member: AssignableMember): void => {
    for (const topicId of member.topicIds) {
      const known = subscribers.get(topicId);
      if (known === undefined) subscribers.set(topicId, [member]);
      else known.push(member);
    }
  };
  yield* pace.over(members, enter, ({ topicIds }) => topicIds.size);
  for (const [topicId, ofTopic] of subscribers) yield* spread(pace, ofTopic, [topicId], input, assignment);
  return assignment;
}

/** Spreads the partitions of `topicIds`, to all of which `members` subscribe. */
function* spread(
  pace: Pace,
  members: readonly AssignableMember[],
  topicIds: readonly Uuid[],
  { partitionCounts }: AssignmentInput,
  into: ReadonlyMap<string, Map<Uuid, Set<number>>>,
): Steps<void> {
  const placesOf = new Map<Uuid, Place[]>();
  const make = (topicId: Uuid): void => void placesOf.set(topicId, placesIn(topicId, partitionCounts));
  yield* pace.over(topicIds, make, (topicId) => partitionCounts.get(topicId) ?? 0);
  const places = [...placesOf.values()].flat();
  if (places.length === 0 || members.length === 0) return;
  const sharing = Math.ceil(members.length / places.length);
  const holders = members.map((_, index) => ({
    wantedCount: wanted(index, members.length, places.length),
    places: new Set<Place>(),
  }));
  const keep = ([index, { target }]: readonly [number, AssignableMember]): void => {
    if (target.size > 0) keepTarget(index, target, placesOf, holders[index]!);
  };
  yield* pace.over(members.entries(), keep, () => placesOf.size);
  yield* pace.over(
    places,
    (place) => dropBeyond(place, sharing, holders),
    ({ holders: has }) => has.size,
  );
  const dropExcess = ([index, holder]: readonly [number, Holder]): void => {
    for (const place of holder.places) {
      if (holder.places.size <= holder.wantedCount) break;
      drop(place, index, holders);
    }
  };
  yield* pace.over(holders.entries(), dropExcess, ([, { places: has }]) => has.size);
  const filling = new Filling(sharing, holders);
  yield* pace.over(
    places,
    (place) => filling.fill(place),
    () => sharing,
  );
  const putAll = ([index, { places: has }]: readonly [number, Holder]): void => put(has, into.get(members[index]!.id)!);
  yield* pace.over(holders.entries(), putAll, ([, { places: has }]) => has.size);
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

/** What the member has already. */
function keepTarget(
  index: number,
  target: Partitions,
  placesOf: ReadonlyMap<Uuid, readonly Place[]>,
  holder: Holder,
): void {
  for (const [topicId, places] of placesOf) {
    // In ascending order, whatever the order of the target: what is dropped first hangs on it.
    for (const partition of [...(target.get(topicId) ?? [])].toSorted((a, b) => a - b)) {
      const place = places[partition];
      if (place === undefined) continue;
      place.holders.add(index);
      holder.places.add(place);
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

/** Gives partitions to members that want more, in turn. */
class Filling {
  readonly #sharing: number;
  readonly #holders: readonly Holder[];
  readonly #hungry: number[];
  #turn = 0;

  constructor(sharing: number, holders: readonly Holder[]) {
    this.#sharing = sharing;
    this.#holders = holders;
    this.#hungry = holders.flatMap(({ places, wantedCount }, index) => (places.size < wantedCount ? [index] : []));
  }

  /** Until enough have it. A member cannot have one twice: where only such are left, it stays with fewer. */
  fill(place: Place): void {
    const hungry = this.#hungry;
    let passed = 0;
    while (place.holders.size < this.#sharing && passed < hungry.length) {
      this.#turn %= hungry.length;
      const index = hungry[this.#turn]!;
      if (place.holders.has(index)) {
        passed++;
        this.#turn++;
        continue;
      }
      passed = 0;
      const { places, wantedCount } = this.#holders[index]!;
      place.holders.add(index);
      places.add(place);
      if (places.size < wantedCount) this.#turn++;
      else hungry.splice(this.#turn, 1);
    }
  }
}

function put(places: Iterable<Place>, into: Map<Uuid, Set<number>>): void {
  for (const { topicId, partition } of places) {
    const partitions = into.get(topicId);
    if (partitions === undefined) into.set(topicId, new Set([partition]));
    else partitions.add(partition);
  }
}
