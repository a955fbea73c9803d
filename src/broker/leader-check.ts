/**
 * Whether a client's idea of a partition's leader is ours (KIP-320). Any thread.
 */

import { ErrorCode } from '../base/error-code.ts';

/** Compares the epoch that a request carries (-1: none) with that of this run. */
export function checkLeaderEpoch(requested: number, current: number): ErrorCode {
  if (requested < 0 || requested === current) return ErrorCode.NONE;
  return requested < current ? ErrorCode.FENCED_LEADER_EPOCH : ErrorCode.UNKNOWN_LEADER_EPOCH;
}
