/**
 * What the store does by itself while it runs. I/O thread.
 *
 *   after a crash      tails of the journal are settled, those of partitions that nobody has opened among them
 *   every second       a sync of each log that has something unsynced: what acks=0 and 1 promised is at risk no longer
 *   every 5 s, 64 MiB  recovery points move, a few logs at a time so that no sync waits long behind them
 *   when asked         the log start offsets are written down; who asks while that is under way shares the next one
 */

import type { Timer } from '../base/clock.ts';
import { nothingAborted, remainingCounts, type AbortedCount } from './aborted-counts.ts';
import type { LocalLog } from './local-log.ts';
import { tailSettled } from './log-checkpoint.ts';
import type { LogState } from './log-state.ts';
import type { PartitionState } from './partition-state.ts';
import { partitionDirectoryName } from './segment-name.ts';
import type { StoreContext } from './store-context.ts';
import { pointOf, writeLogStartsLater, writeRecoveryPointsLater, type PartitionPoint } from './store-files.ts';
import type { Turns } from './turns.ts';
import { settledState, settleTail, takeReplaced, type TailProgress } from './unsettled-tail.ts';

const syncEveryMs = 1000;
const checkpointEveryMs = 5000;
const checkpointsAtOnce = 8;
const saveEveryMs = 1000;
/** Clients that were waiting for the start come first. */
const settleAfterMs = 100;

/** A store's partitions. */
export interface StorePartitions {
  readonly open: ReadonlyMap<string, LocalLog>;
  /** Those that were not opened yet; the upkeep replaces one whose tail is settled. All by their directories' names. */
  readonly dormant: Map<string, PartitionState>;
  /** Those without a directory of their own. */
  readonly homeless: ReadonlyMap<string, PartitionState>;
}

/** Moves a recovery point, or what stands for one. Resolves with whether it moved. */
type Move = () => Promise<boolean>;

export class StoreUpkeep {
  readonly #context: StoreContext;
  readonly #partitions: StorePartitions;
  #syncTimer: Timer | null = null;
  #checkpointTimer: Timer | null = null;
  #checkpoint: Promise<void> | null = null;
  /** Some log's recovery point is to move before those that wait. */
  #isUrgent = false;
  #stopped = false;
  /** Whether the journal of tails is there. */
  #hasJournal: boolean;
  /** The write of log starts that will begin once the one under way has ended. */
  #nextStarts: Promise<void> | null = null;
  #starts: Promise<void> = Promise.resolve();
  /** Old snapshots that are being removed. */
  readonly #removals = new Set<Promise<void>>();

  constructor(context: StoreContext, partitions: StorePartitions) {
    this.#context = context;
    this.#partitions = partitions;
    this.#hasJournal = context.tails.size > 0;
  }

  start(): void {
    this.#scheduleSync();
    this.#scheduleCheckpoint(this.#context.tails.size > 0 ? settleAfterMs : checkpointEveryMs);
  }

