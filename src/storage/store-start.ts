/**
 * The start of the local store, up to knowing every partition: from a clean stop's file, or by recovery. I/O thread.
 *
 *   clean stop?  yes: nothing is opened, the leader epoch stays
 *                no:  the tails of the journal are put back, each partition is recovered, what was found behind the recovery
 *                     points goes into a new journal, recovery points are written, and the epoch is raised, durably
 */

import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { firstOffset, type Offset } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import { abortedCountsOf, nothingAborted } from './aborted-counts.ts';
import { replaceFile } from './checkpoint-file.ts';
import type { FileSystem } from './file-system.ts';
import { producerPaths } from './producer-files.ts';
import { partitionMetadataName, partitionMetadataText, readTopicId } from './partition-metadata.ts';
import type { PartitionState } from './partition-state.ts';
import { RecoverySyncs } from './recovery-syncs.ts';
import { recoverPartition, type RecoveryResult } from './recovery.ts';
import { isDeletedPartitionDirectoryName, parsePartitionDirectoryName, segmentFileName } from './segment-name.ts';
import { completeSwaps, isOfCompaction } from './segment-swap.ts';
import {
  readCleanStop,
  readLeaderEpoch,
  readLogStarts,
  readRecoveryPoints,
  writeLeaderEpoch,
  writeRecoveryPoints,
  type PartitionPoint,
} from './store-files.ts';
import { tailsName, TailWriter, type JournaledTail } from './tail-journal.ts';
import { replayTails } from './tail-replay.ts';
import type { UnsettledTail } from './unsettled-tail.ts';

