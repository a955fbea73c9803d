/**
 * What an EndTxn comes to. I/O thread. Decided in one go, without waiting in between.
 *
 * Clients of version 0 keep their epoch from one transaction to the next; only the state tells a retry from the next
 * end. With version 2 (KIP-890) each end bumps the epoch, so a retry comes with the epoch before:
 *
 *                   abort again   abort           commit again   commit
 *   Empty           fenced        next epoch      fenced         invalid
 *   CompleteAbort   as answered   next epoch      invalid        invalid
 *   CompleteCommit  invalid       next epoch      as answered    invalid
 *   Prepare…        CONCURRENT_TRANSACTIONS: the markers are still being written
 *
 * With the next epoch too, which the client has by then: a client that begins a transaction and ends it without a write is
 * quicker than the markers may be. Kafka 4.0's coordinator calls it fenced.
 *
 * An abort without partitions bumps the epoch as well, so that a client which does not know whether its writes began the
 * transaction leaves them behind.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { TransactionOutcome } from '../../records/transaction-marker.ts';
import { lastProducerEpoch, type Transaction, type TransactionVersion } from './transaction.ts';
import { isIdle, isPrepared } from './transaction-state.ts';

export interface EndRequest {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly outcome: TransactionOutcome;
  readonly version: TransactionVersion;
}

export type EndDecision =
  | { readonly kind: 'refuse'; readonly errorCode: ErrorCode }
  /** It has ended so before: the answer is what the id has now. */
  | { readonly kind: 'done' }
  | { readonly kind: 'prepare' };

export function decideEnd(transaction: Transaction, request: EndRequest): EndDecision {
  return request.version === 2 ? decideEndV2(transaction, request) : decideEndV0(transaction, request);
}

function decideEndV0({ image, pending }: Transaction, { producerId, producerEpoch, outcome }: EndRequest): EndDecision {
  if (image.producerId !== producerId) return refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING);
  if (image.producerEpoch !== producerEpoch) return refuse(ErrorCode.PRODUCER_FENCED);
  if (pending !== null) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS);
  switch (image.state) {
    case 'Ongoing':
      return { kind: 'prepare' };
    case 'CompleteCommit':
      return outcome === 'commit' ? { kind: 'done' } : invalid;
    case 'CompleteAbort':
      return outcome === 'abort' ? { kind: 'done' } : invalid;
    case 'PrepareCommit':
      return outcome === 'commit' ? refuse(ErrorCode.CONCURRENT_TRANSACTIONS) : invalid;
    case 'PrepareAbort':
      return outcome === 'abort' ? refuse(ErrorCode.CONCURRENT_TRANSACTIONS) : invalid;
    default:
      return invalid;
  }
}

function decideEndV2(transaction: Transaction, { producerId, producerEpoch, outcome }: EndRequest): EndDecision {
  const { image, isBusy } = transaction;
  const isRetryBehindNewId =
    image.previousProducerId === producerId && producerEpoch === lastProducerEpoch && image.producerEpoch === 0;
  const isRetry = image.producerEpoch === producerEpoch + 1 || isRetryBehindNewId;
  if (image.producerId !== producerId && !isRetryBehindNewId) return refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING);
  if (!isEpochValid(transaction, producerEpoch, isRetry)) return refuse(ErrorCode.PRODUCER_FENCED);
  if (isBusy) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS);
  if (image.state === 'Ongoing') return { kind: 'prepare' };
  if (isRetry) return image.state === completed[outcome] ? { kind: 'done' } : invalid;
  return outcome === 'abort' ? { kind: 'prepare' } : invalid;
}

/** A retry comes behind the end that it repeats, and the epoch that it gave may come as soon as the end is decided. */
function isEpochValid({ image }: Transaction, producerEpoch: number, isRetry: boolean): boolean {
  if (producerEpoch === image.producerEpoch) return true;
  return isRetry && (isPrepared(image.state) || (isIdle(image.state) && image.state !== 'Empty'));
}

const completed = { commit: 'CompleteCommit', abort: 'CompleteAbort' } as const;
const invalid: EndDecision = refuse(ErrorCode.INVALID_TXN_STATE);

function refuse(errorCode: ErrorCode): EndDecision {
  return { kind: 'refuse', errorCode };
}
