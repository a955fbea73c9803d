/**
 * The start of the local store after a stop that was not clean, up to knowing every partition; the leader epoch is raised
 * behind it (store-start.ts). I/O thread.
 *
 *   tails of the journal put back ─► each partition: recovered (recovery.ts)
 *                                        ├─ its tail goes into the new journal      settled behind the opened ports
 *                                        └─ what it changed is synced meanwhile     (recovery-syncs.ts)
 *                                ─► the new journal takes the old one's place ─► recovery points ─► what is stale removed
 */

import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { firstOffset, type Offset } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import { nothingAborted } from './aborted-counts.ts';
import { replaceFile } from './checkpoint-file.ts';
import type { FileSystem } from './file-system.ts';
import { partitionMetadataName, partitionMetadataText, readTopicId } from './partition-metadata.ts';
import { emptyAt, type PartitionState } from './partition-state.ts';
import { producerPaths } from './producer-files.ts';
import { RecoverySyncs } from './recovery-syncs.ts';
import { recoverPartition, type RecoveryResult } from './recovery.ts';
import { parsePartitionDirectoryName, segmentFileName } from './segment-name.ts';
import { completeSwaps, isOfCompaction } from './segment-swap.ts';
import { pointOf, readLogStarts, readRecoveryPoints, writeRecoveryPoints, type PartitionPoint } from './store-files.ts';
import { removeTails, TailWriter, type JournaledTail } from './tail-journal.ts';
import { replayTails } from './tail-replay.ts';
import type { UnsettledTail } from './unsettled-tail.ts';

export interface StoreRecoveryOptions {
  readonly directory: string;
  readonly fileSystem: FileSystem;
  readonly arena: Arena;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether tails go into a journal, for which the disk needs room; else they are made durable in place. */
  readonly journalsTails: boolean;
}

/** What an unclean start found; for metrics and the log. */
export interface RecoverySummary {
  readonly partitions: number;
  readonly scannedBytes: number;
  readonly cutBytes: number;
  readonly refusedPartitions: number;
}

export const nothingRecovered: RecoverySummary = { partitions: 0, scannedBytes: 0, cutBytes: 0, refusedPartitions: 0 };

export interface RecoveredStore {
  /** By the name of their directory. */
  readonly partitions: Map<string, PartitionState>;
  /** Partitions without a directory of their own whose log begins past 0. */
  readonly homeless: readonly PartitionState[];
  /** What is in the journal alone for certain. */
  readonly tails: readonly UnsettledTail[];
  readonly recovery: RecoverySummary;
  /** The largest leader epoch in any log; -1 where there is none. */
  readonly largestEpoch: number;
}

/**
 * A log whose end, behind the last index entry that is certain, is no longer than this gets no entries for it after a
 * crash: a read in it looks through so much at most, and thousands of partitions would write two files each.
 */
const unindexedBytesMax = 256 * 1024;

/**
 * Recovers the partitions whose directories have the names `names`. Rejects with `EnvironmentError` DATA_CORRUPT for
 * checkpoints that cannot be read, else with the file system's errors.
 */
export async function recoverStore(options: StoreRecoveryOptions, names: readonly string[]): Promise<RecoveredStore> {
  const { directory, fileSystem } = options;
  const points = readRecoveryPoints(fileSystem, directory);
  const replayed = replayTails(fileSystem, directory, points);
  const starts = byPartition(readLogStarts(fileSystem, directory));
  const journal = options.journalsTails ? new TailWriter(fileSystem, directory) : null;
  const recovery = new StoreRecovery(options, { points, starts, replayed }, journal);
  try {
    for (const name of names) await recovery.take(name);
    await recovery.syncs.end();
    // The one before has the tails of those that are durable in place by now, and of those that are in this one.
    await journal?.commit();
  } finally {
    // Who starts again after a failure must not meet files that are still being synced.
    await recovery.syncs.settled();
    await journal?.abandon();
  }
  const { partitions, tails } = recovery;
  const homeless = findHomeless(points, starts, partitions);
  // Whose directory may not say whose it is, of that nothing is said before it does.
  const nameless = new Set(tails.filter(({ hasNewMetadata }) => hasNewMetadata).map(({ name }) => name));
  const named = [...partitions].filter(([name]) => !nameless.has(name)).map(([, state]) => state);
  writeRecoveryPoints(fileSystem, directory, [...named, ...homeless].map(pointOf));
  if (tails.length === 0) removeTails(fileSystem, directory);
  for (const path of recovery.stale) if (fileSystem.sizeAt(path) !== null) fileSystem.remove(path);
  return { partitions, homeless, tails, recovery: recovery.summary, largestEpoch: recovery.largestEpoch };
}