export interface StoreStartOptions {
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

export interface StoreStart {
  readonly clean: boolean;
  readonly leaderEpoch: number;
  /** By the name of their directory. */
  readonly partitions: Map<string, PartitionState>;
  /** Partitions without a directory of their own whose log begins past 0. */
  readonly homeless: readonly PartitionState[];
  /** Names of directories that were on their way out. */
  readonly leftovers: readonly string[];
  /** What is in the journal alone for certain. */
  readonly tails: readonly UnsettledTail[];
  readonly recovery: RecoverySummary;
}

/**
 * A log whose end, behind the last index entry that is certain, is no longer than this gets no entries for it after a
 * crash: a read in it looks through so much at most, and thousands of partitions would write two files each.
 */
const unindexedBytesMax = 256 * 1024;
const nothingRecovered: RecoverySummary = { partitions: 0, scannedBytes: 0, cutBytes: 0, refusedPartitions: 0 };

/** Finds out what is there. Rejects with `EnvironmentError` for checkpoints that cannot be read, else the file system's. */
export async function startStore(options: StoreStartOptions): Promise<StoreStart> {
  const { directory, fileSystem, logger } = options;
  const names = fileSystem.list(directory);
  const leftovers = names.filter(isDeletedPartitionDirectoryName);
  const lastEpoch = readLeaderEpoch(fileSystem, directory);
  const stopped = readCleanStop(fileSystem, directory);
  const directories = names.filter((name) => parsePartitionDirectoryName(name) !== null);
  if (stopped !== null && lastEpoch !== null && isTrusted(stopped, lastEpoch)) {
    const partitions = new Map(stopped.filter(hasFiles).map((state) => [`${state.topic}-${state.partition}`, state]));
    const homeless = stopped.filter((state) => !hasFiles(state));
    removeTails(options);
    return {
      clean: true,
      leaderEpoch: lastEpoch,
      partitions,
      homeless,
      leftovers,
      tails: [],
      recovery: nothingRecovered,
    };
  }
  if (lastEpoch === null && directories.length === 0) {
    writeLeaderEpoch(fileSystem, directory, 0);
    const nothing = { partitions: new Map<string, PartitionState>(), homeless: [], recovery: nothingRecovered };
    return { clean: true, leaderEpoch: 0, leftovers, tails: [], ...nothing };
  }
  const { partitions, homeless, tails, recovery, largestEpoch } = await recoverAll(options, directories);
  // What was promised to nobody may have been seen by consumers: no offset gets another record under the same epoch.
  const leaderEpoch = Math.max(lastEpoch ?? 0, largestEpoch) + 1;
  writeLeaderEpoch(fileSystem, directory, leaderEpoch);
  logger.info(
    { ...recovery, unsettledPartitions: tails.length, leaderEpoch },
    'The last stop was not clean: the logs were recovered.',
  );
  return { clean: false, leaderEpoch, partitions, homeless, leftovers, tails, recovery };
}

/**
 * Whether a clean stop's word is taken. Not where a partition took no writes, because its files may have been repaired
 * or restored meanwhile; nor where the store's epoch is behind one that was used, so that it has to be raised.
 */
function isTrusted(stopped: readonly PartitionState[], lastEpoch: number): boolean {
  return stopped.every(({ refusal, epochs }) => refusal === null && (epochs.at(-1)?.leaderEpoch ?? 0) <= lastEpoch);
}

function hasFiles({ segments }: PartitionState): boolean {
  return segments.length > 0;
}

async function recoverAll(
  options: StoreStartOptions,
  names: readonly string[],
): Promise<Pick<StoreStart, 'partitions' | 'homeless' | 'tails' | 'recovery'> & { largestEpoch: number }> {
  const { directory, fileSystem } = options;
  const knownPoints = readRecoveryPoints(fileSystem, directory);
  const replayed = replayTails(fileSystem, directory, knownPoints);
  const points = byPartition(knownPoints);
  const starts = byPartition(readLogStarts(fileSystem, directory));
  const partitions = new Map<string, PartitionState>();
  const sum = { partitions: 0, scannedBytes: 0, cutBytes: 0, refusedPartitions: 0 };
  const stale: string[] = [];
  let largestEpoch = -1;
  const tails: UnsettledTail[] = [];
  const journal = options.journalsTails ? new TailWriter(fileSystem, directory) : null;
  const syncs = new RecoverySyncs(fileSystem);
  try {
    for (const name of names) {
      const path = `${directory}/${name}`;
      const files = namesIn(fileSystem, path);
      if (files === null) continue;
      const { state, staleSnapshot, unsynced, tail, scannedBytes, cutBytes } = recoverOne(
        options,
        journal,
        name,
        files,
        knownPoints,
        points,
        starts,
      );
      if (tail === null) await syncs.begin(unsynced);
      else tails.push(tail);
      // What is damaged may not have been read as far as to its tail.
      const left = state.refusal === null ? undefined : replayed.get(name);
      if (left !== undefined) await syncs.begin(unsyncedTail(fileSystem, path, left));
      partitions.set(name, state);
      if (staleSnapshot !== null) stale.push(...Object.values(producerPaths(path, staleSnapshot)));
      sum.partitions++;
      sum.scannedBytes += scannedBytes;
      sum.cutBytes += cutBytes;
      if (state.refusal !== null) sum.refusedPartitions++;
      largestEpoch = Math.max(largestEpoch, state.epochs.at(-1)?.leaderEpoch ?? -1);
    }
    await syncs.end();
    // The one before has the tails of those that are durable in place by now, and of those that are in this one.
    await journal?.commit();
  } finally {
    // Who starts again after a failure must not meet files that are still being synced.
    await syncs.settled();
    await journal?.abandon();
  }
  const homeless = findHomeless(knownPoints, starts, partitions);
  // Whose directory may not say whose it is, of that nothing is said before it does.
  const nameless = new Set(tails.filter(({ hasNewMetadata }) => hasNewMetadata).map(({ name }) => name));
  const named = [...partitions].filter(([name]) => !nameless.has(name)).map(([, state]) => state);
  writeRecoveryPoints(fileSystem, directory, [...named, ...homeless].map(pointOf));
  if (tails.length === 0) removeTails(options);
  for (const path of stale) if (fileSystem.sizeAt(path) !== null) fileSystem.remove(path);
  return { partitions, homeless, tails, recovery: sum, largestEpoch };
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

/** A journal that comes back after a power cut has nothing that is not behind recovery points. */
function removeTails({ directory, fileSystem }: StoreStartOptions): void {
  const path = `${directory}/${tailsName}`;
  if (fileSystem.sizeAt(path) !== null) fileSystem.remove(path);
}

function recoverOne(
  { directory, fileSystem, arena, clock, logger }: StoreStartOptions,
  tails: TailWriter | null,
  name: string,
  files: string[],
  knownPoints: readonly PartitionPoint[],
  points: ReadonlyMap<string, PartitionPoint>,
  starts: ReadonlyMap<string, PartitionPoint>,
): RecoveryResult {
  const { topic, partition } = parsePartitionDirectoryName(name)!;
  const path = `${directory}/${name}`;
  // A directory that does not say whose it is was being made when the last run ended, and nothing in it was durable;
  // or its file is damaged, and the recovery points know.
  let names = files;
  if (names.some(isOfCompaction)) {
    completeSwaps(arena, fileSystem, path, names);
    names = fileSystem.list(path);
  }
  const said = names.includes(partitionMetadataName) ? readTopicId(fileSystem, path) : null;
  const topicId = said ?? restoreTopicId(fileSystem, path, topic, partition, knownPoints);
  // What an earlier attempt had begun of that file took its place.
  if (said === null && topicId !== null) names = fileSystem.list(path);
  const point = topicId === null ? undefined : points.get(`${name} ${topicId}`);
  return recoverPartition(
    { arena, fileSystem, logger, tails, nowMs: clock.nowMs() },
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

/** A partition without files whose next record gets `offset`. */
export function emptyAt(topic: string, partition: number, topicId: string | null, offset: Offset): PartitionState {
  return {
    topic,
    partition,
    topicId,
    logStartOffset: offset,
    endOffset: offset,
    recoveryPoint: offset,
    indexPoint: offset,
    segments: [],
    epochs: [],
    producerSnapshot: null,
    refusal: null,
  };
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

/** The recovery point of a partition that is not written at the moment. */
export function pointOf(state: PartitionState): PartitionPoint {
  const { topic, partition, topicId, recoveryPoint, producerSnapshot, epochs, indexPoint, segments } = state;
  const abortedCounts = abortedCountsOf(segments);
  return { topic, partition, topicId, offset: recoveryPoint, producerSnapshot, epochs, indexPoint, abortedCounts };
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
