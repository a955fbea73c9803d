/**
 * The consumer: `for await (const record of consumer)`. Any thread.
 *
 * It reads what a group assigns to it, or topics or partitions by themselves, ahead of the loop up to a bound, and hands out
 * record after record. What the loop sees is every record of a partition from where it began, in order and once, through cut
 * connections and brokers that start again. Asking for the next record says that the one before has been processed; in a
 * group, what was processed is committed every few seconds, before partitions go to other members, and at the end. So after a
 * crash of the application records may come again, and none is missed: at least once.
 */

import { ErrorCode } from '../base/error-code.ts';
import type { RecordHeader, RecordReader } from '../records/record-reader.ts';
import { bytes as plainBytes, type Serializer } from '../records/serializers.ts';
import { range } from './assignors.ts';
import type { Client } from './client.ts';
import type { Cluster } from './cluster.ts';
import type { ConsumedPartition } from './consumed-partition.ts';
import { ConsumerCommits } from './consumer-commits.ts';
import type { ConsumerOptions, ConsumerRecord } from './consumer-options.ts';
import { ConsumerPlaces } from './consumer-places.ts';
import { Fetcher } from './fetcher.ts';
import { GroupMember } from './group-member.ts';
import { KafkaError } from './kafka-error.ts';
import {
  type CommittedOffset,
  type Committer,
  type Isolation,
  nobody,
  type Place,
  placeName,
  type TopicPartition,
} from './offsets.ts';
import { RecordLoop } from './record-loop.ts';
import { delay } from './waiting.ts';

/** How much of one partition is fetched at once, and read ahead. */
const partitionBytes = 1024 * 1024;

export class Consumer<K = Uint8Array, V = Uint8Array> implements AsyncDisposable, AsyncIterable<ConsumerRecord<K, V>> {
  readonly #cluster: Cluster;
  readonly #options: ConsumerOptions<K, V>;
  readonly #key: Serializer<K>;
  readonly #value: Serializer<V>;
  readonly #isolation: Isolation;
  readonly #autoCommits: boolean;
  readonly #fetcher: Fetcher;
  readonly #member: GroupMember | null;
  /** Null without a group. */
  readonly #commits: ConsumerCommits | null;
  readonly #places: ConsumerPlaces;
  readonly #loop: RecordLoop;
  readonly #closing = new AbortController();
  #isStarted = false;
  #failure: Error | null = null;
  #closed: Promise<void> | null = null;
  #commitTimer: ReturnType<typeof setInterval> | null = null;