/** What was written down before the crash. */
interface Known {
  readonly points: readonly PartitionPoint[];
  readonly starts: ReadonlyMap<string, PartitionPoint>;
  /** The tails that were put back, by the names of their directories. */
  readonly replayed: ReadonlyMap<string, JournaledTail>;
}

/** What one recovery has come to, partition after partition. */
class StoreRecovery {
  readonly partitions = new Map<string, PartitionState>();
  readonly tails: UnsettledTail[] = [];
  /** Files that nothing names any more once the recovery points are written. */
  readonly stale: string[] = [];
  readonly syncs: RecoverySyncs;
  largestEpoch = -1;
  readonly #options: StoreRecoveryOptions;
  readonly #known: Known;
  readonly #points: ReadonlyMap<string, PartitionPoint>;
  readonly #journal: TailWriter | null;
  readonly #sum = { ...nothingRecovered } as { -readonly [Name in keyof RecoverySummary]: number };

  constructor(options: StoreRecoveryOptions, known: Known, journal: TailWriter | null) {
    this.#options = options;
    this.#known = known;
    this.#points = byPartition(known.points);
    this.#journal = journal;
    this.syncs = new RecoverySyncs(options.fileSystem);
  }

  get summary(): RecoverySummary {
    return this.#sum;
  }

  /** Recovers the partition in the directory `name`, if it is one. */
  async take(name: string): Promise<void> {
    const { fileSystem } = this.#options;
    const path = `${this.#options.directory}/${name}`;
    const files = namesIn(fileSystem, path);
    if (files === null) return;
    const { state, staleSnapshot, unsynced, tail, scannedBytes, cutBytes } = this.#recover(name, path, files);
    if (tail === null) await this.syncs.begin(unsynced);
    else this.tails.push(tail);
    // What is damaged may not have been read as far as to its tail.
    const left = state.refusal === null ? undefined : this.#known.replayed.get(name);
    if (left !== undefined) await this.syncs.begin(unsyncedTail(fileSystem, path, left));
    this.partitions.set(name, state);
    if (staleSnapshot !== null) this.stale.push(...Object.values(producerPaths(path, staleSnapshot)));
    this.#sum.partitions++;
    this.#sum.scannedBytes += scannedBytes;
    this.#sum.cutBytes += cutBytes;
    if (state.refusal !== null) this.#sum.refusedPartitions++;
    this.largestEpoch = Math.max(this.largestEpoch, state.epochs.at(-1)?.leaderEpoch ?? -1);
  }

  #recover(name: string, path: string, files: string[]): RecoveryResult {
    const { arena, fileSystem, logger, clock } = this.#options;
    const { points, starts } = this.#known;
    const { topic, partition } = parsePartitionDirectoryName(name)!;
    // A directory that does not say whose it is was being made when the last run ended, and nothing in it was durable;
    // or its file is damaged, and the recovery points know.
    let names = files;
    if (names.some(isOfCompaction)) {
      completeSwaps(arena, fileSystem, path, names);
      names = fileSystem.list(path);
    }
    const said = names.includes(partitionMetadataName) ? readTopicId(fileSystem, path) : null;
    const topicId = said ?? restoreTopicId(fileSystem, path, topic, partition, points);
    // What an earlier attempt had begun of that file took its place.
    if (said === null && topicId !== null) names = fileSystem.list(path);
    const point = topicId === null ? undefined : this.#points.get(`${name} ${topicId}`);
    return recoverPartition(
      { arena, fileSystem, logger, tails: this.#journal, nowMs: clock.nowMs() },
      {
        topic,
        partition,
        topicId,
        directory: path,
        names,
        recoveryPoint: point?.offset ?? firstOffset,
        indexPoint: point?.indexPoint ?? firstOffset,
        abortedCounts: point?.abortedCounts ?? nothingAborted,
        isKnown: point !== undefined,
        producerSnapshot: point?.producerSnapshot ?? null,
        epochs: point?.epochs ?? [],
        logStartOffset: startOf(starts, name, topicId),
        unindexedBytesMax,
      },
    );
  }
}

