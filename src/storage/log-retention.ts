/**
 * Where one partition's log begins: deletes old segments by time and size, and what DeleteRecords gave up. I/O thread,
 * one per log.
 *
 *   raise the log start ─► make that durable ─► rename the files to *.deleted ─► remove them, after a while
 *
 * A crash between the steps leaves files that the log no longer begins with; the next start removes them. A segment
 * that ends past the recovery point on disk stays until that has moved: recovery needs what its producers did there. So
 * does one of which the worker has not told yet that it has ended.
 * The active segment is never deleted; where it is too old it is ended first.
 */

import type { Timer } from '../base/clock.ts';
import { ErrorCode } from '../base/error-code.ts';
import { noOffset, type Offset } from '../base/numbers.ts';
import { LazyMap, LazySet } from '../base/lazy-map.ts';
import type { LogState } from './log-state.ts';
import type { LogWriter } from './log-writer.ts';
import { deletedFileSuffix, segmentFileName, type SegmentFileKind } from './segment-name.ts';
import type { Segment } from './segment.ts';

const fileKinds: readonly SegmentFileKind[] = ['log', 'index', 'timeindex', 'txnindex'];

export class LogRetention {
  readonly #log: LogState;
  readonly #writer: LogWriter;
  /** Files that were renamed, by the timer that will remove them. */
  readonly #doomed = new LazyMap<Timer, readonly string[]>();
  readonly #removals = new LazySet<Promise<void>>();
  /** The log start that is durable. */
  #savedStart: Offset;

  constructor(log: LogState, writer: LogWriter) {
    this.#log = log;
    this.#savedStart = log.logStartOffset;
    this.#writer = writer;
  }

