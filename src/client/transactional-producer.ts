/**
 * A producer whose records become readable together, or not at all, and with them the position of a group that they were
 * made from: what it takes to process each record exactly once (KIP-98, KIP-447). Any thread.
 *
 *   begin ─► send, enqueue, sendOffsets … ─► commit or abort ─► begin …
 *
 * One transaction at a time. Another producer with the same transactional id fences this one, which is how a program that
 * was started again gets rid of what it was before.
 */

import { ErrorCode } from '../base/error-code.ts';
import type { Client } from './client.ts';
import type { Consumer } from './consumer.ts';
import { KafkaError } from './kafka-error.ts';
import type { CommittedOffset } from './offsets.ts';
import { Producer, type ProducerOptions, type ProducerRecord } from './producer.ts';
import type { RecordMetadata } from './producer-batch.ts';
import { TransactionIdentity } from './transaction-identity.ts';

export interface TransactionalProducerOptions<K, V> extends Omit<ProducerOptions<K, V>, 'acks' | 'idempotent'> {
  /** Which of a program's producers this is: the same after a restart, another for each that runs at once. */
  readonly transactionalId: string;
  /** After so long the broker aborts a transaction that is still open, in milliseconds. Default: 60,000. */
  readonly transactionTimeoutMs?: number;
}

interface Waiting {
  readonly signal?: AbortSignal;
}

export class TransactionalProducer<K = Uint8Array, V = Uint8Array> implements AsyncDisposable {
  readonly #identity: TransactionIdentity;
  readonly #producer: Producer<K, V>;
  #isOpen = false;
  #hasOffsets = false;
  /** The reason why the id is another's by now. */
  #fenced: KafkaError | null = null;

  /** Connects with `init`, or when the first transaction begins. Throws a `KafkaError` (INVALID_CONFIG) where options contradict each other. */
  constructor(client: Client, options: TransactionalProducerOptions<K, V>) {
    const { transactionalId, transactionTimeoutMs = 60_000 } = options;
    if (transactionalId === '') throw new KafkaError(ErrorCode.INVALID_CONFIG, 'a transactional id is not empty');
    this.#identity = new TransactionIdentity(client.cluster, transactionalId, transactionTimeoutMs);
    this.#producer = new Producer(client, options, this.#identity);
  }

  /**
   * Takes the transactional id over, which ends what another producer had open. Whoever moves a group does so before reading:
   * until then a position that was left in an open transaction keeps the group's consumers from theirs. Doing so twice does
   * nothing. Rejects with a `KafkaError`: PRODUCER_FENCED where another producer has the id by now.
   */
  async init({ signal }: Waiting = {}): Promise<void> {
    if (this.#fenced !== null) throw this.#fenced;
    await this.#identity.init(signal);
  }

  /** Begins a transaction, the first after `init`. Rejects as that does, and with INVALID_TXN_STATE where one is open. */
  async begin(waiting: Waiting = {}): Promise<void> {
    if (this.#isOpen) throw new KafkaError(ErrorCode.INVALID_TXN_STATE, 'a transaction is open: end it first');
    await this.init(waiting);
    this.#producer.beginTransaction();
    this.#isOpen = true;
    this.#hasOffsets = false;
  }

  /** As `Producer.send`, within the transaction: the record can be read once it is committed. */
  send(record: ProducerRecord<K, V>, waiting: Waiting = {}): Promise<RecordMetadata> {
    if (!this.#isOpen) return Promise.reject(notOpen());
    return this.#producer.send(record, waiting);
  }

  /** As `Producer.enqueue`, within the transaction: what becomes of the record, `commit` tells. */
  enqueue(record: ProducerRecord<K, V>): Promise<void> | undefined {
    if (!this.#isOpen) throw notOpen();
    return this.#producer.enqueue(record);
  }

  /**
   * Has the consumer's group go on behind what was handed out (or at `offsets`) once the transaction is committed. The
   * consumer has `autoCommit: false`. Rejects with a `KafkaError`, as where the group rebalanced: abort then.
   */
  async sendOffsets(
    consumer: Pick<Consumer, 'membership' | 'handedOut'>,
    offsets: readonly CommittedOffset[] = consumer.handedOut(),
    { signal }: Waiting = {},
  ): Promise<void> {
    if (!this.#isOpen) throw notOpen();
    if (offsets.length === 0) return;
    const { group, committer } = consumer.membership();
    this.#hasOffsets = true;
    await this.#identity.commitOffsets(group, committer, offsets, signal);
  }

  /**
   * Commits: resolves once the outcome is on disk. Rejects with a `KafkaError` where a record could not be sent; the
   * transaction is still open then, and has to be aborted. After PRODUCER_FENCED the producer is done for.
   */
  async commit({ signal }: Waiting = {}): Promise<void> {
    if (!this.#isOpen) throw notOpen();
    await this.#producer.flush(signal === undefined ? {} : { signal });
    const { transactionFailure } = this.#producer;
    if (transactionFailure !== null) throw transactionFailure;
    await this.#end(true, signal);
  }

  /** Takes all back that was sent since `begin`. Rejects as `commit` does. Without an open transaction it does nothing. */
  async abort({ signal }: Waiting = {}): Promise<void> {
    if (!this.#isOpen) return;
    await this.#producer.discard(new KafkaError(ErrorCode.TRANSACTION_ABORTABLE, 'the transaction was aborted'));
    await this.#end(false, signal);
  }

  /** Aborts what is open and takes no more. Doing so twice does nothing. */
  async close(): Promise<void> {
    try {
      if (this.#fenced === null) await this.abort();
    } finally {
      this.#isOpen = false;
      await this.#producer.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(committed: boolean, signal: AbortSignal | undefined): Promise<void> {
    try {
      // What the broker has never heard of need not be ended.
      if (this.#hasOffsets || this.#producer.hasSent) await this.#identity.end(committed, signal);
    } catch (error) {
      if (error instanceof KafkaError && fencing.has(error.code)) {
        this.#fenced = error;
        this.#isOpen = false;
      }
      throw error;
    }
    this.#isOpen = false;
  }
}

const fencing = new Set<number>([
  ErrorCode.PRODUCER_FENCED,
  ErrorCode.INVALID_PRODUCER_EPOCH,
  ErrorCode.INVALID_PRODUCER_ID_MAPPING,
]);

function notOpen(): KafkaError {
  return new KafkaError(ErrorCode.INVALID_TXN_STATE, 'no transaction is open: begin one first');
}
