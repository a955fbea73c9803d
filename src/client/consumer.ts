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
import { type Assignor, range } from './assignors.ts';
import type { Client } from './client.ts';
import type { Cluster } from './cluster.ts';
import { ConsumedPartition } from './consumed-partition.ts';
import { Fetcher } from './fetcher.ts';
import { GroupMember, isMembershipError } from './group-member.ts';
import { KafkaError, mayPass } from './kafka-error.ts';
import {
  type CommittedOffset,
  type Committer,
  commitOffsets,
  fetchCommitted,
  type Isolation,
  listOffsets,
  nobody,
  type Place,
  placeName,
  type TopicPartition,
} from './offsets.ts';
import { mainLane } from './cluster.ts';
import { bytes as plainBytes, type Serializer } from '../records/serializers.ts';
import { Bell, delay } from './waiting.ts';

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

/** What the loop has in its hands. */
interface Processing {
  readonly partition: ConsumedPartition;
  /** The offset of its first record. */
  readonly offset: number;
}

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
  readonly #partitions = new Map<string, ConsumedPartition>();
  /** Those that something waits in, the one with the last turn at the end. */
  #turns: ConsumedPartition[] = [];
  readonly #arrived = new Bell();
  readonly #released = new Bell();
  readonly #closing = new AbortController();
  #processing: Processing | null = null;
  #isStarted = false;
  #isReading = false;
  #failure: Error | null = null;
  #closed: Promise<void> | null = null;
  #commitTimer: ReturnType<typeof setInterval> | null = null;
  #committing: Promise<void> = Promise.resolve();

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
        arrived: (partition) => this.#has(partition),
        outOfRange: (partition) => void this.#outOfRange(partition),
        failed: (error) => this.#fail(error),
      },
    );
    this.#member = this.#newMember();
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
    return this.#loop((partition) => {
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
    return { [Symbol.asyncIterator]: () => this.#loop(take) };
  }

  /** Hands nothing of `partitions` out until they are resumed; what was read ahead stays. */
  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#partition(partition).isPaused = true;
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#partition(partition).isPaused = false;
    this.#fetcher.wake();
    this.#arrived.ring();
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
    const { group } = this.#options;
    if (group === undefined)
      throw new KafkaError(ErrorCode.INVALID_GROUP_ID, 'a consumer without a group keeps no position');
    if (offsets.length === 0) return;
    for (const offset of offsets) this.#partition(offset).uncertain.add(offset.offset);
    if (this.#member !== null) await this.#member.commit(offsets, signal);
    else await this.#commitAlone(group, offsets, signal);
    this.#noteCommitted(offsets);
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
    if (this.#isReading && this.#processing !== null) void this.#released.wait().then(() => this.close());
    else void this.close();
  };

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
      this.#commitProcessed().catch(() => {});
    }, this.#options.autoCommitIntervalMs ?? 5000);
  }

  #loop<Item>(take: (partition: ConsumedPartition) => Item | null): AsyncIterator<Item, undefined> {
    if (this.#isReading) throw new KafkaError(ErrorCode.INVALID_REQUEST, 'the consumer is being read by another loop');
    this.#isReading = true;
    this.#start();
    const wait = async (): Promise<IteratorResult<Item, undefined>> => {
      try {
        for (;;) {
          if (this.#failure !== null) throw this.#failure;
          if (this.#isEnding) break;
          const value = this.#takeTurn(take);
          if (value !== null) return { done: false, value };
          await this.#arrived.wait();
        }
      } catch (error) {
        this.#isReading = false;
        throw error;
      }
      this.#isReading = false;
      return { done: true, value: undefined };
    };
    return {
      next: () => {
        this.#processed();
        if (this.#failure !== null || this.#isEnding || this.#turns.length === 0) return wait();
        try {
          const value = this.#takeTurn(take);
          return value === null ? wait() : Promise.resolve({ done: false, value });
        } catch (error) {
          this.#isReading = false;
          return Promise.reject(error as Error);
        }
      },
      return: () => {
        // What the loop had in its hands it may not have processed: it stays so until another loop begins.
        this.#isReading = false;
        this.#released.ring();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  get #isEnding(): boolean {
    return this.#closed !== null || this.#options.signal?.aborted === true;
  }

  /** Something waits in `partition`. */
  #has(partition: ConsumedPartition): void {
    if (!this.#turns.includes(partition)) this.#turns.push(partition);
    this.#arrived.ring();
  }

  /** What the next partition has, which then comes last. */
  #takeTurn<Item>(take: (partition: ConsumedPartition) => Item | null): Item | null {
    const turns = this.#turns;
    for (let i = 0; i < turns.length;) {
      const partition = turns[i]!;
      if (!partition.isOwned || partition.isPaused || partition.position < 0) {
        i++;
        continue;
      }
      const before = partition.position;
      const { bufferedBytes } = partition;
      let item: Item | null;
      try {
        item = take(partition);
      } catch (error) {
        // The record stays the next one: whoever cannot read it seeks behind it.
        partition.moveTo(before);
        this.#fetcher.wake();
        throw error;
      }
      if (partition.bufferedBytes < bufferedBytes) this.#fetcher.roomier();
      if (!partition.hasRecords || ++this.#turnLength >= longestTurn) {
        this.#turnLength = 0;
        turns.splice(i, 1);
        if (partition.hasRecords) turns.push(partition);
      }
      if (item === null) continue;
      this.#processing = { partition, offset: before };
      return item;
    }
    return null;
  }

  #turnLength = 0;

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

  /** The loop asks for more: what it had is processed. */
  #processed(): void {
    if (this.#processing === null) return;
    this.#processing = null;
    this.#released.ring();
  }

  #fail(error: Error): void {
    if (this.#closed !== null) return;
    this.#failure ??= error;
    this.#arrived.ring();
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

  // --- positions

  /** What was processed and is not committed yet: all that was handed out but what the loop has in its hands. */
  #processedOffsets(): CommittedOffset[] {
    const processing = this.#processing;
    return this.handedOut()
      .map((handed) => {
        const isCurrent =
          processing !== null &&
          processing.partition.topic === handed.topic &&
          processing.partition.partition === handed.partition;
        return isCurrent ? { ...handed, offset: processing.offset } : handed;
      })
      .filter((handed) => handed.offset !== this.#partition(handed).committed);
  }

  /** Goes on elsewhere; what the loop has in its hands says nothing of where it is any more. */
  #move(partition: ConsumedPartition, offset: number): void {
    partition.moveTo(offset);
    if (this.#processing?.partition === partition) this.#processed();
  }

  #noteCommitted(offsets: readonly CommittedOffset[]): void {
    for (const { topic, partition, offset } of offsets) {
      const consumed = this.#partition({ topic, partition });
      consumed.committed = offset;
      consumed.uncertain.clear();
    }
  }

  /** Commits what was processed; what fails and may pass is tried again the next time. */
  #commitProcessed(): Promise<void> {
    const committing = this.#committing.then(async () => {
      const offsets = this.#processedOffsets();
      if (offsets.length === 0) return;
      try {
        await this.#commitOnce(offsets);
        this.#noteCommitted(offsets);
      } catch (error) {
        if (!mayPass(error) && !isMembershipError(error)) throw error;
        this.#cluster.settings.onRetry(error as Error);
      }
    });
    this.#committing = committing.catch((error: unknown) => this.#fail(error as Error));
    return committing;
  }

  #commitOnce(offsets: readonly CommittedOffset[]): Promise<void> {
    for (const offset of offsets) this.#partition(offset).uncertain.add(offset.offset);
    if (this.#member !== null) return this.#member.commitNow(offsets);
    return this.#commitAlone(this.#options.group!, offsets);
  }

  async #commitAlone(group: string, offsets: readonly CommittedOffset[], signal?: AbortSignal): Promise<void> {
    await this.#cluster.retrying(
      async () => {
        const coordinatorId = await this.#cluster.coordinatorId(group, signal);
        const connection = await this.#cluster.connection(coordinatorId, mainLane, signal);
        await commitOffsets(connection, group, offsets, nobody, signal);
      },
      { signal },
    );
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

  // --- which partitions

  /** Begins to read: where the group, or `from`, says, or where this consumer was, if nobody else has committed since. */
  async #assign(partitions: readonly AssignedPartition[]): Promise<void> {
    if (partitions.length === 0) return;
    const { group } = this.#options;
    // A commit that is under way may be heard of before the answer that does not know of it yet.
    const before = partitions.map((assigned) => {
      const { committed: last, uncertain } = this.#partition(assigned);
      return { last, ours: new Set([last, ...uncertain]) };
    });
    let committed = new Map<string, CommittedOffset>();
    if (this.#member !== null) committed = await this.#member.committed(partitions, this.#isolation);
    else if (group !== undefined) committed = await this.#committedAlone(group, partitions);
    const undecided: ConsumedPartition[] = [];
    for (const [i, assigned] of partitions.entries()) {
      const partition = this.#partition(assigned);
      const known = committed.get(placeName(assigned))?.offset ?? -1;
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

  #committedAlone(group: string, partitions: readonly TopicPartition[]): Promise<Map<string, CommittedOffset>> {
    const { signal } = this.#closing;
    return this.#cluster.retrying(
      async () => {
        const coordinatorId = await this.#cluster.coordinatorId(group, signal);
        const connection = await this.#cluster.connection(coordinatorId, mainLane, signal);
        return fetchCommitted(connection, group, partitions, this.#isolation, signal);
      },
      { signal, timeoutMs: Infinity },
    );
  }

  /** Gives partitions up: nothing more of them is handed out, and what the loop has is waited for and committed. */
  async #revoke(partitions: readonly TopicPartition[]): Promise<void> {
    const revoked = new Set(partitions.map((partition) => this.#partition(partition)));
    const paused = [...revoked].filter(({ isPaused }) => !isPaused);
    for (const partition of paused) partition.isPaused = true;
    const isBusy = (): boolean =>
      this.#isReading && this.#processing !== null && revoked.has(this.#processing.partition);
    const { rebalanceTimeoutMs = 300_000 } = this.#options;
    const late = delay(rebalanceTimeoutMs, this.#closing.signal).then(
      () => true,
      () => true,
    );
    while (isBusy() && !(await Promise.race([this.#released.wait().then(() => false), late])));
    if (this.#autoCommits) await this.#commitProcessed();
    this.#release(partitions);
    for (const partition of paused) partition.isPaused = false;
  }

  #release(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#partition(partition).release();
    this.#turns = this.#turns.filter(({ isOwned }) => isOwned);
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
    this.#arrived.ring();
    try {
      if (this.#autoCommits && this.#isStarted) await this.#commitProcessed();
    } finally {
      this.#closing.abort(new KafkaError(ErrorCode.NETWORK_EXCEPTION, 'the consumer was closed'));
      await this.#member?.leave();
    }
  }
}

/** So many records of one partition are handed out before another has its turn. */
const longestTurn = 500;
const noHeaders: readonly RecordHeader[] = [];