  /** Resolves once nothing is under way; nothing begins any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#syncTimer?.cancel();
    this.#checkpointTimer?.cancel();
    await this.#checkpoint;
    await this.#nextStarts?.catch(ignoreHere);
    await this.#starts.catch(ignoreHere);
    // A process does not end before the calls that it has under way, however long a disk takes for them.
    await Promise.all(this.#removals);
  }

  /** Moves the recovery points of those for which it is urgent, now. */
  checkpointUrgent(): void {
    if (this.#checkpoint === null) this.#begin((log) => log.checkpointIsUrgent, false);
    else this.#isUrgent = true;
  }

  /** Settles the tails of partitions that nobody has opened; for the end. Resolves with whether all are settled now. */
  async settleDormant(turns: Turns): Promise<boolean> {
    await Promise.all(this.#dormantMoves().map((settle) => turns.run(settle)));
    const { dormant } = this.#partitions;
    return [...this.#context.tails.all()].every(({ tail, stage }) => stage === 'settled' || !dormant.has(tail.name));
  }

  /** The recovery points `points` are on disk. */
  tailsSaved(points: readonly PartitionPoint[]): void {
    const { dormant } = this.#partitions;
    for (const { tail } of this.#context.tails.saved(points)) {
      const state = dormant.get(tail.name);
      if (state !== undefined) dormant.set(tail.name, settledState(state, tail));
    }
  }

  /** Removes the snapshots that nothing on disk names any more, and the journal; for the end, when the recovery points were written. */
  async removeStaleSnapshots(): Promise<void> {
    const { tails } = this.#context;
    const paths = this.#takeStaleSnapshots();
    if (this.#hasJournal && tails.size === 0) paths.push(tails.journalPath);
    await Promise.all(paths.map((path) => this.#remove(path)));
  }

  /** Where recovery begins in each partition, as it stands in memory. */
  recoveryPoints(): PartitionPoint[] {
    const { tails } = this.#context;
    const points: PartitionPoint[] = [];
    for (const [name, state] of this.#partitions.dormant) {
      const progress = tails.of(name);
      if (progress?.stage === 'settled') points.push(pointOf(settledState(state, progress.tail)));
      else if (!tails.isNameless(name)) points.push(pointOf(state));
    }
    for (const state of this.#partitions.homeless.values()) points.push(pointOf(state));
    for (const { state } of this.#logs()) {
      if (!state.hasFiles && !state.isDamaged) continue;
      if (tails.size > 0 && tails.isNameless(partitionDirectoryName(state.topic, state.partition))) continue;
      const { topic, partition, topicId, recoveryPoint, producerSnapshot, epochs, indexPoint } = state;
      const ofLog = {
        topic,
        partition,
        topicId,
        offset: recoveryPoint,
        producerSnapshot,
        epochs: epochs.starts,
        indexPoint,
        abortedCounts: countsOf(state),
      };
      points.push(ofLog);
    }
    return points;
  }

  /** Resolves once the log start offsets as they are now are durable. Rejects with the file system's error. */
  saveLogStarts(): Promise<void> {
    this.#nextStarts ??= this.#starts.catch(ignoreHere).then(() => {
      this.#nextStarts = null;
      this.#starts = writeLogStartsLater(this.#context.fileSystem, this.#context.directory, this.#logStarts());
      return this.#starts;
    });
    return this.#nextStarts;
  }

  #logStarts(): PartitionPoint[] {
    const { dormant, homeless } = this.#partitions;
    const known = [...dormant.values(), ...homeless.values(), ...Array.from(this.#logs(), ({ state }) => state)];
    return known
      .filter(({ logStartOffset }) => logStartOffset > 0)
      .map(({ topic, partition, topicId, logStartOffset }) => ({
        topic,
        partition,
        topicId,
        offset: logStartOffset,
        producerSnapshot: null,
        epochs: [],
        indexPoint: logStartOffset,
        abortedCounts: nothingAborted,
      }));
  }

  #scheduleSync(): void {
    this.#syncTimer = this.#context.clock.setTimer(syncEveryMs, () => {
      for (const log of this.#logs()) log.syncSoon();
      this.#scheduleSync();
    });
  }

  #scheduleCheckpoint(delayMs = checkpointEveryMs): void {
    this.#checkpointTimer = this.#context.clock.setTimer(delayMs, () => {
      this.#begin((log) => log.needsCheckpoint, true);
      this.#scheduleCheckpoint();
    });
  }

  #logs(): Iterable<LocalLog> {
    return this.#partitions.open.values();
  }

