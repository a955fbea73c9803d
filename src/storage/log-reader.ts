/**
 * Reads one partition's log: the newest batches from the ingest ring, at once, and older ones from the segment files.
 * I/O thread, one per log. Whole batches only, from the one that holds the offset asked for, and none at or past the
 * high watermark.
 *
 *   segment files …──────────────┤ (everything written)
 *                      ring ├────┴──┤          both have what is written and not overwritten yet: the ring is asked first
 *
 * What it returns is a copy: no reader keeps the ring from coming round. It does not inflate or look into records.
 */

import { ErrorCode } from '../base/error-code.ts';
import { noOffset, type Offset } from '../base/numbers.ts';
import { readInt32 } from '../records/big-endian.ts';
import {
  batchField,
  batchHeaderSizeBytes,
  batchPrefixSizeBytes,
  batchSizeAt,
  lastOffsetAt,
} from '../records/record-batch.ts';
import type { LogState } from './log-state.ts';
import type { AbortedTransaction, IsolationLevel, ReadOptions, ReadResult } from './partition-log.ts';
import { scratchBodySizeBytes } from './scratch.ts';
import type { Segment } from './segment.ts';

const nothing = new Uint8Array();
/** Read beyond what was asked for: the index leads to somewhat before the batch. */
const leadBytes = 8 * 1024;
/** What a search for an offset reads at once at least. */
const leastReadBytes = 16 * 1024;

/** Where whole batches stand in a buffer that was leased. */
interface FoundBatches {
  readonly buffer: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** After the last record. */
  readonly endOffset: Offset;
}

export class LogReader {
  readonly #log: LogState;

  constructor(log: LogState) {
    this.#log = log;
  }

  /** As `PartitionLog.read`. */
  read(options: ReadOptions): ReadResult | Promise<ReadResult> {
    const { progress, logStartOffset } = this.#log;
    const { offset } = options;
    if (offset < logStartOffset || offset > this.#log.endOffset)
      return this.#result(ErrorCode.OFFSET_OUT_OF_RANGE, options);
    const endOffset = options.isolation === 'read_committed' ? this.#log.lastStableOffset : progress.highWatermark;
    const wantsNothing = options.maxBytes <= 0 && !options.minOneBatch;
    if (offset >= endOffset || wantsNothing) return this.#result(ErrorCode.NONE, options);
    try {
      return this.#fromRing(options, endOffset) ?? this.#fromFiles(options, endOffset);
    } catch (error) {
      return this.#failed(options, error);
    }
  }

  /** As `PartitionLog.availableBytes`. */
  availableBytes(offset: Offset, isolation: IsolationLevel): number {
    const { progress, recent, segments, lastStableOffset } = this.#log;
    const endOffset = isolation === 'read_committed' ? lastStableOffset : progress.highWatermark;
    if (offset >= endOffset) return 0;
    const first = recent.find(offset);
    if (first >= 0) return recent.sizeBytesBetween(first, endOffset);
    let sum = 0;
    for (let i = Math.max(segments.find(offset), 0); i < segments.count; i++) {
      const segment = segments.at(i);
      if (segment.baseOffset >= endOffset) break;
      // An index that is not loaded is not loaded for an estimate.
      const before = segment.baseOffset < offset ? (segment.index?.positionBefore(offset) ?? 0) : 0;
      sum += segment.sizeBytes - before;
    }
    return Math.max(sum, 1);
  }

  #fromRing(options: ReadOptions, endOffset: Offset): ReadResult | null {
    const { offset, maxBytes, minOneBatch } = options;
    const { recent, context } = this.#log;
    const { ring, arena, buffers } = context;
    const first = recent.find(offset);
    if (first < 0) return null;
    if (!ring.holds(recent.ringPositionAt(first))) {
      recent.forgetBefore(ring.oldestHeld);
      return null;
    }
    let count = 0;
    let sizeBytes = 0;
    while (first + count < recent.count && recent.endOffsetAt(first + count) <= endOffset) {
      const batchBytes = recent.sizeBytesAt(first + count);
      if (sizeBytes + batchBytes > maxBytes && !(count === 0 && minOneBatch)) break;
      sizeBytes += batchBytes;
      count++;
    }
    if (count === 0) return this.#result(ErrorCode.NONE, options);
    const aborted = this.#abortedIn(options, recent.endOffsetAt(first + count - 1));
    // This thread alone fills the ring, so that nothing can overwrite what is being copied.
    const buffer = buffers.lease(sizeBytes);
    let filled = 0;
    for (let i = first; i < first + count; i++) {
      const address = ring.addressOf(recent.ringPositionAt(i));
      const batchBytes = recent.sizeBytesAt(i);
      arena.copyOut(address, batchBytes, buffer, filled);
      filled += batchBytes;
    }
    return this.#found({ buffer, start: 0, end: filled }, aborted);
  }

