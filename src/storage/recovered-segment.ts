/**
 * A segment that recovery scans: from the last index entry that is certain, or all of it; what lies past the recovery point
 * is written again in place. At the start and offline, synchronous. What to do about a problem is `recovery.ts`'s to decide.
 *
 *   .log        │ trusted │ scanned … ▲ recovery point … scanned, written again │ zeros, cut off, or a problem
 *   .index      │ certain ▲ index point │ made again, or left to the worker where that is little │
 */

import type { Offset, Position } from '../base/numbers.ts';
import { asOffset, asPosition } from '../base/numbers.ts';
import type { FileDescriptor } from './file-system.ts';
import {
  haveSameEntries,
  readIndexEntries,
  writeIndexEntries,
  type FoundEntries,
  type IndexEntries,
} from './index-rebuild.ts';
import { ScannedSegment, type IndexSizes } from './scanned-segment.ts';
import { offsetEntrySizeBytes, timeEntrySizeBytes } from './segment-index.ts';
import { segmentFileName } from './segment-name.ts';
import { scanSegmentFile, type FileBatch } from './segment-scan.ts';
import type { SegmentState } from './segment.ts';
import type { TransactionEntry } from './transaction-index.ts';
import type { RecoveryTools } from './trusted-segment.ts';
import { writeFully } from './whole-transfers.ts';

export interface SegmentToRecover {
  readonly directory: string;
  /** Of the files in it. */
  readonly names: readonly string[];
  readonly baseOffset: Offset;
  /** Where the next segment begins; null for the last one. */
  readonly nextBase: Offset | null;
  /** What lies behind it is written again. */
  readonly recoveryPoint: Offset;
  /** Up to here zeros are damage: batches were on disk. */
  readonly certainEnd: Offset;
  readonly indexPoint: Offset;
  readonly unindexedBytesMax: number;
  /** The aborted transactions that end in it, before the recovery point. */
  readonly transactions: readonly TransactionEntry[];
}

