/**
 * Lets writes into transactions: what Produce and TxnOffsetCommit ask before they append. I/O thread.
 *
 *   version 0   the partitions have to be in the transaction by now (AddPartitionsToTxn, AddOffsetsToTxn; KIP-890 part 1)
 *   version 2   those that are not are added, which begins the transaction with the first (KIP-890 part 2)
 *
 * Admissions of one id come true in the order in which they were asked for, so that what a producer sends lands in order.
 * An admission of version 2 behind the end of the last transaction waits until that is complete, instead of having the
 * client try again, for at most `add.partitions.to.txn.retry.backoff.max.ms`.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { Broker } from '../broker.ts';
import type { Transaction, TransactionVersion } from './transaction.ts';
import type { TransactionCoordinator, TransactionOfProducer } from './transaction-coordinator.ts';

export interface AdmissionRequest extends TransactionOfProducer {
  readonly version: TransactionVersion;
}

/** What the coordinator says of each partition of a request, as `PartitionName`s came. */
export type AdmissionListener = (errorCodes: readonly ErrorCode[]) => void;

interface Waiting {
  readonly request: AdmissionRequest;
  readonly listener: AdmissionListener;
  /** Past it, CONCURRENT_TRANSACTIONS is what the client hears. */
  readonly deadlineMs: number;
}

export class TransactionAdmission {
  /** What those who wait keep of their requests, in bytes; they count it themselves. */
  heldBytes = 0;
  readonly #broker: Broker;
  readonly #coordinator: TransactionCoordinator;
  /** By transactional id: those that are not let in yet, in order. The first is being worked on. */
  readonly #queues = new Map<string, Waiting[]>();

  constructor(broker: Broker, coordinator: TransactionCoordinator) {
    this.#broker = broker;
    this.#coordinator = coordinator;
  }

  /**
   * Calls `listener` once, with an error code for each partition, also from within: whoever has NONE appends before it
   * returns. The errors are the coordinator's: PRODUCER_FENCED, INVALID_PRODUCER_ID_MAPPING, CONCURRENT_TRANSACTIONS,
   * TRANSACTION_ABORTABLE (version 0: not in the transaction), COORDINATOR_NOT_AVAILABLE.
   */
  admit(request: AdmissionRequest, listener: AdmissionListener): void {
    const queue = this.#queues.get(request.transactionalId);
    if (queue === undefined && this.#isSettled(request, listener)) return;
    const patienceMs = this.#broker.config.number('add.partitions.to.txn.retry.backoff.max.ms');
    const deadlineMs = this.#broker.clock.monotonicMs() + patienceMs;
    const waiting = { request, listener, deadlineMs };
    if (queue !== undefined) queue.push(waiting);
    else {
      this.#queues.set(request.transactionalId, [waiting]);
      this.#work(request.transactionalId).catch((error: unknown) => this.#giveUp(request.transactionalId, error));
    }
  }

  /** Answers at once where nothing is to be waited for: the way of every batch but a transaction's first in a partition. */
  #isSettled(request: AdmissionRequest, listener: AdmissionListener): boolean {
    if (this.#mustBeAdded(request)) return false;
    const verified = request.version === 0 ? this.#coordinator.verifyPartitions(request) : ErrorCode.NONE;
    listener(typeof verified === 'number' ? request.partitions.map(() => verified) : verified);
    return true;
  }

  #mustBeAdded(request: AdmissionRequest): boolean {
    if (request.version === 0) return false;
    const transaction = this.#coordinator.find(request.transactionalId);
    return transaction === null || !isIn(transaction, request);
  }

  async #work(transactionalId: string): Promise<void> {
    const queue = this.#queues.get(transactionalId)!;
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      const { request, listener } = first;
      const errorCode = this.#mustBeAdded(request) ? await this.#add(first) : null;
      // It has been answered by the time that the next is looked at, whatever its listener does.
      queue.shift();
      if (errorCode === null) this.#isSettled(request, listener);
      else listener(request.partitions.map(() => errorCode));
    }
    this.#queues.delete(transactionalId);
  }

  /** After a defect nobody waits for what never comes. */
  #giveUp(transactionalId: string, error: unknown): void {
    this.#broker.logger.error({ transactionalId, error }, 'Writes could not be let into a transaction, by a defect.');
    const queue = this.#queues.get(transactionalId) ?? [];
    this.#queues.delete(transactionalId);
    for (const { request, listener } of queue) listener(request.partitions.map(() => ErrorCode.UNKNOWN_SERVER_ERROR));
  }

  async #add(waiting: Waiting): Promise<ErrorCode> {
    const { request, deadlineMs } = waiting;
    const { clock } = this.#broker;
    for (;;) {
      const errorCode = await this.#coordinator.addPartitions(request, request.version);
      if (errorCode !== ErrorCode.CONCURRENT_TRANSACTIONS) return errorCode;
      const transaction = this.#coordinator.find(request.transactionalId);
      // A step that ended since wakes nobody any more.
      if (transaction?.isBusy === false) continue;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (transaction === null || leftMs <= 0) return errorCode;
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(leftMs, resolve);
        transaction.waiting.push(() => {
          timer.cancel();
          resolve();
        });
      });
    }
  }
}

/** Whether the transaction is open, the producer's, and has all the partitions. */
function isIn({ image, pending }: Transaction, request: AdmissionRequest): boolean {
  return (
    pending !== 'PrepareCommit' &&
    pending !== 'PrepareAbort' &&
    pending !== 'PrepareEpochFence' &&
    image.state === 'Ongoing' &&
    image.producerId === request.producerId &&
    image.producerEpoch === request.producerEpoch &&
    request.partitions.every((partition) => image.partitions.has(partition))
  );
}
