/**
 * The idempotent and transactional producers of one partition: what each sent last, which transaction of theirs is open,
 * and what to do with the batch that comes now. I/O thread, one per partition. The rules are those of Apache Kafka 4.x
 * (KIP-98, KIP-360, KIP-890).
 *
 *   decide(batch) ─ accept ──→ apply(batch, offset) ──→ settleUpTo(written)      the batch is in the file
 *        │                                        └───→ rollBackTo(written)      the write failed: as if never applied
 *        ├─ duplicate of one of the producer's last five batches, with that one's offsets
 *        └─ refuse: OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE
 *   refusalOfMarker(marker) ─ null ──→ applyMarker(marker, offset) ──→ as above
 *
 * Batches are applied when they are accepted, before they are written, so that a producer's next batch in flight finds
 * its predecessor. It keeps no files (`producer-snapshot.ts` has the format), and asks nobody whether a transaction may
 * begin here: whoever appends has asked its coordinator (KIP-890).
 */

import { assert } from '../base/assert.ts';
import { LazyMap } from '../base/lazy-map.ts';
import type { Offset } from '../base/numbers.ts';
import { OpenTransactions } from './open-transactions.ts';
import type { ActiveProducer } from './partition-log.ts';
import {
  accepted,
  decideOn,
  lastSequenceOf,
  noSequence,
  noTransaction,
  outOfOrder,
  refusalOfMarker,
  rememberedBatches,
  sequencePlus,
  type EndedTransaction,
  type EndMarker,
  type ProducedBatch,
  type Producer,
  type ProducerDecision,
  type ProducerRefusal,
  type RememberedBatch,
} from './producer-rules.ts';

/**
 * One remembered batch of a producer, as an entry of Kafka's snapshot files. Kafka writes the last batch only and takes
 * the last of several entries of a producer, so writing all that are remembered, oldest first, suits it too: a retry
 * of any of them is still known after a restart.
 */
export interface ProducerEntry {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** -1 where the producer has no batch in this epoch. */
  readonly lastSequence: number;
  readonly lastOffset: number;
  /** Last offset minus first offset of the last batch. */
  readonly offsetDelta: number;
  readonly timestampMs: number;
  /** -1 where no transaction has ended here. */
  readonly coordinatorEpoch: number;
  /** -1 where no transaction is open. */
  readonly currentTransactionFirstOffset: number;
}

/** What puts one applied batch back. */
interface UndoStep {
  readonly lastOffset: number;
  readonly producer: Producer;
  readonly wasNew: boolean;
  readonly isMarker: boolean;
  readonly baseSequence: number;
  readonly previousEpoch: number;
  readonly previousTimestampMs: number;
  readonly previousCoordinatorEpoch: number;
  readonly previousFirstOffset: number;
  /** The batches of the epoch before, where this batch began a new one. */
  readonly previousBatches: RememberedBatch[] | null;
  /** The oldest batch, where this one pushed it out. */
  readonly forgotten: RememberedBatch | null;
}

export class ProducerState {
  readonly transactions = new OpenTransactions();
  readonly #producers = new LazyMap<number, Producer>();
  /**
   * What producers must send again, of whom nothing but batches that were rolled back is known: whoever is not known may
   * begin anywhere, and so a later batch of theirs could slip in before the one that was taken back.
   */
  readonly #takenBack = new LazyMap<number, { readonly producerEpoch: number; readonly baseSequence: number }>();
  /** Steps of batches that are not in the file yet, in offset order, from `#firstStep` on. */
  #steps: UndoStep[] = [];
  #firstStep = 0;

  /** How many producers are known. */
  get size(): number {
    return this.#producers.size;
  }

  /**
   * What to do with `batch`, which has a producer id. Sequences are checked for clients only: a coordinator's batches
   * carry none. A producer that is not known may begin at any sequence, because its state may have expired (KIP-360);
   * one that raises its epoch begins at 0. Nothing changes until `apply`.
   */
  decide(batch: ProducedBatch, origin: 'client' | 'coordinator'): ProducerDecision {
    const producer = this.#producers.get(batch.producerId);
    return producer === undefined ? this.#decideUnknown(batch, origin) : decideOn(producer, batch, origin);
  }

