/**
 * The partitions that a transaction wrote to: a value that never changes, adding gives a new one. Any thread.
 * Topics are told apart by id, so that what a transaction wrote to a topic that was deleted is not looked for in a later
 * one of that name. The groups' offsets count as partitions of `__consumer_offsets`, as in Kafka, though here their log
 * is another: the number of such a partition stands for all groups whose names have that hash.
 */

import { zeroUuid, type Uuid } from '../../base/uuid.ts';

export interface PartitionName {
  readonly topicId: Uuid;
  readonly topic: string;
  readonly partition: number;
}

interface TopicPartitions {
  readonly topic: string;
  readonly partitions: ReadonlySet<number>;
}

/** The topic that stands for the groups' offsets. */
export const offsetsTopic = '__consumer_offsets';

/** The partition that stands for the offsets of `group`, among `count`. */
export function offsetsPartition(group: string, count: number): PartitionName {
  return { topicId: zeroUuid, topic: offsetsTopic, partition: offsetsPartitionOf(group, count) };
}

/** As Kafka spreads groups: by Java's hash of the name, without its sign. */
export function offsetsPartitionOf(group: string, count: number): number {
  let hash = 0;
  for (let i = 0; i < group.length; i++) hash = (Math.imul(hash, 31) + group.charCodeAt(i)) | 0;
  // The one number that has no absolute value counts as 0.
  return hash === -(2 ** 31) ? 0 : Math.abs(hash) % count;
}

export class TransactionPartitions {
  static readonly none = new TransactionPartitions(new Map(), 0);

  readonly #topics: ReadonlyMap<Uuid, TopicPartitions>;
  /** How many partitions there are. */
  readonly count: number;

  private constructor(topics: ReadonlyMap<Uuid, TopicPartitions>, count: number) {
    this.#topics = topics;
    this.count = count;
  }

  has({ topicId, partition }: PartitionName): boolean {
    return this.#topics.get(topicId)?.partitions.has(partition) ?? false;
  }

  /** These and `added`; the same object where all of them are in it. */
  with(added: readonly PartitionName[]): TransactionPartitions {
    const fresh = added.filter((name) => !this.has(name));
    if (fresh.length === 0) return this;
    const topics = new Map(this.#topics);
    const grown = new Map<Uuid, Set<number>>();
    for (const { topicId, topic, partition } of fresh) {
      let partitions = grown.get(topicId);
      if (partitions === undefined) {
        partitions = new Set(this.#topics.get(topicId)?.partitions);
        grown.set(topicId, partitions);
        topics.set(topicId, { topic, partitions });
      }
      partitions.add(partition);
    }
    let count = 0;
    for (const { partitions } of topics.values()) count += partitions.size;
    return new TransactionPartitions(topics, count);
  }

  /** The topics with their partitions, in the order in which they came. */
  *topics(): Generator<{ readonly topicId: Uuid; readonly topic: string; readonly partitions: ReadonlySet<number> }> {
    for (const [topicId, { topic, partitions }] of this.#topics) yield { topicId, topic, partitions };
  }
}
