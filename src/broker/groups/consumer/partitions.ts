/**
 * Partitions by the ids of their topics, as assignments have them: plain, and with the member epoch at which each was
 * given. Any thread; the values are never changed once they are in use.
 */

import type { Uuid } from '../../../base/uuid.ts';

/** The partitions of each topic, or of each subtopology of a streams group; what has none is left out. */
export type Partitions<Key extends string = Uuid> = ReadonlyMap<Key, ReadonlySet<number>>;

/** The same, each partition with the epoch at which it was given to its member. */
export type EpochedPartitions<Key extends string = Uuid> = ReadonlyMap<Key, ReadonlyMap<number, number>>;

/** Partitions as requests and responses carry them. */
export interface TopicPartitionsField {
  readonly topicId: Uuid;
  readonly partitions: readonly number[];
}

export const noPartitions: Partitions = new Map();
export const noEpochedPartitions: EpochedPartitions = new Map();

/** All of `partitions` at `epoch`. */
export function withEpoch<Key extends string>(
  partitions: ReadonlyMap<Key, { keys(): Iterable<number> }>,
  epoch: number,
): EpochedPartitions<Key> {
  const epoched = new Map<Key, Map<number, number>>();
  for (const [key, indexes] of partitions) epoched.set(key, new Map([...indexes.keys()].map((i) => [i, epoch])));
  return epoched;
}

export function hasPartition<Key extends string>(
  partitions: ReadonlyMap<Key, { has(partition: number): boolean }>,
  key: Key,
  partition: number,
): boolean {
  return partitions.get(key)?.has(partition) === true;
}

/** Whether both have the same partitions at the same epochs. */
export function sameEpochedPartitions<Key extends string>(
  a: EpochedPartitions<Key>,
  b: EpochedPartitions<Key>,
): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [topicId, mine] of a) {
    const other = b.get(topicId);
    if (other === undefined || other.size !== mine.size) return false;
    for (const [partition, epoch] of mine) if (other.get(partition) !== epoch) return false;
  }
  return true;
}

export function samePartitions<Key extends string>(a: Partitions<Key>, b: Partitions<Key>): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [topicId, mine] of a) {
    const other = b.get(topicId);
    if (other === undefined || other.size !== mine.size) return false;
    for (const partition of mine) if (!other.has(partition)) return false;
  }
  return true;
}

/** Whether `fields` names no partition that `partitions` lacks. */
export function containsAll(partitions: EpochedPartitions, fields: readonly TopicPartitionsField[]): boolean {
  return fields.every((field) => {
    const known = partitions.get(field.topicId);
    return known !== undefined && field.partitions.every((partition) => known.has(partition));
  });
}

/** Whether `fields` names a partition that is among `partitions`. */
export function containsAny(partitions: EpochedPartitions, fields: readonly TopicPartitionsField[]): boolean {
  return fields.some((field) => {
    const known = partitions.get(field.topicId);
    return known !== undefined && field.partitions.some((partition) => known.has(partition));
  });
}

/** As a response carries them, in ascending order within a topic. */
export function partitionFields(partitions: EpochedPartitions): { topicId: Uuid; partitions: number[] }[] {
  return [...partitions].map(([topicId, epochs]) => ({
    topicId,
    partitions: [...epochs.keys()].toSorted((a, b) => a - b),
  }));
}
