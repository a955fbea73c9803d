/**
 * What the store's own files say of the partitions: recovery points, log starts, the clean stop. Offline, any thread.
 * A file that cannot be read becomes a finding, and counts as if it said nothing.
 */

import { EnvironmentError } from '../base/environment-error.ts';
import type { FileSystem } from '../storage/file-system.ts';
import type { PartitionState } from '../storage/partition-state.ts';
import {
  cleanStopName,
  leaderEpochName,
  logStartsName,
  readCleanStop,
  readLeaderEpoch,
  readLogStarts,
  readRecoveryPoints,
  recoveryPointsName,
  type PartitionPoint,
} from '../storage/store-files.ts';
import { tailsName, type JournaledTail } from '../storage/tail-journal.ts';
import { unsettledTails } from '../storage/tail-replay.ts';
import type { Findings, StoreDamage } from './findings.ts';

/** The store's files, as far as they could be read. */
export interface StoreFiles {
  readonly leaderEpoch: number | null;
  readonly recoveryPoints: readonly PartitionPoint[];
  readonly logStarts: readonly PartitionPoint[];
  /** Null where the last stop was not clean. */
  readonly cleanStop: readonly PartitionState[] | null;
  /** Ends of logs that the next start puts there. Null where that cannot be known. */
  readonly tails: readonly JournaledTail[] | null;
  readonly damage: StoreDamage;
}

/** What was written down of one partition. */
export interface KnownPartition {
  readonly recoveryPoint: PartitionPoint | null;
  readonly logStartOffset: number;
  /** As the clean stop left it; null where the stop was not clean or does not know it. */
  readonly state: PartitionState | null;
}

/** Reads the store's files in `directory`; what cannot be read goes to `findings`. */
export function readStoreFiles(fileSystem: FileSystem, directory: string, findings: Findings): StoreFiles {
  const damage: StoreDamage = { leaderEpoch: false, recoveryPoints: false, logStarts: false, cleanStop: false };
  const attempt = <T>(what: keyof StoreDamage, name: string, read: () => T, otherwise: T): T => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
      damage[what] = true;
      findings.add('damage', name, error.message);
      return otherwise;
    }
  };
  const leaderEpoch = attempt('leaderEpoch', leaderEpochName, () => readLeaderEpoch(fileSystem, directory), null);
  const recoveryPoints = attempt(
    'recoveryPoints',
    recoveryPointsName,
    () => readRecoveryPoints(fileSystem, directory),
    [],
  );
  const logStarts = attempt('logStarts', logStartsName, () => readLogStarts(fileSystem, directory), []);
  const cleanStop = attempt('cleanStop', cleanStopName, () => readCleanStop(fileSystem, directory), null);
  if (cleanStop === null && !damage.cleanStop && fileSystem.sizeAt(`${directory}/${cleanStopName}`) !== null) {
    damage.cleanStop = true;
    findings.add('damage', cleanStopName, 'Its checksum does not match: the next start recovers as after a crash.');
  }
  const tails = damage.recoveryPoints ? null : readUnsettled(fileSystem, directory, recoveryPoints, findings);
  return { leaderEpoch, recoveryPoints, logStarts, cleanStop, tails, damage };
}

function readUnsettled(
  fileSystem: FileSystem,
  directory: string,
  points: readonly PartitionPoint[],
  findings: Findings,
): readonly JournaledTail[] | null {
  try {
    const tails = unsettledTails(fileSystem, directory, points);
    if (tails.length > 0)
      findings.add('note', tailsName, `It has the ends of ${tails.length} logs, which the next start puts there.`);
    return tails;
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    findings.add('damage', tailsName, error.message);
    return null;
  }
}

/** What the files say of the partition with this topic id; of the only one of its name where the id is null. */
export function knownPartition(
  files: StoreFiles,
  topic: string,
  partition: number,
  topicId: string | null,
): KnownPartition {
  const find = <T extends { topic: string; partition: number; topicId: string | null }>(
    all: readonly T[],
  ): T | null => {
    const named = all.filter((one) => one.topic === topic && one.partition === partition);
    if (topicId === null) return named.length === 1 ? named[0]! : null;
    return named.find((one) => one.topicId === topicId) ?? null;
  };
  const state = find(files.cleanStop ?? []);
  return {
    recoveryPoint: find(files.recoveryPoints),
    logStartOffset: Math.max(find(files.logStarts)?.offset ?? 0, state?.logStartOffset ?? 0),
    state,
  };
}
