/**
 * The compaction of one partition's log: how much of it is dirty, and one run over it. I/O thread, one per log.
 *
 *   │ clean │ dirty, may be compacted │ dirty, too young or not ended │
 *           └ first dirty offset      └ before: the active segment, the last stable offset, what is not behind the recovery
 *                                       point on disk, what is younger than min.compaction.lag.ms
 *
 * A run has the compactor write groups of segments again and puts each in its place as `segment-swap.ts` says. Readers of
 * the old segments go on, because files that are open stay readable. The rules for what is due are Kafka's (KIP-58, KIP-354).
 */

import { assert } from '../base/assert.ts';
import { EnvironmentError } from '../base/environment-error.ts';
import { firstOffset, type Offset } from '../base/numbers.ts';
import { isNamedProducerId } from '../records/named-records.ts';
import type {
  CompactionPlan,
  CompactionRun,
  CompactionSettings,
  Compactor,
  LastOfProducer,
  SourceSegment,
} from './compactor.ts';
import type { LogRetention } from './log-retention.ts';
import type { LogState } from './log-state.ts';
import type { LogWriter } from './log-writer.ts';
import { kafkaEntries } from './named-producers.ts';
import type { AbortedTransaction } from './partition-log.ts';
import { cleanedSuffix, deletedFileSuffix, segmentFileName, swapSuffix, type SegmentFileKind } from './segment-name.ts';
import type { Segment, SegmentState } from './segment.ts';

/** Renames for a group happen in one turn of the event loop. */
const largestGroup = 64;
const largestRelativeOffset = 2 ** 31 - 1;
const cleanedKinds: readonly SegmentFileKind[] = ['log', 'index', 'timeindex'];
const replacedKinds: readonly SegmentFileKind[] = ['log', 'index', 'timeindex', 'txnindex'];

/** How much of a log would be compacted. */
export interface CompactionNeed {
  /** From 0 to 1. */
  readonly dirtyRatio: number;
  /** Whether it should be done now: dirty enough by the topic's settings, or waiting too long. */
  readonly isDue: boolean;
}

/** What a run did. */
export interface CompactionResult {
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly removedRecords: number;
  readonly firstDirtyOffset: Offset;
}

export class LogCompaction {
  readonly #log: LogState;
  readonly #writer: LogWriter;
  readonly #retention: LogRetention;
  /** Why it is not compacted any more in this run. */
  #problem: string | null = null;
  #run: CompactionRun | null = null;
  #underWay: Promise<unknown> | null = null;
  #stopped = false;
  /** Null until the store says where it stands. */
  firstDirtyOffset: Offset | null = null;

  constructor(log: LogState, writer: LogWriter, retention: LogRetention) {
    this.#log = log;
    this.#writer = writer;
    this.#retention = retention;
  }

  get isUnderWay(): boolean {
    return this.#underWay !== null;
  }