export interface RecoveredSegment {
  readonly state: SegmentState;
  readonly endOffset: Offset;
  /** Why the segment ends before its file does, or null. */
  readonly problem: string | null;
  readonly scannedBytes: number;
  /** The log's file, open, where it is to be synced and closed by the caller. */
  readonly unsynced: FileDescriptor | null;
  /** Whether index files were replaced, durably but for their names. */
  readonly hasNewIndexes: boolean;
  /** Where in the log's file begins what was written again, and only that was changed; null where that is not so. */
  readonly tailPosition: Position | null;
  /** Whether the index goes on without entries for what was scanned, and its files may hold some. */
  readonly isUnindexed: boolean;
  /** All aborted transactions that end in it. */
  readonly transactions: readonly TransactionEntry[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Where a scan begins, and what is known of what lies before. */
interface ScanStart {
  readonly position: Position;
  readonly offset: Offset;
  /** Entries for what lies before. */
  readonly entries: IndexEntries;
  /** All entries that the files have. */
  readonly found: FoundEntries;
  /** Whether the batch there is the one that the index says. */
  readonly isVerified: boolean;
}

/**
 * Recovers the segment, and gives `take` each batch that was scanned; it answers with the transaction that the batch aborts
 * behind the recovery point, or null. Throws the file system's errors.
 */
export function recoverSegment(
  tools: RecoveryTools,
  segment: SegmentToRecover,
  take: (batch: FileBatch) => TransactionEntry | null,
): RecoveredSegment {
  const { fileSystem } = tools;
  const file = fileSystem.open(`${segment.directory}/${segmentFileName(segment.baseOffset, 'log')}`, 'write');
  let isUnsynced = false;
  try {
    const recovered = scanned(tools, segment, file, take);
    isUnsynced = recovered.unsynced !== null;
    return recovered;
  } finally {
    if (!isUnsynced) fileSystem.close(file);
  }
}

function scanned(
  tools: RecoveryTools,
  segment: SegmentToRecover,
  file: FileDescriptor,
  take: (batch: FileBatch) => TransactionEntry | null,
): RecoveredSegment {
  const { arena, fileSystem } = tools;
  const { baseOffset, nextBase } = segment;
  const sizeBytes = fileSystem.sizeOf(file);
  const start = scanStart(tools, segment, file, sizeBytes);
  const keptSizes = indexSizesOf(start.entries);
  const found = new ScannedSegment(baseOffset, start.entries, [...segment.transactions], tools.nowMs);
  let endOffset = start.offset;
  let isChanged = false;
  let tailPosition: Position | null = null;
  const { endPosition, problem, zeroBytes } = scanSegmentFile(
    arena,
    fileSystem,
    file,
    sizeBytes,
    start.position,
    start.offset,
    // Only what was behind the recovery point was ever compacted.
    segment.certainEnd,
    (batch) => {
      endOffset = asOffset(batch.lastOffset + 1);
      const aborted = take(batch);
      found.take(batch);
      if (aborted !== null) found.transactions.push(aborted);
      return null;
    },
    (address, position, takenBytes) => {
      if (endOffset <= segment.recoveryPoint) return;
      isChanged = true;
      tailPosition ??= position;
      writeAgain(tools, file, address, position, takenBytes);
    },
  );
  // Zeros where batches were on disk are damage, which stays as it is; before a segment that is next they are none.
  if (zeroBytes > 0 && (endOffset >= segment.certainEnd || endOffset === nextBase)) {
    isChanged = true;
    tailPosition = null;
    fileSystem.truncate(file, endPosition);
  }
  found.end(endPosition, nextBase === null);
  // Thousands of these are made in a row, and a spread would take longer than the scan of a small segment.
  const recovered: Mutable<RecoveredSegment> = {
    state: found.state,
    endOffset,
    problem,
    scannedBytes: endPosition - start.position,
    unsynced: isChanged ? file : null,
    hasNewIndexes: false,
    tailPosition,
    isUnindexed: false,
    transactions: found.transactions,
  };
  // Of a segment that ends at the index point only the last entry, with which it was ended, is not certain.
  const isCertain = nextBase === null ? endOffset <= segment.indexPoint : endOffset < segment.indexPoint;
  if (isCertain && haveSameEntries(found.entries, start.found)) return recovered;
  if (nextBase === null && problem === null && endsWithin(start.found, endOffset, endPosition)) {
    if (isCertain && start.isVerified) {
      recovered.state = found.stateWith(indexSizesOf(start.found));
      return recovered;
    }
    if (recovered.scannedBytes <= segment.unindexedBytesMax) {
      recovered.state = found.stateWith(keptSizes);
      recovered.isUnindexed = true;
      return recovered;
    }
  }
  writeIndexEntries(fileSystem, segment.directory, baseOffset, found.entries);
  recovered.hasNewIndexes = true;
  return recovered;
}

/** The last index entry before the index point, where the file has at its position what the entry says. */
function scanStart(
  { arena, fileSystem }: RecoveryTools,
  { directory, names, baseOffset, recoveryPoint, indexPoint }: SegmentToRecover,
  file: FileDescriptor,
  sizeBytes: number,
): ScanStart {
  const found = readIndexEntries(fileSystem, directory, names, baseOffset);
  const { offsets, times } = found;
  const fromFirst: ScanStart = {
    position: asPosition(0),
    offset: baseOffset,
    entries: { offsets: [], times: [] },
    found,
    isVerified: false,
  };
  const certainOffset = Math.min(recoveryPoint, indexPoint);
  // A time index that lost entries says nothing of the timestamps before the scan.
  if (certainOffset <= baseOffset || !found.isWhole || found.times.length === 0) return fromFirst;
  const count = offsets.findLastIndex(({ lastOffset }) => lastOffset < certainOffset) + 1;
  if (count === 0) return fromFirst;
  const { lastOffset, position } = offsets[count - 1]!;
  if (position >= sizeBytes) return fromFirst;
  // The batch at the entry's place is looked at once before its word is taken for where the scan begins.
  let first: Offset | null = null;
  scanSegmentFile(arena, fileSystem, file, sizeBytes, asPosition(position), baseOffset, Infinity, (batch) => {
    if (batch.lastOffset === lastOffset) first = batch.baseOffset;
    return 'one batch is enough';
  });
  if (first === null) return fromFirst;
  return {
    position: asPosition(position),
    offset: first,
    // The entry at this place is made again, so those before it are kept.
    entries: { offsets: offsets.slice(0, count - 1), times: times.filter(({ offset }) => offset < first!) },
    found,
    isVerified: true,
  };
}

/**
 * Writes in place what was read: after a sync that failed the kernel calls pages clean that the disk never took, also to
 * the process that comes next. Written again they are taken, or the sync at the end fails.
 */
function writeAgain(
  { arena, fileSystem, tails }: RecoveryTools,
  file: FileDescriptor,
  address: number,
  position: Position,
  sizeBytes: number,
): void {
  const bytes = arena.bytes.subarray(address, address + sizeBytes);
  tails?.add(bytes);
  writeFully(fileSystem, file, bytes, position);
}

/** Whether the index files are whole and speak of no more than the log has. */
function endsWithin({ offsets, times, isWhole }: FoundEntries, endOffset: Offset, endPosition: Position): boolean {
  const last = offsets.at(-1);
  if (!isWhole || (times.at(-1)?.offset ?? -1) >= endOffset) return false;
  return last === undefined || (last.lastOffset < endOffset && last.position < endPosition);
}

function indexSizesOf({ offsets, times }: IndexEntries): IndexSizes {
  return {
    offsetIndexSizeBytes: offsets.length * offsetEntrySizeBytes,
    timeIndexSizeBytes: times.length * timeEntrySizeBytes,
  };
}
