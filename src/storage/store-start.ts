/**
 * The start of the local store, up to knowing every partition: from a clean stop's file, or by recovery. I/O thread.
 *
 *   clean stop?  yes: nothing is opened, the leader epoch stays
 *                no:  every partition is recovered (store-recovery.ts), and the epoch is raised, durably
 */

import type { PartitionState } from './partition-state.ts';
import { isDeletedPartitionDirectoryName, parsePartitionDirectoryName } from './segment-name.ts';
import { readCleanStop, readLeaderEpoch, writeLeaderEpoch } from './store-files.ts';
import { nothingRecovered, recoverStore, type RecoveredStore, type StoreRecoveryOptions } from './store-recovery.ts';
import { removeTails } from './tail-journal.ts';

export interface StoreStart extends Omit<RecoveredStore, 'largestEpoch'> {
  readonly clean: boolean;
  readonly leaderEpoch: number;
  /** Names of directories that were on their way out. */
  readonly leftovers: readonly string[];
}

/** Finds out what is there. Rejects with `EnvironmentError` for checkpoints that cannot be read, else the file system's. */
export async function startStore(options: StoreRecoveryOptions): Promise<StoreStart> {
  const { directory, fileSystem, logger } = options;
  const names = fileSystem.list(directory);
  const leftovers = names.filter(isDeletedPartitionDirectoryName);
  const lastEpoch = readLeaderEpoch(fileSystem, directory);
  const stopped = readCleanStop(fileSystem, directory);
  const directories = names.filter((name) => parsePartitionDirectoryName(name) !== null);
  if (stopped !== null && lastEpoch !== null && isTrusted(stopped, lastEpoch)) {
    const partitions = new Map(stopped.filter(hasFiles).map((state) => [`${state.topic}-${state.partition}`, state]));
    const homeless = stopped.filter((state) => !hasFiles(state));
    removeTails(fileSystem, directory);
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
  const { partitions, homeless, tails, recovery, largestEpoch } = await recoverStore(options, directories);
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
