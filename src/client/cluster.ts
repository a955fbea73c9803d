/**
 * What the client knows of the cluster and how it gets there: nodes, topics and their leaders, connections that are
 * opened when they are wanted, and the rule by which things are tried again. Any thread; one object a client.
 *
 * Connections are kept by URL and lane. Requests that wait for something (fetches, joins) have lanes of their own, since
 * a broker answers each connection in order. It does not know records nor groups.
 */

import { ErrorCode } from '../base/error-code.ts';
import { defaultFindCoordinatorRequest, findCoordinatorClientApi } from '../protocol/generated/10-find-coordinator.ts';
import { defaultMetadataRequest, type MetadataResponse, metadataClientApi } from '../protocol/generated/03-metadata.ts';
import { zeroUuid } from '../base/uuid.ts';
import type { ClientSettings, NodeAddress } from './client.ts';
import { Connection, type OpenTransport } from './connection.ts';
import { KafkaError, mayPass, throwUnlessNone } from './kafka-error.ts';
import { openWebSocket, platformWebSocket } from './transport.ts';
import { abortable, anySignal, backoffMs, delay } from './waiting.ts';

/** One partition as metadata says. */
export interface PartitionMetadata {
  readonly partition: number;
  /** The leader's node, or -1 while there is none. */
  readonly leaderId: number;
  /** -1 where the broker tells none. */
  readonly leaderEpoch: number;
  readonly replicaNodes: readonly number[];
  readonly inSyncNodes: readonly number[];
}

export interface TopicMetadata {
  readonly name: string;
  /** All zero where the broker tells none. */
  readonly topicId: string;
  readonly isInternal: boolean;
  /** By number, from 0. */
  readonly partitions: readonly PartitionMetadata[];
}

interface Slot {
  readonly lane: string;
  connection: Connection | null;
  opening: Promise<Connection> | null;
  failures: number;
  retryAtMs: number;
}

/** What an attempt may take, in all. */
export interface RetryOptions {
  readonly signal?: AbortSignal | undefined;
  /** In milliseconds; default: the client's. */
  readonly timeoutMs?: number | undefined;
}

/** The lane of requests that the broker answers at once. */
export const mainLane = 'main';
const keyTypes = { group: 0, transaction: 1 } as const;

export class Cluster {
  readonly settings: ClientSettings;
  readonly #closing = new AbortController();
  readonly #slots = new Map<string, Slot>();
  readonly #nodes = new Map<number, NodeAddress>();
  readonly #topics = new Map<string, { readonly metadata: TopicMetadata; readonly atMs: number }>();
  #controllerId = -1;
  #clusterId: string | null = null;
  #open: Promise<OpenTransport> | null = null;
  #firstUrl = 0;
  #wanted: Set<string> | null = null;
  #refresh: Promise<MetadataResponse> | null = null;

  constructor(settings: ClientSettings) {
    this.settings = settings;
  }

  /** Fires when the client is closed. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  get nodes(): readonly NodeAddress[] {
    return [...this.#nodes.values()];
  }

  get controllerId(): number {
    return this.#controllerId;
  }

  get clusterId(): string | null {
    return this.#clusterId;
  }

  /** What is known of `topic`, however old; null before it was asked for. */
  known(topic: string): TopicMetadata | null {
    return this.#topics.get(topic)?.metadata ?? null;
  }

  /** Whether what is known of `topic` is missing or older than the client's bound. */
  isStale(topic: string): boolean {
    const entry = this.#topics.get(topic);
    return entry === undefined || performance.now() - entry.atMs > this.settings.metadataMaxAgeMs;
  }

