/**
 * InitProducerId for a transactional id: a producer comes, comes again, or takes over from another. I/O thread.
 *
 *   idle      the next epoch; where none is left, a new producer id
 *   Ongoing   the transaction is aborted under the next epoch, and the client hears CONCURRENT_TRANSACTIONS until it is
 *   prepared  CONCURRENT_TRANSACTIONS until the markers are written
 *
 * KIP-98; KIP-360: a client that names its producer id and epoch goes on where it was, and is fenced by whoever came
 * since. It decides in one go, without waiting in between, so that nothing changes under it.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { lastProducerEpoch, noEpoch, type Transaction, type TransactionImage } from './transaction.ts';
import { isPrepared } from './transaction-state.ts';

export interface ProducerIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

export type InitProducerDecision =
  | { readonly kind: 'refuse'; readonly errorCode: ErrorCode }
  /** Abort what is ongoing first. */
  | { readonly kind: 'fence' }
  /** Decide again with a new producer id at hand. */
  | { readonly kind: 'needs producer id' }
  | { readonly kind: 'step'; readonly image: TransactionImage };

/** `spareProducerId` is one that was never given, null where none is at hand. */
export function decideInitProducer(
  transaction: Transaction,
  timeoutMs: number,
  expected: ProducerIdentity | null,
  spareProducerId: number | null,
  nowMs: number,
): InitProducerDecision {
  const { image } = transaction;
  if (transaction.pending !== null) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS);
  if (expected !== null && !isKnown(expected, image)) return refuse(ErrorCode.PRODUCER_FENCED);
  if (isPrepared(image.state)) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS);
  if (image.state === 'Ongoing') return { kind: 'fence' };
  if (transaction.isEpochExhausted && (expected === null || expected.producerEpoch === image.producerEpoch)) {
    if (spareProducerId === null) return { kind: 'needs producer id' };
    return { kind: 'step', image: transaction.withProducerId(spareProducerId, timeoutMs, expected !== null, nowMs) };
  }
  // An epoch behind the last that is given: nobody has it, and none comes after it.
  if (transaction.isEpochExhausted) return refuse(ErrorCode.PRODUCER_FENCED);
  const next = transaction.withNextEpoch(timeoutMs, expected?.producerEpoch ?? null, nowMs);
  return next === null ? refuse(ErrorCode.PRODUCER_FENCED) : { kind: 'step', image: next };
}

/** Whether the client may be the producer of the id: its last, or the one before where that had used up its epochs. */
function isKnown({ producerId, producerEpoch }: ProducerIdentity, image: TransactionImage): boolean {
  if (image.producerEpoch === noEpoch || producerId === image.producerId) return true;
  return producerId === image.previousProducerId && producerEpoch >= lastProducerEpoch;
}

function refuse(errorCode: ErrorCode): InitProducerDecision {
  return { kind: 'refuse', errorCode };
}
