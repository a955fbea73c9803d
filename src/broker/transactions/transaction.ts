/**
 * One transactional id: what its log says, and what is on its way there. I/O thread.
 *
 * `image` is durable and never changes; each step makes the next image, which counts once its record is synced. Until
 * then `pending` names the state to come and keeps every other step away, whose client hears CONCURRENT_TRANSACTIONS.
 * The steps are those of Kafka's coordinator. KIP-98; KIP-360 (epochs), KIP-588 (fencing), KIP-890 (an epoch for every
 * transaction). It does not write, nor decide which step a request asks for.
 */

import { assert } from '../../base/assert.ts';
import type { TransactionOutcome } from '../../records/transaction-marker.ts';
import { TransactionPartitions, type PartitionName } from './transaction-partitions.ts';
import { isPrepared, mayFollow, type TransactionState } from './transaction-state.ts';

/** The highest epoch that a producer is given: one more must be left to fence it. */
export const lastProducerEpoch = 32_766;

export const noProducerId = -1;
export const noEpoch = -1;

/**
 * How the client ends transactions: with 2 every end bumps the epoch (KIP-890), with 0 none does. 1 is how Kafka's
 * coordinator writes its records and means as much as 0 here.
 */
export type TransactionVersion = 0 | 2;

export interface TransactionImage {
  readonly state: TransactionState;
  readonly producerId: number;
  /** Of the record before, for retries of a request that gave the id a new producer id. */
  readonly previousProducerId: number;
  /** What takes the place of `producerId` once the markers are written; -1 where it stays. */
  readonly nextProducerId: number;
  /** -1 until the first InitProducerId is answered. */
  readonly producerEpoch: number;
  /** The epoch before the last bump, for retries of the request that asked for it; -1 where nobody may retry. */
  readonly lastProducerEpoch: number;
  readonly timeoutMs: number;
  readonly partitions: TransactionPartitions;
  /** When the first partition came in, in wall-clock milliseconds; -1 where none has. */
  readonly startedMs: number;
  readonly updatedMs: number;
  readonly version: TransactionVersion;
}

export function newTransactionImage(producerId: number, timeoutMs: number, nowMs: number): TransactionImage {
  return {
    state: 'Empty',
    producerId,
    previousProducerId: noProducerId,
    nextProducerId: noProducerId,
    producerEpoch: noEpoch,
    lastProducerEpoch: noEpoch,
    timeoutMs,
    partitions: TransactionPartitions.none,
    startedMs: -1,
    updatedMs: nowMs,
    version: 0,
  };
}

export class Transaction {
  readonly id: string;
  image: TransactionImage;
  /** The state whose record is on its way; null where none is. */
  pending: TransactionState | null = null;
  /** When its time is up while it is ongoing, by `Clock.heardMs`. */
  deadlineMs = Infinity;
  /** Requests that go on once nothing is pending, in the order in which they came. */
  readonly waiting: (() => void)[] = [];

  constructor(id: string, image: TransactionImage) {
    this.id = id;
    this.image = image;
  }

  /** Whether a step is on its way, or markers are, so that no other may begin. */
  get isBusy(): boolean {
    return this.pending !== null || isPrepared(this.image.state);
  }

  /** Whether the producer id has no epoch left to give. */
  get isEpochExhausted(): boolean {
    return this.image.producerEpoch >= lastProducerEpoch;
  }

  /** The producer's next epoch, or with `expectedEpoch` the one that a retry asks for; null where that is fenced. */
  withNextEpoch(timeoutMs: number, expectedEpoch: number | null, nowMs: number): TransactionImage | null {
    assert(!this.isEpochExhausted, 'an epoch is left');
    const { producerEpoch, lastProducerEpoch: last } = this.image;
    const fresh = { timeoutMs, partitions: TransactionPartitions.none, startedMs: -1, updatedMs: nowMs };
    if (expectedEpoch === null) {
      return this.#next('Empty', { ...fresh, producerEpoch: producerEpoch + 1, lastProducerEpoch: noEpoch });
    }
    if (producerEpoch === noEpoch || expectedEpoch === producerEpoch) {
      return this.#next('Empty', { ...fresh, producerEpoch: producerEpoch + 1, lastProducerEpoch: producerEpoch });
    }
    // A retry of the request that bumped the epoch: had another producer come since, there would be no last epoch.
    return expectedEpoch === last ? this.#next('Empty', fresh) : null;
  }

  /** A new producer id with epoch 0; `isRetriable` where the client named the epoch that it had. */
  withProducerId(producerId: number, timeoutMs: number, isRetriable: boolean, nowMs: number): TransactionImage {
    return this.#next('Empty', {
      producerId,
      producerEpoch: 0,
      lastProducerEpoch: isRetriable ? this.image.producerEpoch : noEpoch,
      timeoutMs,
      partitions: TransactionPartitions.none,
      startedMs: -1,
      updatedMs: nowMs,
    });
  }

  withPartitions(added: readonly PartitionName[], version: TransactionVersion, nowMs: number): TransactionImage {
    const startedMs = this.image.state === 'Ongoing' ? this.image.startedMs : nowMs;
    const partitions = this.image.partitions.with(added);
    return this.#next('Ongoing', { partitions, startedMs, updatedMs: nowMs, version });
  }

  /** The outcome, decided; with version 2 under the next epoch. `nextProducerId` is -1 where an epoch is left after it. */
  prepared(
    outcome: TransactionOutcome,
    version: TransactionVersion,
    nextProducerId: number,
    nowMs: number,
  ): TransactionImage {
    const { state, producerEpoch, startedMs } = this.image;
    const epochs = version === 2 ? { producerEpoch: producerEpoch + 1, lastProducerEpoch: producerEpoch } : {};
    return this.#next(outcome === 'commit' ? 'PrepareCommit' : 'PrepareAbort', {
      ...epochs,
      nextProducerId,
      startedMs: state === 'Ongoing' ? startedMs : nowMs,
      updatedMs: nowMs,
      version,
    });
  }

  /** What the outcome leaves behind once all markers are written. */
  completed(nowMs: number): TransactionImage {
    const { state, version, nextProducerId } = this.image;
    const rotated = version === 2 && nextProducerId !== noProducerId;
    return this.#next(state === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort', {
      ...(rotated ? { producerId: nextProducerId, producerEpoch: 0 } : {}),
      nextProducerId: noProducerId,
      partitions: TransactionPartitions.none,
      updatedMs: nowMs,
    });
  }

  #next(state: TransactionState, changes: Partial<TransactionImage>): TransactionImage {
    assert(mayFollow(state, this.image.state), `${state} may follow ${this.image.state}`);
    return { ...this.image, previousProducerId: this.image.producerId, ...changes, state };
  }
}
