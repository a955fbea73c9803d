/**
 * What waits for one partition and what is on its way to it, in order. Any thread; owned by a `Producer`.
 *
 *   settled │ on their way: oldest … newest │ waiting: retried … closed … open
 *
 * Sequences are given when a batch is first sent, and stay its own: sent again, the broker knows it. A batch that comes
 * back is sent again before all behind it, and alone, so that the order holds. Where the broker and this queue do not agree
 * on the sequence any more, or a batch was given up of which nobody knows whether it is stored, the queue goes on with the
 * next epoch of its producer id and counts from 0 (as Kafka's Java client does): the epochs of different partitions have
 * nothing to do with each other.
 */

import type { RecordToWrite } from '../records/batch-builder.ts';
import { nextSequence, ProducerBatch, recordBoundBytes, type RecordWaiter } from './producer-batch.ts';

const largestEpoch = 32_767;

export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  /** Before this nothing is sent, monotonic milliseconds. */
  retryAtMs = 0;
  failures = 0;
  readonly waiting: ProducerBatch[] = [];
  readonly onTheirWay: ProducerBatch[] = [];
  #epoch = 0;
  #nextSequence = 0;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0 && this.onTheirWay.length === 0;
  }

  /** Adds a record to the open batch, or to a new one where it does not fit. Returns the bytes taken. */
  append(record: RecordToWrite, waiter: RecordWaiter | null, batchBytes: number, nowMs: number): number {
    let batch = this.waiting.at(-1);
    if (batch !== undefined && !batch.isClosed && batch.sizeBytes + recordBoundBytes(record) > batchBytes) {
      batch.isClosed = true;
    }
    if (batch === undefined || batch.isClosed) {
      batch = new ProducerBatch(nowMs);
      this.waiting.push(batch);
    }
    return batch.append(record, waiter);
  }

  /** The batch to send next, where there may be one now; null else. It stays where it is. */
  head(maxOnTheirWay: number): ProducerBatch | null {
    const [head] = this.waiting;
    if (head === undefined || this.onTheirWay.length >= maxOnTheirWay) return null;
    return head.wasSent && this.onTheirWay.length > 0 ? null : head;
  }

  /**
   * Takes the head, which is sealed, and returns its bytes, ready to be sent by `producerId` (-1: not idempotent). In a
   * transaction the epoch is the producer's, and sequences begin with each.
   */
  take(producerId: number, transactionEpoch: number | null = null): Uint8Array {
    if (transactionEpoch !== null && transactionEpoch !== this.#epoch) {
      this.#epoch = transactionEpoch;
      this.#nextSequence = 0;
    }
    const batch = this.waiting.shift()!;
    batch.wasSent = true;
    this.onTheirWay.push(batch);
    if (producerId < 0) return batch.stamped(-1, -1, false);
    if (batch.baseSequence < 0) {
      batch.baseSequence = this.#nextSequence;
      this.#nextSequence = nextSequence(this.#nextSequence, batch.recordCount);
    }
    return batch.stamped(producerId, this.#epoch, transactionEpoch !== null);
  }

  /** Whether nothing sent before `batch` is without an answer. */
  isOldest(batch: ProducerBatch): boolean {
    return this.onTheirWay[0] === batch && this.waiting[0]?.wasSent !== true;
  }

  /** Whether what waits begins with a batch that the broker may know by its sequence. */
  get hasSequence(): boolean {
    return this.waiting.length > 0 && this.waiting[0]!.baseSequence >= 0;
  }

  /** The batch, or what it was split into, has to be sent (again). */
  putBack(batch: ProducerBatch, instead: readonly ProducerBatch[] = [batch]): void {
    this.remove(batch);
    let at = 0;
    while (at < this.waiting.length && this.waiting[at]!.wasSent && isBefore(this.waiting[at]!, batch)) at++;
    for (const each of instead) each.wasSent = true;
    this.waiting.splice(at, 0, ...instead);
  }

  /** The batch has its answer. */
  remove(batch: ProducerBatch): void {
    for (const list of [this.onTheirWay, this.waiting]) {
      const at = list.indexOf(batch);
      if (at >= 0) list.splice(at, 1);
    }
  }

  /**
   * Goes on with the next epoch, counting from 0. Nothing is on its way. False where there is no further epoch, which
   * takes a new producer id.
   */
  startOver(): boolean {
    for (const batch of this.waiting) batch.baseSequence = -1;
    this.#nextSequence = 0;
    if (this.#epoch === largestEpoch) return false;
    this.#epoch++;
    return true;
  }
}

/**
 * Whether `one`, which waits to be sent again, goes before `other`, which comes back. Where sequences were begun anew those
 * without one come later; where there are none, batches come back in the order in which they were sent.
 */
function isBefore(one: ProducerBatch, other: ProducerBatch): boolean {
  if (one.baseSequence < 0) return other.baseSequence < 0;
  return ((other.baseSequence - one.baseSequence) & 0x7fff_ffff) < 2 ** 30;
}
