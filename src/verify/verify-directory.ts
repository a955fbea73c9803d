/**
 * Checks a whole data directory that no broker uses. Offline; between partitions other work of the thread has its turn.
 *
 *   meta.properties ─► the store's own files ─► each partition ─► what does not belong there
 */

import { setImmediate } from 'node:timers/promises';
import { asAddress } from '../base/numbers.ts';
import { EnvironmentError } from '../base/environment-error.ts';
import { Arena, defaultArenaOptions } from '../memory/arena.ts';
import { checkDataDirectory, lockPrefix, metaPropertiesName } from '../storage/data-directory.ts';
import type { FileSystem } from '../storage/file-system.ts';
import { RecordValidator } from '../storage/record-validation.ts';
import {
  isDeletedPartitionDirectoryName,
  parsePartitionDirectoryName,
  parseSegmentFileName,
  partitionDirectoryName,
  temporarySuffix,
} from '../storage/segment-name.ts';
import { cleanerCheckpointName } from '../storage/store-compaction.ts';
import { cleanStopName, leaderEpochName, logStartsName, recoveryPointsName } from '../storage/store-files.ts';
import { tailsName } from '../storage/tail-journal.ts';
import { Findings, type PartitionReport, type VerifyReport } from './findings.ts';
import { readStoreFiles, type StoreFiles } from './known-partition.ts';
import { checkPartition } from './partition-check.ts';
import type { SegmentTools } from './segment-check.ts';

export interface VerifyOptions {
  readonly directory: string;
  readonly fileSystem: FileSystem;
  readonly arena: Arena;
  /** Hears how many of how many bytes were looked at. */
  readonly progress?: (doneBytes: number, totalBytes: number) => void;
}

const storeFiles: readonly string[] = [
  metaPropertiesName,
  leaderEpochName,
  recoveryPointsName,
  logStartsName,
  cleanStopName,
  cleanerCheckpointName,
  tailsName,
];

/** An arena that holds any batch which a broker takes, for `verifyDirectory`. Pages that are not touched cost nothing. */
export function createVerifyArena(): Arena {
  return Arena.create({ ...defaultArenaOptions, queueCapacity: 2, ringSizeBytes: 64 });
}

/**
 * Checks everything in the directory, which exists and is locked by the caller. Rejects with an `EnvironmentError` where
 * it is not Millrace's, or a newer release's, and with the file system's errors.
 */
export async function verifyDirectory(options: VerifyOptions): Promise<VerifyReport> {
  const { directory, fileSystem, arena } = options;
  const findings = new Findings();
  checkMeta(fileSystem, directory, findings);
  const files = readStoreFiles(fileSystem, directory, findings);
  const names = fileSystem.list(directory);
  const partitionNames = names.filter(
    (name) => parsePartitionDirectoryName(name) !== null && fileSystem.isDirectory(`${directory}/${name}`),
  );
  const totalBytes = logBytes(fileSystem, directory, partitionNames);
  let doneBytes = 0;
  const { heapAddress, heapSizeBytes } = arena.layout;
  const tools: SegmentTools = {
    arena,
    fileSystem,
    validator: new RecordValidator(arena, asAddress(heapAddress), heapSizeBytes),
    progress: (sizeBytes) => {
      doneBytes += sizeBytes;
      options.progress?.(doneBytes, totalBytes);
    },
  };
  const partitions: PartitionReport[] = [];
  for (const name of partitionNames) {
    partitions.push(checkPartition(tools, directory, name, files, findings));
    await setImmediate();
  }
  checkNames(names, partitionNames, findings);
  checkAgainst(partitions, files, findings);
  return {
    directory,
    stoppedClean: files.cleanStop !== null,
    partitions,
    findings: findings.all,
    storeDamage: files.damage,
    scannedBytes: doneBytes,
  };
}

function checkMeta(fileSystem: FileSystem, directory: string, findings: Findings): void {
  try {
    checkDataDirectory(fileSystem, directory);
  } catch (error) {
    // A foreign directory is not looked into; a damaged file is what one asks about.
    if (!(error instanceof EnvironmentError) || error.code !== 'DATA_CORRUPT') throw error;
    findings.add('damage', metaPropertiesName, error.message);
  }
}

function logBytes(fileSystem: FileSystem, directory: string, partitionNames: readonly string[]): number {
  let sum = 0;
  for (const name of partitionNames) {
    for (const file of fileSystem.list(`${directory}/${name}`)) {
      if (parseSegmentFileName(file)?.kind === 'log') sum += fileSystem.sizeAt(`${directory}/${name}/${file}`) ?? 0;
    }
  }
  return sum;
}

function checkNames(names: readonly string[], partitionNames: readonly string[], findings: Findings): void {
  for (const name of names) {
    if (storeFiles.includes(name) || partitionNames.includes(name)) continue;
    if (name.startsWith(lockPrefix) || name === 'lost+found') continue;
    if (isDeletedPartitionDirectoryName(name)) {
      findings.add('note', name, 'A deleted partition that was not removed yet; the next start does it.');
    } else if (name.endsWith(temporarySuffix)) {
      findings.add('note', name, 'A file whose replacement was cut short.');
    } else findings.add('note', name, "It is none of Millrace's files.");
  }
}

/** What the store's files say of partitions that are not there, and of epochs. */
function checkAgainst(partitions: readonly PartitionReport[], files: StoreFiles, findings: Findings): void {
  const present = new Set(partitions.map(({ name }) => name));
  for (const state of files.cleanStop ?? []) {
    const name = partitionDirectoryName(state.topic, state.partition);
    if (present.has(name) || state.segments.length === 0) continue;
    findings.add(
      'damage',
      name,
      'The clean stop knows the partition, and its directory is missing.',
      null,
      state.logStartOffset,
    );
  }
  const largestEpoch = Math.max(-1, ...partitions.map((partition) => partition.largestEpoch));
  if (files.damage.leaderEpoch) return;
  if (files.leaderEpoch === null && partitions.length > 0) {
    files.damage.leaderEpoch = true;
    findings.add('damage', leaderEpochName, 'It is missing, though there are partitions.');
  } else if (files.leaderEpoch !== null && files.leaderEpoch < largestEpoch) {
    files.damage.leaderEpoch = true;
    findings.add(
      'damage',
      leaderEpochName,
      `It says ${files.leaderEpoch}, and a log has the epoch ${largestEpoch} already.`,
    );
  }
}
