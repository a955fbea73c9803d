/**
 * The transaction coordinator: all transactional ids and what becomes of their transactions. I/O thread.
 *
 *   handlers ──► TransactionCoordinator ──► decide…     what a request comes to, at once, in memory
 *                      │                └─► StateLog     each step is synced before it is answered
 *                      └──► TransactionCompletion        then the markers, and what the outcome leaves behind
 *
 * A client hears that its transaction is committed once that is decided durably, as from Kafka; the markers follow, and
 * until all are synced the id takes no next transaction. A start writes the markers that are missing. It does not know
 * requests (handlers/) nor how offsets of groups are kept (groups/).
 */

import { EnvironmentError } from '../../base/environment-error.ts';
import { ErrorCode } from '../../base/error-code.ts';
import type { TransactionOutcome } from '../../records/transaction-marker.ts';
import type { Broker } from '../broker.ts';
import { stateLogTopics } from '../topic-name.ts';
import { decideEnd, type EndRequest } from './end-transaction.ts';
import { decideInitProducer, type ProducerIdentity } from './init-producer-id.ts';
import { newTransactionImage, noProducerId, type Transaction, type TransactionVersion } from './transaction.ts';
import { TransactionAdmission } from './transaction-admission.ts';
import { TransactionCompletion } from './transaction-completion.ts';
import { TransactionExpiry } from './transaction-expiry.ts';
import type { PartitionName } from './transaction-partitions.ts';
import { isPrepared } from './transaction-state.ts';
import { TransactionStore } from './transaction-store.ts';

export interface ProducerResult extends ProducerIdentity {
  readonly errorCode: ErrorCode;
}

export interface EndTransactionRequest extends EndRequest {
  readonly transactionalId: string;
}

export interface TransactionOfProducer extends ProducerIdentity {
  readonly transactionalId: string;
  readonly partitions: readonly PartitionName[];
}

/** As many partitions as one transaction may have: its record, which has all of them, is written with each that comes. */
const maxPartitions = 50_000;

/** As long as nobody says otherwise, each transaction ends as KIP-890 has it: the level of `transaction.version`. */
const finalizedVersion: TransactionVersion = 2;

export class TransactionCoordinator {
  readonly admission: TransactionAdmission;
  readonly #broker: Broker;
  readonly #store: TransactionStore;
  readonly #completion: TransactionCompletion;
  readonly #expiry: TransactionExpiry;
  #isActive = true;

  private constructor(broker: Broker, store: TransactionStore) {
    this.#broker = broker;
    this.#store = store;
    this.#completion = new TransactionCompletion(broker, store);
    this.#expiry = new TransactionExpiry(broker, store, (transaction) => this.fence(transaction));
    this.admission = new TransactionAdmission(broker, this);
  }

  /** Reads the log of transactions. Rejects with `EnvironmentError` where it cannot be read or a newer Millrace wrote it. */
  static async open(broker: Broker): Promise<TransactionCoordinator> {
    const store = new TransactionStore(broker.clock);
    store.attach(await broker.openStateLog(stateLogTopics.transactions, store));
    const coordinator = new TransactionCoordinator(broker, store);
    for (const transaction of [...store.open()]) {
      if (isPrepared(transaction.image.state)) coordinator.#completion.begin(transaction);
    }
    coordinator.#expiry.start();
    return coordinator;
  }

  /** False once the broker closes: from then on clients are told to look elsewhere. */
  get isActive(): boolean {
    return this.#isActive;
  }

  find(transactionalId: string): Transaction | null {
    return this.#store.get(transactionalId);
  }

  all(): IterableIterator<Transaction> {
    return this.#store.all();
  }

