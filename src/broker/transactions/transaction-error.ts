/**
 * The errors of the transaction coordinator as clients of each version know them. Any thread.
 */

import { ErrorCode } from '../../base/error-code.ts';

/** Clients before KIP-588 know a producer that is fenced only by its epoch. */
export function fencedErrorFor(
  apiVersion: number,
  firstVersionThatKnowsFencing: number,
  errorCode: ErrorCode,
): ErrorCode {
  const isUnknown = errorCode === ErrorCode.PRODUCER_FENCED && apiVersion < firstVersionThatKnowsFencing;
  return isUnknown ? ErrorCode.INVALID_PRODUCER_EPOCH : errorCode;
}

/**
 * What a write hears of the coordinator's error: Produce and TxnOffsetCommit know an old epoch as such in all versions,
 * and that a transaction is to be aborted only where `knowsAbortable`.
 */
export function admissionErrorFor(errorCode: ErrorCode, knowsAbortable: boolean): ErrorCode {
  if (errorCode === ErrorCode.PRODUCER_FENCED) return ErrorCode.INVALID_PRODUCER_EPOCH;
  if (errorCode === ErrorCode.TRANSACTION_ABORTABLE && !knowsAbortable) return ErrorCode.INVALID_TXN_STATE;
  return errorCode;
}
