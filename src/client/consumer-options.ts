/** What a consumer is told, and what it hands out. Any thread. */

import type { RecordHeader } from '../records/record-reader.ts';
import type { Serializer } from '../records/serializers.ts';
import type { Assignor } from './assignors.ts';
import type { Isolation, Place, TopicPartition } from './offsets.ts';

/** A record that was read. */
export interface ConsumerRecord<K, V> {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** In milliseconds since 1970; -1 where it has none. */
  readonly timestampMs: number;
  readonly key: K | null;
  /** Null is a tombstone. */
  readonly value: V | null;
  readonly headers: readonly RecordHeader[];
}

/** A partition, and where to begin in it. */
export interface AssignedPartition extends TopicPartition {
  /** Default: the group's position, else `from`. */
  readonly from?: Place | { readonly offset: number };
}

export interface ConsumerOptions<K, V> {
  /** Topics to read: with a group those partitions that it assigns, else all. */
  readonly topics?: readonly string[];
  /** Partitions to read, instead of topics. */
  readonly partitions?: readonly AssignedPartition[];
  /** The group whose position is kept, and, with topics, that shares them. Default: none. */
  readonly group?: string;
  /** Default: `bytes`. */
  readonly key?: Serializer<K>;
  /** Default: `bytes`. */
  readonly value?: Serializer<V>;
  /** Where to begin in a partition without a position. Default: `earliest`, so that nothing is missed. */
  readonly from?: Place;
  /** What to do where the log does not have a partition's position any more. Default: `fail`. */
  readonly outOfRange?: 'fail' | 'earliest' | 'latest';
  /** Whether records of open and aborted transactions are left out. Default: `read_committed`. */
  readonly isolation?: Isolation;
  /** Commit what was processed, in a group. Default: true. */
  readonly autoCommit?: boolean;
  /** How often, in milliseconds. Default: 5,000. */
  readonly autoCommitIntervalMs?: number;
  /** How the group shares partitions, the most wanted first. Default: `range`. */
  readonly assignors?: readonly Assignor[];
  /** The name of a static member (KIP-345), which may be gone for a session without a rebalance. Default: none. */
  readonly groupInstanceId?: string;
  /** So long the group waits for a member that is silent, in milliseconds. Default: 45,000. */
  readonly sessionTimeoutMs?: number;
  /** And so long in a rebalance for one that still processes a record. Default: 300,000. */
  readonly rebalanceTimeoutMs?: number;
  /** Default: 3,000. */
  readonly heartbeatIntervalMs?: number;
  /** So much is read ahead in all, in bytes. Default: 8 MiB. */
  readonly prefetchBytes?: number;
  /** So long a fetch waits at the broker for the first record, in milliseconds. Default: 500. */
  readonly maxWaitMs?: number;
  /** A batch may inflate to so much, in bytes. Default: 64 MiB. */
  readonly maxInflatedBytes?: number;
  /** How often topics that are read without a group are looked at for new partitions, in milliseconds. Default: 30,000. */
  readonly growthIntervalMs?: number;
  /** Ends the consumer as `close` does; its loops end without an error. */
  readonly signal?: AbortSignal;
}
