/**
 * Sends what waits in partition queues: which batches go when, to whom, and what an answer means. Any thread; owned by a
 * `Producer`.
 *
 * A node that nothing is on its way to gets what there is at once; behind requests on their way a batch waits until it is
 * full or `lingerMs` old. So a lone record is never held up, and under load batches fill by themselves. One request
 * carries one batch a partition, the answers decide: done, again, split, or failed.
 */

import { ErrorCode } from '../base/error-code.ts';
import type { ProduceResponse } from '../protocol/generated/00-produce.ts';
import { Alarm } from './alarm.ts';
import { type Cluster, mainLane } from './cluster.ts';
import type { CompressionCodec } from './compression.ts';
import type { Connection } from './connection.ts';
import { KafkaError, mayPass } from './kafka-error.ts';
import { newProducerId } from './new-producer-id.ts';
import type { PartitionQueue } from './partition-queue.ts';
import { answerFor, requestProduce, type Sent } from './produce-request.ts';
import type { ProducerBatch } from './producer-batch.ts';
import { backoffMs } from './waiting.ts';

export interface SenderOptions {
  /** -1: all, as Kafka has it. */
  readonly acks: -1 | 0 | 1;
  readonly idempotent: boolean;
  readonly codec: CompressionCodec | null;
  readonly lingerMs: number;
  readonly deliveryTimeoutMs: number;
  readonly maxRequestBytes: number;
  /** Whose batches belong to transactions; null where they belong to none. */
  readonly transaction: SenderTransaction | null;
}

/** Who a transactional producer is at the moment. */
export interface SenderTransaction {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** What the sender tells its producer. */
export interface SenderListener {
  /** A batch has its answer; it does not take of the buffer any more. `unheard`: failed records nobody waits for. */
  settled(batch: ProducerBatch, error: Error | null, unheard: number): void;
  /** Nothing can be sent any more. */
  failed(error: KafkaError): void;
}

interface Node {
  connection: Connection | null;
  isConnecting: boolean;
  inFlightCount: number;
  failures: number;
  retryAtMs: number;
}

/** Kafka remembers the last five batches of a producer, so that no more may be on their way. */
const maxInFlight = 5;
const endsTransaction = new Set<number>([
  ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
  ErrorCode.UNKNOWN_PRODUCER_ID,
  ErrorCode.INVALID_PRODUCER_EPOCH,
  ErrorCode.PRODUCER_FENCED,
]);

export class ProduceSender {
  readonly #cluster: Cluster;
  readonly #options: SenderOptions;
  readonly #listener: SenderListener;
  readonly #active = new Set<PartitionQueue>();
  readonly #nodes = new Map<number, Node>();
  #producerId = -1;
  #isAskingId = false;
  #isRefreshing = false;
  #flushing = 0;
  #isPumpQueued = false;
  readonly #alarm = new Alarm(() => this.#pump());
  #failure: KafkaError | null = null;
  /** Given instead of sending again while a transaction is aborted. */
  #discarding: Error | null = null;
  #hasSent = false;

  constructor(cluster: Cluster, options: SenderOptions, listener: SenderListener) {
    this.#cluster = cluster;
    this.#options = options;
    this.#listener = listener;
  }

  /** -1 before the first batch, and without idempotence. */
  get producerId(): number {
    return this.#options.transaction?.producerId ?? this.#producerId;
  }

  /** Whether a batch was sent since `forgetSent`. */
  get hasSent(): boolean {
    return this.#hasSent;
  }

  forgetSent(): void {
    this.#hasSent = false;
  }

  /** Fails what waits, and what is on its way where it would have to be sent again; resolves once nothing is left. */
  async discard(error: Error): Promise<void> {
    this.#discarding = error;
    const onTheirWay: Promise<void>[] = [];
    for (const queue of this.#active) {
      for (const batch of queue.onTheirWay) onTheirWay.push(batch.whenSettled());
      for (const batch of [...queue.waiting]) this.#fail(queue, batch, error);
    }
    await Promise.all(onTheirWay);
    this.#discarding = null;
  }

  /** Something was added to `queue`. */
  added(queue: PartitionQueue): void {
    this.#active.add(queue);
    this.#queuePump();
  }

  /** While `by` adds up to more than 0, no batch waits for company. */
  hurry(by: 1 | -1): void {
    this.#flushing += by;
    this.#queuePump();
  }

