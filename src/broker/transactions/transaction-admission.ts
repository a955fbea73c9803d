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
      void this.#work(request.transactionalId);
    }
  }

  /** Answers at once where nothing is to be waited for: the way of every batch but a transaction's first in a partition. */
  #isSettled(request: AdmissionRequest, listener: AdmissionListener): boolean {
    if (request.version === 0) {
      const verified = this.#coordinator.verifyPartitions(request);
      listener(typeof verified === 'number' ? request.partitions.map(() => verified) : verified);
      return true;
    }
    const transaction = this.#coordinator.find(request.transactionalId);
    if (transaction === null || !isIn(transaction, request)) return false;
    listener(request.partitions.map(() => ErrorCode.NONE));
    return true;
  }

  async #work(transactionalId: string): Promise<void> {
    const queue = this.#queues.get(transactionalId)!;
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      const { request, listener } = first;
      if (!this.#isSettled(request, listener)) {
        const errorCode = await this.#add(first);
        listener(request.partitions.map(() => errorCode));
      }
      queue.shift();
    }
    this.#queues.delete(transactionalId);
  }

  async #add(waiting: Waiting): Promise<ErrorCode> {
    const { request, deadlineMs } = waiting;
    const { clock } = this.#broker;
    for (;;) {
      const errorCode = await this.#coordinator.addPartitions(request, request.version);
      if (errorCode !== ErrorCode.CONCURRENT_TRANSACTIONS) return errorCode;
      const transaction = this.#coordinator.find(request.transactionalId);
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
