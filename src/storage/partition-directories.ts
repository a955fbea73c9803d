/**
 * Partitions' directories on their way out: renamed to `…-delete`, at once, and removed in the background. I/O thread.
 * Who renames syncs the data directory before it tells anybody.
 */

import type { Logger } from '../base/logger.ts';
import type { RandomSource } from '../base/random.ts';
import type { FileSystem } from './file-system.ts';
import { deletedPartitionDirectoryName, partitionDirectoryName } from './segment-name.ts';

export interface PartitionDirectoriesOptions {
  readonly directory: string;
  readonly fileSystem: FileSystem;
  readonly random: RandomSource;
  readonly logger: Logger;
}

export class PartitionDirectories {
  readonly #options: PartitionDirectoriesOptions;
  readonly #removals = new Set<Promise<void>>();

  constructor(options: PartitionDirectoriesOptions) {
    this.#options = options;
  }

  /** Sets the partition's directory aside, where it has one, and has it removed. Throws the file system's error. */
  discard(topic: string, partition: number): void {
    const { directory, fileSystem, random } = this.#options;
    const id = new Uint8Array(16);
    random.fill(id);
    const hex = Array.from(id, (byte) => byte.toString(16).padStart(2, '0')).join('');
    const name = deletedPartitionDirectoryName(topic, partition, hex);
    if (!fileSystem.isDirectory(`${directory}/${partitionDirectoryName(topic, partition)}`)) return;
    fileSystem.rename(`${directory}/${partitionDirectoryName(topic, partition)}`, `${directory}/${name}`);
    this.removeLater(name);
  }

  /** Removes a directory that was set aside, in the background. */
  removeLater(name: string): void {
    const { directory, fileSystem, logger } = this.#options;
    const removal = fileSystem
      .removeTreeLater(`${directory}/${name}`)
      .catch((error: unknown) => {
        logger.warn({ name, error }, 'A deleted partition could not be removed; the next start tries again.');
      })
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  /** Resolves once nothing is being removed. */
  async settled(): Promise<void> {
    await Promise.all(this.#removals);
  }
}