/** The partitions of which something was written down that lies past 0, and that have no directory. */
function findHomeless(
  knownPoints: readonly PartitionPoint[],
  starts: ReadonlyMap<string, PartitionPoint>,
  partitions: ReadonlyMap<string, PartitionState>,
): PartitionState[] {
  // A log whose records were all deleted may have lost its directory, or another has come back with its name; but not
  // where it goes on.
  const homeless: PartitionState[] = [...starts.values()]
    .filter((point) => isHomeless(point, partitions))
    .map(({ topic, partition, topicId, offset }) => emptyAt(topic, partition, topicId, offset));
  for (const point of knownPoints) {
    const name = `${point.topic}-${point.partition}`;
    const start = starts.get(`${name} ${point.topicId}`)?.offset ?? firstOffset;
    if (!isHomeless(point, partitions) || point.offset <= start) continue;
    homeless.push(missing(point, start));
  }
  return homeless;
}

/** The tail, which was put back, as it is to be made durable in place. */
function unsyncedTail(fileSystem: FileSystem, directory: string, { segmentBaseOffset }: JournaledTail) {
  const file = fileSystem.open(`${directory}/${segmentFileName(segmentBaseOffset, 'log')}`, 'write');
  return { directory, files: [file], hasNewNames: true, producers: null };
}

/**
 * Whether no directory can be this partition's. What was written down before its topic was known may be anybody's, and so
 * may a directory that does not say whose it is.
 */
function isHomeless({ topic, partition, topicId }: PartitionPoint, partitions: ReadonlyMap<string, PartitionState>) {
  const found = partitions.get(`${topic}-${partition}`);
  if (topicId === null || found === undefined) return topicId !== null;
  return found.topicId !== null && found.topicId !== topicId;
}

/** A partition whose directory is gone though it was on disk. Whether its topic still exists is not known here. */
function missing(point: PartitionPoint, start: Offset): PartitionState {
  const { topic, partition, topicId, offset, producerSnapshot, epochs, indexPoint } = point;
  const refusal =
    `Partition ${partition} of ${topic} takes no writes: its directory ${topic}-${partition} is missing, though everything ` +
    `before offset ${offset} was on disk. Restore it from a copy, or delete the topic.`;
  // All that was written down of it stays so, for the start that finds its files again.
  const empty = emptyAt(topic, partition, topicId, start);
  return { ...empty, recoveryPoint: offset, indexPoint, producerSnapshot, epochs, refusal };
}

/** Where the log begins. A directory that does not say whose it is was made last, and so was the entry of its name. */
function startOf(starts: ReadonlyMap<string, PartitionPoint>, name: string, topicId: string | null): Offset {
  if (topicId !== null) return starts.get(`${name} ${topicId}`)?.offset ?? firstOffset;
  const entry = [...starts].findLast(([key]) => key.startsWith(`${name} `));
  return entry?.[1].offset ?? firstOffset;
}

/** The id that the recovery points know for the partition, which its directory does not say any more; null for none. */
function restoreTopicId(
  fileSystem: FileSystem,
  path: string,
  topic: string,
  partition: number,
  points: readonly PartitionPoint[],
): string | null {
  const known = points.filter((point) => point.topic === topic && point.partition === partition);
  const topicId = known.length === 1 ? known[0]!.topicId : null;
  if (topicId === null) return null;
  const bytes = new TextEncoder().encode(partitionMetadataText(topicId));
  replaceFile(fileSystem, `${path}/${partitionMetadataName}`, bytes);
  return topicId;
}

function byPartition(points: readonly PartitionPoint[]): Map<string, PartitionPoint> {
  return new Map(points.map((point) => [`${point.topic}-${point.partition} ${point.topicId}`, point]));
}

/** The names in the directory at `path`; null where it is none. */
function namesIn(fileSystem: FileSystem, path: string): string[] | null {
  try {
    return fileSystem.list(path);
  } catch (error) {
    if (!fileSystem.isDirectory(path)) return null;
    throw error;
  }
}