  /** The aborted transactions of which something may lie between the offset asked for and `endOffset`. */
  #abortedIn({ offset, isolation }: ReadOptions, endOffset: Offset): readonly AbortedTransaction[] | null {
    if (isolation === 'read_uncommitted') return null;
    const { segments, context, directory, confirmedSegment } = this.#log;
    const found: AbortedTransaction[] = [];
    for (let i = Math.max(segments.find(offset), 0); i < segments.count; i++) {
      const segment = segments.at(i);
      if (segment.transactionIndexSizeBytes === 0) continue;
      const isWritten = segment.baseOffset < confirmedSegment;
      if (context.indexes.transactionsOf(segment, directory, isWritten).collect(offset, endOffset, found)) break;
    }
    return found;
  }

  async #fromFiles(options: ReadOptions, endOffset: Offset): Promise<ReadResult> {
    const { segments, context } = this.#log;
    if (options.offset < this.#log.logStartOffset) return this.#result(ErrorCode.OFFSET_OUT_OF_RANGE, options);
    try {
      // The list may change while a file is read, so the walk goes over those that there are now.
      for (const segment of segments.all().slice(Math.max(segments.find(options.offset), 0))) {
        if (!segments.has(segment) && segments.count > 0) return await this.#fromFiles(options, endOffset);
        if (segment.baseOffset >= endOffset) break;
        const { revision } = segment;
        const found = await this.#fromFile(segment, options, endOffset).catch((error: unknown) => {
          if (segment.revision === revision) throw error;
          return null;
        });
        if (segment.revision !== revision) {
          // Compaction put another file in its place.
          if (found !== null && found.buffer.length > 0) context.buffers.release(found.buffer);
          return await this.#fromFiles(options, endOffset);
        }
        if (segments.count === 0) {
          // The topic was deleted meanwhile, and the files of its names may be another's by now.
          if (found !== null && found.buffer.length > 0) context.buffers.release(found.buffer);
          return this.#result(ErrorCode.NONE, options);
        }
        if (found !== null) return this.#foundInFile(found, options);
        // Nothing there: the rest of the segment's offsets went away with compaction, so the next one has it.
      }
      return this.#result(ErrorCode.NONE, options);
    } catch (error) {
      const { logStartOffset } = this.#log;
      // The topic was deleted meanwhile: whoever asked finds that out by itself.
      if (segments.count === 0) return this.#result(ErrorCode.NONE, options);
      // Retention may have deleted the segment between the question and the answer.
      if (options.offset < logStartOffset) return this.#result(ErrorCode.OFFSET_OUT_OF_RANGE, options);
      return this.#failed(options, error);
    }
  }

  #failed(options: ReadOptions, error: unknown): ReadResult {
    const { topic, partition, context } = this.#log;
    context.logger.error({ topic, partition, offset: options.offset, error }, 'The log could not be read.');
    return this.#result(ErrorCode.KAFKA_STORAGE_ERROR, options);
  }

  /** Batches of one segment from the one that holds `offset`; null where the segment has none. */
  async #fromFile(
    segment: Segment,
    { offset, maxBytes, minOneBatch }: ReadOptions,
    endOffset: Offset,
  ): Promise<FoundBatches | null> {
    const { context, directory } = this.#log;
    const path = segment.logPath(directory);
    const isActive = segment === this.#log.segments.active;
    let position: number = context.indexes.of(segment, directory, isActive).positionBefore(offset);
    const endPosition = segment.sizeBytes;
    let wantedBytes = Math.max(maxBytes + leadBytes, leastReadBytes);
    while (position < endPosition) {
      const buffer = context.buffers.lease(Math.min(wantedBytes, endPosition - position));
      let keep = false;
      try {
        const target = buffer.subarray(0, Math.min(wantedBytes, endPosition - position));
        const filled = await context.segmentFiles.read(path, target, position);
        const start = skipBefore(buffer, filled, offset);
        const firstBytes = batchSizeAt(buffer, start, filled);
        if (firstBytes < 0) {
          // The batch is not whole in the buffer: it is read again from its beginning, with room for all of it.
          const claimedBytes = claimedSizeAt(buffer, start, filled);
          if (filled < target.length && start === filled) return null;
          if (start === 0 && claimedBytes <= wantedBytes) throw unreadable(path, position);
          position += start;
          // No such batch was ever taken: a damaged length must not cost everybody's memory.
          if (claimedBytes > scratchBodySizeBytes(context.arena)) throw unreadable(path, position);
          wantedBytes = Math.max(wantedBytes, claimedBytes);
          if (wantedBytes > endPosition - position && claimedBytes > endPosition - position) {
            throw unreadable(path, position);
          }
          continue;
        }
        if (lastOffsetAt(buffer, start) >= endOffset) return null;
        if (firstBytes > maxBytes && !minOneBatch) return { buffer: nothing, start: 0, end: 0, endOffset: offset };
        keep = true;
        return { buffer, start, ...endOfBatches(buffer, start, filled, maxBytes, endOffset) };
      } finally {
        if (!keep) context.buffers.release(buffer);
      }
    }
    return null;
  }

  #foundInFile(found: FoundBatches, options: ReadOptions): ReadResult {
    try {
      return this.#found(found, this.#abortedIn(options, found.endOffset));
    } catch (error) {
      if (found.buffer.length > 0) this.#log.context.buffers.release(found.buffer);
      throw error;
    }
  }

  #found(
    { buffer, start, end }: Omit<FoundBatches, 'endOffset'>,
    abortedTransactions: readonly AbortedTransaction[] | null,
  ): ReadResult {
    const { buffers } = this.#log.context;
    let released = buffer.length === 0;
    return {
      ...this.#result(ErrorCode.NONE, { isolation: 'read_uncommitted' }),
      abortedTransactions,
      records: buffer.subarray(start, end),
      release: () => {
        if (released) return;
        released = true;
        buffers.release(buffer);
      },
    };
  }

  #result(errorCode: ErrorCode, { isolation }: Pick<ReadOptions, 'isolation'>): ReadResult {
    const { progress, logStartOffset, lastStableOffset } = this.#log;
    const failed = errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.OFFSET_OUT_OF_RANGE;
    return {
      errorCode,
      records: nothing,
      highWatermark: failed ? noOffset : progress.highWatermark,
      lastStableOffset: failed ? noOffset : lastStableOffset,
      logStartOffset,
      abortedTransactions: isolation === 'read_committed' ? [] : null,
      release: doNothing,
    };
  }
}