  #decideUnknown(batch: ProducedBatch, origin: 'client' | 'coordinator'): ProducerDecision {
    const first = this.#takenBack.get(batch.producerId);
    const isOther = first?.producerEpoch === batch.producerEpoch && first.baseSequence !== batch.baseSequence;
    return isOther && origin === 'client' ? outOfOrder(batch, first.baseSequence) : accepted;
  }

  /** As the rules have it (`producer-rules.ts`); a producer that is not known may have its marker. */
  refusalOfMarker(marker: EndMarker): ProducerRefusal | null {
    const producer = this.#producers.get(marker.producerId);
    return producer === undefined ? null : refusalOfMarker(producer, marker);
  }

  /** The transaction that a marker of `producerId` at `offset` would end; null where none is open. */
  endedBy(producerId: number, offset: Offset): EndedTransaction | null {
    const firstOffset = this.#producers.get(producerId)?.currentTransactionFirstOffset ?? noTransaction;
    if (firstOffset === noTransaction) return null;
    const next = this.transactions.firstOpenBeside(producerId);
    return { firstOffset, lastStableOffset: next === noTransaction ? offset + 1 : next };
  }

  /** Whether a transaction of that producer and epoch is open, whose first batch may still wait for its write. */
  hasOpenTransaction(producerId: number, producerEpoch: number): boolean {
    const producer = this.#producers.get(producerId);
    return producer?.producerEpoch === producerEpoch && producer.currentTransactionFirstOffset !== noTransaction;
  }

  /**
   * Takes `batch`, accepted and about to be written at `baseOffset`, as its producer's last. Offsets only grow from
   * call to call. Recovery calls it for what the log holds, without `decide`, and then `settleUpTo`.
   */
  apply(batch: ProducedBatch, baseOffset: Offset): void {
    const lastOffset = baseOffset + batch.lastOffsetDelta;
    const { producer, wasNew } = this.#producerFor(batch.producerId, batch.producerEpoch, baseOffset);
    const { currentTransactionFirstOffset: previousFirstOffset, coordinatorEpoch: previousCoordinatorEpoch } = producer;
    const previousEpoch = producer.producerEpoch;
    const previousTimestampMs = producer.lastTimestampMs;
    const previousBatches = raiseEpoch(producer, batch.producerEpoch);
    const forgotten = producer.batches.length === rememberedBatches ? producer.batches.shift()! : null;
    producer.batches.push({
      lastSequence: batch.baseSequence < 0 ? noSequence : sequencePlus(batch.baseSequence, batch.lastOffsetDelta),
      lastOffset,
      offsetDelta: batch.lastOffsetDelta,
      timestampMs: batch.maxTimestampMs,
    });
    producer.lastTimestampMs = batch.maxTimestampMs;
    if (batch.isTransactional && previousFirstOffset === noTransaction) {
      producer.currentTransactionFirstOffset = baseOffset;
      this.transactions.begin(batch.producerId, baseOffset);
    }
    this.#steps.push({
      lastOffset,
      producer,
      wasNew,
      isMarker: false,
      baseSequence: batch.baseSequence,
      previousEpoch,
      previousTimestampMs,
      previousCoordinatorEpoch,
      previousFirstOffset,
      previousBatches,
      forgotten,
    });
  }

  /** Takes `marker`, about to be written at `offset`, as `apply` takes batches. */
  applyMarker(marker: Omit<EndMarker, 'transactionVersion'>, offset: Offset): void {
    const { producer, wasNew } = this.#producerFor(marker.producerId, marker.producerEpoch, offset);
    const { currentTransactionFirstOffset: previousFirstOffset, coordinatorEpoch: previousCoordinatorEpoch } = producer;
    const previousEpoch = producer.producerEpoch;
    const previousTimestampMs = producer.lastTimestampMs;
    const previousBatches = raiseEpoch(producer, marker.producerEpoch);
    producer.coordinatorEpoch = marker.coordinatorEpoch;
    producer.lastTimestampMs = marker.timestampMs;
    producer.currentTransactionFirstOffset = noTransaction;
    if (previousFirstOffset !== noTransaction) this.transactions.end(previousFirstOffset, offset);
    this.#steps.push({
      lastOffset: offset,
      producer,
      wasNew,
      isMarker: true,
      baseSequence: noSequence,
      previousEpoch,
      previousTimestampMs,
      previousCoordinatorEpoch,
      previousFirstOffset,
      previousBatches,
      forgotten: null,
    });
  }

  #producerFor(producerId: number, producerEpoch: number, baseOffset: Offset): { producer: Producer; wasNew: boolean } {
    assert(
      this.#steps.length === this.#firstStep || this.#steps.at(-1)!.lastOffset < baseOffset,
      'batches are applied in the order of their offsets',
    );
    const known = this.#producers.get(producerId);
    if (known !== undefined) return { producer: known, wasNew: false };
    const producer = {
      producerId,
      producerEpoch,
      batches: [],
      lastTimestampMs: -1,
      coordinatorEpoch: -1,
      currentTransactionFirstOffset: noTransaction,
    };
    this.#producers.set(producerId, producer);
    this.#takenBack.delete(producerId);
    return { producer, wasNew: true };
  }

  /** Everything before `endOffset` is in the file: it will not be rolled back any more. */
  settleUpTo(endOffset: Offset): void {
    while (this.#firstStep < this.#steps.length && this.#steps[this.#firstStep]!.lastOffset < endOffset) {
      this.#firstStep++;
    }
    // Cutting only when half is settled makes it cost a constant amount per batch.
    if (this.#firstStep === 0 || this.#firstStep * 2 < this.#steps.length) return;
    this.#steps = this.#steps.slice(this.#firstStep);
    this.#firstStep = 0;
  }

  /** Undoes all applied batches that end at or after `endOffset`, which were not written. */
  rollBackTo(endOffset: Offset): void {
    while (this.#steps.length > this.#firstStep && this.#steps.at(-1)!.lastOffset >= endOffset) {
      const step = this.#steps.pop()!;
      const { producer } = step;
      this.#rollBackTransaction(producer, step.previousFirstOffset);
      if (step.wasNew) {
        this.#producers.delete(producer.producerId);
        const { producerId, producerEpoch } = producer;
        if (!step.isMarker) this.#takenBack.set(producerId, { producerEpoch, baseSequence: step.baseSequence });
        continue;
      }
      if (!step.isMarker) producer.batches.pop();
      if (step.forgotten !== null) producer.batches.unshift(step.forgotten);
      if (step.previousBatches !== null) producer.batches = step.previousBatches;
      producer.producerEpoch = step.previousEpoch;
      producer.lastTimestampMs = step.previousTimestampMs;
      producer.coordinatorEpoch = step.previousCoordinatorEpoch;
    }
  }

  #rollBackTransaction(producer: Producer, previousFirstOffset: number): void {
    const { currentTransactionFirstOffset } = producer;
    if (currentTransactionFirstOffset === previousFirstOffset) return;
    if (previousFirstOffset === noTransaction) this.transactions.unbegin(currentTransactionFirstOffset);
    else this.transactions.reopen(previousFirstOffset);
    producer.currentTransactionFirstOffset = previousFirstOffset;
  }

  /**
   * Forgets producers whose last batch is at least `expirationMs` older than `nowMs`, unless a transaction of theirs is
   * open or one of their batches still waits for its write. Returns how many were forgotten.
   */
  expire(nowMs: number, expirationMs: number): number {
    const waiting = new Set<Producer>();
    for (let i = this.#firstStep; i < this.#steps.length; i++) waiting.add(this.#steps[i]!.producer);
    this.#takenBack.clear();
    let count = 0;
    for (const producer of this.#producers.values()) {
      if (nowMs - producer.lastTimestampMs < expirationMs) continue;
      if (producer.currentTransactionFirstOffset >= 0 || waiting.has(producer)) continue;
      this.#producers.delete(producer.producerId);
      count++;
    }
    return count;
  }

  /** The producers as DescribeProducers shows them. */
  activeProducers(): ActiveProducer[] {
    return Array.from(this.#producers.values(), (producer) => ({
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch,
      lastSequence: lastSequenceOf(producer),
      lastTimestampMs: producer.lastTimestampMs,
      coordinatorEpoch: producer.coordinatorEpoch,
      currentTransactionFirstOffset: producer.currentTransactionFirstOffset,
    }));
  }

  /**
   * What a snapshot file holds: the state with everything applied so far. Until all of it is in the log the snapshot
   * says more than the log does, so whoever writes the file waits for that.
   */
  entries(): ProducerEntry[] {
    const entries: ProducerEntry[] = [];
    for (const producer of this.#producers.values()) {
      const { producerId, producerEpoch, coordinatorEpoch, currentTransactionFirstOffset, lastTimestampMs } = producer;
      const rest = { producerId, producerEpoch, coordinatorEpoch, currentTransactionFirstOffset };
      for (const batch of producer.batches) entries.push({ ...rest, ...batch });
      if (producer.batches.length === 0) {
        entries.push({
          ...rest,
          lastSequence: noSequence,
          lastOffset: -1,
          offsetDelta: 0,
          timestampMs: lastTimestampMs,
        });
      }
    }
    return entries;
  }

  /** Replaces everything by what a snapshot held; a producer's entries follow each other, its oldest batch first. */
  load(entries: readonly ProducerEntry[]): void {
    this.#producers.clear();
    this.#steps = [];
    this.#firstStep = 0;
    for (const entry of entries) {
      const { producerId, producerEpoch, lastSequence, lastOffset, offsetDelta, timestampMs } = entry;
      const known = this.#producers.get(producerId);
      const batches = known !== undefined && known.producerEpoch === producerEpoch ? known.batches : [];
      if (lastOffset >= 0) batches.push({ lastSequence, lastOffset, offsetDelta, timestampMs });
      if (batches.length > rememberedBatches) batches.shift();
      this.#producers.set(producerId, {
        producerId,
        producerEpoch,
        batches,
        lastTimestampMs: timestampMs,
        coordinatorEpoch: entry.coordinatorEpoch,
        currentTransactionFirstOffset: entry.currentTransactionFirstOffset,
      });
    }
    const open = [...this.#producers.values()].filter((producer) => producer.currentTransactionFirstOffset >= 0);
    this.transactions.load(
      open.map(({ producerId, currentTransactionFirstOffset: firstOffset }) => ({ producerId, firstOffset })),
    );
  }
}

/** The batches of the epoch before, where `producerEpoch` begins a new one; else null. */
function raiseEpoch(producer: Producer, producerEpoch: number): RememberedBatch[] | null {
  if (producerEpoch === producer.producerEpoch) return null;
  const before = producer.batches;
  producer.batches = [];
  producer.producerEpoch = producerEpoch;
  return before;
}
