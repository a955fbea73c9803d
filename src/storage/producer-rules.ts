/**
 * What to do with the batch or the marker that comes now, by what is known of its producer. Pure; I/O thread. The rules
 * are those of Apache Kafka 4.x (KIP-98, KIP-360, KIP-890).
 *
 * It changes nothing and knows no other producers; see `producer-state.ts`.
 */

import { ErrorCode } from '../base/error-code.ts';
import { asOffset, type Offset } from '../base/numbers.ts';
import type { TransactionOutcome } from '../records/transaction-marker.ts';

/** How many batches of a producer are remembered; Kafka's clients keep at most as many in flight. */
export const rememberedBatches = 5;

const largestSequence = 2 ** 31 - 1;
const sequenceCount = 2 ** 31;
export const noSequence = -1;

/** What the state needs of a batch. The caller has made sure that a client's `baseSequence` is at least 0. */
export interface ProducedBatch {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** -1 where a coordinator wrote it. */
  readonly baseSequence: number;
  readonly lastOffsetDelta: number;
  readonly maxTimestampMs: number;
  readonly isTransactional: boolean;
}

/** What the state needs of the marker that ends a transaction. */
export interface EndMarker {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly outcome: TransactionOutcome;
  readonly timestampMs: number;
  /** As finalized for the feature `transaction.version`; from 2 on each marker raises the producer's epoch. */
  readonly transactionVersion: number;
}

/** A transaction that a marker ended. */
export interface EndedTransaction {
  readonly firstOffset: number;
  /** Of the oldest transaction that is still open then, or the offset after the marker. */
  readonly lastStableOffset: number;
}

export type ProducerDecision =
  | { readonly outcome: 'accept' }
  | {
      readonly outcome: 'duplicate';
      readonly baseOffset: Offset;
      readonly lastOffset: Offset;
      readonly timestampMs: number;
    }
  | {
      readonly outcome: 'refuse';
      readonly errorCode: ErrorCode;
      readonly message: string;
    };

export type ProducerRefusal = Extract<ProducerDecision, { outcome: 'refuse' }>;

export interface RememberedBatch {
  readonly lastSequence: number;
  readonly lastOffset: number;
  readonly offsetDelta: number;
  readonly timestampMs: number;
}

/** A producer as one partition knows it. */
export interface Producer {
  readonly producerId: number;
  producerEpoch: number;
  /** The oldest first; at most `rememberedBatches`, all of the current epoch. */
  batches: RememberedBatch[];
  lastTimestampMs: number;
  coordinatorEpoch: number;
  currentTransactionFirstOffset: number;
}

export const accepted: ProducerDecision = { outcome: 'accept' };
export const noTransaction = -1;
const bumpingVersion = 2;
const largestEpoch = 2 ** 15 - 1;

/**
 * What to do with `batch`, which has a producer id. Sequences are checked for clients only: a coordinator's batches
 * carry none. One that raises its epoch begins at 0.
 */
export function decideOn(producer: Producer, batch: ProducedBatch, origin: 'client' | 'coordinator'): ProducerDecision {
  // An epoch of -1 stands in a snapshot for a producer whose batches are all gone.
  if (producer.producerEpoch < 0) return accepted;
  if (origin === 'client') {
    const twin = findTwin(producer, batch);
    if (twin !== null) {
      return {
        outcome: 'duplicate',
        baseOffset: asOffset(twin.lastOffset - twin.offsetDelta),
        lastOffset: asOffset(twin.lastOffset),
        timestampMs: twin.timestampMs,
      };
    }
  }
  if (batch.producerEpoch < producer.producerEpoch) {
    return {
      outcome: 'refuse',
      errorCode: ErrorCode.INVALID_PRODUCER_EPOCH,
      message: `Producer ${batch.producerId} sent epoch ${batch.producerEpoch}, but epoch ${producer.producerEpoch} has been seen.`,
    };
  }
  if (origin === 'coordinator') return refusalOfMixing(producer, batch) ?? accepted;
  // After a new epoch 0 must come; within one, the number after the last. With no batch in this epoch that is 0 too.
  const expected = batch.producerEpoch === producer.producerEpoch ? sequenceAfter(lastSequenceOf(producer)) : 0;
  if (batch.baseSequence === expected) return refusalOfMixing(producer, batch) ?? accepted;
  return outOfOrder(batch, expected);
}

/**
 * Null where the marker may be written, also where it ends nothing; a coordinator repeats what it did not see answered.
 * Else INVALID_PRODUCER_EPOCH (from version 2 on the epoch must be a new one, unless the transaction has ended already)
 * or TRANSACTION_COORDINATOR_FENCED.
 */
export function refusalOfMarker(producer: Producer, marker: EndMarker): ProducerRefusal | null {
  const { producerId, producerEpoch, coordinatorEpoch } = marker;
  const raises = marker.transactionVersion >= bumpingVersion;
  const isRepeated =
    producerEpoch === producer.producerEpoch &&
    (producer.currentTransactionFirstOffset === noTransaction || producerEpoch === largestEpoch);
  const isOld = producerEpoch < producer.producerEpoch || (raises && producerEpoch === producer.producerEpoch);
  if (isOld && !(raises && isRepeated)) {
    const message = `A marker of producer ${producerId} has epoch ${producerEpoch}, but epoch ${producer.producerEpoch} has been seen.`;
    return { outcome: 'refuse', errorCode: ErrorCode.INVALID_PRODUCER_EPOCH, message };
  }
  if (coordinatorEpoch >= producer.coordinatorEpoch) return null;
  return {
    outcome: 'refuse',
    errorCode: ErrorCode.TRANSACTION_COORDINATOR_FENCED,
    message: `A marker of producer ${producerId} has coordinator epoch ${coordinatorEpoch}, but ${producer.coordinatorEpoch} has been seen.`,
  };
}

/** Refuses what a producer writes outside its open transaction. */
function refusalOfMixing(producer: Producer, batch: ProducedBatch): ProducerRefusal | null {
  if (batch.isTransactional || producer.currentTransactionFirstOffset === noTransaction) return null;
  return {
    outcome: 'refuse',
    errorCode: ErrorCode.INVALID_TXN_STATE,
    message: `Producer ${batch.producerId} sent a batch outside of its transaction, which is open since offset ${producer.currentTransactionFirstOffset}.`,
  };
}

export function outOfOrder(batch: ProducedBatch, expected: number): ProducerDecision {
  const { producerId, producerEpoch, baseSequence } = batch;
  return {
    outcome: 'refuse',
    errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    message: `Producer ${producerId} in epoch ${producerEpoch} sent sequence ${baseSequence}, but ${expected} is next.`,
  };
}

/** The remembered batch of the same epoch that has the same sequences, or null. */
function findTwin(producer: Producer, batch: ProducedBatch): RememberedBatch | null {
  if (batch.producerEpoch !== producer.producerEpoch) return null;
  const lastSequence = sequencePlus(batch.baseSequence, batch.lastOffsetDelta);
  for (const candidate of producer.batches) {
    if (candidate.lastSequence === lastSequence && candidate.offsetDelta === batch.lastOffsetDelta) return candidate;
  }
  return null;
}

export function lastSequenceOf(producer: Producer): number {
  return producer.batches.at(-1)?.lastSequence ?? noSequence;
}

function sequenceAfter(sequence: number): number {
  return sequence === largestSequence ? 0 : sequence + 1;
}

/** `sequence + delta` where 0 follows 2^31 - 1. */
export function sequencePlus(sequence: number, delta: number): number {
  return (sequence + delta) % sequenceCount;
}