  /** What compaction would find at `nowMs`; null where there is nothing that may be compacted. */
  need(nowMs: number): CompactionNeed | null {
    const { config, segments, refusal, needsRecovery, hasSavedCounts } = this.#log;
    if (!config.compactPolicy || this.#problem !== null || this.#stopped || this.isUnderWay) return null;
    if (refusal !== null || needsRecovery) return null;
    if (hasSavedCounts) {
      // A start would miss the entries that go with what was aborted, and take the index for damaged.
      this.#log.checkpointWanted = true;
      this.#log.context.checkpointSoon();
      return null;
    }
    this.#rollOverdue(nowMs);
    const endOffset = this.#compactableEnd(nowMs);
    const firstDirty = this.#firstDirty;
    if (endOffset <= firstDirty) return null;
    let [cleanBytes, dirtyBytes] = [0, 0];
    let oldestMs = Infinity;
    for (const [i, segment] of segments.all().entries()) {
      if (segment.baseOffset >= endOffset) break;
      if (segments.endOffsetOf(i, endOffset) <= firstDirty) {
        cleanBytes += segment.sizeBytes;
        continue;
      }
      dirtyBytes += segment.sizeBytes;
      oldestMs = Math.min(oldestMs, beginOf(segment));
    }
    if (dirtyBytes === 0) return null;
    const dirtyRatio = dirtyBytes / (cleanBytes + dirtyBytes);
    const isOverdue = nowMs - oldestMs > config.maxCompactionLagMs;
    return { dirtyRatio, isDue: isOverdue || dirtyRatio > config.minCleanableRatio };
  }

  /**
   * Compacts what may be compacted, as far as the map of keys reaches. Resolves with what that was, null where it was
   * stopped. Rejects with what kept it from ending; then it is not tried again in this run, unless the disk was full.
   */
  run(compactor: Compactor, settings: CompactionSettings, nowMs: number): Promise<CompactionResult | null> {
    assert(!this.isUnderWay, 'a log has one compaction at a time');
    const done = this.#compact(compactor, settings, nowMs).finally(() => (this.#underWay = null));
    this.#underWay = done.catch(ignoreHere);
    return done;
  }

  /** Ends what is under way, and nothing begins any more; resolves once files and memory agree. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#run?.end();
    await this.#underWay;
  }

  get #firstDirty(): Offset {
    const { logStartOffset, segments, progress } = this.#log;
    const first = Math.max(logStartOffset, segments.all()[0]?.baseOffset ?? 0) as Offset;
    const known = this.firstDirtyOffset;
    // One that lies elsewhere is not this log's.
    return known === null || known < first || known > progress.end ? first : known;
  }

  /** Ends the active segment where its records wait too long for compaction. */
  #rollOverdue(nowMs: number): void {
    const { config, segments, progress } = this.#log;
    const { active } = segments;
    if (active === null || active.sizeBytes === 0 || progress.written !== progress.end) return;
    if (nowMs - beginOf(active) > config.maxCompactionLagMs) this.#writer.rollNow();
  }

