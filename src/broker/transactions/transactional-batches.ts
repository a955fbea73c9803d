/**
 * The transactional batches of one Produce: let into their transaction together, then appended. I/O thread.
 *
 * Where the transaction has all their partitions, which is the way of all but its first batches, they are appended before
 * the request's handler returns. Else their bytes are copied, for they end with the request, and appended once the
 * partitions are in it; those of one transactional id in the order in which they came.
 */

import { ErrorCode, errorName } from '../../base/error-code.ts';
import { producerEpochAt, producerIdAt } from '../../records/record-batch.ts';
import type { AppendListener, AppendOptions, PartitionLog } from '../../storage/partition-log.ts';
import type { Broker } from '../broker.ts';
import { alignmentBytes, type ProduceTurn } from '../produce-turns.ts';
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

export class TransactionalBatches {
  readonly #broker: Broker;
  readonly #turn: ProduceTurn;
  readonly #batches: TransactionalBatch[] = [];

  /** `turn` is the request's. */
  constructor(broker: Broker, turn: ProduceTurn) {
    this.#broker = broker;
    this.#turn = turn;
  }

  /** `records` is one whole batch, a view. One of `listener` and `refuse` is called once. */
  add(place: PartitionName, log: PartitionLog, records: Uint8Array, listener: AppendListener, refuse: Refusal): void {
    this.#batches.push({ place, log, records, listener, refuse });
  }

  /** Appends what the transaction takes, and refuses the rest, with the errors that a Produce of `apiVersion` knows. */
  append(transactionalId: string, apiVersion: number, options: AppendOptions): void {
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
    const partitions = batches.map(({ place }) => place);
    const version = apiVersion >= firstVersionOfV2 ? 2 : 0;
    const { admission } = this.#broker.transactions;
    let isAnswered = false;
    let isLate = false;
    let heldBytes = 0;
    admission.admit({ transactionalId, producerId, producerEpoch, partitions, version }, (errorCodes) => {
      isAnswered = true;
      admission.heldBytes -= heldBytes;
      const admitted = this.#refuseSome(errorCodes, apiVersion);
      const appendAll = (): void => {
        for (const { log, records, listener } of admitted) log.append(records, options, listener);
      };
      // The room that the request was let in for is there only until its handler returns.
      if (isLate) this.#broker.store.whenRoom(roomBytes(admitted), appendAll);
      // In a later turn the transaction may have ended, of which without version 2 the epoch says nothing.
      else if (version === 2) this.#appendInTurns(admitted, options);
      else appendAll();
    });
    isLate = true;
    if (isAnswered) return;
    const neededBytes = roomBytes(batches);
    if (admission.heldBytes + neededBytes > maxHeldBytes) {
      for (const { refuse } of batches.splice(0)) refuse(ErrorCode.NOT_ENOUGH_REPLICAS, tooMuchWaits);
      return;
    }
    heldBytes = neededBytes;
    admission.heldBytes += heldBytes;
    for (const batch of batches) batch.records = new Uint8Array(batch.records);
  }

  #appendInTurns(batches: readonly TransactionalBatch[], options: AppendOptions): void {
    for (const { log, records, listener, refuse } of batches) {
      if (!this.#turn.append(log, records, options, listener)) refuse(ErrorCode.NOT_ENOUGH_REPLICAS, tooMuchWaits);
    }
  }

  /** Refuses the batches whose partitions are not in the transaction; returns the others. */
  #refuseSome(errorCodes: readonly ErrorCode[], apiVersion: number): TransactionalBatch[] {
    return this.#batches.filter(({ refuse }, i) => {
      const code = admissionErrorFor(errorCodes[i]!, apiVersion >= firstVersionThatKnowsAbortable);
      if (code === ErrorCode.NONE) return true;
      if (isUnverified(code, apiVersion)) refuse(ErrorCode.NOT_ENOUGH_REPLICAS, unverified(code));
      else refuse(code, code === ErrorCode.INVALID_TXN_STATE ? notInTransaction : null);
      return false;
    });
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
