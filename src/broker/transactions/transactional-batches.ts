/**
 * The transactional batches of one Produce: let into their transaction together, then appended. I/O thread.
 *
 *   admit ─► append ──► takes long? ─► prepared elsewhere ─► admit again, as the transaction may have ended ─► append
 *
 * Where the transaction has all their partitions, which is the way of all but its first batches, they are appended before
 * the request's handler returns. Else their bytes are copied, for they end with the request, and nothing more of the
 * connection is served until they are appended, so that what a producer sends lands in order.
 */

import { ErrorCode, errorName } from '../../base/error-code.ts';
import { producerEpochAt, producerIdAt } from '../../records/record-batch.ts';
import { sharedCopy, type PreparedBatch } from '../../storage/batch-preparer.ts';
import type { AppendListener, AppendOptions, PartitionLog } from '../../storage/partition-log.ts';
import type { Broker } from '../broker.ts';
import { alignmentBytes, type ProduceTurn } from '../produce-turns.ts';
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
  /** A view that ends with the request's handler. */
  readonly records: Uint8Array;
  readonly listener: AppendListener;
  readonly refuse: Refusal;
  /** A copy of it, once it waits. */
  held: Uint8Array<SharedArrayBuffer> | null;
  prepared: PreparedBatch | null;
  /** It was handed to the log, or refused. */
  isDone: boolean;
}

type Producer = Omit<AdmissionRequest, 'partitions'>;

export class TransactionalBatches {
  readonly #broker: Broker;
  readonly #turn: ProduceTurn;
  readonly #apiVersion: number;
  readonly #options: AppendOptions;
  readonly #batches: TransactionalBatch[] = [];
  /** While batches wait: lets the connection go on. */
  #unmute: (() => void) | null = null;

  /** `turn` is that of the request, which has version `apiVersion`. */
  constructor(broker: Broker, turn: ProduceTurn, apiVersion: number, options: AppendOptions) {
    this.#broker = broker;
    this.#turn = turn;
    this.#apiVersion = apiVersion;
    this.#options = options;
  }

  /** `records` is one whole batch, a view. One of `listener` and `refuse` is called once. */
  add(place: PartitionName, log: PartitionLog, records: Uint8Array, listener: AppendListener, refuse: Refusal): void {
    this.#batches.push({ place, log, records, listener, refuse, held: null, prepared: null, isDone: false });
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
    const producer = { transactionalId, producerId, producerEpoch, version } as const;
    let isAnswered = false;
    let isLate = false;
    this.#admit(producer, batches, (admitted) => {
      isAnswered = true;
      // The room that the request was let in for is there only until its handler returns.
      if (isLate) this.#appendOnceThereIsRoom(producer, admitted);
      // In a later turn the transaction may have ended, of which without version 2 the epoch says nothing.
      else if (version === 2) this.#appendInTurns(admitted);
      else this.#appendAll(producer, admitted);
    });
    isLate = true;
    if (!isAnswered) this.#hold(batches);
  }

  /** Has the coordinator let `batches` in, also from within; refuses those that it does not, and gives the others. */
  #admit(
    producer: Producer,
    batches: readonly TransactionalBatch[],
    then: (admitted: readonly TransactionalBatch[]) => void,
  ): void {
    const partitions = batches.map(({ place }) => place);
    this.#broker.transactions.admission.admit({ ...producer, partitions }, (errorCodes) => {
      then(batches.filter((batch, i) => !batch.isDone && this.#isAdmitted(batch, errorCodes[i]!)));
    });
  }

  #isAdmitted(batch: TransactionalBatch, given: ErrorCode): boolean {
    const code = admissionErrorFor(given, this.#apiVersion >= firstVersionThatKnowsAbortable);
    if (code === ErrorCode.NONE) return true;
    if (isUnverified(code, this.#apiVersion)) this.#refuse(batch, ErrorCode.NOT_ENOUGH_REPLICAS, unverified(code));
    else this.#refuse(batch, code, code === ErrorCode.INVALID_TXN_STATE ? notInTransaction : null);
    return false;
  }

  #appendInTurns(batches: readonly TransactionalBatch[]): void {
    for (const batch of batches) {
      const { log, records, listener } = batch;
      if (!this.#turn.append(log, records, this.#options, listener)) {
        this.#refuse(batch, ErrorCode.NOT_ENOUGH_REPLICAS, tooMuchWaits);
      }
    }
  }

  #appendOnceThereIsRoom(producer: Producer, batches: readonly TransactionalBatch[]): void {
    const neededBytes = batches.reduce((sum, { records }) => sum + records.length + alignmentBytes, 0);
    this.#broker.store.whenRoom(neededBytes, () => this.#appendAll(producer, batches));
  }

  /** Appends the batches for which there is room; those that take long are let in again once they are prepared. */
  #appendAll(producer: Producer, batches: readonly TransactionalBatch[]): void {
    const long: TransactionalBatch[] = [];
    for (const batch of batches) {
      const { log, records, held, listener } = batch;
      if (log.append(held ?? records, this.#options, listener)) this.#done(batch);
      else long.push(batch);
    }
    if (long.length === 0) return;
    this.#hold(long);
    const waiting = long.filter(({ held }) => held !== null);
    if (waiting.length > 0) void this.#prepare(producer, waiting);
  }

  async #prepare(producer: Producer, batches: readonly TransactionalBatch[]): Promise<void> {
    const isWanted = (): boolean => this.#turn.connection.open;
    for (const batch of batches) batch.prepared = await batch.log.prepare(batch.held!, this.#options, isWanted);
    this.#admit(producer, batches, (admitted) => {
      // Together they may take more than the ring has: what they are stored as may be larger than what came.
      for (const batch of admitted) this.#appendPrepared(batch, batch.prepared!);
    });
  }

  #appendPrepared(batch: TransactionalBatch, prepared: PreparedBatch): void {
    this.#broker.store.whenRoom(prepared.bytes.length + alignmentBytes, () => {
      batch.log.appendPrepared(prepared, this.#options, batch.listener);
      this.#done(batch);
    });
  }

  /** Keeps copies of the batches, and has the connection wait; or refuses them where too much is kept already. */
  #hold(batches: readonly TransactionalBatch[]): void {
    const { admission } = this.#broker.transactions;
    const neededBytes = batches.reduce((sum, { held, records }) => sum + (held === null ? records.length : 0), 0);
    const isTooMuch = admission.heldBytes + neededBytes > maxHeldBytes;
    for (const batch of batches) {
      if (batch.held !== null) continue;
      if (isTooMuch) {
        this.#refuse(batch, ErrorCode.NOT_ENOUGH_REPLICAS, tooMuchWaits);
        continue;
      }
      batch.held = sharedCopy(batch.records);
      admission.heldBytes += batch.held.length;
      this.#unmute ??= this.#turn.connection.mute();
    }
  }

  #refuse(batch: TransactionalBatch, errorCode: ErrorCode, message: string | null): void {
    batch.refuse(errorCode, message);
    this.#done(batch);
  }

  /** What the batch kept is given back; the connection goes on once no batch waits any more. */
  #done(batch: TransactionalBatch): void {
    batch.isDone = true;
    if (batch.held === null) return;
    this.#broker.transactions.admission.heldBytes -= batch.held.length;
    batch.held = null;
    batch.prepared = null;
    if (this.#batches.some(({ held }) => held !== null)) return;
    this.#unmute?.();
    this.#unmute = null;
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
