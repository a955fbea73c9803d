/**
 * The named producers of one partition: who wrote what number last, and what to do with the batch that comes now.
 * I/O thread, one per partition. Beside `producer-state.ts`, which has the producers of Kafka's clients.
 *
 *   decide(batch) ─ accept ──→ apply(…, offset) ──→ settleUpTo(written)          the batch is in the file
 *        │                                     └──→ rollBackTo(written)          the write failed: as if never applied
 *        └─ refuse: DUPLICATE_SEQUENCE_NUMBER, OUT_OF_ORDER_SEQUENCE_NUMBER, PRODUCER_FENCED, THROTTLING_QUOTA_EXCEEDED
 *
 * A producer names itself and numbers its records, in each partition strictly upwards, from 0 to 2^53 - 1, with gaps as it
 * likes. What is numbered at or below the last number stored was stored before, so a retry stores nothing twice.
 *
 * Design:
 * - The log itself says everything: a batch of a named producer carries name and last number in two headers of its last
 *   record (`records/named-records.ts` has what that costs). Ids claimed in the metadata log would save the name, some
 *   thirty bytes a batch, and cost a durable write before a producer's first record, a second log without which no
 *   partition could be recovered, and a decision outside the partition, which a cluster would have to make for all.
 * - The producer id is made from the name: 2^52 plus its CRC-32C times 2^20, plus 1 for each other name of the partition that
 *   has the id already. So Kafka's tools see an idempotent producer, which moreover sends Kafka's contiguous sequences:
 *   the store counts them, and the producer's own numbers need not fit 31 bits nor be without gaps. Two names never
 *   share a state, because the state goes by the name.
 * - Only what was refused can break the order: while number 5 is on its way back with an error that passes, such as a full
 *   disk, 6 may arrive, and a retry of 5 would be taken for a duplicate and never stored. So what was refused that way,
 *   or taken back, is owed: later numbers are refused until it comes, or until the producer shows that it knows what is
 *   stored, by asking (`resume`) or by naming the number before its first (`previousNumber`).
 * - A producer that takes over gives itself a higher epoch, which stands in the batch's header; from then on what has a
 *   lower one is fenced. Numbers go on across epochs.
 * - Times are of arrival, not the records': a producer that replays old data is not forgotten while it does.
 *
 * It keeps no files (`named-snapshot.ts` has the format).
 */

import { assert } from '../base/assert.ts';
import { ErrorCode } from '../base/error-code.ts';
import { asOffset, noOffset, type Offset } from '../base/numbers.ts';
import { LazyMap } from '../base/lazy-map.ts';
import { crc32c } from '../records/crc32c.ts';
import { firstNamedProducerId, noRecordNumber } from '../records/named-records.ts';
import type { NamedAppend } from './partition-log.ts';
import { type ProducerEntry } from './producer-state.ts';
import { rememberedBatches, sequencePlus } from './producer-rules.ts';

/** Names that all partitions of a store may have together: some 800 bytes each, with five batches remembered. */
export const maxNamedProducers = 250_000;
/** How far apart the ids of names lie whose checksums follow each other. */
const idsPerChecksum = 2 ** 20;

/** How many names the partitions of one store have together. */
export interface NameBudget {
  used: number;
  readonly max: number;
}

/** One remembered batch. */
export interface NamedBatch {
  /** -1 where it is not known any more: the log holds only the last. */
  readonly firstNumber: number;
  readonly lastNumber: number;
  readonly lastOffset: number;
  readonly recordCount: number;
  readonly timestampMs: number;
}

/** What a snapshot holds of one producer. */
export interface NamedProducerEntry {
  readonly name: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  /** Kafka's, of the last record; -1 where there is none in this epoch. */
  readonly lastSequence: number;
  readonly lastUseMs: number;
  /** The oldest first; at least one. */
  readonly batches: readonly NamedBatch[];
}

/** The header fields that the store writes into an accepted batch. */
export interface NamedHeader {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

export type NamedDecision =
  | ({ readonly outcome: 'accept' } & NamedHeader)
  | { readonly outcome: 'refuse'; readonly errorCode: ErrorCode; readonly message: string };

/** What is stored of a number: where it must be durable to count, and where it lies, as far as that is known. */
export interface StoredNumber {
  readonly endOffset: Offset;
  /** -1 where it is not known any more. */
  readonly offset: Offset;
}

/** What the log says of an applied batch. */
export interface AppliedBatch extends NamedHeader {
  readonly baseOffset: Offset;
  readonly recordCount: number;
  readonly timestampMs: number;
}

interface UndoStep {
  readonly lastOffset: number;
  readonly name: string;
  readonly firstNumber: number;
  /** Null where the producer was not known before. */
  readonly before: NamedProducerEntry | null;
}

export class NamedProducers {
  readonly #budget: NameBudget;
  /** Entries are replaced, not changed. */
  readonly #producers = new LazyMap<string, NamedProducerEntry>();
  readonly #namesById = new LazyMap<number, string>();
  /** The smallest number that was refused or taken back and has not come again, by name. */
  readonly #owed = new LazyMap<string, number>();
  /** Epochs that were announced and not written yet, by name. */
  readonly #announced = new LazyMap<string, number>();
  #steps: UndoStep[] = [];
  #firstStep = 0;