  /** Fails all that waits; what is on its way is not heard of any more. */
  stop(error: KafkaError): void {
    this.#failure ??= error;
    this.#alarm.stop();
    for (const queue of this.#active) {
      for (const batch of [...queue.onTheirWay, ...queue.waiting]) this.#fail(queue, batch, error);
    }
    this.#active.clear();
  }

  #queuePump(): void {
    if (this.#isPumpQueued) return;
    this.#isPumpQueued = true;
    queueMicrotask(() => {
      this.#isPumpQueued = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#failure !== null) return;
    const nowMs = performance.now();
    this.#expire(nowMs);
    if (this.#active.size === 0) return;
    if (this.#options.idempotent && this.producerId < 0) return void this.#askProducerId();
    for (let going = true; going;) {
      going = false;
      for (const [nodeId, queues] of this.#dueByNode(nowMs)) if (this.#sendTo(nodeId, queues)) going = true;
    }
  }

  /** The queues whose head may be sent now, by their leader; sets timers for those that come later. */
  #dueByNode(nowMs: number): Map<number, PartitionQueue[]> {
    const due = new Map<number, PartitionQueue[]>();
    const maxOnTheirWay = this.#options.idempotent || this.#options.acks === 0 ? maxInFlight : 1;
    for (const queue of this.#active) {
      if (queue.isEmpty) {
        this.#active.delete(queue);
        continue;
      }
      const head = queue.head(maxOnTheirWay);
      if (head === null) continue;
      const leaderId = this.#cluster.leaderId(queue.topic, queue.partition);
      if (leaderId < 0) {
        void this.#refreshMetadata();
        continue;
      }
      const node = this.#node(leaderId);
      if (node.isConnecting || node.inFlightCount >= maxInFlight) continue;
      const isIdle = node.inFlightCount === 0 || head.isClosed || this.#flushing > 0;
      const atMs = Math.max(isIdle ? 0 : head.createdMs + this.#options.lingerMs, queue.retryAtMs, node.retryAtMs);
      if (atMs > nowMs) {
        this.#alarm.wakeAt(atMs);
        continue;
      }
      if (!this.#isReady(queue, head)) continue;
      const others = due.get(leaderId);
      if (others === undefined) due.set(leaderId, [queue]);
      else others.push(queue);
    }
    return due;
  }

  /** Closes the batch and makes its bytes; false while that goes on. */
  #isReady(queue: PartitionQueue, batch: ProducerBatch): boolean {
    if (batch.isSealed) return true;
    if (batch.isClosed && this.#sealing.has(batch)) return false;
    batch.isClosed = true;
    const sealing = batch.seal(this.#options.codec);
    if (sealing === undefined) return true;
    this.#sealing.add(batch);
    sealing
      .catch((error: unknown) => {
        queue.remove(batch);
        this.#fail(queue, batch, new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, 'a batch cannot be compressed', error));
      })
      .finally(() => {
        this.#sealing.delete(batch);
        this.#queuePump();
      });
    return false;
  }

  readonly #sealing = new Set<ProducerBatch>();

  #node(nodeId: number): Node {
    let node = this.#nodes.get(nodeId);
    if (node === undefined) {
      node = { connection: null, isConnecting: false, inFlightCount: 0, failures: 0, retryAtMs: 0 };
      this.#nodes.set(nodeId, node);
    }
    return node;
  }

  /** Sends one request with the heads of `queues`; false where nothing was sent. */
  #sendTo(nodeId: number, queues: readonly PartitionQueue[]): boolean {
    const node = this.#node(nodeId);
    if (node.connection?.isOpen !== true) {
      void this.#connect(nodeId, node);
      return false;
    }
    const sent: Sent[] = [];
    let sizeBytes = 0;
    for (const queue of queues) {
      const batch = queue.waiting[0]!;
      if (sent.length > 0 && sizeBytes + batch.sizeBytes > this.#options.maxRequestBytes) break;
      sizeBytes += batch.sizeBytes;
      const bytes = queue.take(this.producerId, this.#options.transaction?.producerEpoch ?? null);
      sent.push({ queue, batch, bytes });
      // Whoever was first comes last the next time.
      this.#active.delete(queue);
      this.#active.add(queue);
    }
    this.#hasSent = true;
    node.inFlightCount++;
    this.#request(node.connection, sent)
      .then(
        (response) => {
          node.failures = 0;
          this.#answered(sent, response);
        },
        (error: unknown) => this.#unanswered(node, sent, error),
      )
      .catch((error: unknown) => this.#giveUp(error))
      .finally(() => {
        node.inFlightCount--;
        this.#pump();
      });
    return true;
  }

  /** Why the last connection could not be had. */
  #connectProblem: Error | null = null;

  async #connect(nodeId: number, node: Node): Promise<void> {
    node.isConnecting = true;
    try {
      node.connection = await this.#cluster.connection(nodeId, mainLane);
      this.#connectProblem = null;
    } catch (error) {
      if (!mayPass(error)) return this.#giveUp(error);
      this.#connectProblem = error as Error;
      this.#cluster.settings.onRetry(error as Error);
      node.failures++;
      node.retryAtMs = performance.now() + backoffMs(this.#cluster.settings.backoff, node.failures);
      void this.#refreshMetadata();
    } finally {
      node.isConnecting = false;
      this.#queuePump();
    }
  }

  #request(connection: Connection, sent: readonly Sent[]): Promise<ProduceResponse | undefined> {
    const { acks, transaction } = this.#options;
    const timeoutMs = this.#cluster.settings.requestTimeoutMs;
    return requestProduce(connection, sent, { acks, transactionalId: transaction?.transactionalId ?? null, timeoutMs });
  }

  #answered(sent: readonly Sent[], response: ProduceResponse | undefined): void {
    for (const { queue, batch } of sent) {
      if (response === undefined) {
        this.#settle(queue, batch, -1);
        continue;
      }
      const answer = answerFor(queue, response);
      if (answer === undefined) {
        const error = new KafkaError(ErrorCode.CORRUPT_MESSAGE, `the broker did not answer for ${place(queue)}`);
        this.#again(queue, batch, error);
      } else if (answer.errorCode === ErrorCode.NONE) this.#settle(queue, batch, answer.baseOffset);
      else this.#refused(queue, batch, answer.errorCode, answer.errorMessage);
    }
  }

  #refused(queue: PartitionQueue, batch: ProducerBatch, code: number, message: string | null): void {
    const error = new KafkaError(code, `${message ?? 'the broker refused a batch'} (${place(queue)})`);
    // Only the whole transaction can be tried again.
    if (this.#options.transaction !== null && endsTransaction.has(code)) return this.#fail(queue, batch, error);
    switch (code) {
      case ErrorCode.DUPLICATE_SEQUENCE_NUMBER:
        return this.#settle(queue, batch, -1);
      case ErrorCode.MESSAGE_TOO_LARGE: {
        const halves = batch.split();
        if (halves === null) break;
        return queue.putBack(batch, halves);
      }
      case ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER:
      case ErrorCode.UNKNOWN_PRODUCER_ID:
        if (batch.baseSequence < 0) break;
        return this.#outOfOrder(queue, batch, error);
      case ErrorCode.INVALID_PRODUCER_EPOCH:
      case ErrorCode.PRODUCER_FENCED:
        return this.#giveUp(error);
    }
    if (error.retriable) this.#again(queue, batch, error);
    else this.#fail(queue, batch, error);
  }

  /** What was sent before a batch decides whether it only came too early, or the broker lost what it knew. */
  #outOfOrder(queue: PartitionQueue, batch: ProducerBatch, error: KafkaError): void {
    const wasOldest = queue.isOldest(batch);
    this.#again(queue, batch, error);
    if (!wasOldest) return;
    // Others on their way are refused as well, and come back before anything is sent anew.
    this.#lost.add(queue);
    this.#startOver(queue);
  }

  /** What these had sent is not stored, but for what was acknowledged. */
  readonly #lost = new Set<PartitionQueue>();
  /** A batch of these was given up that may be stored or not, so that the broker may not go on with what follows it. */
  readonly #inDoubt = new Set<PartitionQueue>();

  /** Begins a new epoch where one is due, once that cannot store anything twice. */
  #startOver(queue: PartitionQueue): void {
    if (queue.onTheirWay.length > 0) return;
    const isLost = this.#lost.delete(queue);
    if (!isLost && (queue.hasSequence || !this.#inDoubt.has(queue))) return;
    this.#inDoubt.delete(queue);
    if (queue.startOver()) return;
    this.#giveUp(new KafkaError(ErrorCode.UNKNOWN_PRODUCER_ID, `the epochs of ${place(queue)} are used up`));
  }

  #unanswered(node: Node, sent: readonly Sent[], error: unknown): void {
    if (!mayPass(error)) {
      for (const { queue, batch } of sent) this.#fail(queue, batch, error as Error);
      return;
    }
    node.failures++;
    node.retryAtMs = performance.now() + backoffMs(this.#cluster.settings.backoff, node.failures);
    for (const { queue, batch } of sent) this.#again(queue, batch, error as Error);
  }

  #again(queue: PartitionQueue, batch: ProducerBatch, error: Error): void {
    if (this.#failure !== null) return;
    if (this.#discarding !== null) return this.#fail(queue, batch, this.#discarding);
    this.#cluster.settings.onRetry(error);
    batch.lastProblem = error;
    queue.putBack(batch);
    queue.failures++;
    queue.retryAtMs = performance.now() + backoffMs(this.#cluster.settings.backoff, queue.failures);
    this.#startOver(queue);
    void this.#refreshMetadata([queue.topic]);
  }

  #settle(queue: PartitionQueue, batch: ProducerBatch, baseOffset: number): void {
    if (this.#failure !== null) return;
    queue.remove(batch);
    queue.failures = 0;
    this.#startOver(queue);
    batch.settle(queue.topic, queue.partition, baseOffset);
    this.#listener.settled(batch, null, 0);
  }

  #fail(queue: PartitionQueue, batch: ProducerBatch, error: Error): void {
    queue.remove(batch);
    if (batch.baseSequence >= 0 && this.#options.transaction === null) this.#inDoubt.add(queue);
    this.#startOver(queue);
    this.#listener.settled(batch, error, batch.fail(error));
  }

  #giveUp(error: unknown): void {
    if (this.#failure !== null) return;
    const failure =
      error instanceof KafkaError
        ? error
        : new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, 'the producer failed', error);
    this.stop(failure);
    this.#listener.failed(failure);
  }

  /** Fails what waits longer than it may. What is on its way has its request's time. */
  #expire(nowMs: number): void {
    const { deliveryTimeoutMs } = this.#options;
    let nextMs = Infinity;
    for (const queue of this.#active) {
      while (queue.waiting.length > 0 && queue.waiting[0]!.createdMs + deliveryTimeoutMs <= nowMs) {
        const batch = queue.waiting[0]!;
        const problem = batch.lastProblem ?? this.#connectProblem;
        const why = problem === null ? '' : `; the last time: ${problem.message}`;
        const sentence = `a batch for ${place(queue)} was not delivered within ${deliveryTimeoutMs} ms${why}`;
        this.#fail(queue, batch, new KafkaError(ErrorCode.REQUEST_TIMED_OUT, sentence, problem ?? undefined));
      }
      if (queue.waiting.length > 0) nextMs = Math.min(nextMs, queue.waiting[0]!.createdMs + deliveryTimeoutMs);
    }
    if (nextMs < Infinity) this.#alarm.wakeAt(nextMs);
  }

  async #askProducerId(): Promise<void> {
    if (this.#isAskingId) return;
    this.#isAskingId = true;
    try {
      this.#producerId = await newProducerId(this.#cluster, this.#options.deliveryTimeoutMs);
      this.#pump();
    } catch (error) {
      if (!mayPass(error)) return this.#giveUp(error);
      // Its time is up, and so is that of the records that waited for it.
      for (const queue of this.#active)
        for (const batch of [...queue.waiting]) this.#fail(queue, batch, error as Error);
    } finally {
      this.#isAskingId = false;
    }
  }

  async #refreshMetadata(topics?: readonly string[]): Promise<void> {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    try {
      await this.#cluster.refresh(topics ?? [...new Set([...this.#active].map((queue) => queue.topic))]);
    } catch (error) {
      if (!mayPass(error)) return this.#giveUp(error);
      this.#cluster.settings.onRetry(error as Error);
    } finally {
      this.#isRefreshing = false;
      this.#alarm.wakeAt(performance.now() + this.#cluster.settings.backoff.firstMs);
    }
  }
}

function place(queue: PartitionQueue): string {
  return `partition ${queue.partition} of ${queue.topic}`;
}