  /** Gives the producer of an id its producer id and epoch. Errors as Kafka's coordinator gives them. */
  async initProducer(
    transactionalId: string,
    timeoutMs: number,
    expected: ProducerIdentity | null,
  ): Promise<ProducerResult> {
    if (!this.#isActive) return refused(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    const isTimeoutValid = timeoutMs > 0 && timeoutMs <= this.#broker.config.number('transaction.max.timeout.ms');
    if (!isTimeoutValid) return refused(ErrorCode.INVALID_TRANSACTION_TIMEOUT);
    let spare = this.find(transactionalId) === null ? await this.#newProducerId() : null;
    if (spare === undefined) return refused(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
    for (;;) {
      const transaction = this.find(transactionalId) ?? this.#create(transactionalId, spare, timeoutMs);
      if (transaction === null) return refused(ErrorCode.COORDINATOR_NOT_AVAILABLE);
      const decision = decideInitProducer(transaction, timeoutMs, expected, spare, this.#nowMs());
      if (decision.kind === 'refuse') return refused(decision.errorCode);
      if (decision.kind === 'fence') {
        const errorCode = await this.fence(transaction);
        return refused(errorCode === ErrorCode.NONE ? ErrorCode.CONCURRENT_TRANSACTIONS : errorCode);
      }
      if (decision.kind === 'step') {
        const { image } = decision;
        const errorCode = await this.#store.step(transaction, image);
        return errorCode === ErrorCode.NONE ? resultOf(image) : refused(errorCode);
      }
      spare = await this.#newProducerId();
      if (spare === undefined) return refused(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
    }
  }

  /** Adds partitions to the producer's transaction, which begins with the first; answers once that is durable. */
  async addPartitions(request: TransactionOfProducer, version: TransactionVersion): Promise<ErrorCode> {
    const transaction = this.#isActive ? this.find(request.transactionalId) : null;
    const problem = this.#problemOf(transaction, request);
    if (problem !== ErrorCode.NONE || transaction === null) return problem;
    const { image, isBusy } = transaction;
    if (isBusy) return ErrorCode.CONCURRENT_TRANSACTIONS;
    if (image.state === 'Ongoing' && request.partitions.every((partition) => image.partitions.has(partition))) {
      return ErrorCode.NONE;
    }
    const next = transaction.withPartitions(request.partitions, version, this.#nowMs());
    if (next.partitions.count > maxPartitions) return ErrorCode.TRANSACTION_ABORTABLE;
    return this.#store.step(transaction, next);
  }

  /** Whether the producer's transaction has `partitions`: an error for all of them, or one for each. */
  verifyPartitions(request: TransactionOfProducer): ErrorCode | readonly ErrorCode[] {
    const transaction = this.#isActive ? this.find(request.transactionalId) : null;
    const problem = this.#problemOf(transaction, request);
    if (problem !== ErrorCode.NONE || transaction === null) return problem;
    const { image } = transaction;
    if (isPrepared(image.state)) return ErrorCode.CONCURRENT_TRANSACTIONS;
    return request.partitions.map((partition) =>
      image.partitions.has(partition) ? ErrorCode.NONE : ErrorCode.TRANSACTION_ABORTABLE,
    );
  }

  /** Ends a producer's transaction; answers once the outcome is durable. Errors as Kafka's coordinator gives them. */
  async end(request: EndTransactionRequest): Promise<ProducerResult> {
    if (request.transactionalId === '') return refused(ErrorCode.INVALID_REQUEST);
    if (!this.#isActive) return refused(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    let spare: number | null | undefined = null;
    for (;;) {
      const transaction = this.find(request.transactionalId);
      if (transaction === null) return refused(ErrorCode.INVALID_PRODUCER_ID_MAPPING);
      const decision = decideEnd(transaction, request);
      if (decision.kind === 'refuse') return refused(decision.errorCode);
      if (decision.kind === 'done') return resultOf(transaction.image);
      if (!needsProducerId(transaction, request.version) || spare !== null) {
        return this.#prepare(transaction, request.outcome, request.version, spare ?? noProducerId);
      }
      spare = await this.#newProducerId();
      if (spare === undefined) return refused(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
    }
  }

  /** Aborts an ongoing transaction under an epoch that its producer does not have (KIP-588). */
  async fence(transaction: Transaction): Promise<ErrorCode> {
    transaction.pending = 'PrepareEpochFence';
    const spare = needsProducerId(transaction, finalizedVersion) ? await this.#newProducerId() : null;
    transaction.pending = null;
    if (spare === undefined) return ErrorCode.COORDINATOR_LOAD_IN_PROGRESS;
    const { errorCode } = await this.#prepare(transaction, 'abort', finalizedVersion, spare ?? noProducerId);
    return errorCode;
  }

  /** Stops the timers; those who wait hear that they should look elsewhere. */
  close(): void {
    this.#isActive = false;
    this.#expiry.stop();
    this.#completion.stop();
    for (const { waiting } of this.#store.open()) for (const proceed of waiting.splice(0)) proceed();
  }

  async #prepare(
    transaction: Transaction,
    outcome: TransactionOutcome,
    version: TransactionVersion,
    nextProducerId: number,
  ): Promise<ProducerResult> {
    const image = transaction.prepared(outcome, version, nextProducerId, this.#nowMs());
    const errorCode = await this.#store.step(transaction, image);
    if (errorCode !== ErrorCode.NONE) return refused(errorCode);
    this.#completion.begin(transaction);
    return nextProducerId === noProducerId
      ? resultOf(image)
      : { errorCode, producerId: nextProducerId, producerEpoch: 0 };
  }

  #problemOf(transaction: Transaction | null, request: TransactionOfProducer): ErrorCode {
    if (request.transactionalId === '') return ErrorCode.INVALID_REQUEST;
    if (!this.#isActive) return ErrorCode.COORDINATOR_NOT_AVAILABLE;
    if (transaction === null || transaction.image.producerId !== request.producerId) {
      return ErrorCode.INVALID_PRODUCER_ID_MAPPING;
    }
    return transaction.image.producerEpoch === request.producerEpoch ? ErrorCode.NONE : ErrorCode.PRODUCER_FENCED;
  }

  #create(transactionalId: string, producerId: number | null, timeoutMs: number): Transaction | null {
    if (producerId === null) return null;
    const transaction = this.#store.create(transactionalId, newTransactionImage(producerId, timeoutMs, this.#nowMs()));
    if (transaction === null) {
      this.#broker.logger.warn({ transactionalId }, 'A transactional id was refused: there are too many.');
    }
    return transaction;
  }

  /** Undefined where no block of ids can be written at the moment; the client may try again. */
  async #newProducerId(): Promise<number | undefined> {
    try {
      return await this.#broker.producerIds.next();
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
      this.#broker.logger.error({ error }, 'No producer id could be given.');
      return undefined;
    }
  }

  #nowMs(): number {
    return this.#broker.clock.nowMs();
  }
}

/** Where an end uses the last epoch up, the next transaction has another producer id. */
function needsProducerId(transaction: Transaction, version: TransactionVersion): boolean {
  return version === 2 && transaction.isEpochExhausted;
}

function resultOf({ producerId, producerEpoch }: ProducerIdentity): ProducerResult {
  return { errorCode: ErrorCode.NONE, producerId, producerEpoch };
}

function refused(errorCode: ErrorCode): ProducerResult {
  return { errorCode, producerId: -1, producerEpoch: -1 };
}
