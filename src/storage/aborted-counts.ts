/**
 * How many aborted transactions each segment's `.txnindex` tells of at the recovery point, as it stands beside the point. A
 * file that is gone, or shorter by whole entries, looks like that of a segment in which nothing was aborted, and readers of
 * committed records would be given what was. Pure.
 *
 *   aborted=0:3,4096:1     base offset of the segment, entries that end before the point; segments without any are left out
 *
 * Of a segment that is gone since it was written nothing is asked. Compaction takes entries of segments that stay, so that a
 * log that is compacted has no counts on disk, and one that had some waits for them to go (`log-compaction.ts`). Where there are
 * fewer entries than counted, the log is read again.
 */

import { asOffset, type Offset } from '../base/numbers.ts';
import { transactionEntrySizeBytes } from './transaction-index.ts';

export interface AbortedCount {
  readonly baseOffset: Offset;
  readonly count: number;
}

export const nothingAborted: readonly AbortedCount[] = [];

/** What is counted of a segment, written or on its way to the file. */
interface CountedSegment {
  readonly baseOffset: Offset;
  readonly transactionIndexSizeBytes?: number;
}

/** The counts of `segments` as they are now. */
export function abortedCountsOf(segments: readonly CountedSegment[]): readonly AbortedCount[] {
  let counts: AbortedCount[] | null = null;
  for (const { baseOffset, transactionIndexSizeBytes = 0 } of segments) {
    if (transactionIndexSizeBytes === 0) continue;
    (counts ??= []).push({ baseOffset, count: transactionIndexSizeBytes / transactionEntrySizeBytes });
  }
  return counts ?? nothingAborted;
}

/** Of `counts`, which held at a recovery point, what `segments` still have. */
export function remainingCounts(
  counts: readonly AbortedCount[],
  segments: readonly CountedSegment[],
): readonly AbortedCount[] {
  if (counts.length === 0) return nothingAborted;
  const now = new Map(abortedCountsOf(segments).map(({ baseOffset, count }) => [baseOffset, count]));
  return counts
    .map(({ baseOffset, count }) => ({ baseOffset, count: Math.min(count, now.get(baseOffset) ?? 0) }))
    .filter(({ count }) => count > 0);
}

/** As it stands in a line; empty where nothing was aborted. */
export function abortedCountsText(counts: readonly AbortedCount[]): string {
  return counts.map(({ baseOffset, count }) => `${baseOffset}:${count}`).join(',');
}

/** The counts in `text`; null where it is not what `abortedCountsText` makes. */
export function parseAbortedCounts(text: string): readonly AbortedCount[] | null {
  if (text === '') return nothingAborted;
  const counts: AbortedCount[] = [];
  for (const one of text.split(',')) {
    const match = /^(\d{1,16}):(\d{1,9})$/.exec(one);
    if (match === null || !Number.isSafeInteger(Number(match[1]))) return null;
    counts.push({ baseOffset: asOffset(Number(match[1])), count: Number(match[2]) });
  }
  return counts;
}
