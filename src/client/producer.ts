/**
 * The producer: takes records, puts them into the queues of their partitions, and bounds what waits. Any thread.
 *
 * By default it is idempotent and waits for acks=all: a record is stored once, in the order of the calls per partition,
 * whatever connections and brokers do in between, or its promise is rejected. Keys choose partitions as Kafka's Java client
 * has it (`records/murmur2.ts`); records without one stay with a partition until its batch leaves, then with another.
 */

import { ErrorCode } from '../base/error-code.ts';
import type { RecordToWrite } from '../records/batch-builder.ts';
import type { RecordHeader } from '../records/record-reader.ts';
import type { Client } from './client.ts';
import type { Cluster, TopicMetadata } from './cluster.ts';
import type { CompressionCodec } from './compression.ts';
import { KafkaError } from './kafka-error.ts';
import { partitionOfKey } from '../records/murmur2.ts';
import { PartitionQueue } from './partition-queue.ts';
import { ProduceSender, type SenderTransaction } from './produce-sender.ts';
import { type ProducerBatch, recordBoundBytes, type RecordMetadata, type RecordWaiter } from './producer-batch.ts';
import { bytes as plainBytes, type Serializer } from '../records/serializers.ts';
import { abortable } from './waiting.ts';

/** A record to send. Absent is null; a null value is a tombstone. */
export interface ProducerRecord<K, V> {
  readonly topic: string;
  readonly key?: K | null;
  readonly value: V | null;
  readonly headers?: readonly RecordHeader[] | Readonly<Record<string, string | Uint8Array | null>>;
  /** Default: by the key, else any. */
  readonly partition?: number;
  /** In milliseconds since 1970; default: now. */
  readonly timestampMs?: number;
}

export interface ProducerOptions<K, V> {
  /** Default: `bytes`. */
  readonly key?: Serializer<K>;
  /** Default: `bytes`. */
  readonly value?: Serializer<V>;
  /** What an acknowledgement means: on disk (`all`), written (1), nothing at all (0). Default: `all`. */
  readonly acks?: 'all' | 1 | 0;
  /** Store each record once and in order, also where it was sent twice; takes `all`. Default: with `all`. */
  readonly idempotent?: boolean;
  /** Compresses batches, such as `gzip`. Default: none. */
  readonly compression?: CompressionCodec;
  /** How long a batch waits for more records behind others that are on their way, in milliseconds. Default: 5. */
  readonly lingerMs?: number;
  /** A batch is full at so many bytes, uncompressed. Default: 256 KiB. */
  readonly batchBytes?: number;
  /** So much may wait and be on its way, in bytes; beyond, `send` and `enqueue` wait. Default: 32 MiB. */
  readonly bufferBytes?: number;
  /** One request carries at most so much, in bytes. Default: 8 MiB. */
  readonly maxRequestBytes?: number;
  /** From the call to the acknowledgement, with all that is tried again, in milliseconds. Default: 120,000. */
  readonly deliveryTimeoutMs?: number;
  /** The partition of a record that names none; `key` is null for none. Default: as said above. */
  readonly partitioner?: (topic: string, key: Uint8Array | null, partitionCount: number) => number;
}

interface Waiting {
  readonly record: RecordToWrite;
  readonly partition: number;
  readonly waiter: RecordWaiter | null;
  readonly taken: (() => void) | null;
}

interface Topic {
  readonly name: string;
  readonly queues: PartitionQueue[];
  readonly waiting: Waiting[];
  isAsking: boolean;
  /** The partition of records without a key, and its batch. */
  sticky: number;
  stickyBatch: ProducerBatch | undefined;
}

const encoder = new TextEncoder();
/** So many records may wait that `enqueue` could not take. */
const maxUntaken = 10_000;