  /**
   * Asks for `topics` anew, or for all with null; calls of one turn go together. Rejects with a `KafkaError` where no
   * broker answers. A topic that has an error is in the response and stays as it was known.
   */
  async refresh(topics: readonly string[] | null, create = false): Promise<MetadataResponse> {
    if (topics === null || create) return this.#fetchMetadata(topics, create);
    this.#wanted ??= new Set();
    for (const topic of topics) this.#wanted.add(topic);
    this.#refresh ??= Promise.resolve().then(() => {
      const wanted = [...this.#wanted!];
      this.#wanted = null;
      this.#refresh = null;
      return this.#fetchMetadata(wanted, false);
    });
    return this.#refresh;
  }

  /**
   * The topic's metadata, fetched where it is not known or stale; `create`: a broker that is set so makes the topic.
   * Retries until its time is up. Rejects with a `KafkaError`, such as UNKNOWN_TOPIC_OR_PARTITION.
   */
  async topic(name: string, create: boolean, options: RetryOptions = {}): Promise<TopicMetadata> {
    if (!this.isStale(name)) return this.known(name)!;
    return this.retrying(async () => {
      const { topics } = await this.refresh([name], create);
      throwUnlessNone(
        topics.find((topic) => topic.name === name)?.errorCode ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        `topic ${name}`,
      );
      return this.known(name)!;
    }, options);
  }

  /** The node that leads a partition as far as is known, or -1. */
  leaderId(topic: string, partition: number): number {
    return this.known(topic)?.partitions[partition]?.leaderId ?? -1;
  }

  /** A connection to a node. Rejects with a `KafkaError`, NETWORK_EXCEPTION where it cannot be reached now. */
  async connection(nodeId: number, lane: string, signal?: AbortSignal): Promise<Connection> {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) throw new KafkaError(ErrorCode.BROKER_NOT_AVAILABLE, `node ${nodeId} is not known`);
    return abortable(this.#connect(this.settings.nodeUrl(node), lane), signal);
  }

  /** A connection to any node, one that is open before others. */
  async any(signal?: AbortSignal): Promise<Connection> {
    for (const { connection, lane } of this.#slots.values()) {
      if (lane === mainLane && connection?.isOpen === true) return connection;
    }
    const urls = new Set([...this.#nodes.values()].map(this.settings.nodeUrl));
    const first = this.#firstUrl++ % this.settings.urls.length;
    for (const url of [...this.settings.urls.slice(first), ...this.settings.urls.slice(0, first)]) urls.add(url);
    let failure: unknown;
    for (const url of urls) {
      try {
        return await abortable(this.#connect(url, mainLane), signal);
      } catch (error) {
        if (!mayPass(error)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  /** The node that coordinates a group or transactional id. Rejects with a `KafkaError`, retriable while there is none. */
  async coordinatorId(key: string, signal?: AbortSignal, type: keyof typeof keyTypes = 'group'): Promise<number> {
    const connection = await this.any(signal);
    const request = { ...defaultFindCoordinatorRequest(), key, keyType: keyTypes[type], coordinatorKeys: [key] };
    const response = await connection.request(findCoordinatorClientApi, request, { signal });
    const found = response.coordinators[0] ?? response;
    throwUnlessNone(found.errorCode, `the coordinator of ${type} ${key}`, found.errorMessage);
    this.#nodes.set(found.nodeId, { nodeId: found.nodeId, host: found.host, port: found.port });
    return found.nodeId;
  }

  /** Ends the connections of a lane. */
  closeLane(lane: string): void {
    for (const [key, slot] of this.#slots) {
      if (slot.lane !== lane) continue;
      this.#slots.delete(key);
      slot.connection?.close();
      slot.opening?.then(
        (connection) => connection.close(),
        () => {},
      );
    }
  }

  /**
   * Runs `attempt` until it succeeds, fails with what cannot pass, or its time is up; then rejects with the last error.
   * Waits in between, longer each time.
   */
  async retrying<T>(attempt: () => Promise<T>, { signal, timeoutMs }: RetryOptions = {}): Promise<T> {
    const endMs = performance.now() + (timeoutMs ?? this.settings.retryTimeoutMs);
    const any = anySignal([signal, this.signal]);
    try {
      for (let failures = 1; ; failures++) {
        any.signal.throwIfAborted();
        try {
          return await abortable(attempt(), any.signal);
        } catch (error) {
          const waitMs = backoffMs(this.settings.backoff, failures);
          if (!mayPass(error) || performance.now() + waitMs > endMs) throw error;
          this.settings.onRetry(error as Error);
          await delay(waitMs, any.signal);
        }
      }
    } finally {
      any.release();
    }
  }

  close(): void {
    this.#closing.abort(new KafkaError(ErrorCode.NETWORK_EXCEPTION, 'the client was closed'));
    for (const { connection } of this.#slots.values()) connection?.close();
  }

  async #fetchMetadata(topics: readonly string[] | null, create: boolean): Promise<MetadataResponse> {
    const connection = await this.any();
    const response = await connection.request(metadataClientApi, {
      ...defaultMetadataRequest(),
      topics: topics === null ? null : topics.map((name) => ({ name, topicId: zeroUuid })),
      allowAutoTopicCreation: create,
    });
    throwUnlessNone(response.errorCode, 'metadata');
    this.#nodes.clear();
    for (const { nodeId, host, port } of response.brokers) this.#nodes.set(nodeId, { nodeId, host, port });
    this.#controllerId = response.controllerId;
    this.#clusterId = response.clusterId;
    const atMs = performance.now();
    for (const topic of response.topics) {
      if (topic.name === null) continue;
      if (topic.errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) this.#topics.delete(topic.name);
      if (topic.errorCode !== ErrorCode.NONE) continue;
      const partitions: PartitionMetadata[] = topic.partitions
        .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
        .map((partition) => ({
          partition: partition.partitionIndex,
          leaderId: partition.leaderId,
          leaderEpoch: partition.leaderEpoch,
          replicaNodes: partition.replicaNodes,
          inSyncNodes: partition.isrNodes,
        }));
      const { name, topicId, isInternal } = topic;
      this.#topics.set(name, { metadata: { name, topicId, isInternal, partitions }, atMs });
    }
    return response;
  }

  #connect(url: string, lane: string): Promise<Connection> {
    const key = `${lane} ${url}`;
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = { lane, connection: null, opening: null, failures: 0, retryAtMs: 0 };
      this.#slots.set(key, slot);
    }
    if (slot.connection?.isOpen === true) return Promise.resolve(slot.connection);
    slot.opening ??= this.#openSlot(url, slot);
    return slot.opening;
  }

  async #openSlot(url: string, slot: Slot): Promise<Connection> {
    try {
      const waitMs = slot.retryAtMs - performance.now();
      if (waitMs > 0) await delay(waitMs, this.signal);
      this.signal.throwIfAborted();
      this.#open ??= this.#openTransport();
      const { clientId, requestTimeoutMs, maxFrameBytes } = this.settings;
      const connection = await Connection.open({
        url,
        open: await this.#open,
        clientId,
        timeoutMs: requestTimeoutMs,
        maxFrameBytes,
      });
      if (this.signal.aborted) connection.close();
      slot.connection = connection;
      slot.failures = 0;
      // The first attempt after it ends comes at once, but no sooner than that.
      slot.retryAtMs = performance.now() + this.settings.backoff.firstMs;
      return connection;
    } catch (error) {
      slot.failures++;
      slot.retryAtMs = performance.now() + backoffMs(this.settings.backoff, slot.failures);
      throw error;
    } finally {
      slot.opening = null;
    }
  }

  async #openTransport(): Promise<OpenTransport> {
    if (this.settings.transport !== null) return this.settings.transport;
    const constructor = this.settings.webSocket ?? (await platformWebSocket());
    return (url, listener) => openWebSocket(constructor, url, listener);
  }
}