  /** The base offset of the first segment that may not be compacted. */
  #compactableEnd(nowMs: number): Offset {
    const { config, segments, savedRecoveryPoint, confirmedSegment, lastStableOffset } = this.#log;
    const bound = Math.min(lastStableOffset, savedRecoveryPoint, confirmedSegment);
    const firstDirty = this.#firstDirty;
    let end = segments.all()[0]?.baseOffset ?? (0 as Offset);
    for (let i = 0; i < segments.count - 1; i++) {
      const segmentEnd = segments.at(i + 1).baseOffset;
      if (segmentEnd > bound) break;
      const newestMs = Math.max(segments.at(i).largestTimestampMs, 0);
      const isYoung = config.minCompactionLagMs > 0 && newestMs > nowMs - config.minCompactionLagMs;
      if (isYoung && segmentEnd > firstDirty) break;
      end = segmentEnd;
    }
    return end;
  }

  async #compact(compactor: Compactor, settings: CompactionSettings, nowMs: number): Promise<CompactionResult | null> {
    const endOffset = this.#compactableEnd(nowMs);
    const sources = this.#log.segments.all().filter(({ baseOffset }) => baseOffset < endOffset);
    if (sources.length === 0) return null;
    const plan = this.#plan(sources, endOffset, nowMs);
    let [readBytes, writtenBytes, removedRecords] = [0, 0, 0];
    let cleaning: Offset | null = null;
    try {
      this.#run = await compactor.begin(plan, settings);
      // The stop could not end what had not begun.
      if (this.#stopped) return null;
      const knownEnd = await this.#run.readKeys();
      for (const group of this.#groups(sources, plan.segments, knownEnd)) {
        if (this.#stopped) return null;
        cleaning = group[0]!.source.baseOffset;
        const cleaned = await this.#run.clean(group.map(({ source }) => source));
        readBytes += cleaned.readBytes;
        writtenBytes += cleaned.state.sizeBytes;
        removedRecords += cleaned.removedRecords;
        const segments = group.map(({ segment }) => segment);
        if (cleaned.hasChanged && !(await this.#install(segments, cleaned.state, group.at(-1)!.source.endOffset)))
          return null;
        this.#removeCleaned(cleaning);
        cleaning = null;
      }
      this.firstDirtyOffset = knownEnd;
      return { readBytes, writtenBytes, removedRecords, firstDirtyOffset: knownEnd };
    } catch (error) {
      if (this.#stopped) return null;
      const isFull = error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
      if (!isFull) this.#problem = error instanceof EnvironmentError ? error.message : String(error);
      throw error;
    } finally {
      await this.#run?.end();
      this.#run = null;
      if (cleaning !== null) this.#removeCleaned(cleaning);
    }
  }

  #plan(sources: readonly Segment[], endOffset: Offset, nowMs: number): CompactionPlan {
    const { directory, config, producers, named } = this.#log;
    const last = new Map<number, LastOfProducer>();
    for (const { producerId, producerEpoch, lastSequence, lastOffset } of [
      ...producers.entries(),
      ...kafkaEntries(named),
    ]) {
      last.set(producerId, {
        producerId,
        producerEpoch,
        lastOffset: lastSequence < 0 ? -1 : lastOffset,
        isNamed: isNamedProducerId(producerId),
      });
    }
    return {
      directory,
      segments: sources.map(({ baseOffset, sizeBytes }, i) => {
        return { baseOffset, sizeBytes, endOffset: sources[i + 1]?.baseOffset ?? endOffset };
      }),
      firstDirtyOffset: this.#firstDirty,
      nowMs,
      deleteRetentionMs: config.deleteRetentionMs,
      aborted: this.#abortedBefore(endOffset),
      producers: [...last.values()],
    };
  }

  /** The aborted transactions of which something may lie before `endOffset`, in the order of their first offsets. */
  #abortedBefore(endOffset: Offset): AbortedTransaction[] {
    const { segments, context, directory, confirmedSegment } = this.#log;
    const found: AbortedTransaction[] = [];
    for (const segment of segments.all()) {
      if (segment.transactionIndexSizeBytes === 0) continue;
      const transactions = context.indexes.transactionsOf(segment, directory, segment.baseOffset < confirmedSegment);
      if (transactions.collect(firstOffset, endOffset, found)) break;
    }
    return found.toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Which segments become one, of those that begin before `knownEnd`: as many as the topic's segments may hold. */
  #groups(
    segments: readonly Segment[],
    sources: readonly SourceSegment[],
    knownEnd: Offset,
  ): { readonly segment: Segment; readonly source: SourceSegment }[][] {
    const { segmentBytes, segmentIndexBytes } = this.#log.config;
    const groups: { readonly segment: Segment; readonly source: SourceSegment }[][] = [];
    let [sizeBytes, indexBytes, timeBytes] = [0, 0, 0];
    for (const [i, source] of sources.entries()) {
      const segment = segments[i]!;
      if (source.baseOffset >= knownEnd) break;
      const group = groups.at(-1);
      sizeBytes += source.sizeBytes;
      indexBytes += segment.offsetIndexSizeBytes;
      timeBytes += segment.timeIndexSizeBytes;
      const fits =
        group !== undefined &&
        group.length < largestGroup &&
        sizeBytes <= segmentBytes &&
        Math.max(indexBytes, timeBytes) <= segmentIndexBytes &&
        source.endOffset - 1 - group[0]!.source.baseOffset <= largestRelativeOffset;
      if (fits) group.push({ segment, source });
      else {
        groups.push([{ segment, source }]);
        sizeBytes = source.sizeBytes;
        indexBytes = segment.offsetIndexSizeBytes;
        timeBytes = segment.timeIndexSizeBytes;
      }
    }
    return groups;
  }

  /** Puts the cleaned segment in the place of `group`, which ends at `endOffset`; false where retention deleted some of it, or it is compacted no more. */
  async #install(group: readonly Segment[], state: SegmentState, endOffset: Offset): Promise<boolean> {
    const log = this.#log;
    const { directory, context, segments } = log;
    const { fileSystem } = context;
    if (log.hasSavedCounts || !group.every((segment) => segments.has(segment))) return false;
    const logPath = `${directory}/${segmentFileName(state.baseOffset, 'log')}`;
    log.isSwapping = true;
    try {
      fileSystem.rename(logPath + cleanedSuffix, logPath + swapSuffix);
      await fileSystem.syncDirectoryLater(directory);
      const replaced = this.#swapNames(group, state.baseOffset);
      const segment = segments.replace(group, state);
      assert(segment !== null, 'nothing is deleted while segments are swapped');
      segment.fileSuffix = swapSuffix;
      for (const one of group) {
        context.indexes.forget(one);
        context.segmentFiles.forget(`${directory}/${segmentFileName(one.baseOffset, 'log')}`);
      }
      // What lies in the ring still has what was removed.
      log.recent.forgetUpTo(endOffset);
      await fileSystem.syncDirectoryLater(directory);
      fileSystem.rename(logPath + swapSuffix, logPath);
      segment.fileSuffix = '';
      segment.revision++;
      context.segmentFiles.forget(logPath);
      await fileSystem.syncDirectoryLater(directory);
      this.#retention.removeAfterDelay(replaced);
      return true;
    } catch (error) {
      // From the first rename on the next start would find another log than this one, unless it looks.
      log.needsRecovery = true;
      throw error;
    } finally {
      log.isSwapping = false;
      this.#retention.deleteUnneeded();
    }
  }

  /** Renames the group's files to `.deleted` ones, which are returned, and gives the cleaned indexes their names. */
  #swapNames(group: readonly Segment[], baseOffset: Offset): string[] {
    const { directory, context } = this.#log;
    const { fileSystem } = context;
    const done: [from: string, to: string][] = [];
    const rename = (from: string, to: string): void => {
      fileSystem.rename(from, to);
      done.push([from, to]);
    };
    try {
      for (const segment of group) {
        for (const kind of replacedKinds) {
          const path = `${directory}/${segmentFileName(segment.baseOffset, kind)}`;
          if (fileSystem.sizeAt(path) !== null) rename(path, path + deletedFileSuffix);
        }
      }
      const replaced = done.map(([, to]) => to);
      for (const kind of ['index', 'timeindex'] as const) {
        const path = `${directory}/${segmentFileName(baseOffset, kind)}`;
        rename(path + cleanedSuffix, path);
      }
      return replaced;
    } catch (error) {
      for (const [from, to] of done.toReversed()) fileSystem.rename(to, from);
      throw error;
    }
  }

  /** What an attempt left; files that stay cost room and nothing else, and the next attempt overwrites them. */
  #removeCleaned(baseOffset: Offset): void {
    const { directory, context } = this.#log;
    const { fileSystem, logger } = context;
    for (const kind of cleanedKinds) {
      const path = `${directory}/${segmentFileName(baseOffset, kind)}${cleanedSuffix}`;
      try {
        if (fileSystem.sizeAt(path) !== null) fileSystem.remove(path);
      } catch (error) {
        logger.warn({ path, error }, 'A file of a compaction could not be removed; the next one overwrites it.');
      }
    }
  }
}

/** When the oldest record of a segment came, as far as that is known. */
function beginOf({ firstTimestampMs, largestTimestampMs, createdMs }: Segment): number {
  if (firstTimestampMs >= 0) return firstTimestampMs;
  return largestTimestampMs >= 0 ? largestTimestampMs : createdMs;
}

/** Whoever asked hears of the failure; who only waits for the end does not. */
function ignoreHere(): void {}
