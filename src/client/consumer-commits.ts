/**
 * The position of a consumer's group: what is committed, when, and what was. Any thread. As a member of the group, or by
 * itself where partitions were named. It does not read records.
 */

import { type Cluster, mainLane } from './cluster.ts';
import type { ConsumedPartition } from './consumed-partition.ts';
import { type GroupMember, isMembershipError } from './group-member.ts';
import { mayPass } from './kafka-error.ts';
import {
  type CommittedOffset,
  commitOffsets,
  fetchCommitted,
  type Isolation,
  nobody,
  type TopicPartition,
} from './offsets.ts';

/** Whose position it is. */
export interface CommitsOwner {
  /** What the loop has in its hands, and where that begins. */
  readonly processing: { readonly partition: ConsumedPartition; readonly offset: number } | null;
  /** Where the group would go on behind all that was handed out. */
  handedOut(): CommittedOffset[];
  partition(place: TopicPartition): ConsumedPartition;
  /** What was processed cannot be committed, for good. */
  failed(error: Error): void;
}

export class ConsumerCommits {
  readonly group: string;
  readonly #cluster: Cluster;
  readonly #member: GroupMember | null;
  readonly #owner: CommitsOwner;
  #committing: Promise<void> = Promise.resolve();

  constructor(cluster: Cluster, group: string, member: GroupMember | null, owner: CommitsOwner) {
    this.#cluster = cluster;
    this.group = group;
    this.#member = member;
    this.#owner = owner;
  }

  /** Commits `offsets`. Waits for a rebalance that is going on. Rejects with a `KafkaError`. */
  async commit(offsets: readonly CommittedOffset[], signal: AbortSignal | undefined): Promise<void> {
    for (const offset of offsets) this.#owner.partition(offset).uncertain.add(offset.offset);
    if (this.#member !== null) await this.#member.commit(offsets, signal);
    else await this.#commitAlone(offsets, signal);
    this.#note(offsets);
  }

  /** What the group has committed for `partitions`, by `placeName`. */
  committed(
    partitions: readonly TopicPartition[],
    isolation: Isolation,
    signal: AbortSignal,
  ): Promise<Map<string, CommittedOffset>> {
    if (this.#member !== null) return this.#member.committed(partitions, isolation);
    return this.#committedAlone(partitions, isolation, signal);
  }

  /** What was processed and is not committed yet: all that was handed out but what the loop has in its hands. */
  #processedOffsets(): CommittedOffset[] {
    const { processing } = this.#owner;
    return this.#owner
      .handedOut()
      .map((handed) => {
        const isCurrent =
          processing !== null &&
          processing.partition.topic === handed.topic &&
          processing.partition.partition === handed.partition;
        return isCurrent ? { ...handed, offset: processing.offset } : handed;
      })
      .filter((handed) => handed.offset !== this.#owner.partition(handed).committed);
  }

  #note(offsets: readonly CommittedOffset[]): void {
    for (const { topic, partition, offset } of offsets) {
      const consumed = this.#owner.partition({ topic, partition });
      consumed.committed = offset;
      consumed.uncertain.clear();
    }
  }

  /** Commits what was processed; what fails and may pass is tried again the next time. */
  commitProcessed(): Promise<void> {
    const committing = this.#committing.then(async () => {
      const offsets = this.#processedOffsets();
      if (offsets.length === 0) return;
      try {
        await this.#commitOnce(offsets);
        this.#note(offsets);
      } catch (error) {
        if (!mayPass(error) && !isMembershipError(error)) throw error;
        this.#cluster.settings.onRetry(error as Error);
      }
    });
    this.#committing = committing.catch((error: unknown) => this.#owner.failed(error as Error));
    return committing;
  }

  #commitOnce(offsets: readonly CommittedOffset[]): Promise<void> {
    for (const offset of offsets) this.#owner.partition(offset).uncertain.add(offset.offset);
    if (this.#member !== null) return this.#member.commitNow(offsets);
    return this.#commitAlone(offsets);
  }

  async #commitAlone(offsets: readonly CommittedOffset[], signal?: AbortSignal): Promise<void> {
    await this.#cluster.retrying(
      async () => {
        const coordinatorId = await this.#cluster.coordinatorId(this.group, signal);
        const connection = await this.#cluster.connection(coordinatorId, mainLane, signal);
        await commitOffsets(connection, this.group, offsets, nobody, signal);
      },
      { signal },
    );
  }

  #committedAlone(
    partitions: readonly TopicPartition[],
    isolation: Isolation,
    signal: AbortSignal,
  ): Promise<Map<string, CommittedOffset>> {
    return this.#cluster.retrying(
      async () => {
        const coordinatorId = await this.#cluster.coordinatorId(this.group, signal);
        const connection = await this.#cluster.connection(coordinatorId, mainLane, signal);
        return fetchCommitted(connection, this.group, partitions, isolation, signal);
      },
      { signal, timeoutMs: Infinity },
    );
  }
}
