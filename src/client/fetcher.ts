/**
 * Keeps a consumer's partitions filled: one loop for each broker that leads some of them, with one fetch under way at a
 * time, on connections of its own, because a fetch waits at the broker. Any thread; owned by a `Consumer`.
 *
 * What is fetched and not handed out is bounded; a partition that is full is left out until it is read. After any failure
 * the loop goes on from the offset behind the last whole batch that arrived, so a connection that ends costs nothing.
 * It does not know groups; where a partition begins, and what to do beyond its ends, its owner decides.
 */

import { ErrorCode } from '../base/error-code.ts';
import {
  defaultFetchRequest,
  fetchClientApi,
  type FetchRequestTopics,
  type FetchResponse,
  type FetchResponseResponsesPartitions,
} from '../protocol/generated/01-fetch.ts';
import { zeroUuid } from '../base/uuid.ts';
import type { Cluster } from './cluster.ts';
import type { ConsumedPartition } from './consumed-partition.ts';
import { readFetched } from './fetched-batches.ts';
import { KafkaError, mayPass } from './kafka-error.ts';
import { byTopic, type Isolation, placeName } from './offsets.ts';
import { backoffMs, Bell } from './waiting.ts';

export interface FetcherOptions {
  readonly isolation: Isolation;
  /** So long a fetch waits at the broker for the first record, in milliseconds. */
  readonly maxWaitMs: number;
  /** So much waits here in all before nothing more is fetched, in bytes. */
  readonly prefetchBytes: number;
  /** And of one partition, which is also what one fetch asks of it. */
  readonly partitionBytes: number;
  /** A batch may inflate to so much, in bytes. */
  readonly maxInflatedBytes: number;
}

export interface FetcherListener {
  /** Those that the consumer has, owned or not. */
  partitions(): Iterable<ConsumedPartition>;
  /** There is something to read in it. */
  arrived(partition: ConsumedPartition): void;
  /** The partition's offset is not in its log; it is fetched no more until it is moved. */
  outOfRange(partition: ConsumedPartition): void;
  failed(error: Error): void;
}

/** Topics go by name up to here. */
const newestFetch = 12;
/** While partitions are left out of a fetch it does not wait long, because they may be wanted again soon. */
const shortWaitMs = 50;

let fetcherCount = 0;

export class Fetcher {
  readonly #cluster: Cluster;
  readonly #options: FetcherOptions;
  readonly #listener: FetcherListener;
  readonly #lane = `fetch-${++fetcherCount}`;
  readonly #loops = new Map<number, Promise<void>>();
  readonly #bell = new Bell();
  readonly #stopping = new AbortController();
  #isRefreshing = false;

  constructor(cluster: Cluster, options: FetcherOptions, listener: FetcherListener) {
    this.#cluster = cluster;
    this.#options = options;
    this.#listener = listener;
  }

  /** Partitions came, went, moved, or were read from: looks again at what is to be fetched. */
  wake(): void {
    if (this.#stopping.signal.aborted) return;
    for (const partition of this.#listener.partitions()) {
      if (!partition.isOwned || partition.fetchOffset < 0) continue;
      const leaderId = this.#cluster.leaderId(partition.topic, partition.partition);
      if (leaderId < 0) void this.#refresh(partition.topic);
      else if (!this.#loops.has(leaderId)) this.#loops.set(leaderId, this.#loop(leaderId));
    }
    this.#bell.ring();
  }

  /** Something was read, so that there is room for more. */
  roomier(): void {
    this.#bell.ring();
  }

  /** Ends what is under way. */
  stop(): void {
    this.#stopping.abort(new KafkaError(ErrorCode.NETWORK_EXCEPTION, 'the consumer was closed'));
    this.#cluster.closeLane(this.#lane);
  }

  async #loop(nodeId: number): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    try {
      while (!signal.aborted) {
        const led = [...this.#listener.partitions()].filter(
          ({ isOwned, topic, partition }) => isOwned && this.#cluster.leaderId(topic, partition) === nodeId,
        );
        if (led.length === 0) return;
        const wanted = this.#wanted(led);
        if (wanted.length === 0) {
          // Timers may come early, by as much as the turn that set them took; who is woken too soon waits again.
          const nextMs = Math.min(...led.map(({ retryAtMs }) => retryAtMs).filter((atMs) => atMs > performance.now()));
          if (nextMs < Infinity) this.#ringIn(nextMs - performance.now());
          await this.#bell.wait(signal);
          continue;
        }
        try {
          await this.#fetch(nodeId, wanted, wanted.length < led.length);
          failures = 0;
        } catch (error) {
          if (!mayPass(error) || signal.aborted) throw error;
          failures++;
          this.#cluster.settings.onRetry(error as Error);
          const waitMs = backoffMs(this.#cluster.settings.backoff, failures);
          for (const partition of wanted) partition.retryAtMs = performance.now() + waitMs;
          // Where the metadata cannot be had either, this goes on with what is known.
          await this.#refresh(...new Set(wanted.map(({ topic }) => topic)));
        }
      }
    } catch (error) {
      if (!signal.aborted) this.#listener.failed(error as Error);
    } finally {
      this.#loops.delete(nodeId);
    }
  }

  #ringIn(waitMs: number): void {
    setTimeout(() => this.wake(), waitMs + 1);
  }