  /** As `PartitionLog.deleteRecordsBefore`. */
  async deleteRecordsBefore(offset: Offset): Promise<{ errorCode: ErrorCode; lowWatermark: Offset }> {
    const log = this.#log;
    const { highWatermark } = log.progress;
    const start = offset === noOffset ? highWatermark : offset;
    if (start < 0 || start > highWatermark) {
      return { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, lowWatermark: noOffset };
    }
    if (start > log.logStartOffset) log.logStartOffset = start;
    // Also where it was raised before and could not be made durable then.
    if (this.#savedStart < start) {
      try {
        await this.#saveStart();
      } catch (error) {
        log.context.logger.error(
          { topic: log.topic, partition: log.partition, error },
          'A log start offset could not be made durable.',
        );
        return { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, lowWatermark: noOffset };
      }
    }
    // It may have been raised again meanwhile, and that not be durable yet.
    return { errorCode: ErrorCode.NONE, lowWatermark: this.#savedStart };
  }

  /** Deletes what the settings no longer keep; returns how many segments. Rejects with the file system's error. */
  async enforce(): Promise<number> {
    const log = this.#log;
    const { config, context, segments, progress } = log;
    const nowMs = context.clock.nowMs();
    log.expireProducers(nowMs);
    if (!config.deletePolicy || segments.active === null) return 0;
    const active = segments.active;
    if (active.sizeBytes > 0 && this.#isTooOld(active, nowMs) && progress.written === progress.end) {
      // The checkpoint tells that the segment has ended.
      if (this.#writer.rollNow()) this.#askForCheckpoint();
    }
    const start = Math.max(this.#startByTime(nowMs), this.#startBySize()) as Offset;
    if (start > log.logStartOffset) log.logStartOffset = start;
    return this.#savedStart < log.logStartOffset ? this.#saveStart() : 0;
  }

  /** Removes at once what waits to be removed, and resolves once nothing is being removed; for the end. */
  async removeDoomed(): Promise<void> {
    for (const [timer, paths] of this.#doomed) {
      timer.cancel();
      for (const path of paths) this.#remove(() => this.#log.context.fileSystem.remove(path), path);
    }
    this.#doomed.clear();
    // A process does not end before the calls that it has under way, however long a disk takes for them.
    await Promise.all(this.#removals);
  }

  /** Makes the log start durable, then deletes the segments before it; returns how many. */
  async #saveStart(): Promise<number> {
    const start = this.#log.logStartOffset;
    await this.#log.context.saveLogStartOffsets();
    if (start > this.#savedStart) this.#savedStart = start;
    // Until now a crash would have brought back what lies before, and its epochs with it.
    if (this.#log.epochs.truncateFromStart(start)) this.#log.epochsChanged = true;
    if (start > this.#log.savedRecoveryPoint) this.#askForCheckpoint();
    return this.deleteUnneeded();
  }

  #askForCheckpoint(): void {
    this.#log.checkpointWanted = true;
    this.#log.context.checkpointSoon();
  }

  /** Deletes the segments that neither readers nor recovery need any more; returns how many. */
  deleteUnneeded(): number {
    const { segments, savedRecoveryPoint, confirmedSegment, isSwapping, needsRecovery } = this.#log;
    if (isSwapping || needsRecovery) return 0;
    // Should a segment's end fail at the worker, it goes on with that segment.
    const unneededBefore = Math.min(this.#savedStart, savedRecoveryPoint, confirmedSegment);
    let count = 0;
    while (count < segments.count - 1 && segments.at(count + 1).baseOffset <= unneededBefore) count++;
    if (count > 0) for (const segment of segments.takeFirst(count)) this.#delete(segment);
    return count;
  }

  #startByTime(nowMs: number): number {
    const { segments, progress, config } = this.#log;
    if (config.retentionMs < 0) return -1;
    let start = -1;
    for (let i = 0; i < segments.count - 1 && this.#isTooOld(segments.at(i), nowMs); i++) {
      const endOffset = segments.endOffsetOf(i, progress.end);
      if (endOffset > progress.highWatermark) break;
      start = endOffset;
    }
    return start;
  }

  #isTooOld(segment: Segment, nowMs: number): boolean {
    const newestMs = segment.largestTimestampMs >= 0 ? segment.largestTimestampMs : segment.createdMs;
    const { retentionMs } = this.#log.config;
    return retentionMs >= 0 && nowMs - newestMs > retentionMs;
  }

  #startBySize(): number {
    const { segments, progress, config } = this.#log;
    if (config.retentionBytes < 0) return -1;
    let excessBytes = segments.sizeBytes - config.retentionBytes;
    let start = -1;
    for (let i = 0; i < segments.count - 1 && excessBytes >= segments.at(i).sizeBytes; i++) {
      const endOffset = segments.endOffsetOf(i, progress.end);
      if (endOffset > progress.highWatermark) break;
      excessBytes -= segments.at(i).sizeBytes;
      start = endOffset;
    }
    return start;
  }

  #delete(segment: Segment): void {
    const { context, directory } = this.#log;
    const { fileSystem } = context;
    const renamed: string[] = [];
    for (const kind of fileKinds) {
      const path = `${directory}/${segmentFileName(segment.baseOffset, kind)}`;
      this.#remove(() => {
        if (fileSystem.sizeAt(path) === null) return;
        fileSystem.rename(path, path + deletedFileSuffix);
        renamed.push(path + deletedFileSuffix);
      }, path);
    }
    context.segmentFiles.forget(`${directory}/${segmentFileName(segment.baseOffset, 'log')}`);
    context.indexes.forget(segment);
    this.removeAfterDelay(renamed);
  }

  /** Removes the files at `paths`, which were renamed, after the topic's `file.delete.delay.ms`. */
  removeAfterDelay(paths: readonly string[]): void {
    const { context, config } = this.#log;
    const timer = context.clock.setTimer(config.fileDeleteDelayMs, () => {
      this.#doomed.delete(timer);
      for (const path of paths) this.#removeLater(path);
    });
    this.#doomed.set(timer, paths);
  }

  #removeLater(path: string): void {
    const removal = this.#log.context.fileSystem
      .removeLater(path)
      .catch((error: unknown) => {
        this.#log.context.logger.warn(
          { path, error },
          'A deleted file could not be removed; the next start tries again.',
        );
      })
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  /** Files that stay cost room and nothing else. */
  #remove(action: () => void, path: string): void {
    try {
      action();
    } catch (error) {
      this.#log.context.logger.warn(
        { path, error },
        'A deleted file could not be removed; the next start tries again.',
      );
    }
  }
}
