/** Reads what the core writes, a scan row or a result of `validateRecords`, into an object. */

import { recordsResult, scanRow } from '../../src/memory/core.ts';
import { arena, outputAddress } from './core-arena.ts';

export type ScanRow = Record<Exclude<keyof typeof scanRow, 'sizeOfRow'>, number>;

const { view } = arena;

export function readRow(index: number): ScanRow {
  const row = outputAddress + index * scanRow.sizeOfRow;
  const double = (at: number): number => view.getFloat64(row + at, true);
  const int = (at: number): number => view.getInt32(row + at, true);
  return {
    baseOffset: double(scanRow.baseOffset),
    baseTimestamp: double(scanRow.baseTimestamp),
    maxTimestamp: double(scanRow.maxTimestamp),
    producerId: double(scanRow.producerId),
    position: int(scanRow.position),
    sizeBytes: int(scanRow.sizeBytes),
    leaderEpoch: int(scanRow.leaderEpoch),
    attributes: int(scanRow.attributes),
    producerEpoch: int(scanRow.producerEpoch),
    baseSequence: int(scanRow.baseSequence),
    recordCount: int(scanRow.recordCount),
    lastOffsetDelta: int(scanRow.lastOffsetDelta),
    status: int(scanRow.status),
  };
}

export type RecordsResult = Record<Exclude<keyof typeof recordsResult, 'sizeOfResult'>, number>;

export function readResult(): RecordsResult {
  const int = (at: number): number => view.getInt32(outputAddress + at, true);
  return {
    status: int(recordsResult.status),
    firstBadRecord: int(recordsResult.firstBadRecord),
    maxTimestampDelta: view.getFloat64(outputAddress + recordsResult.maxTimestampDelta, true),
    minTimestampDelta: view.getFloat64(outputAddress + recordsResult.minTimestampDelta, true),
    offsetDeltaOfMaxTimestamp: int(recordsResult.offsetDeltaOfMaxTimestamp),
    keylessCount: int(recordsResult.keylessCount),
    lastOffsetDelta: int(recordsResult.lastOffsetDelta),
    largestRecordBytes: int(recordsResult.largestRecordBytes),
  };
}
