/**
 * Checks one segment: every batch of its log (whole, CRC, next in sequence), every record in them, also in compressed
 * ones, and its indexes. Offline, synchronous.
 */

import { asAddress, asPosition, noTimestamp, type Offset } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import { ScanStatus } from '../memory/core.ts';
import { baseTimestampAt } from '../records/record-batch.ts';
import type { ScannedBatch } from '../storage/batch-check.ts';
import { readWholeFile } from '../storage/checkpoint-file.ts';
import type { FileSystem } from '../storage/file-system.ts';
import { defaultLogConfig } from '../storage/log-config.ts';
import type { RecordValidator } from '../storage/record-validation.ts';
import { segmentFileName, type swapSuffix } from '../storage/segment-name.ts';
import type { SegmentState } from '../storage/segment.ts';
import { scanSegmentFile, type FileBatch } from '../storage/segment-scan.ts';
import type { Findings, Severity } from './findings.ts';
import { OffsetIndexCheck, TimeIndexCheck } from './index-check.ts';
import { TransactionIndexCheck, type TransactionsOfLog } from './transaction-check.ts';

/** Index files may not be larger than their segment's offsets and positions allow. */
const largestIndexBytes = 512 * 1024 * 1024;
const lookedAtBytes = 64 * 1024;
const sectorBytes = 512;

export interface SegmentTools {
  readonly arena: Arena;
  readonly fileSystem: FileSystem;
  readonly validator: RecordValidator;
  /** Hears how many further bytes were looked at. */
  readonly progress: (sizeBytes: number) => void;
}

/** Where the segment is, and what is expected of it. */
export interface SegmentPlace {
  /** The data directory. */
  readonly root: string;
  /** The partition's directory in it. */
  readonly name: string;
  readonly baseOffset: Offset;
  /** Whether a segment follows. */
  readonly sealed: boolean;
  /** What was open in the log before this segment. */
  readonly transactions: TransactionsOfLog;
  /** Ends the log file's name where it takes the place of others (`storage/segment-swap.ts`), which a start completes. */
  readonly suffix: '' | typeof swapSuffix;
  /** Before it compaction may have taken records out. */
  readonly gapsBefore: number;
  /** How bad a wrong index is: a start after a crash makes those past the recovery point again. */
  readonly indexSeverity: Severity;
  /** So many bytes of the last segment's index files count, where that was written down: who writes next cuts off the rest. */
  readonly countedIndexes: Pick<SegmentState, 'offsetIndexSizeBytes' | 'timeIndexSizeBytes'> | null;
}

export interface SegmentReport {
  readonly fileBytes: number;
  /** Where the whole and valid batches end, as position and offset. */
  readonly endPosition: number;
  readonly endOffset: Offset;
  readonly batches: number;
  readonly records: number;
  readonly largestTimestampMs: number;
  /** Null, or what follows the valid batches. */
  readonly problem: string | null;
  /** So many zeros, and nothing else, follow them. */
  readonly zeroBytes: number;
  /** What follows looks like a write that did not end: a batch that is cut short by the file's end, or lost sectors. */
  readonly isTorn: boolean;
  readonly indexProblem: boolean;
}