function doNothing(): void {}

/** Where the first batch begins that ends at or after `offset`, or that is not whole in the first `end` bytes. */
function skipBefore(bytes: Uint8Array, end: number, offset: Offset): number {
  let at = 0;
  for (;;) {
    const sizeBytes = batchSizeAt(bytes, at, end);
    if (sizeBytes < 0 || lastOffsetAt(bytes, at) >= offset) return at;
    at += sizeBytes;
  }
}

/** What the batch at `at` says of its size; a header's where not even its length is there. */
function claimedSizeAt(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < batchPrefixSizeBytes) return batchHeaderSizeBytes;
  return Math.max(batchPrefixSizeBytes + readInt32(bytes, at + batchField.length), batchHeaderSizeBytes);
}

/**
 * Where the whole batches from `start` end, in bytes and offsets, that fit `maxBytes`, the first in any case, and lie
 * before `endOffset`.
 */
function endOfBatches(
  bytes: Uint8Array,
  start: number,
  end: number,
  maxBytes: number,
  endOffset: Offset,
): { readonly end: number; readonly endOffset: Offset } {
  let at = start;
  let next = endOffset;
  for (;;) {
    const sizeBytes = batchSizeAt(bytes, at, end);
    if (sizeBytes < 0 || (at > start && at + sizeBytes - start > maxBytes)) return { end: at, endOffset: next };
    if (lastOffsetAt(bytes, at) >= endOffset) return { end: at, endOffset: next };
    next = (lastOffsetAt(bytes, at) + 1) as Offset;
    at += sizeBytes;
  }
}

function unreadable(path: string, position: number): Error {
  return new Error(`The bytes at ${position} of ${path} are no record batch.`);
}
