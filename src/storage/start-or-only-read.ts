/**
 * The start of the local store on a disk that may be full: with the journal of tails, without it, or for reading only. I/O
 * thread. What a start does says `store-start.ts`.
 */

import { EnvironmentError, EnvironmentErrorCode, systemErrorCode } from '../base/environment-error.ts';
import { cutSuffix } from './cut-files.ts';
import type { FileSystem } from './file-system.ts';
import { OverlayFileSystem } from './overlay-file-system.ts';
import { parsePartitionDirectoryName } from './segment-name.ts';
import { removeCleanStop } from './store-files.ts';
import type { StoreRecoveryOptions } from './store-recovery.ts';
import { startStore, type StoreStart } from './store-start.ts';

interface Options extends Omit<StoreRecoveryOptions, 'journalsTails'> {
  /** False where the directory could not be marked as one of this release's format, so that nothing may be written to it. */
  readonly isMarked?: boolean;
}

/** How a store was started: on what, and why it writes nothing, null where it does. */
interface Started {
  readonly start: StoreStart;
  readonly fileSystem: FileSystem;
  readonly refusal: string | null;
}

/**
 * Starts the store. After a crash that means to write (indexes, snapshots, the leader epoch), for which a full disk may
 * have no room. Then the logs are recovered all the same, but in memory, and nothing is written until the next start:
 * what consumers read is on disk, because the files of the logs themselves were written in place and synced, which needs
 * no room; and the leader epoch that clients hear of is the one that the next start raises to, with which nothing is
 * written before. Nothing else goes to the disk, so the next start finds what this one found.
 *
 * Rejects with `EnvironmentError` DATA_CORRUPT for checkpoints that cannot be read, DATA_DIRECTORY_NEWER, DISK_FULL and
 * IO_FAILED where the file system refuses.
 */
export async function startOrOnlyRead(options: Options): Promise<Started> {
  try {
    return await started(options);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === null || error instanceof EnvironmentError) throw error;
    const { directory } = options;
    const full = isFull(code);
    throw new EnvironmentError(
      full ? EnvironmentErrorCode.DISK_FULL : EnvironmentErrorCode.IO_FAILED,
      full
        ? `The logs in ${directory} cannot be opened, because the disk has no room left (${code}): free some space.`
        : `The logs in ${directory} cannot be opened (${code}): check the disk, and that all files are this user's.`,
      error,
    );
  }
}

async function started(options: Options): Promise<Started> {
  const { directory, fileSystem, logger } = options;
  const hasLogs = (): boolean => fileSystem.list(directory).some((name) => parsePartitionDirectoryName(name) !== null);
  if (options.isMarked === false) {
    if (hasLogs()) return onlyReading(options, "to mark the directory as one of this release's format");
    const message = `The data directory ${directory} is of an older format, and the disk has no room left to raise it: free some space.`;
    throw new EnvironmentError(EnvironmentErrorCode.DISK_FULL, message);
  }
  try {
    const start = await startWriting(options);
    removeCleanStop(fileSystem, directory);
    return { start, fileSystem, refusal: null };
  } catch (error) {
    if (!isFull(systemErrorCode(error)) || !hasLogs()) throw error;
    logger.warn({ error }, 'The disk has no room for what a start after a crash writes.');
    return onlyReading(options, 'for what a start after a crash writes');
  }
}

/** Starts the store on what is there, and writes nothing; `lacking` says what there was no room for. */
async function onlyReading(options: Options, lacking: string): Promise<Started> {
  const { directory, fileSystem, logger } = options;
  const overlay = new OverlayFileSystem(fileSystem, (path) => !path.endsWith(cutSuffix));
  const start = await startStore({ ...options, fileSystem: overlay, journalsTails: false });
  const refusal =
    `This run takes no writes, because the disk had no room ${lacking}. Reads go on. ` +
    'Free some space and start the broker again.';
  logger.error({ directory }, refusal);
  return { start, fileSystem: overlay, refusal };
}

/** Starts the store; where the disk has no room for the journal of tails, without one, which takes longer. */
async function startWriting(options: Options): Promise<StoreStart> {
  try {
    return await startStore({ ...options, journalsTails: true });
  } catch (error) {
    if (!isFull(systemErrorCode(error))) throw error;
    return startStore({ ...options, journalsTails: false });
  }
}

function isFull(code: string | null): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT';
}