/** Checks the segment and gives `take` each of its batches; findings about records and indexes go to `findings`. */
export function checkSegment(
  tools: SegmentTools,
  place: SegmentPlace,
  findings: Findings,
  take: (batch: FileBatch) => void,
): SegmentReport {
  const { arena, fileSystem, progress } = tools;
  const { root, name, baseOffset } = place;
  const fileOf = (kind: 'log' | 'index' | 'timeindex' | 'txnindex'): string =>
    `${name}/${segmentFileName(baseOffset, kind)}${kind === 'log' ? place.suffix : ''}`;
  const readIndex = (kind: 'index' | 'timeindex' | 'txnindex', countedBytes = Infinity): Uint8Array => {
    const bytes = readWholeFile(fileSystem, `${root}/${fileOf(kind)}`, largestIndexBytes) ?? new Uint8Array();
    return bytes.subarray(0, Math.min(bytes.length, countedBytes));
  };
  const counted = place.countedIndexes;
  const offsetIndex = new OffsetIndexCheck(readIndex('index', counted?.offsetIndexSizeBytes), baseOffset);
  const timeIndex = new TimeIndexCheck(readIndex('timeindex', counted?.timeIndexSizeBytes), baseOffset);
  const transactionIndex = new TransactionIndexCheck(readIndex('txnindex'), baseOffset, place.transactions);
  let batches = 0;
  let records = 0;
  let endOffset = baseOffset;
  let largestTimestampMs: number = noTimestamp;
  const file = fileSystem.open(`${root}/${fileOf('log')}`, 'read');
  try {
    const fileBytes = fileSystem.sizeOf(file);
    const end = scanSegmentFile(
      arena,
      fileSystem,
      file,
      fileBytes,
      asPosition(0),
      baseOffset,
      place.gapsBefore,
      (batch) => {
        const wrong = recordProblem(tools, batch);
        if (wrong !== null) findings.add('damage', fileOf('log'), wrong, batch.position, batch.baseOffset);
        offsetIndex.take(batch);
        timeIndex.take(batch);
        transactionIndex.take(batch);
        take(batch);
        batches++;
        records += batch.recordCount;
        endOffset = (batch.lastOffset + 1) as Offset;
        largestTimestampMs = Math.max(largestTimestampMs, batch.maxTimestamp);
        progress(batch.sizeBytes);
        return null;
      },
    );
    progress(fileBytes - end.endPosition);
    // Behind a damaged batch the indexes have nothing to be compared with; those of a swapped segment are made again.
    if (end.problem === null && place.suffix === '') {
      offsetIndex.end(end.endPosition);
      timeIndex.end(place.sealed);
      transactionIndex.end(endOffset);
    }
    for (const [kind, problem] of [
      ['index', offsetIndex.problem],
      ['timeindex', timeIndex.problem],
      ['txnindex', transactionIndex.problem],
    ] as const) {
      if (problem === null || place.suffix !== '') continue;
      findings.add(place.indexSeverity, fileOf(kind), `${capital(problem.what)}.`, problem.position, problem.offset);
    }
    return {
      fileBytes,
      endPosition: end.endPosition,
      endOffset,
      batches,
      records,
      largestTimestampMs,
      problem: end.problem,
      zeroBytes: end.zeroBytes,
      isTorn: end.problem !== null && isTorn(fileSystem, file, end.endPosition, fileBytes, end.problem),
      indexProblem:
        place.suffix === '' && [offsetIndex, timeIndex, transactionIndex].some(({ problem }) => problem !== null),
    };
  } finally {
    fileSystem.close(file);
  }
}

/** What is wrong with the batch's records, as a sentence, or null. The batch's CRC is right. */
function recordProblem({ arena, validator }: SegmentTools, batch: FileBatch): string | null {
  const scanned: ScannedBatch = {
    ...batch,
    status: ScanStatus.OK,
    baseTimestamp: baseTimestampAt(arena.bytes, batch.address),
    minTimestamp: noTimestamp,
    keylessCount: 0,
    firstBadRecord: -1,
  };
  const refusal = validator.validateBatch(scanned, asAddress(batch.address), defaultLogConfig);
  if (refusal !== null) return refusal.message;
  if (scanned.status === ScanStatus.OK) return null;
  return `Record ${scanned.firstBadRecord} of the batch does not parse, though the batch's checksum is right.`;
}

/** Whether a write that did not end explains the bytes from `position` on: sectors that never reached the disk are zeros. */
function isTorn(fileSystem: FileSystem, file: number, position: number, fileBytes: number, problem: string): boolean {
  if (problem === 'a batch that is not whole') return true;
  const rest = new Uint8Array(Math.min(fileBytes - position, lookedAtBytes));
  const end = fileSystem.read(file, rest, position);
  for (let at = 0; at < end;) {
    const sectorEnd = Math.min(at + sectorBytes - ((position + at) % sectorBytes), end);
    if (rest.subarray(at, sectorEnd).every((byte) => byte === 0)) return true;
    at = sectorEnd;
  }
  return false;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
