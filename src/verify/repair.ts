/**
 * Makes a damaged data directory one that takes writes again, losing as little as it can. Offline.
 *
 *   the clean stop's file goes ─► tails ─► each damaged partition: cut, indexes, producers, epochs ─► log starts, recovery points
 *
 * The next start recovers, which raises the leader epoch: offsets that are given again never carry an epoch that they
 * had. A crash between the steps leaves what a start refuses, or what the next repair begins with again. What is cut
 * off moves to `.cut` files (cut-files.ts). It does not bring back what is lost.
 */

import type { Logger } from '../base/logger.ts';
import { asOffset, firstOffset } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import { nothingAborted } from '../storage/aborted-counts.ts';
import { replaceFile, writeCheckpointLines } from '../storage/checkpoint-file.ts';
import { metaPropertiesName, raiseFormat } from '../storage/data-directory.ts';
import type { FileSystem } from '../storage/file-system.ts';
import { LeaderEpochs } from '../storage/leader-epochs.ts';
import { leaderEpochsName } from '../storage/log-checkpoint.ts';
import { partitionMetadataName, partitionMetadataText } from '../storage/partition-metadata.ts';
import { makeDurable } from '../storage/recovery-syncs.ts';
import { recoverPartition } from '../storage/recovery.ts';
import {
  leaderEpochName,
  logStartsName,
  pointOf,
  recoveryPointsName,
  removeCleanStop,
  writeLeaderEpoch,
  writeLogStarts,
  writeRecoveryPoints,
  type PartitionPoint,
} from '../storage/store-files.ts';
import { replayTails } from '../storage/tail-replay.ts';
import type { PartitionReport, VerifyReport } from './findings.ts';
import { knownPartition, type StoreFiles } from './known-partition.ts';

export interface RepairTools {
  readonly fileSystem: FileSystem;
  readonly arena: Arena;
  readonly logger: Logger;
  readonly nowMs: number;
}

/** What would be done, for a person who decides about it. */
export interface RepairPlan {
  readonly partitions: readonly PartitionReport[];
  /** The store's own files that are made again, as sentences. */
  readonly storeFiles: readonly string[];
}

/** What a repair of what `report` found would do; null where there is nothing that it could do. */
export function planRepair(report: VerifyReport): RepairPlan | null {
  const { storeDamage } = report;
  const storeFiles: string[] = [];
  if (storeDamage.leaderEpoch) storeFiles.push(`${leaderEpochName}: made again from the epochs in the logs.`);
  if (storeDamage.recoveryPoints)
    storeFiles.push(`${recoveryPointsName}: made again; every log is read from its first segment.`);
  if (storeDamage.logStarts) {
    storeFiles.push(
      `${logStartsName}: made again; logs begin with their first segment, so deleted records may come back.`,
    );
  }
  if (storeDamage.cleanStop) storeFiles.push('The file of the clean stop goes; the next start recovers.');
  // Without recovery points a start would read everything, and could not tell damage from a torn end.
  const partitions = report.partitions.filter(({ needsRepair }) => needsRepair || storeDamage.recoveryPoints);
  return partitions.length === 0 && storeFiles.length === 0 ? null : { partitions, storeFiles };
}

/** Does what `plan` says. Rejects with the file system's errors; doing it again goes on where it ended. */
export async function repairDirectory(
  tools: RepairTools,
  report: VerifyReport,
  files: StoreFiles,
  plan: RepairPlan,
): Promise<void> {
  const { fileSystem } = tools;
  const { directory } = report;
  // What is written here is of this release's format. A damaged mark is not repaired.
  if (!report.findings.some(({ file }) => file === metaPropertiesName)) raiseFormat(fileSystem, directory);
  removeCleanStop(fileSystem, directory);
  // What is cut is cut behind them; those that this repair has nothing to do with are the next start's as well.
  if (files.tails !== null) replayTails(fileSystem, directory, files.recoveryPoints);
  if (report.storeDamage.leaderEpoch) {
    const largest = Math.max(0, ...report.partitions.map(({ largestEpoch }) => largestEpoch));
    writeLeaderEpoch(fileSystem, directory, Math.max(files.leaderEpoch ?? 0, largest));
  }
  const points: PartitionPoint[] = [];
  const starts: PartitionPoint[] = [];
  for (const partition of report.partitions) {
    const { topic, topicId } = partition;
    const known = knownPartition(files, topic, partition.partition, topicId);
    let logStartOffset = asOffset(known.logStartOffset);
    if (plan.partitions.includes(partition)) {
      const state = await repairPartition(tools, directory, partition, logStartOffset);
      logStartOffset = state.logStartOffset;
      points.push(pointOf(state));
    } else if (known.state !== null) points.push(pointOf(known.state));
    else if (known.recoveryPoint !== null) points.push(known.recoveryPoint);
    if (logStartOffset > firstOffset) {
      starts.push({
        topic,
        partition: partition.partition,
        topicId,
        offset: logStartOffset,
        producerSnapshot: null,
        epochs: [],
        indexPoint: logStartOffset,
        abortedCounts: nothingAborted,
      });
    }
  }
  // Log starts first: with the points of before a start refuses, with too late a beginning it would hide records.
  writeLogStarts(fileSystem, directory, starts);
  writeRecoveryPoints(fileSystem, directory, points);
}

async function repairPartition(
  { fileSystem, arena, logger, nowMs }: RepairTools,
  root: string,
  report: PartitionReport,
  logStartOffset: ReturnType<typeof asOffset>,
) {
  const { topic, partition, topicId } = report;
  const directory = `${root}/${report.name}`;
  if (report.metadataDamaged && topicId !== null) {
    replaceFile(
      fileSystem,
      `${directory}/${partitionMetadataName}`,
      new TextEncoder().encode(partitionMetadataText(topicId)),
    );
  }
  // Nothing is taken for certain, so that the log ends where it is not whole and all beside it is made from it.
  const { state, unsynced } = recoverPartition(
    { arena, fileSystem, logger, tails: null, nowMs },
    {
      topic,
      partition,
      topicId,
      directory,
      names: fileSystem.list(directory),
      recoveryPoint: firstOffset,
      indexPoint: firstOffset,
      abortedCounts: nothingAborted,
      isKnown: false,
      producerSnapshot: null,
      epochs: [],
      logStartOffset,
      unindexedBytesMax: 0,
    },
  );
  await makeDurable(fileSystem, unsynced);
  writeCheckpointLines(fileSystem, `${directory}/${leaderEpochsName}`, new LeaderEpochs(state.epochs).lines());
  return state;
}
