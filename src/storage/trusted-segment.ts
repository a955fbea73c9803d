/**
 * A segment that lies before the recovery point, known from its indexes and its last batches alone. At the start after a
 * crash, synchronous.
 */

import type { Logger } from '../base/logger.ts';
import { asOffset, asPosition, noTimestamp, type Offset } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import type { FileSystem } from './file-system.ts';
import { readIndexEntries, type OffsetEntry } from './index-rebuild.ts';
import { offsetEntrySizeBytes, timeEntrySizeBytes } from './segment-index.ts';
import { segmentFileName } from './segment-name.ts';
import { scanSegmentFile } from './segment-scan.ts';
import type { SegmentState } from './segment.ts';
import type { TailWriter } from './tail-journal.ts';
import { transactionEntrySizeBytes, type TransactionEntry } from './transaction-index.ts';

/** What recovery works with. */
export interface RecoveryTools {
  readonly arena: Arena;
  readonly fileSystem: FileSystem;
  readonly logger: Logger;
  /** Takes what lies behind recovery points, so that it need not be made durable in place at once; null where that is to be. */
  readonly tails: TailWriter | null;
  /** The wall clock, for segments whose records have no time. */
  readonly nowMs: number;
}

/**
 * The state of the segment at `baseOffset`, in which `transactions` end and which `nextBase` follows; null where its
 * indexes do not do. `names` are those of all files in the partition's `directory`.
 */
export function trustSegment(
  tools: RecoveryTools,
  { directory, names }: { readonly directory: string; readonly names: readonly string[] },
  baseOffset: Offset,
  nextBase: Offset,
  transactions: readonly TransactionEntry[],
): SegmentState | null {
  const { fileSystem, nowMs } = tools;
  const path = `${directory}/${segmentFileName(baseOffset, 'log')}`;
  const sizeBytes = fileSystem.sizeAt(path) ?? 0;
  const { offsets, times, isWhole } = readIndexEntries(fileSystem, directory, names, baseOffset);
  if (!isWhole || times.length === 0 || times.at(-1)!.offset >= nextBase) return null;
  if (!reaches(tools, path, baseOffset, offsets.at(-1), sizeBytes, nextBase)) return null;
  return {
    baseOffset,
    sizeBytes,
    largestTimestampMs: times.at(-1)!.timestampMs,
    offsetOfLargestTimestamp: times.at(-1)!.offset,
    firstTimestampMs: noTimestamp,
    createdMs: nowMs,
    offsetIndexSizeBytes: offsets.length * offsetEntrySizeBytes,
    timeIndexSizeBytes: times.length * timeEntrySizeBytes,
    transactionIndexSizeBytes: transactions.length * transactionEntrySizeBytes,
  };
}

/** Whether the batches from the last index entry on are whole, up to the end of the file and to `nextBase`. */
function reaches(
  { fileSystem, arena }: RecoveryTools,
  path: string,
  baseOffset: Offset,
  last: OffsetEntry | undefined,
  sizeBytes: number,
  nextBase: Offset,
): boolean {
  if (last !== undefined && (last.position >= sizeBytes || last.lastOffset >= nextBase)) return false;
  let endOffset = baseOffset;
  const file = fileSystem.open(path, 'read');
  try {
    const from = asPosition(last?.position ?? 0);
    const end = scanSegmentFile(arena, fileSystem, file, sizeBytes, from, baseOffset, Infinity, (batch) => {
      const isEntrys = last === undefined || batch.position > from || batch.lastOffset === last.lastOffset;
      endOffset = asOffset(batch.lastOffset + 1);
      return isEntrys ? null : 'another batch than the index says';
    });
    return end.problem === null && end.zeroBytes === 0 && endOffset === nextBase;
  } finally {
    fileSystem.close(file);
  }
}
