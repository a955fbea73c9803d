/**
 * Completes transactions whose outcome is decided: a marker in each of their partitions, and the offsets that groups
 * committed in them made valid or dropped. I/O thread.
 *
 * Everything here may be done twice, and is after a crash: a marker that ends nothing changes nothing. A partition that
 * cannot be written to at the moment is tried again until it can, or its topic is gone; so long the id takes no next
 * transaction, and readers of what is committed wait.
 */

import { ErrorCode, errorName } from '../../base/error-code.ts';
import type { Timer } from '../../base/clock.ts';
import { markerRoomBytes, type TransactionMarker } from '../../storage/partition-log.ts';
import type { Broker } from '../broker.ts';
import type { Transaction } from './transaction.ts';
import { offsetsTopic } from './transaction-partitions.ts';
import { isPrepared } from './transaction-state.ts';
import type { TransactionStore } from './transaction-store.ts';

const firstRetryMs = 100;
const longestRetryMs = 5000;

export class TransactionCompletion {
  readonly #broker: Broker;
  readonly #store: TransactionStore;
  readonly #retries = new Set<Timer>();
  #stopped = false;

  constructor(broker: Broker, store: TransactionStore) {
    this.#broker = broker;
    this.#store = store;
  }

  /** Writes the markers of a transaction whose outcome is durable, then what the outcome leaves behind. */
  begin(transaction: Transaction, retryMs = firstRetryMs): void {
    if (this.#stopped || !isPrepared(transaction.image.state)) return;
    const written = this.#writeMarkers(transaction).catch((error: unknown) => {
      this.#broker.logger.error({ transactionalId: transaction.id, error }, 'Markers were not written, by a defect.');
      return ErrorCode.UNKNOWN_SERVER_ERROR;
    });
    void written.then((errorCode) => {
      if (this.#stopped) return;
      if (errorCode === ErrorCode.NONE) {
        this.#store.settle(transaction, transaction.completed(this.#broker.clock.nowMs()));
        return;
      }
      this.#broker.logger.warn(
        { transactionalId: transaction.id, error: errorName(errorCode), retryMs },
        'The markers of a transaction could not all be written; it is tried again.',
      );
      const timer = this.#broker.clock.setTimer(retryMs, () => {
        this.#retries.delete(timer);
        this.begin(transaction, Math.min(retryMs * 2, longestRetryMs));
      });
      this.#retries.add(timer);
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#retries) timer.cancel();
    this.#retries.clear();
  }

  /** NONE once all markers are synced, else one of the errors. */
  async #writeMarkers({ image }: Transaction): Promise<ErrorCode> {
    const { topics, groups, store } = this.#broker;
    const outcome = image.state === 'PrepareCommit' ? 'commit' : 'abort';
    const { producerId, producerEpoch, version } = image;
    const coordinatorEpoch = store.leaderEpoch;
    const marker = { producerId, producerEpoch, coordinatorEpoch, outcome, transactionVersion: version } as const;
    const writes: Promise<ErrorCode>[] = [];
    for (const { topicId, topic, partitions } of image.partitions.topics()) {
      if (topic === offsetsTopic) {
        writes.push(groups.commits.completeTransaction(producerId, partitions, outcome));
        continue;
      }
      const known = topics.topicById(topicId);
      if (known === null) continue;
      for (const partition of partitions) writes.push(writeMarker(this.#broker, known.name, partition, marker));
    }
    const errorCodes = await Promise.all(writes);
    return errorCodes.find((errorCode) => errorCode !== ErrorCode.NONE) ?? ErrorCode.NONE;
  }
}

/**
 * Writes one marker; resolves once it is synced. A topic that is gone, or goes meanwhile, needs none: NONE. Else errors
 * as `PartitionLog.appendMarker` gives them.
 */
async function writeMarker(
  broker: Broker,
  topicName: string,
  partition: number,
  marker: TransactionMarker,
): Promise<ErrorCode> {
  const { topics, store } = broker;
  const topic = topics.topic(topicName);
  const log = topic === null ? null : topics.partition(topic, partition);
  if (topic === null || log === null) return ErrorCode.NONE;
  const errorCode = await new Promise<ErrorCode>((resolve) => {
    store.whenRoom(markerRoomBytes, () => log.appendMarker(marker, (result) => resolve(result.errorCode)));
  });
  return errorCode !== ErrorCode.NONE && topics.topicById(topic.id) === null ? ErrorCode.NONE : errorCode;
}
