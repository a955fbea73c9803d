/**
 * Partitions by the ids of their topics, as assignments have them: plain, and with the member epoch at which each was
 * given. Any thread; the values are never changed once they are in use.
 */

import type { Uuid } from '../../../base/uuid.ts';

/** The partitions of each topic; a topic without any is left out. */
export type Partitions = ReadonlyMap<Uuid, ReadonlySet<number>>;

/** The same, each partition with the epoch at which it was given to its member. */
export type EpochedPartitions = ReadonlyMap<Uuid, ReadonlyMap<number, number>>;

/** Partitions as requests and responses carry them. */
export interface TopicPartitionsField {
  readonly topicId: Uuid;
  readonly partitions: readonly number[];
}

export const noPartitions: Partitions = new Map();
export const noEpochedPartitions: EpochedPartitions = new Map();

/** All of `partitions` at `epoch`. */
export function withEpoch(partitions: Partitions, epoch: number): EpochedPartitions {
  const epoched = new Map<Uuid, Map<number, number>>();
  for (const [topicId, indexes] of partitions) epoched.set(topicId, new Map([...indexes].map((i) => [i, epoch])));
  return epoched;
}

export function hasPartition(partitions: EpochedPartitions, topicId: Uuid, partition: number): boolean {
  return partitions.get(topicId)?.has(partition) === true;
}

/** Whether both have the same partitions at the same epochs. */
export function sameEpochedPartitions(a: EpochedPartitions, b: EpochedPartitions): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [topicId, mine] of a) {
    const other = b.get(topicId);
    if (other === undefined || other.size !== mine.size) return false;
    for (const [partition, epoch] of mine) if (other.get(partition) !== epoch) return false;
  }
  return true;
}

export function samePartitions(a: Partitions, b: Partitions): boolean {
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
