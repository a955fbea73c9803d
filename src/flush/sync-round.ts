/**
 * The disk's part of a sync round: makes durable what was taken from each partition. Flush thread; asynchronous, but for
 * what is over sooner than another thread wakes up.
 * Directories are synced with the files, so that a new segment's name is durable before its batches are called so.
 * It never tries a sync again, and does not know queues.
 */

import { syncsAtOnce, threadPoolSetting } from '../base/thread-pool.ts';
import { FlushFailure } from '../memory/flush-messages.ts';
import type { FileSystem } from '../storage/file-system.ts';
import { flushFailureOf } from '../storage/flush-failure.ts';
import type { PartitionWriter } from './partition-writer.ts';
import type { DirtyFiles } from './unsynced-files.ts';

/** Partitions that are synced at once. */
const concurrency = syncsAtOnce(process.env[threadPoolSetting]);

/** What a sync round does for one partition: where it was when the round began, and how that ends. */
export interface PartitionSync {
  readonly writer: PartitionWriter;
  readonly dirty: DirtyFiles;
  readonly endOffset: number;
  readonly position: number;
  readonly segmentBaseOffset: number;
  /** How many CHECKPOINTs it answers. */
  readonly checkpoints: number;
  readonly close: boolean;
  /** Indexes could not be appended, or a torn end not cut off. */
  readonly sideFailure: FlushFailure;
  failure: FlushFailure;
}

/** Syncs the only file of the only partition, if that is all there is to do; else does nothing and returns false. */
export function syncInPlace(files: FileSystem, syncs: readonly PartitionSync[]): boolean {
  const [sync] = syncs;
  if (sync === undefined || syncs.length > 1) return false;
  if (sync.dirty.files.length !== 1 || sync.dirty.directories.length > 0) return false;
  try {
    files.sync(sync.dirty.files[0]!);
  } catch (error) {
    const failure = flushFailureOf(error);
    if (failure === null) throw error;
    sync.failure = failure;
  }
  return true;
}

/** Syncs all of them and sets `failure` where that fails; rejects only for defects. */
export async function syncPartitions(files: FileSystem, syncs: readonly PartitionSync[]): Promise<void> {
  let next = 0;
  // The names were made before this round, so one sync of a directory serves all partitions below it.
  const directories = new Map<string, Promise<void>>();
  const syncDirectory = (path: string): Promise<void> => {
    const known = directories.get(path);
    if (known !== undefined) return known;
    const sync = files.syncDirectoryLater(path);
    directories.set(path, sync);
    return sync;
  };
  const work = async (): Promise<void> => {
    while (next < syncs.length) {
      const sync = syncs[next++]!;
      try {
        for (const file of sync.dirty.files) await files.syncLater(file);
        for (const directory of sync.dirty.directories) await syncDirectory(directory);
      } catch (error) {
        const failure = flushFailureOf(error);
        if (failure === null) throw error;
        sync.failure = failure;
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}
