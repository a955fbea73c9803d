/**
 * Finds records by their time in one partition's log. I/O thread. The segments' largest timestamps and their time
 * indexes lead near the place; the batches from there on are looked at one by one, and the first that can hold such a
 * record is opened, inflated where it is compressed.
 */

import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import { asAddress, type Offset } from '../base/numbers.ts';
import {
  attributesAt,
  batchHeaderSizeBytes,
  Compression,
  compressionOf,
  lastOffsetAt,
  leaderEpochAt,
  maxTimestampAt,
} from '../records/record-batch.ts';
import { RecordReader } from '../records/record-reader.ts';
import { MalformedRecordsError } from '../records/varint.ts';
import { inflateBatch } from './batch-inflater.ts';
import { BatchWalker } from './batch-walker.ts';
import type { LogState } from './log-state.ts';
import type { TimestampedOffset } from './partition-log.ts';
import { scratchBodyAddress, scratchBodySizeBytes } from './scratch.ts';
import type { Segment } from './segment.ts';

/** As `PartitionLog.offsetForTimestamp`: of what consumers may read. Rejects with `EnvironmentError` IO_FAILED. */
export async function findByTimestamp(log: LogState, timestampMs: number): Promise<TimestampedOffset | null> {
  // The list may change while a file is read, so the walk goes over those that there are now.
  for (const segment of [...log.segments.all()]) {
    if (segment.largestTimestampMs < timestampMs || segment.baseOffset >= log.progress.highWatermark) continue;
    // Compaction or retention took it away while one before it was read.
    if (!log.segments.has(segment)) return await findByTimestamp(log, timestampMs);
    const { revision } = segment;
    try {
      const found = await findInSegment(log, segment, timestampMs);
      // Compaction put another file in its place, which the old index does not fit.
      if (segment.revision !== revision) return await findByTimestamp(log, timestampMs);
      if (found !== null) return found;
    } catch (error) {
      if (segment.revision !== revision) return await findByTimestamp(log, timestampMs);
      // Retention may have deleted it meanwhile; what comes after is the answer then.
      if (!log.segments.all().includes(segment)) continue;
      throw new EnvironmentError(
        EnvironmentErrorCode.IO_FAILED,
        `Partition ${log.partition} of ${log.topic} could not be searched by time: run millrace verify on a copy of its files.`,
        error,
      );
    }
  }
  return null;
}

async function findInSegment(log: LogState, segment: Segment, timestampMs: number): Promise<TimestampedOffset | null> {
  const { segments, context, directory } = log;
  const index = context.indexes.of(segment, directory, segment === segments.active);
  const from = index.offsetBeforeTime(timestampMs);
  const position = index.positionBefore(from > log.logStartOffset ? from : log.logStartOffset);
  const walker = new BatchWalker(context.segmentFiles, segment.logPath(directory), position, segment.sizeBytes);
  while (await walker.next()) {
    const { bytes, at, sizeBytes } = walker;
    if (lastOffsetAt(bytes, at) >= log.progress.highWatermark) return null;
    if (maxTimestampAt(bytes, at) < timestampMs || lastOffsetAt(bytes, at) < log.logStartOffset) continue;
    const found = firstRecordFrom(log, bytes.subarray(at, at + sizeBytes), timestampMs);
    if (found !== null) return found;
  }
  return null;
}

/** As `PartitionLog.offsetOfMaxTimestamp`. */
export async function findLargestTimestamp(log: LogState): Promise<TimestampedOffset | null> {
  let largestMs = -1;
  for (const segment of log.segments.all()) largestMs = Math.max(largestMs, segment.largestTimestampMs);
  return largestMs < 0 ? null : findByTimestamp(log, largestMs);
}

/** The records of a compressed batch, in the arena's scratch until something else uses it; null for a plain batch. */
function inflatedBody(log: LogState, batch: Uint8Array): Uint8Array | null {
  const attributes = attributesAt(batch, 0);
  if (compressionOf(attributes) === Compression.NONE) return null;
  const { arena } = log.context;
  const source = scratchBodyAddress(arena);
  const target = asAddress(source + batch.length);
  arena.bytes.set(batch, source);
  const sizeBytes = inflateBatch(
    arena,
    attributes,
    asAddress(source + batchHeaderSizeBytes),
    batch.length - batchHeaderSizeBytes,
    target,
    scratchBodySizeBytes(arena) - batch.length,
  );
  if (sizeBytes < 0) throw new MalformedRecordsError('the body of a stored batch does not inflate');
  return arena.bytes.subarray(target, target + sizeBytes);
}

function firstRecordFrom(log: LogState, batch: Uint8Array, timestampMs: number): TimestampedOffset | null {
  const body = inflatedBody(log, batch);
  const reader = new RecordReader(batch, 0, batch.length, body);
  while (reader.next()) {
    if (reader.timestampMs < timestampMs || reader.offset < log.logStartOffset) continue;
    return { offset: reader.offset as Offset, timestampMs: reader.timestampMs, leaderEpoch: leaderEpochAt(batch, 0) };
  }
  return null;
}
