/**
 * What the store does by itself while it runs. I/O thread.
 *
 *   every second       a sync of each log that has something unsynced: what acks=0 and 1 promised is at risk no longer
 *   every 5 s, 64 MiB  recovery points move, a few logs at a time so that no sync waits long behind them
 *   when asked         the log start offsets are written down; who asks while that is under way shares the next one
 */

import type { Timer } from '../base/clock.ts';
import type { LocalLog } from './local-log.ts';
import type { PartitionState } from './partition-state.ts';
import type { StoreContext } from './store-context.ts';
import { writeLogStartsLater, writeRecoveryPointsLater, type PartitionPoint } from './store-files.ts';
import { pointOf } from './store-start.ts';

const syncEveryMs = 1000;
const checkpointEveryMs = 5000;
const checkpointsAtOnce = 8;
const saveEveryMs = 1000;

export class StoreUpkeep {
  readonly #context: StoreContext;
  readonly #logs: () => Iterable<LocalLog>;
  readonly #sleeping: () => Iterable<PartitionState>;
  #syncTimer: Timer | null = null;
  #checkpointTimer: Timer | null = null;
  #checkpoint: Promise<void> | null = null;
  #stopped = false;
  /** The write of log starts that will begin once the one under way has ended. */
  #nextStarts: Promise<void> | null = null;
  #starts: Promise<void> = Promise.resolve();
  /** Old snapshots that are being removed. */
  readonly #removals = new Set<Promise<void>>();

  constructor(context: StoreContext, logs: () => Iterable<LocalLog>, sleeping: () => Iterable<PartitionState>) {
    this.#context = context;
    this.#logs = logs;
    this.#sleeping = sleeping;
  }

  start(): void {
    this.#scheduleSync();
    this.#scheduleCheckpoint();
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
    this.#begin((log) => log.checkpointIsUrgent);
  }

  /** Removes the snapshots that nothing on disk names any more; for the end, when the recovery points were written. */
  async removeStaleSnapshots(): Promise<void> {
    await Promise.all(this.#takeStaleSnapshots().map((path) => this.#remove(path)));
  }

  /** Where recovery begins in each partition, as it stands in memory. */
  recoveryPoints(): PartitionPoint[] {
    const points = Array.from(this.#sleeping(), pointOf);
    for (const { state } of this.#logs()) {
      if (!state.hasFiles && !state.isDamaged) continue;
      const { topic, partition, topicId, recoveryPoint, producerSnapshot, epochs, indexPoint } = state;
      const ofLog = {
        topic,
        partition,
        topicId,
        offset: recoveryPoint,
        producerSnapshot,
        epochs: epochs.starts,
        indexPoint,
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
    const known = [...this.#sleeping(), ...Array.from(this.#logs(), ({ state }) => state)];
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
      }));
  }

  #scheduleSync(): void {
    this.#syncTimer = this.#context.clock.setTimer(syncEveryMs, () => {
      for (const log of this.#logs()) log.syncSoon();
      this.#scheduleSync();
    });
  }

  #scheduleCheckpoint(): void {
    this.#checkpointTimer = this.#context.clock.setTimer(checkpointEveryMs, () => {
      this.#begin((log) => log.needsCheckpoint);
      this.#scheduleCheckpoint();
    });
  }

  /** Moves the recovery points of some logs, unless that is under way: what is left out then comes with the next. */
  #begin(isDue: (log: LocalLog) => boolean): void {
    if (this.#checkpoint !== null || this.#stopped) return;
    const due = [...this.#logs()].filter(isDue);
    this.#checkpoint = this.#moveRecoveryPoints(due).finally(() => {
      this.#checkpoint = null;
    });
  }

  async #moveRecoveryPoints(waiting: LocalLog[]): Promise<void> {
    const { clock, logger } = this.#context;
    let savedMs = clock.monotonicMs();
    let unsaved = false;
    try {
      while (waiting.length > 0 && !this.#stopped) {
        const moved = await Promise.all(waiting.splice(0, checkpointsAtOnce).map((log) => this.#move(log)));
        unsaved ||= moved.includes(true);
        // The file holds all partitions, so it is not written for every few of them.
        if (!unsaved || (waiting.length > 0 && clock.monotonicMs() - savedMs < saveEveryMs)) continue;
        await this.#saveRecoveryPoints();
        savedMs = clock.monotonicMs();
        unsaved = false;
      }
    } catch (error) {
      logger.error({ error }, 'The recovery points could not be written; recovery would take longer.');
    }
  }

  async #saveRecoveryPoints(): Promise<void> {
    const { fileSystem, directory } = this.#context;
    const stale = this.#takeStaleSnapshots();
    const saved = Array.from(this.#logs(), (log) => ({ log, offset: log.state.recoveryPoint }));
    await writeRecoveryPointsLater(fileSystem, directory, this.recoveryPoints());
    for (const { log, offset } of saved) log.recoveryPointSaved(offset);
    for (const path of stale) void this.#remove(path);
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
    return [...this.#logs()].flatMap(({ state }) => state.takeStaleSnapshots());
  }

  #remove(path: string): Promise<void> {
    const removal = this.#context.fileSystem
      .removeLater(path)
      .catch((error: unknown) => {
        this.#context.logger.warn({ path, error }, 'An old producer snapshot could not be removed.');
      })
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
    return removal;
  }
}

/** Whoever asked hears of the failure; who only waits for the end does not. */
function ignoreHere(): void {}
