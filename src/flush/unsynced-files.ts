/**
 * What one partition has written and not synced yet: its log, files that were left and stay open until they are synced,
 * directories with new names. Flush thread. It opens, syncs and closes nothing; see `partition-writer.ts`.
 */

import type { FileDescriptor } from '../storage/file-system.ts';

const noPaths: readonly string[] = [];
const noFiles: readonly FileDescriptor[] = [];

/** What a sync has to make durable. `givenAway` are those of `files` that are closed afterwards. */
export interface DirtyFiles {
  readonly files: FileDescriptor[];
  readonly givenAway: readonly FileDescriptor[];
  readonly directories: readonly string[];
}

export class UnsyncedFiles {
  /** Whether the log's file is among them. */
  hasLog = false;
  // Replaced, never changed: most of the time there are none, of any partition.
  #sealed: readonly FileDescriptor[] = noFiles;
  #directories: readonly string[] = noPaths;

  get sealedCount(): number {
    return this.#sealed.length;
  }

  /** Whether nothing but the log is to be synced. */
  get isLogAtMost(): boolean {
    return this.#sealed.length === 0 && this.#directories.length === 0;
  }

  /** `files`, to which nothing more is written, stay open until they are synced. */
  seal(files: readonly FileDescriptor[]): void {
    if (files.length > 0) this.#sealed = [...this.#sealed, ...files];
  }

  /** The directory at `path` has a new name. */
  markDirectory(path: string): void {
    if (!this.#directories.includes(path)) this.#directories = [...this.#directories, path];
  }

  /** Gives all of it up for a sync: the open `log` where that is among it, and `indexes`, which are given away. */
  take(log: FileDescriptor | null, indexes: readonly FileDescriptor[]): DirtyFiles {
    const directories = this.#directories;
    const givenAway = [...this.takeSealed(), ...indexes];
    this.#directories = noPaths;
    const files = this.hasLog && log !== null ? [...givenAway, log] : [...givenAway];
    this.hasLog = false;
    return { files, givenAway, directories };
  }

  /** Gives up what was sealed. */
  takeSealed(): readonly FileDescriptor[] {
    const sealed = this.#sealed;
    this.#sealed = noFiles;
    return sealed;
  }
}
