/**
 * What a member asks for when it acquires records of a share partition, and how many it gets at once. Any thread.
 */

import type { DeliveryRange } from './delivery-range.ts';

/** How a member acquires: whole batches of the log, or no more records than it asks for (KIP-1206). */
export type AcquireMode = 'batch optimized' | 'record limit';

/** A batch of the log, as it was read. */
export interface LogBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
}

export interface Acquiring {
  readonly memberId: string;
  readonly mode: AcquireMode;
  /** How many records an acquired range may have, roughly: it ends with a batch of the log. */
  readonly batchSize: number;
  readonly maxRecords: number;
  /** How many records may be between the start and the end offset. */
  readonly maxLocks: number;
  /** How often a record is given out. */
  readonly deliveryLimit: number;
  /** By `Clock.heardMs`. */
  readonly lockedUntilMs: number;
  /** Where the log was read from. */
  readonly fetchOffset: number;
  /** What was read; one at least. */
  readonly batches: readonly LogBatch[];
}

/** Records that were given out together. */
export interface AcquiredRange {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly deliveryCount: number;
}

/** From half of the limit on, but never before, records are given out in smaller pieces. */
const leastThrottledCount = 2;

/** What has been given out so often is given out in smaller pieces. */
export function throttledFrom(deliveryLimit: number): number {
  return Math.max(leastThrottledCount, Math.ceil(deliveryLimit / 2));
}

/** How many records that have failed so often are given out at once: half as many each time, and at last a single one. */
export function throttledCount({ deliveryCount, batchCount }: DeliveryRange, limit: number): number {
  if (limit > leastThrottledCount && deliveryCount >= limit - 1) return 1;
  return Math.max(1, Math.floor(batchCount / 2 ** (deliveryCount - throttledFrom(limit) + 1)));
}

/** The last offset of the batch that holds `offset`; `offset` itself where none does. */
export function lastOfBatch(batches: readonly LogBatch[], offset: number): number {
  let low = 0;
  let high = batches.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (batches[middle]!.lastOffset < offset) low = middle + 1;
    else high = middle;
  }
  const batch = batches[low];
  return batch === undefined || batch.baseOffset > offset ? offset : batch.lastOffset;
}