export class Producer<K = Uint8Array, V = Uint8Array> implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #key: Serializer<K>;
  readonly #value: Serializer<V>;
  readonly #batchBytes: number;
  readonly #bufferBytes: number;
  readonly #deliveryTimeoutMs: number;
  readonly #partitioner: ((topic: string, key: Uint8Array | null, partitionCount: number) => number) | null;
  readonly #sender: ProduceSender;
  readonly #topics = new Map<string, Topic>();
  /** Batches without an answer; what `flush` waits for. */
  #bufferedBytes = 0;
  #untakenCount = 0;
  #unheardFailure: Error | null = null;
  #failure: KafkaError | null = null;
  #closing: Promise<void> | null = null;
  #transactionFailure: Error | null = null;

  /**
   * Connects when the first record comes. Throws a `KafkaError` (INVALID_CONFIG) where options contradict each other.
   * `transaction` is for `TransactionalProducer`.
   */
  constructor(client: Client, options: ProducerOptions<K, V> = {}, transaction: SenderTransaction | null = null) {
    const acks = options.acks ?? 'all';
    const idempotent = options.idempotent ?? acks === 'all';
    const codec = options.compression ?? null;
    if (idempotent && acks !== 'all') throw new KafkaError(ErrorCode.INVALID_CONFIG, 'idempotence takes acks=all');
    if (codec !== null && codec.compress === undefined) {
      throw new KafkaError(ErrorCode.INVALID_CONFIG, `the codec for ${codec.name} only inflates: give it a compressor`);
    }
    this.#cluster = client.cluster;
    this.#key = options.key ?? (plainBytes as unknown as Serializer<K>);
    this.#value = options.value ?? (plainBytes as unknown as Serializer<V>);
    this.#batchBytes = options.batchBytes ?? 256 * 1024;
    this.#bufferBytes = options.bufferBytes ?? 32 * 1024 * 1024;
    this.#deliveryTimeoutMs = options.deliveryTimeoutMs ?? 120_000;
    this.#partitioner = options.partitioner ?? null;
    this.#sender = new ProduceSender(
      this.#cluster,
      {
        acks: acks === 'all' ? -1 : acks,
        idempotent,
        codec,
        lingerMs: options.lingerMs ?? 5,
        deliveryTimeoutMs: this.#deliveryTimeoutMs,
        maxRequestBytes: options.maxRequestBytes ?? 8 * 1024 * 1024,
        transaction,
      },
      {
        settled: (batch, error, unheard) => {
          this.#bufferedBytes -= batch.bufferedBytes;
          if (unheard > 0) this.#unheardFailure ??= error;
          this.#transactionFailure ??= error;
          this.#takeWaiting();
        },
        failed: (error) => this.#fail(error),
      },
    );
  }

  /** What waits and is on its way, in bytes. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /**
   * Sends a record; resolves with its place once it is acknowledged. Rejects with a `KafkaError`; after
   * REQUEST_TIMED_OUT and NETWORK_EXCEPTION the record may nevertheless be stored. With a signal that fires it rejects
   * at once, and the record may still be sent.
   */
  send(record: ProducerRecord<K, V>, { signal }: { readonly signal?: AbortSignal } = {}): Promise<RecordMetadata> {
    const sent = new Promise<RecordMetadata>((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      this.#take(record, { resolve, reject }, null);
    });
    return signal === undefined ? sent : abortable(sent, signal);
  }

  /**
   * Takes a record and says nothing of what becomes of it; `flush` and `close` reject where one failed. Gives undefined
   * where there is room for more, else a promise to wait for before the next. Throws a `KafkaError` where nobody waited
   * for 10,000 records.
   */
  enqueue(record: ProducerRecord<K, V>): Promise<void> | undefined {
    if (this.#untakenCount < maxUntaken) {
      let isTaken = false;
      let wake: () => void = () => {};
      this.#take(record, null, () => {
        isTaken = true;
        wake();
      });
      if (isTaken) return undefined;
      return new Promise((resolve) => {
        wake = resolve;
      });
    }
    throw new KafkaError(
      ErrorCode.REQUEST_TIMED_OUT,
      `the producer's buffer of ${this.#bufferBytes} bytes is full: wait for what enqueue gives before the next record`,
    );
  }

  /**
   * Sends what there is without waiting for more, and resolves once all of it has its answer. Rejects with the first
   * error of an enqueued record since the last flush, or with the signal's reason.
   */
  async flush({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#sender.hurry(1);
    try {
      while (this.#untakenCount > 0) {
        await abortable(new Promise<void>((resolve) => this.#onTaken.push(resolve)), signal);
      }
      const batches = [...this.#topics.values()].flatMap(({ queues }) =>
        queues.flatMap((queue) => [...queue.onTheirWay, ...queue.waiting]),
      );
      await abortable(Promise.all(batches.map((batch) => batch.whenSettled())), signal);
    } finally {
      this.#sender.hurry(-1);
    }
    const failure = this.#unheardFailure;
    this.#unheardFailure = null;
    if (failure !== null) throw failure;
  }

  /** Whether anything was sent since `beginTransaction`. */
  get hasSent(): boolean {
    return this.#sender.hasSent;
  }

  /** Why a batch was not stored since `beginTransaction`; null where all were. */
  get transactionFailure(): Error | null {
    return this.#transactionFailure;
  }

  beginTransaction(): void {
    this.#sender.forgetSent();
    this.#transactionFailure = null;
    this.#unheardFailure = null;
  }

  /** Fails what was taken and is not stored yet; resolves once nothing is on its way. */
  async discard(error: Error): Promise<void> {
    for (const topic of this.#topics.values()) this.#rejectWaiting(topic, error);
    await this.#sender.discard(error);
    this.#unheardFailure = null;
  }

  /** Flushes and takes no more. Rejects as `flush` does; doing so twice does nothing. */
  close(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onTaken: (() => void)[] = [];

  async #close(options: { readonly signal?: AbortSignal }): Promise<void> {
    const closed = new KafkaError(ErrorCode.INVALID_REQUEST, 'the producer was closed');
    try {
      await this.flush(options);
    } finally {
      this.#sender.stop(closed);
      this.#fail(closed);
    }
  }

  #take(record: ProducerRecord<K, V>, waiter: RecordWaiter | null, taken: (() => void) | null): void {
    const failure = this.#failure ?? this.#closingError();
    if (failure !== null) {
      if (waiter === null) throw failure;
      return waiter.reject(failure);
    }
    let written: RecordToWrite;
    try {
      written = this.#written(record);
    } catch (error) {
      if (waiter === null) throw error;
      return waiter.reject(error as Error);
    }
    const topic = this.#topic(record.topic);
    const entry = { record: written, partition: record.partition ?? -1, waiter, taken };
    const metadata = this.#cluster.known(topic.name);
    const isStale = metadata === null || this.#cluster.isStale(topic.name);
    if (isStale) void this.#ask(topic);
    if (metadata === null || topic.waiting.length > 0 || this.#isFullFor(written)) {
      topic.waiting.push(entry);
      this.#untakenCount++;
    } else this.#append(topic, metadata, entry);
  }

  #closingError(): KafkaError | null {
    return this.#closing === null ? null : new KafkaError(ErrorCode.INVALID_REQUEST, 'the producer is being closed');
  }

  #isFullFor(record: RecordToWrite): boolean {
    return this.#bufferedBytes > 0 && this.#bufferedBytes + recordBoundBytes(record) > this.#bufferBytes;
  }

  #written({ key = null, value, headers, timestampMs = Date.now() }: ProducerRecord<K, V>): RecordToWrite {
    return {
      key: key === null ? null : this.#key.serialize(key),
      value: value === null ? null : this.#value.serialize(value),
      timestampMs,
      ...(headers === undefined ? {} : { headers: writtenHeaders(headers) }),
    };
  }

  #topic(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = { name, queues: [], waiting: [], isAsking: false, sticky: -1, stickyBatch: undefined };
      this.#topics.set(name, topic);
    }
    return topic;
  }

  #append(topic: Topic, { partitions }: TopicMetadata, { record, partition, waiter, taken }: Waiting): void {
    const chosen = partition >= 0 ? partition : this.#partition(topic, record, partitions);
    if (!(chosen < partitions.length)) {
      const sentence = `topic ${topic.name} has partitions 0 to ${partitions.length - 1}, not ${chosen}`;
      const error = new KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, sentence);
      if (waiter === null) this.#unheardFailure ??= error;
      else waiter.reject(error);
      return taken?.();
    }
    let queue = topic.queues[chosen];
    while (queue === undefined) {
      topic.queues.push(new PartitionQueue(topic.name, topic.queues.length));
      queue = topic.queues[chosen];
    }
    this.#bufferedBytes += queue.append(record, waiter, this.#batchBytes, performance.now());
    if (chosen === topic.sticky) topic.stickyBatch = queue.waiting.at(-1);
    this.#sender.added(queue);
    taken?.();
  }

  #partition(topic: Topic, record: RecordToWrite, partitions: TopicMetadata['partitions']): number {
    if (this.#partitioner !== null) return this.#partitioner(topic.name, record.key, partitions.length);
    if (record.key !== null) return partitionOfKey(record.key, partitions.length);
    if (topic.sticky >= 0 && topic.sticky < partitions.length && topic.stickyBatch?.isClosed === false) {
      return topic.sticky;
    }
    const led = partitions.filter(({ leaderId }) => leaderId >= 0);
    const among = led.length === 0 ? partitions : led;
    topic.sticky = among[Math.floor(Math.random() * among.length)]!.partition;
    topic.stickyBatch = undefined;
    return topic.sticky;
  }

  /** Learns of a topic, and takes what waited for that. */
  async #ask(topic: Topic): Promise<void> {
    if (topic.isAsking) return;
    topic.isAsking = true;
    try {
      await this.#cluster.topic(topic.name, true, { timeoutMs: this.#deliveryTimeoutMs });
    } catch (error) {
      this.#rejectWaiting(topic, error as Error);
    } finally {
      topic.isAsking = false;
      this.#takeWaiting();
    }
  }

  #takeWaiting(): void {
    if (this.#untakenCount > 0) {
      for (const topic of this.#topics.values()) {
        const metadata = this.#cluster.known(topic.name);
        if (metadata === null) continue;
        let count = 0;
        for (const entry of topic.waiting) {
          if (this.#isFullFor(entry.record)) break;
          count++;
          this.#append(topic, metadata, entry);
        }
        topic.waiting.splice(0, count);
        this.#untakenCount -= count;
      }
    }
    if (this.#untakenCount === 0) for (const wake of this.#onTaken.splice(0)) wake();
  }

  #fail(error: KafkaError): void {
    this.#failure ??= error;
    for (const topic of this.#topics.values()) this.#rejectWaiting(topic, error);
    for (const wake of this.#onTaken.splice(0)) wake();
  }

  #rejectWaiting(topic: Topic, error: Error): void {
    for (const { waiter, taken } of topic.waiting.splice(0)) {
      this.#untakenCount--;
      this.#transactionFailure ??= error;
      if (waiter === null) this.#unheardFailure ??= error;
      else waiter.reject(error);
      taken?.();
    }
  }
}

function writtenHeaders(headers: NonNullable<ProducerRecord<never, never>['headers']>): readonly RecordHeader[] {
  if (Array.isArray(headers)) return headers as readonly RecordHeader[];
  return Object.entries(headers as Readonly<Record<string, string | Uint8Array | null>>).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? encoder.encode(value) : value,
  }));
}
