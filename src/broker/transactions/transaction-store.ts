/**
 * All transactional ids, as the log of transactions has them and as they are about to be. I/O thread.
 * A step counts when its record is applied, which is once it is synced; the records of a completed transaction only
 * repeat what others and the markers say, so that one counts at once (`settle`). It decides nothing.
 */

import { present } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { ErrorCode } from '../../base/error-code.ts';
import { coordinatorError } from '../groups/coordinator-error.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import type { KeyedState, StateLog } from '../state-log.ts';
import { Transaction, type TransactionImage } from './transaction.ts';
import { readTransactionImage, readTransactionKey, transactionKey, transactionRecord } from './transaction-records.ts';

/** As many ids as there may be; each takes up to a kilobyte for `transactional.id.expiration.ms`. */
const maxTransactions = 300_000;
/** What all ids may have together, in characters; one may have 32767. */
const maxIdLength = 32 * 1024 * 1024;

export class TransactionStore implements KeyedState {
  readonly #transactions = new Map<string, Transaction>();
  /** Those that time may run out for, or whose markers are missing. */
  readonly #open = new Set<Transaction>();
  readonly #steps = new Map<KeyedRecord, () => void>();
  readonly #clock: Clock;
  #log: StateLog | null = null;
  #idLength = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From here on steps are written; before, records come from the log. */
  attach(log: StateLog): void {
    this.#log = log;
  }

  get(id: string): Transaction | null {
    return this.#transactions.get(id) ?? null;
  }

  all(): IterableIterator<Transaction> {
    return this.#transactions.values();
  }

  /** Transactions that are not over: ongoing, or decided and not yet completed. */
  open(): IterableIterator<Transaction> {
    return this.#open.values();
  }

  /** A new id, which counts once its first step does; null where there are too many. */
  create(id: string, image: TransactionImage): Transaction | null {
    const isFull = this.#transactions.size >= maxTransactions || this.#idLength + id.length > maxIdLength;
    return isFull ? null : this.#add(new Transaction(id, image));
  }

  /** Writes a step; resolves once it counts, or with the error that a client hears where it does not. */
  async step(transaction: Transaction, image: TransactionImage): Promise<ErrorCode> {
    transaction.pending = image.state;
    const record = transactionRecord(transaction.id, image);
    this.#steps.set(record, () => this.#take(transaction, image));
    const errorCode = await this.#append(record);
    if (errorCode !== ErrorCode.NONE) {
      transaction.pending = null;
      if (transaction.image.producerEpoch === -1) this.#remove(transaction);
    }
    wake(transaction);
    return errorCode;
  }

  /** A step that says only what a start would find again: it counts at once, and is written behind it. */
  settle(transaction: Transaction, image: TransactionImage): void {
    this.#take(transaction, image);
    const record = transactionRecord(transaction.id, image);
    this.#steps.set(record, () => {});
    // A start that does not find it writes the markers again, which changes nothing.
    void this.#append(record);
    wake(transaction);
  }

  /** Forgets ids that nothing is under way for; resolves once that is durable, with an error where some of them stay. */
  async forget(transactions: readonly Transaction[]): Promise<ErrorCode> {
    const records = transactions.map((transaction): KeyedRecord => {
      transaction.pending = 'Dead';
      const record = { key: transactionKey(transaction.id), value: null };
      this.#steps.set(record, () => this.#remove(transaction));
      return record;
    });
    const errorCode = await present(this.#log, 'the log is open').appendInBatches(records);
    for (const record of records) this.#steps.delete(record);
    for (const transaction of transactions) {
      transaction.pending = null;
      wake(transaction);
    }
    return coordinatorError(errorCode);
  }

  /** Takes over one record. Throws `EnvironmentError` DATA_CORRUPT or DATA_DIRECTORY_NEWER. */
  apply(record: KeyedRecord): void {
    const step = this.#steps.get(record);
    if (step !== undefined) {
      step();
      return;
    }
    const id = readTransactionKey(record.key);
    const known = this.get(id);
    if (record.value === null) {
      if (known !== null) this.#remove(known);
      return;
    }
    const image = readTransactionImage(record.value);
    this.#take(known ?? this.#add(new Transaction(id, image)), image);
  }

  /** The records that rebuild this state. */
  *snapshot(): Generator<KeyedRecord> {
    for (const { id, image } of this.#transactions.values()) {
      if (image.producerEpoch !== -1) yield transactionRecord(id, image);
    }
  }

  async #append(record: KeyedRecord): Promise<ErrorCode> {
    const errorCode = await present(this.#log, 'the log is open').append([record]);
    this.#steps.delete(record);
    return coordinatorError(errorCode);
  }

  #take(transaction: Transaction, image: TransactionImage): void {
    const begins = transaction.image.state !== 'Ongoing' || this.#log === null;
    if (image.state === 'Ongoing' && begins) transaction.deadlineMs = this.#deadlineOf(image);
    transaction.image = image;
    transaction.pending = null;
    const { state } = image;
    if (state === 'Ongoing' || state === 'PrepareCommit' || state === 'PrepareAbort') this.#open.add(transaction);
    else this.#open.delete(transaction);
  }

  /** What is left of its time counts from now on: a wall clock that jumps makes it neither longer nor shorter. */
  #deadlineOf({ startedMs, timeoutMs }: TransactionImage): number {
    const leftMs = startedMs + timeoutMs - this.#clock.nowMs();
    return this.#clock.heardMs() + Math.min(Math.max(leftMs, 0), timeoutMs);
  }

  #add(transaction: Transaction): Transaction {
    this.#transactions.set(transaction.id, transaction);
    this.#idLength += transaction.id.length;
    return transaction;
  }

  #remove(transaction: Transaction): void {
    if (!this.#transactions.delete(transaction.id)) return;
    this.#idLength -= transaction.id.length;
    this.#open.delete(transaction);
  }
}

/** Lets those go on who waited for a step to end; one of them may begin the next, for which the others wait again. */
function wake(transaction: Transaction): void {
  for (const proceed of transaction.waiting.splice(0)) proceed();
}