  #wanted(led: readonly ConsumedPartition[]): ConsumedPartition[] {
    const { prefetchBytes, partitionBytes } = this.#options;
    let bufferedBytes = 0;
    for (const partition of this.#listener.partitions()) bufferedBytes += partition.bufferedBytes;
    if (bufferedBytes >= prefetchBytes) return [];
    const nowMs = performance.now();
    return led.filter(
      (partition) =>
        !partition.isPaused &&
        partition.fetchOffset >= 0 &&
        partition.bufferedBytes < partitionBytes &&
        partition.retryAtMs <= nowMs,
    );
  }

  async #fetch(nodeId: number, wanted: readonly ConsumedPartition[], leftOut: boolean): Promise<void> {
    const { signal } = this.#stopping;
    const connection = await this.#cluster.connection(nodeId, this.#lane, signal);
    const versions = new Map(wanted.map((partition) => [partition, partition.version]));
    const maxWaitMs = leftOut ? Math.min(shortWaitMs, this.#options.maxWaitMs) : this.#options.maxWaitMs;
    const response = await connection.request(
      fetchClientApi,
      {
        ...defaultFetchRequest(),
        replicaId: -1,
        maxWaitMs,
        minBytes: 1,
        maxBytes: this.#options.prefetchBytes,
        isolationLevel: this.#options.isolation === 'read_committed' ? 1 : 0,
        topics: this.#topics(wanted),
      },
      { signal, maxVersion: newestFetch, timeoutMs: maxWaitMs + this.#cluster.settings.requestTimeoutMs },
    );
    if (response.errorCode !== ErrorCode.NONE) {
      throw new KafkaError(response.errorCode, `the broker refused a fetch (node ${nodeId})`);
    }
    await this.#take(response, versions);
  }

  #topics(wanted: readonly ConsumedPartition[]): FetchRequestTopics[] {
    return [...byTopic(wanted)].map(([topic, partitions]) => ({
      topicId: zeroUuid,
      topic,
      partitions: partitions.map(({ partition, fetchOffset, lastFetchedEpoch }) => ({
        partition,
        currentLeaderEpoch: this.#cluster.known(topic)?.partitions[partition]?.leaderEpoch ?? -1,
        fetchOffset,
        lastFetchedEpoch,
        logStartOffset: -1,
        partitionMaxBytes: this.#options.partitionBytes,
        replicaDirectoryId: zeroUuid,
        highWatermark: 2 ** 63,
      })),
    }));
  }

  async #take(response: FetchResponse, versions: ReadonlyMap<ConsumedPartition, number>): Promise<void> {
    const byName = new Map([...versions.keys()].map((partition) => [placeName(partition), partition]));
    for (const { topic, partitions } of response.responses) {
      for (const answer of partitions) {
        const partition = byName.get(placeName({ topic, partition: answer.partitionIndex }));
        if (partition === undefined) continue;
        const version = versions.get(partition)!;
        if (partition.version !== version) continue;
        if (answer.errorCode === ErrorCode.NONE) await this.#takeRecords(partition, version, answer);
        else this.#refused(partition, answer.errorCode);
      }
    }
  }

  async #takeRecords(
    partition: ConsumedPartition,
    version: number,
    { records, abortedTransactions, highWatermark, divergingEpoch }: FetchResponseResponsesPartitions,
  ): Promise<void> {
    partition.failures = 0;
    partition.highWatermark = highWatermark;
    if (divergingEpoch.endOffset >= 0) return this.#truncated(partition, divergingEpoch.endOffset);
    if (records === null || records.length === 0) return;
    let fetched;
    try {
      fetched = await readFetched(records, partition.fetchOffset, {
        codecs: this.#cluster.settings.codecs,
        maxInflatedBytes: this.#options.maxInflatedBytes,
        aborted: this.#options.isolation === 'read_committed' ? abortedTransactions : null,
        where: placeName(partition),
      });
    } catch (error) {
      // The bytes came whole; they would come the same way again.
      return this.#listener.failed(error as Error);
    }
    if (partition.version !== version) return;
    partition.add(fetched);
    if (partition.hasRecords) this.#listener.arrived(partition);
  }

  /** The log was cut off before what was fetched, by a broker that lost what it had not on disk (KIP-320). */
  #truncated(partition: ConsumedPartition, endOffset: number): void {
    this.#cluster.settings.onRetry(
      new KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE, `${placeName(partition)} lost what it had from ${endOffset} on`),
    );
    partition.moveTo(Math.min(partition.position, endOffset));
  }

  #refused(partition: ConsumedPartition, code: number): void {
    if (code === ErrorCode.OFFSET_OUT_OF_RANGE) {
      partition.fetchOffset = -1;
      return this.#listener.outOfRange(partition);
    }
    const error = new KafkaError(code, `the broker refused a fetch of ${placeName(partition)}`);
    if (!error.retriable) return this.#listener.failed(error);
    this.#cluster.settings.onRetry(error);
    partition.failures++;
    partition.retryAtMs = performance.now() + backoffMs(this.#cluster.settings.backoff, partition.failures);
    void this.#refresh(partition.topic);
  }

  /** Asks for the topics' leaders anew; wakes the loops where there may be others. */
  async #refresh(...topics: string[]): Promise<void> {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    try {
      await this.#cluster.refresh(topics);
    } catch (error) {
      if (this.#stopping.signal.aborted || this.#cluster.signal.aborted) return;
      if (!mayPass(error)) return this.#listener.failed(error as Error);
      this.#cluster.settings.onRetry(error as Error);
    } finally {
      this.#isRefreshing = false;
      this.#ringIn(this.#cluster.settings.backoff.firstMs);
    }
  }
}
