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
import { ConsumedPartition } from './consumed-partition.ts';
import { ConsumerCommits } from './consumer-commits.ts';
import type { AssignedPartition, ConsumerOptions, ConsumerRecord } from './consumer-options.ts';
import { Fetcher } from './fetcher.ts';
import { GroupMember } from './group-member.ts';
import { KafkaError } from './kafka-error.ts';
import {
  type CommittedOffset,
  type Committer,
  type Isolation,
  listOffsets,
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
  readonly #partitions = new Map<string, ConsumedPartition>();
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
        partitions: () => this.#partitions.values(),
        arrived: (partition) => this.#loop.has(partition),
        outOfRange: (partition) => void this.#outOfRange(partition),
        failed: (error) => this.#fail(error),
      },
    );
    this.#loop = this.#newLoop();
    this.#member = this.#newMember();
    this.#commits = this.#newCommits();
    if (options.signal?.aborted === true) void this.close();
    else options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The partitions that it reads now. */
  get assignment(): readonly TopicPartition[] {
    return this.#owned().map(({ topic, partition }) => ({ topic, partition }));
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
    return this.#owned()
      .filter(({ position, committed }) => position >= 0 && position !== committed)
      .map(({ topic, partition, position, leaderEpoch }) => ({ topic, partition, offset: position, leaderEpoch }));
  }

  /** What was read ahead, in bytes. */
  get bufferedBytes(): number {
    let bytes = 0;
    for (const partition of this.#partitions.values()) bytes += partition.bufferedBytes;
    return bytes;
  }

  /** The offset of the next record that the loop gets, or -1 while that is not known. */
  position({ topic, partition }: TopicPartition): number {
    return this.#partitions.get(placeName({ topic, partition }))?.position ?? -1;
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
    for (const partition of partitions) this.#partition(partition).isPaused = true;
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#partition(partition).isPaused = false;
    this.#fetcher.wake();
    this.#loop.wake();
  }

  /**
   * Goes on elsewhere. Rejects with a `KafkaError`: UNKNOWN_TOPIC_OR_PARTITION where the consumer does not read the
   * partition.
   */
  async seek(partition: TopicPartition, to: Place | { readonly offset: number }): Promise<void> {
    const sought = this.#partitions.get(placeName(partition));
    if (sought?.isOwned !== true) {
      throw new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `${placeName(partition)} is not read here`);
    }
    // At once, so that nothing of where it was is handed out meanwhile.
    this.#move(sought, -1);
    const { version } = sought;
    const offset = await this.#offsetOf(sought, to);
    if (sought.version === version) sought.moveTo(offset);
    this.#fetcher.wake();
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
      partition: (place) => this.#partition(place),
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
        lose: (partitions) => this.#release(partitions),
        assign: (partitions) => this.#assign(partitions),
        failed: (error) => this.#fail(error),
      },
    );
  }

  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    if (this.#member !== null) this.#member.start();
    else this.#assignByHand().catch((error: unknown) => this.#fail(error as Error));
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

  #owned(): ConsumedPartition[] {
    return [...this.#partitions.values()].filter(({ isOwned }) => isOwned);
  }

  #partition({ topic, partition }: TopicPartition): ConsumedPartition {
    const name = placeName({ topic, partition });
    let consumed = this.#partitions.get(name);
    if (consumed === undefined) {
      consumed = new ConsumedPartition(topic, partition);
      this.#partitions.set(name, consumed);
    }
    return consumed;
  }

  /** Goes on elsewhere; what the loop has in its hands says nothing of where it is any more. */
  #move(partition: ConsumedPartition, offset: number): void {
    partition.moveTo(offset);
    this.#loop.moved(partition);
  }

  async #offsetOf(partition: TopicPartition, place: Place | { readonly offset: number }): Promise<number> {
    if (typeof place === 'object' && 'offset' in place) return place.offset;
    const { signal } = this.#closing;
    const options = { signal, timeoutMs: Infinity };
    return (await listOffsets(this.#cluster, [partition], place, this.#isolation, options))[0]!;
  }

  async #outOfRange(partition: ConsumedPartition): Promise<void> {
    const policy = this.#options.outOfRange ?? 'fail';
    const { version, position } = partition;
    const lost = new KafkaError(
      ErrorCode.OFFSET_OUT_OF_RANGE,
      `${placeName(partition)} does not have offset ${position}: it was deleted, or the log was cut off; see outOfRange`,
    );
    // What was read ahead is still there to be handed out, unless all of it was.
    if (policy === 'fail') return this.#fail(lost);
    this.#cluster.settings.onRetry(lost);
    try {
      const offset = await this.#offsetOf(partition, policy);
      if (partition.version === version) partition.moveTo(offset);
      this.#fetcher.wake();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Begins to read: where the group, or `from`, says, or where this consumer was, if nobody else has committed since. */
  async #assign(partitions: readonly AssignedPartition[]): Promise<void> {
    if (partitions.length === 0) return;
    // A commit that is under way may be heard of before the answer that does not know of it yet.
    const before = partitions.map((assigned) => {
      const { committed: last, uncertain } = this.#partition(assigned);
      return { last, ours: new Set([last, ...uncertain]) };
    });
    const committed = await this.#commits?.committed(partitions, this.#isolation, this.#closing.signal);
    const undecided: ConsumedPartition[] = [];
    for (const [i, assigned] of partitions.entries()) {
      const partition = this.#partition(assigned);
      const known = committed?.get(placeName(assigned))?.offset ?? -1;
      const { last, ours } = before[i]!;
      // Also where the answer to a commit was lost.
      const isNewest = partition.committed === known || partition.uncertain.has(known);
      const isOurs = partition.position >= 0 && (isNewest || ours.has(known));
      const isOvertaken = isOurs && partition.committed !== last;
      if (!isOvertaken) {
        partition.committed = known;
        partition.uncertain.clear();
      }
      if (assigned.from !== undefined) this.#move(partition, await this.#offsetOf(assigned, assigned.from));
      else if (!isOurs && known >= 0) this.#move(partition, known);
      else if (!isOurs) undecided.push(partition);
    }
    await this.#beginUndecided(undecided);
    for (const assigned of partitions) this.#partition(assigned).isOwned = true;
    for (const topic of new Set(partitions.map(({ topic }) => topic))) {
      await this.#cluster.topic(topic, false, { signal: this.#closing.signal, timeoutMs: Infinity });
    }
    this.#fetcher.wake();
  }

  async #beginUndecided(partitions: readonly ConsumedPartition[]): Promise<void> {
    if (partitions.length === 0) return;
    const { signal } = this.#closing;
    const from = this.#options.from ?? 'earliest';
    const offsets = await listOffsets(this.#cluster, partitions, from, this.#isolation, {
      signal,
      timeoutMs: Infinity,
    });
    partitions.forEach((partition, i) => this.#move(partition, offsets[i]!));
  }

  /** Gives partitions up: nothing more of them is handed out, and what the loop has is waited for and committed. */
  async #revoke(partitions: readonly TopicPartition[]): Promise<void> {
    const revoked = new Set(partitions.map((partition) => this.#partition(partition)));
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
    this.#release(partitions);
    for (const partition of paused) partition.isPaused = false;
  }

  #release(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#partition(partition).release();
    this.#loop.forgetReleased();
    this.#fetcher.wake();
  }

  /** Without a group's assignment: the partitions named, or all of the topics, and those that they get later. */
  async #assignByHand(): Promise<void> {
    const { partitions, topics = [] } = this.#options;
    const { signal } = this.#closing;
    if (partitions !== undefined) return this.#assign(partitions);
    try {
      for (let isFirst = true; ; isFirst = false) {
        if (!isFirst)
          await this.#cluster.retrying(() => this.#cluster.refresh(topics), { signal, timeoutMs: Infinity });
        for (const topic of topics) {
          const known = await this.#cluster.topic(topic, false, { signal, timeoutMs: Infinity });
          const added = known.partitions.filter(({ partition }) => !this.#partition({ topic, partition }).isOwned);
          // What appears later is new as a whole.
          const from = isFirst ? {} : ({ from: 'earliest' } as const);
          await this.#assign(added.map(({ partition }) => ({ topic, partition, ...from })));
        }
        await delay(this.#options.growthIntervalMs ?? 30_000, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
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
