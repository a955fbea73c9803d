/**
 * Partitions that are to be synced, and which of them the next sync takes: those first that somebody waits for, but
 * always some of the others as well. Flush thread. With thousands of partitions a sync of all would keep everybody
 * waiting, who asked meanwhile, and have the indexes of all open at once.
 */

import type { PartitionWriter } from './partition-writer.ts';

/** Partitions of one sync at most. */
export const maxSyncsPerRound = 256;
/** Of those so many are for what nobody waits for, where there is such. */
const unhurriedPerRound = 64;

export class WantedSyncs {
  readonly #hurried = new Set<PartitionWriter>();
  readonly #unhurried = new Set<PartitionWriter>();

  /** At least one a writer that is wanted. */
  get count(): number {
    return this.#hurried.size + this.#unhurried.size;
  }

  /** Somebody waits for it, or a CLOSE does. */
  add(writer: PartitionWriter): void {
    this.#hurried.add(writer);
  }

  /** It is to be synced before long. */
  addUnhurried(writer: PartitionWriter): void {
    this.#unhurried.add(writer);
  }

  delete(writer: PartitionWriter): void {
    this.#hurried.delete(writer);
    this.#unhurried.delete(writer);
  }

  has(writer: PartitionWriter): boolean {
    return this.#hurried.has(writer) || this.#unhurried.has(writer);
  }

  /** Those that the next sync takes; each is deleted by whoever takes it, before the following one is asked for. */
  *next(): Generator<PartitionWriter> {
    let left = maxSyncsPerRound;
    const leaves = Math.min(this.#unhurried.size, unhurriedPerRound);
    for (const writer of this.#hurried) {
      if (left-- === leaves) break;
      yield writer;
    }
    left = Math.max(left, leaves);
    for (const writer of this.#unhurried) {
      if (left-- === 0) return;
      yield writer;
    }
  }
}