  /** Connects when its loop begins. Throws a `KafkaError` (INVALID_REQUEST) where options contradict each other. */
  constructor(client: Client, options: ConsumerOptions<K, V>) {
    if ((options.topics === undefined) === (options.partitions === undefined)) {
      throw new KafkaError(ErrorCode.INVALID_REQUEST, 'a consumer reads either topics or partitions: give one of them');
    }
    this.#cluster = client.cluster;
    this.#options = options;
    this.#key = options.key ?? (plainBytes as unknown as Serializer<K>);
    this.#value = options.value ?? (plainBytes as unknown as Serializer<V>);
    this.#isolation = options.isolation ?? 'read_committed';
    this.#autoCommits = options.group !== undefined && (options.autoCommit ?? true);
    const prefetchBytes = options.prefetchBytes ?? 8 * 1024 * 1024;
    this.#fetcher = new Fetcher(
      this.#cluster,
      {
        isolation: this.#isolation,
        maxWaitMs: options.maxWaitMs ?? 500,
        prefetchBytes,
        partitionBytes: Math.min(partitionBytes, prefetchBytes),
        maxInflatedBytes: options.maxInflatedBytes ?? 64 * 1024 * 1024,
      },
      {
        partitions: () => this.#places.all(),
        arrived: (partition) => this.#loop.has(partition),
        outOfRange: (partition) => void this.#places.outOfRange(partition),
        failed: (error) => this.#fail(error),
      },
    );
    this.#loop = this.#newLoop();
    this.#member = this.#newMember();
    this.#commits = this.#newCommits();
    this.#places = new ConsumerPlaces(this.#cluster, options, this.#isolation, {
      loop: this.#loop,
      commits: this.#commits,
      signal: this.#closing.signal,
      wake: () => this.#fetcher.wake(),
      failed: (error) => this.#fail(error),
    });
    if (options.signal?.aborted === true) void this.close();
    else options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The partitions that it reads now. */
  get assignment(): readonly TopicPartition[] {
    return this.#places.owned().map(({ topic, partition }) => ({ topic, partition }));
  }

  /** The member's id in its group; empty while it has none. */
  get memberId(): string {
    return this.#member?.memberId ?? '';
  }

  /**
   * The group and who this is in it, for committing with a transaction. Throws a `KafkaError` (INVALID_GROUP_ID) without a
   * group.
   */
  membership(): { readonly group: string; readonly committer: Committer } {
    const { group } = this.#options;
    if (group === undefined) throw new KafkaError(ErrorCode.INVALID_GROUP_ID, 'the consumer has no group');
    return { group, committer: this.#member?.committer ?? nobody };
  }

  /** Where the group would go on behind all that was handed out; partitions where it is already are left out. */
  handedOut(): CommittedOffset[] {
    return this.#places
      .owned()
      .filter(({ position, committed }) => position >= 0 && position !== committed)
      .map(({ topic, partition, position, leaderEpoch }) => ({ topic, partition, offset: position, leaderEpoch }));
  }

  /** What was read ahead, in bytes. */
  get bufferedBytes(): number {
    let bytes = 0;
    for (const partition of this.#places.all()) bytes += partition.bufferedBytes;
    return bytes;
  }

  /** The offset of the next record that the loop gets, or -1 while that is not known. */
  position(partition: TopicPartition): number {
    return this.#places.find(partition)?.position ?? -1;
  }

  /**
   * Reads. One loop at a time; leaving one, also by an error of its own, leaves the record that it had unprocessed, and the
   * next loop goes on behind it. The loop ends when the consumer is closed, and throws a `KafkaError` where it cannot go on.
   */
  [Symbol.asyncIterator](): AsyncIterator<ConsumerRecord<K, V>, undefined> {
    return this.#loop.loop((partition) => {
      const reader = partition.next();
      return reader === null ? null : this.#record(partition, reader);
    });
  }

  /**
   * Reads as the loop over the consumer itself, but several records at once: what is there of one partition, up to
   * `maxRecords` (default 500). All of them are processed when the next are asked for.
   */
  batches({ maxRecords = 500 }: { readonly maxRecords?: number } = {}): AsyncIterable<readonly ConsumerRecord<K, V>[]> {
    const take = (partition: ConsumedPartition): ConsumerRecord<K, V>[] | null => {
      const records: ConsumerRecord<K, V>[] = [];
      while (records.length < maxRecords) {
        const reader = partition.next();
        if (reader === null) break;
        const { offset } = reader;
        try {
          records.push(this.#record(partition, reader));
        } catch (error) {
          if (records.length === 0) throw error;
          // Those before it first; the next batch begins with it.
          partition.moveTo(offset);
          break;
        }
      }
      return records.length === 0 ? null : records;
    };
    return { [Symbol.asyncIterator]: () => this.#loop.loop(take) };
  }

  /** Hands nothing of `partitions` out until they are resumed; what was read ahead stays. */
  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#places.of(partition).isPaused = true;
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#places.of(partition).isPaused = false;
    this.#fetcher.wake();
    this.#loop.wake();
  }

  /**
   * Goes on elsewhere. Rejects with a `KafkaError`: UNKNOWN_TOPIC_OR_PARTITION where the consumer does not read the
   * partition.
   */
  seek(partition: TopicPartition, to: Place | { readonly offset: number }): Promise<void> {
    return this.#places.seek(partition, to);
  }

  /**
   * Commits `offsets` (each the next to read), by default all that was handed out. Waits for a rebalance that is going on.
   * Rejects with a `KafkaError`.
   */
  async commit(
    offsets: readonly CommittedOffset[] = this.handedOut(),
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    if (this.#commits === null)
      throw new KafkaError(ErrorCode.INVALID_GROUP_ID, 'a consumer without a group keeps no position');
    if (offsets.length > 0) await this.#commits.commit(offsets, signal);
  }

  /** Ends its loops, commits what was processed, and leaves the group. Doing so twice does nothing. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The loop may finish what it has in its hands. */
  readonly #onAbort = (): void => {
    if (this.#loop.isBusy) void this.#loop.released().then(() => this.close());
    else void this.close();
  };

  #newLoop(): RecordLoop {
    const failure = (): Error | null => this.#failure;
    const isEnding = (): boolean => this.#isEnding;
    return new RecordLoop({
      get failure() {
        return failure();
      },
      get isEnding() {
        return isEnding();
      },
      begins: () => this.#start(),
      roomier: () => this.#fetcher.roomier(),
      stuck: () => this.#fetcher.wake(),
    });
  }

  #newCommits(): ConsumerCommits | null {
    const { group } = this.#options;
    if (group === undefined) return null;
    const loop = this.#loop;
    return new ConsumerCommits(this.#cluster, group, this.#member, {
      get processing() {
        return loop.processing;
      },
      handedOut: () => this.handedOut(),
      partition: (place) => this.#places.of(place),
      failed: (error) => this.#fail(error),
    });
  }

  #newMember(): GroupMember | null {
    const { group, topics, assignors, groupInstanceId, sessionTimeoutMs, rebalanceTimeoutMs, heartbeatIntervalMs } =
      this.#options;
    if (group === undefined || topics === undefined) return null;
    return new GroupMember(
      this.#cluster,
      {
        group,
        topics,
        assignors: assignors ?? [range],
        groupInstanceId: groupInstanceId ?? null,
        sessionTimeoutMs: sessionTimeoutMs ?? 45_000,
        rebalanceTimeoutMs: rebalanceTimeoutMs ?? 300_000,
        heartbeatIntervalMs: heartbeatIntervalMs ?? 3000,
      },
      {
        revoke: (partitions) => this.#revoke(partitions),
        lose: (partitions) => this.#places.release(partitions),
        assign: (partitions) => this.#places.assign(partitions),
        failed: (error) => this.#fail(error),
      },
    );
  }

  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    if (this.#member !== null) this.#member.start();
    else this.#places.assignByHand().catch((error: unknown) => this.#fail(error as Error));
    if (!this.#autoCommits) return;
    this.#commitTimer = setInterval(() => {
      // What fails for good is heard of by the loop.
      this.#commits!.commitProcessed().catch(() => {});
    }, this.#options.autoCommitIntervalMs ?? 5000);
  }

  get #isEnding(): boolean {
    return this.#closed !== null || this.#options.signal?.aborted === true;
  }

  #record(partition: ConsumedPartition, reader: RecordReader): ConsumerRecord<K, V> {
    const { key, value, offset, timestampMs } = reader;
    try {
      return {
        topic: partition.topic,
        partition: partition.partition,
        offset,
        timestampMs,
        key: key === null ? null : this.#key.deserialize(key),
        value: value === null ? null : this.#value.deserialize(value),
        headers: reader.headerCount === 0 ? noHeaders : reader.headers(),
      };
    } catch (error) {
      throw new KafkaError(
        ErrorCode.INVALID_RECORD,
        `the record at offset ${offset} of ${placeName(partition)} cannot be read by the consumer's serializers`,
        error,
      );
    }
  }

  #fail(error: Error): void {
    if (this.#closed !== null) return;
    this.#failure ??= error;
    this.#loop.wake();
  }

  /** Gives partitions up: nothing more of them is handed out, and what the loop has is waited for and committed. */
  async #revoke(partitions: readonly TopicPartition[]): Promise<void> {
    const revoked = new Set(partitions.map((partition) => this.#places.of(partition)));
    const paused = [...revoked].filter(({ isPaused }) => !isPaused);
    for (const partition of paused) partition.isPaused = true;
    const isBusy = (): boolean => this.#loop.isBusy && revoked.has(this.#loop.processing!.partition);
    const { rebalanceTimeoutMs = 300_000 } = this.#options;
    const late = delay(rebalanceTimeoutMs, this.#closing.signal).then(
      () => true,
      () => true,
    );
    while (isBusy() && !(await Promise.race([this.#loop.released().then(() => false), late])));
    if (this.#autoCommits) await this.#commits!.commitProcessed();
    this.#places.release(partitions);
    for (const partition of paused) partition.isPaused = false;
  }

  async #close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    if (this.#commitTimer !== null) clearInterval(this.#commitTimer);
    this.#fetcher.stop();
    this.#loop.wake();
    try {
      if (this.#autoCommits && this.#isStarted) await this.#commits!.commitProcessed();
    } finally {
      this.#closing.abort(new KafkaError(ErrorCode.NETWORK_EXCEPTION, 'the consumer was closed'));
      await this.#member?.leave();
    }
  }
}

const noHeaders: readonly RecordHeader[] = [];
