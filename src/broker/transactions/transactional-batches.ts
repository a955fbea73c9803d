/**
 * The transactional batches of one Produce: let into their transaction together, then appended, in turns. I/O thread.
 *
 * Where the transaction has all their partitions, which is the way of all but its first batches, they are appended before
 * the request's handler returns, as far as its turn goes. Else their bytes are copied, for they end with the request, and
 * appended once the partitions are in it. Nothing more of the connection is served before all of them are, so what a
 * producer sends lands in order.
 */

import { ErrorCode, errorName } from '../../base/error-code.ts';
import { producerEpochAt, producerIdAt } from '../../records/record-batch.ts';
import type { AppendListener, AppendOptions, PartitionLog } from '../../storage/partition-log.ts';
import type { Broker } from '../broker.ts';
import { alignmentBytes, type LateCheck, type ProduceTurn } from '../produce-turns.ts';
import type { AdmissionRequest } from './transaction-admission.ts';
import { admissionErrorFor } from './transaction-error.ts';
import type { PartitionName } from './transaction-partitions.ts';

const firstVersionThatKnowsAbortable = 11;
const firstVersionOfV2 = 12;

/** What all batches together may take that wait for their transactions. */
const maxHeldBytes = 64 * 1024 * 1024;

/** Why a batch was not appended. */
export type Refusal = (errorCode: ErrorCode, message: string | null) => void;

interface TransactionalBatch {
  readonly place: PartitionName;
  readonly log: PartitionLog;
  records: Uint8Array;
  readonly listener: AppendListener;
  readonly refuse: Refusal;
}

/** Whose batches they are, and how it ends its transactions. */
type Producer = Omit<AdmissionRequest, 'partitions'>;

export class TransactionalBatches {
  readonly #broker: Broker;
  readonly #turn: ProduceTurn;
  readonly #apiVersion: number;
  readonly #options: AppendOptions;
  readonly #batches: TransactionalBatch[] = [];

  /** `turn` is that of the request, which has version `apiVersion`. */
  constructor(broker: Broker, turn: ProduceTurn, apiVersion: number, options: AppendOptions) {
    this.#broker = broker;
    this.#turn = turn;
    this.#apiVersion = apiVersion;
    this.#options = options;
  }

  /** `records` is one whole batch, a view. One of `listener` and `refuse` is called once. */
  add(place: PartitionName, log: PartitionLog, records: Uint8Array, listener: AppendListener, refuse: Refusal): void {
    this.#batches.push({ place, log, records, listener, refuse });
  }

  /** Appends what the transaction takes, and refuses the rest, with the errors that a Produce of this version knows. */
  append(transactionalId: string): void {
    const batches = this.#batches;
    const first = batches[0];
    if (first === undefined) return;
    const producerId = producerIdAt(first.records, 0);
    const producerEpoch = producerEpochAt(first.records, 0);
    const isOneProducer = batches.every(
      ({ records }) => producerIdAt(records, 0) === producerId && producerEpochAt(records, 0) === producerEpoch,
    );
    if (!isOneProducer) {
      for (const { refuse } of batches)
        refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING, 'The batches have several producers.');
      return;
    }
    const version = this.#apiVersion >= firstVersionOfV2 ? 2 : 0;
    const producer: Producer = { transactionalId, producerId, producerEpoch, version };
    const partitions = batches.map(({ place }) => place);
    let isAnswered = false;
    let stopWaiting: (() => void) | null = null;
    this.#broker.transactions.admission.admit({ ...producer, partitions }, (errorCodes) => {
      isAnswered = true;
      const admitted = batches.filter((batch, i) => this.#isLetIn(batch, errorCodes[i]!));
      if (stopWaiting === null) this.#appendNow(producer, admitted);
      else this.#appendKept(producer, admitted, stopWaiting);
    });
    if (!isAnswered) stopWaiting = this.#wait();
  }

  /** Refuses the batch unless the coordinator let it in. */
  #isLetIn({ refuse }: TransactionalBatch, given: ErrorCode): boolean {
    const code = admissionErrorFor(given, this.#apiVersion >= firstVersionThatKnowsAbortable);
    if (code === ErrorCode.NONE) return true;
    if (isUnverified(code, this.#apiVersion)) refuse(ErrorCode.NOT_ENOUGH_REPLICAS, unverified(code));
    else refuse(code, code === ErrorCode.INVALID_TXN_STATE ? notInTransaction : null);
    return false;
  }

  #appendNow(producer: Producer, batches: readonly TransactionalBatch[]): void {
    for (const batch of batches) {
      const { log, records, listener, refuse } = batch;
      const mayAppend = this.#checkOf(producer, batch);
      if (!this.#turn.append(log, records, this.#options, listener, mayAppend)) {
        refuse(ErrorCode.NOT_ENOUGH_REPLICAS, tooMuchWaits);
      }
    }
  }

  #appendKept(producer: Producer, batches: readonly TransactionalBatch[], done: () => void): void {
    const options = this.#options;
    const kept = batches.map((batch) => {
      const { log, records, listener } = batch;
      return { log, records, options, listener, mayAppend: this.#checkOf(producer, batch) };
    });
    this.#turn.appendKept(kept, done);
  }

  /**
   * What to ask before the batch is appended in a later turn, when its transaction may have ended: of version 2 the log tells
   * that by the epoch, before it the coordinator has to.
   */
  #checkOf(producer: Producer, batch: TransactionalBatch): LateCheck {
    if (producer.version === 2) return null;
    return () => {
      const verified = this.#broker.transactions.verifyPartitions({ ...producer, partitions: [batch.place] });
      return this.#isLetIn(batch, typeof verified === 'number' ? verified : verified[0]!);
    };
  }

  /**
   * Keeps copies of the batches, and has the connection wait, until the function that it returns is called; refuses all where
   * too much is kept already.
   */
  #wait(): () => void {
    const { admission } = this.#broker.transactions;
    const batches = this.#batches;
    const neededBytes = roomBytes(batches);
    if (admission.heldBytes + neededBytes > maxHeldBytes) {
      for (const { refuse } of batches.splice(0)) refuse(ErrorCode.NOT_ENOUGH_REPLICAS, tooMuchWaits);
      return () => {};
    }
    admission.heldBytes += neededBytes;
    for (const batch of batches) batch.records = new Uint8Array(batch.records);
    const unmute = this.#turn.connection.mute();
    return () => {
      admission.heldBytes -= neededBytes;
      unmute();
    };
  }
}

const notInTransaction = 'The partition was not added to the transaction.';
const tooMuchWaits = 'Too many batches wait for transactions, or for those before them to be checked. Try again.';

function unverified(errorCode: ErrorCode): string {
  return `It could not be verified that the partition is in the transaction: ${errorName(errorCode)}. Try again.`;
}

/** What clients may not know in an answer to Produce, though they should try again: they hear what they know for that. */
function isUnverified(errorCode: ErrorCode, apiVersion: number): boolean {
  if (errorCode === ErrorCode.CONCURRENT_TRANSACTIONS) return apiVersion < firstVersionOfV2;
  return errorCode === ErrorCode.COORDINATOR_NOT_AVAILABLE || errorCode === ErrorCode.NOT_COORDINATOR;
}

function roomBytes(batches: readonly TransactionalBatch[]): number {
  return batches.reduce((sum, { records }) => sum + records.length + alignmentBytes, 0);
}