  constructor(budget: NameBudget) {
    this.#budget = budget;
  }

  /** How many names are known. */
  get size(): number {
    return this.#producers.size;
  }

  /** The last number stored of `name`; -1 where none is known. */
  lastNumberOf(name: string): number {
    return this.#producers.get(name)?.batches.at(-1)!.lastNumber ?? noRecordNumber;
  }

  /** The epoch that `name` has at least to have. */
  epochOf(name: string): number {
    return Math.max(this.#producers.get(name)?.producerEpoch ?? 0, this.#announced.get(name) ?? 0);
  }

  /** What to do with the batch that `append` describes. Nothing changes until `apply`, except what is owed. */
  decide(append: NamedAppend): NamedDecision {
    const { name, epoch, firstNumber, previousNumber } = append;
    const known = this.#producers.get(name);
    const fence = this.epochOf(name);
    if (epoch < fence) {
      const message = `Producer ${name} sent epoch ${epoch}, and another one took over with epoch ${fence}.`;
      return { outcome: 'refuse', errorCode: ErrorCode.PRODUCER_FENCED, message };
    }
    const lastNumber = this.lastNumberOf(name);
    if (firstNumber <= lastNumber) {
      const message = `Producer ${name} sent number ${firstNumber}, and ${lastNumber} is stored.`;
      return { outcome: 'refuse', errorCode: ErrorCode.DUPLICATE_SEQUENCE_NUMBER, message };
    }
    if (previousNumber !== null) {
      // One that is not known may have expired, and may begin anywhere.
      if (previousNumber !== lastNumber && known !== undefined) {
        if (previousNumber > lastNumber) this.owe(name, firstNumber);
        return outOfOrder(
          `Producer ${name} sent number ${firstNumber} to follow ${previousNumber}, and ${lastNumber} is the last stored.`,
        );
      }
    } else {
      const owed = this.#owed.get(name) ?? Infinity;
      if (firstNumber > owed) {
        return outOfOrder(
          `Producer ${name} sent number ${firstNumber}, and ${owed} before it was not stored: send that first, or ask for the last number stored and go on from there.`,
        );
      }
    }
    if (known === undefined && this.#budget.used >= this.#budget.max) {
      this.owe(name, firstNumber);
      const message = `There are ${this.#budget.max} named producers, the most there may be; those that send nothing expire.`;
      return { outcome: 'refuse', errorCode: ErrorCode.THROTTLING_QUOTA_EXCEEDED, message };
    }
    const goesOn = known?.producerEpoch === epoch && known.lastSequence >= 0;
    return {
      outcome: 'accept',
      producerId: known?.producerId ?? this.#idFor(name),
      producerEpoch: epoch,
      baseSequence: goesOn ? sequencePlus(known.lastSequence, 1) : 0,
    };
  }

  /** Takes a batch that was accepted and is about to be written as its producer's last. Offsets only grow. */
  apply(
    { name, firstNumber, lastNumber }: Pick<NamedAppend, 'name' | 'firstNumber' | 'lastNumber'>,
    batch: AppliedBatch,
    nowMs: number,
  ): void {
    const before = this.#producers.get(name) ?? null;
    const { baseOffset, recordCount, timestampMs } = batch;
    const lastOffset = baseOffset + recordCount - 1;
    assert(this.#steps.length === this.#firstStep || this.#steps.at(-1)!.lastOffset < baseOffset, 'offsets only grow');
    const batches = before === null ? [] : before.batches.slice(1 - rememberedBatches);
    batches.push({ firstNumber, lastNumber, lastOffset, recordCount, timestampMs });
    this.#put({
      name,
      producerId: batch.producerId,
      producerEpoch: batch.producerEpoch,
      lastSequence: batch.baseSequence < 0 ? -1 : sequencePlus(batch.baseSequence, recordCount - 1),
      lastUseMs: nowMs,
      batches,
    });
    this.#steps.push({ lastOffset, name, firstNumber, before });
    this.#owed.delete(name);
    if ((this.#announced.get(name) ?? Infinity) <= batch.producerEpoch) this.#announced.delete(name);
  }

  /** Number `firstNumber` of `name` was refused, though it may be taken later: nothing above it is until it comes again. */
  owe(name: string, firstNumber: number): void {
    if (firstNumber <= this.lastNumberOf(name)) return;
    const owed = this.#owed.get(name);
    if (owed !== undefined && owed <= firstNumber) return;
    // Those that were told longest ago have had the time to hear of it.
    if (owed === undefined && this.#owed.size >= this.#budget.max) this.#owed.delete(this.#owed.keys().next().value!);
    this.#owed.set(name, firstNumber);
  }

  /** The producer `name` was told its last number: it goes on where it likes, and who has an epoch below `epoch` is fenced. */
  resume(name: string, epoch: number): void {
    this.#owed.delete(name);
    if (epoch <= this.epochOf(name)) return;
    if (this.#announced.size >= this.#budget.max) this.#announced.delete(this.#announced.keys().next().value!);
    this.#announced.set(name, epoch);
  }

  /** What is stored of `number`, which is at most the last number of `name`; null where the name is not known. */
  find(name: string, number: number): StoredNumber | null {
    const producer = this.#producers.get(name);
    if (producer === undefined) return null;
    const batch = producer.batches.find(({ lastNumber }) => number <= lastNumber);
    assert(batch !== undefined, 'the number is stored');
    const { firstNumber, lastNumber, lastOffset, recordCount } = batch;
    const endOffset = asOffset(lastOffset + 1);
    if (number === lastNumber) return { endOffset, offset: asOffset(lastOffset) };
    if (firstNumber === noRecordNumber) return { endOffset, offset: noOffset };
    const baseOffset = asOffset(lastOffset - recordCount + 1);
    // It lies before this batch, or between two batches and was never sent.
    if (number < firstNumber) return { endOffset: baseOffset, offset: noOffset };
    const hasNoGaps = lastNumber - firstNumber === recordCount - 1;
    const isKnown = hasNoGaps || number === firstNumber;
    return { endOffset, offset: isKnown ? asOffset(baseOffset + number - firstNumber) : noOffset };
  }

  /** Everything before `endOffset` is in the file: it will not be rolled back any more. */
  settleUpTo(endOffset: Offset): void {
    while (this.#firstStep < this.#steps.length && this.#steps[this.#firstStep]!.lastOffset < endOffset) {
      this.#firstStep++;
    }
    if (this.#firstStep === 0 || this.#firstStep * 2 < this.#steps.length) return;
    this.#steps = this.#steps.slice(this.#firstStep);
    this.#firstStep = 0;
  }

  /** Undoes all applied batches that end at or after `endOffset`, which were not written: their numbers are owed. */
  rollBackTo(endOffset: Offset): void {
    while (this.#steps.length > this.#firstStep && this.#steps.at(-1)!.lastOffset >= endOffset) {
      const { name, firstNumber, before } = this.#steps.pop()!;
      if (before === null) this.#drop(this.#producers.get(name)!);
      else this.#put(before);
      this.owe(name, firstNumber);
    }
  }

  /**
   * Forgets producers that sent nothing for `expirationMs`, unless a batch of theirs still waits for its write. Returns
   * how many were forgotten.
   */
  expire(nowMs: number, expirationMs: number): number {
    const waiting = new Set<string>();
    for (let i = this.#firstStep; i < this.#steps.length; i++) waiting.add(this.#steps[i]!.name);
    let count = 0;
    for (const producer of this.#producers.values()) {
      if (nowMs - producer.lastUseMs < expirationMs || waiting.has(producer.name)) continue;
      this.#drop(producer);
      this.#owed.delete(producer.name);
      count++;
    }
    return count;
  }

  /** What a snapshot holds: the state with everything applied so far. */
  entries(): IterableIterator<NamedProducerEntry> {
    return this.#producers.values();
  }

  /** Replaces everything by what a snapshot held. */
  load(entries: Iterable<NamedProducerEntry>): void {
    this.clear();
    for (const entry of entries) this.#put(entry);
  }

  /** Forgets everything: the partition goes, or is read from its first batch. */
  clear(): void {
    this.#budget.used -= this.#producers.size;
    this.#producers.clear();
    this.#namesById.clear();
    this.#owed.clear();
    this.#announced.clear();
    this.#steps = [];
    this.#firstStep = 0;
  }

  #idFor(name: string): number {
    let id = firstNamedProducerId + crc32c(new TextEncoder().encode(name)) * idsPerChecksum;
    while (this.#namesById.has(id)) id++;
    return id;
  }

  #put(entry: NamedProducerEntry): void {
    const before = this.#producers.get(entry.name);
    if (before === undefined) this.#budget.used++;
    else if (before.producerId !== entry.producerId) this.#namesById.delete(before.producerId);
    this.#producers.set(entry.name, entry);
    this.#namesById.set(entry.producerId, entry.name);
  }

  #drop({ name, producerId }: NamedProducerEntry): void {
    this.#producers.delete(name);
    this.#namesById.delete(producerId);
    this.#budget.used--;
  }
}

/** The last batch of each producer as an entry of Kafka's snapshot file, so that Kafka's tools show it. */
export function* kafkaEntries(producers: NamedProducers): Generator<ProducerEntry> {
  for (const { producerId, producerEpoch, lastSequence, batches } of producers.entries()) {
    const { lastOffset, recordCount, timestampMs } = batches.at(-1)!;
    yield {
      producerId,
      producerEpoch,
      lastSequence,
      lastOffset,
      offsetDelta: recordCount - 1,
      timestampMs,
      coordinatorEpoch: -1,
      currentTransactionFirstOffset: -1,
    };
  }
}

function outOfOrder(message: string): NamedDecision {
  return { outcome: 'refuse', errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, message };
}
