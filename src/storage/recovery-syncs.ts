/**
 * The disk's part of recovery: makes durable what was recovered of each partition, several partitions at once, because a
 * disk that is asked for one sync after the other mostly waits, and syncs that are under way together share what the file
 * system writes for them. I/O thread, at the start; asynchronous, so that it goes on while further partitions are scanned.
 * It never tries a sync again, and decides nothing.
 */

import type { Offset } from '../base/numbers.ts';
import { threadPoolSize } from '../base/thread-pool.ts';
import type { FileDescriptor, FileSystem } from './file-system.ts';
import { writeProducersLater, type ProducerFiles } from './producer-files.ts';

/** Twice as many as there are threads for it, so that none waits for the next partition. Each has files open. */
const partitionsAtOnce = 2 * threadPoolSize;

/** What has to reach the disk before a partition counts as recovered. */
export interface UnsyncedPartition {
  readonly directory: string;
  /** Files that were written to, open; `makeDurable` closes them. */
  readonly files: readonly FileDescriptor[];
  /** Whether names in the directory are new, or are gone. */
  readonly hasNewNames: boolean;
  /** A producer snapshot that is still to be written, and the offset that it is named after. */
  readonly producers: { readonly endOffset: Offset; readonly files: ProducerFiles } | null;
}

/** Makes one partition durable. Rejects with the file system's error; the files are closed then as well. */
export async function makeDurable(fileSystem: FileSystem, unsynced: UnsyncedPartition): Promise<void> {
  const { directory, files, hasNewNames, producers } = unsynced;
  try {
    for (const file of files) await fileSystem.syncLater(file);
  } finally {
    for (const file of files) fileSystem.close(file);
  }
  // Not before: after a power cut between the two, names would lead to files that lack what was written again.
  if (producers !== null) await writeProducersLater(fileSystem, directory, producers.endOffset, producers.files);
  // Writing a snapshot syncs the directory as well.
  else if (hasNewNames) await fileSystem.syncDirectoryLater(directory);
}

export class RecoverySyncs {
  readonly #fileSystem: FileSystem;
  #underWay = 0;
  #oneEnded: () => void = () => {};
  #failures: unknown[] = [];

  constructor(fileSystem: FileSystem) {
    this.#fileSystem = fileSystem;
  }

  /** Begins to make a partition durable, once it is its turn. Rejects with what failed of those before it. */
  async begin(unsynced: UnsyncedPartition): Promise<void> {
    const { files, hasNewNames, producers } = unsynced;
    if (files.length === 0 && !hasNewNames && producers === null) return;
    while (this.#underWay >= partitionsAtOnce) await this.#nextEnd();
    this.#underWay++;
    void this.#run(unsynced);
    this.#throwFailure();
  }

  /** Resolves once all that began is durable; rejects with what failed, once nothing is under way. */
  async end(): Promise<void> {
    await this.settled();
    this.#throwFailure();
  }

  /** Resolves once nothing is under way, however it went. */
  async settled(): Promise<void> {
    while (this.#underWay > 0) await this.#nextEnd();
  }

  async #run(unsynced: UnsyncedPartition): Promise<void> {
    try {
      await makeDurable(this.#fileSystem, unsynced);
    } catch (error) {
      this.#failures.push(error);
    }
    this.#underWay--;
    this.#oneEnded();
  }

  #nextEnd(): Promise<void> {
    return new Promise((resolve) => (this.#oneEnded = resolve));
  }

  #throwFailure(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
  }
}