  /** Moves the recovery points of some logs, unless that is under way: what is left out then comes with the next. */
  #begin(isDue: (log: LocalLog) => boolean, withDormant: boolean): void {
    if (this.#checkpoint !== null || this.#stopped) return;
    const due = this.#movesOf(isDue);
    if (withDormant) due.push(...this.#dormantMoves());
    this.#checkpoint = this.#moveRecoveryPoints(due).finally(() => {
      this.#checkpoint = null;
    });
  }

  #movesOf(isDue: (log: LocalLog) => boolean): Move[] {
    return [...this.#logs()].filter(isDue).map((log) => () => this.#move(log));
  }

  #dormantMoves(): Move[] {
    const { tails } = this.#context;
    if (tails.size === 0) return [];
    const { dormant } = this.#partitions;
    return [...tails.all()]
      .filter(({ tail, stage }) => stage === 'journaled' && dormant.has(tail.name))
      .map((progress) => () => this.#settle(progress));
  }

  async #moveRecoveryPoints(waiting: Move[]): Promise<void> {
    const { clock, logger } = this.#context;
    let savedMs = clock.monotonicMs();
    let unsaved = false;
    try {
      for (let next = 0; next < waiting.length && !this.#stopped; next += checkpointsAtOnce) {
        if (this.#isUrgent) {
          this.#isUrgent = false;
          waiting = [...this.#movesOf((log) => log.checkpointIsUrgent), ...waiting.slice(next)];
          next = 0;
        }
        const moved = await Promise.all(waiting.slice(next, next + checkpointsAtOnce).map((move) => move()));
        unsaved ||= moved.includes(true);
        const isLast = next + checkpointsAtOnce >= waiting.length;
        // The file holds all partitions, so it is not written for every few of them.
        if (!unsaved || (!isLast && clock.monotonicMs() - savedMs < saveEveryMs)) continue;
        await this.#saveRecoveryPoints();
        savedMs = clock.monotonicMs();
        unsaved = false;
      }
    } catch (error) {
      logger.error({ error }, 'The recovery points could not be written; recovery would take longer.');
    }
  }

  async #saveRecoveryPoints(): Promise<void> {
    const { fileSystem, directory, tails } = this.#context;
    const stale = this.#takeStaleSnapshots();
    const saved = Array.from(this.#logs(), (log) => {
      return { log, offset: log.state.recoveryPoint, hasCounts: countsOf(log.state).length > 0 };
    });
    const points = this.recoveryPoints();
    await writeRecoveryPointsLater(fileSystem, directory, points);
    for (const { log, offset, hasCounts } of saved) log.recoveryPointSaved(offset, hasCounts);
    for (const path of stale) void this.#remove(path);
    this.tailsSaved(points);
    if (!this.#hasJournal || tails.size > 0) return;
    this.#hasJournal = false;
    void this.#remove(tails.journalPath);
  }

  /** Settles the tail of a partition that nobody has opened; one that was opened meanwhile does so with its checkpoint. */
  async #settle(progress: TailProgress): Promise<boolean> {
    const { fileSystem, tails, logger } = this.#context;
    const { dormant } = this.#partitions;
    const { tail } = progress;
    if (!dormant.has(tail.name)) return false;
    try {
      await settleTail(fileSystem, tails.journalPath, progress);
    } catch (error) {
      // Of a partition that is deleted nobody needs to know.
      if (tails.of(tail.name) === progress)
        logger.error({ partition: tail.name, error }, 'A tail could not be settled.');
      return false;
    }
    // It may have been deleted meanwhile, and another one have its name.
    if (tails.of(tail.name) !== progress) return false;
    const log = this.#partitions.open.get(tail.name);
    if (log !== undefined) tailSettled(log.state, progress);
    return true;
  }

  async #move(log: LocalLog): Promise<boolean> {
    try {
      return await log.checkpoint();
    } catch (error) {
      const { topic, partition } = log;
      this.#context.logger.error({ topic, partition, error }, 'A recovery point could not be moved.');
      return false;
    }
  }

  #takeStaleSnapshots(): string[] {
    const paths = [...this.#logs()].flatMap(({ state }) => state.takeStaleSnapshots());
    for (const progress of this.#context.tails.all()) {
      const state = this.#partitions.dormant.get(progress.tail.name);
      if (progress.stage === 'settled' && state !== undefined) {
        paths.push(...takeReplaced(progress, state.producerSnapshot));
      }
    }
    return paths;
  }

  #remove(path: string): Promise<void> {
    const removal = this.#context.fileSystem
      .removeLater(path)
      .catch((error: unknown) => {
        this.#context.logger.warn({ path, error }, 'A file that nobody needs any more could not be removed.');
      })
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
    return removal;
  }
}

/** Whoever asked hears of the failure; who only waits for the end does not. */
function ignoreHere(): void {}

/** What stands beside the log's recovery point: nothing that compaction could make untrue. */
function countsOf({ config, abortedCounts, segments }: LogState): readonly AbortedCount[] {
  return config.compactPolicy ? nothingAborted : remainingCounts(abortedCounts, segments.all());
}
