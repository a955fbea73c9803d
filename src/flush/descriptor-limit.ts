/**
 * How a flush worker keeps within the descriptors that a LIMIT allows it: what would open more waits until a sync has
 * ended whose files can then be closed, and syncs that make room are asked for before anybody waits for them. Flush thread.
 *
 *   submission ──► room? ──yes──► it is dealt with
 *                    └─no──► close what is clean ──► room? ──no──► held: sync the longest unused, and wait for that
 *
 * It opens and closes no files itself but through the writers that `open-files.ts` counts, and begins no syncs; see
 * `flush-round.ts`.
 */

import { OpenFiles } from './open-files.ts';
import type { PartitionWriter } from './partition-writer.ts';
import { maxSyncsPerRound, type WantedSyncs } from './wanted-syncs.ts';

/** Descriptors that a submission may need beyond those that its partition holds: its files, or the log once more. */
export const openedBy = { write: 2, direct: 1, indexes: 3, roll: 6, close: 4 } as const;

export class DescriptorLimit {
  readonly files: OpenFiles;
  readonly #isBusy: (writer: PartitionWriter) => boolean;
  readonly #syncs: WantedSyncs;
  /** Descriptors that writing the groups will open. */
  #opening = 0;
  #isHeld = false;
  /** Slots of LIMITs that are not kept yet. */
  #slots: number[] = [];

  /** A writer that `isBusy` has a group or is being synced, so that its files stay open. */
  constructor(maxOpenFiles: number, isBusy: (writer: PartitionWriter) => boolean, syncs: WantedSyncs) {
    this.files = new OpenFiles(maxOpenFiles);
    this.#isBusy = isBusy;
    this.#syncs = syncs;
  }

  /** Whether what was to be taken last would open too many files. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  get hasLimitsToKeep(): boolean {
    return this.#slots.length > 0;
  }

  /** More was taken: what was held is tried again. */
  beginRound(): void {
    this.#isHeld = false;
  }

  /** The groups that `hasRoomForGroup` let through are written, and what they opened is counted. */
  endOfGroups(): void {
    this.#opening = 0;
  }

  /** From now on so many files may be open; `slot` hears once no more are. */
  limit(maxOpenFiles: number, slot: number): void {
    this.files.max = maxOpenFiles;
    this.#slots.push(slot);
  }

  /** As `hasRoom`, for a group whose partition has no file open; it counts until the groups are written. */
  hasRoomForGroup(canWait: boolean): boolean {
    if (!this.hasRoom(openedBy.write, canWait)) return false;
    this.#opening += openedBy.write;
    return true;
  }

  /**
   * Whether `count` files more may be opened; else it holds what wanted them and asks for syncs that make room.
   * `canWait` says that something is under way that may make room.
   */
  hasRoom(count: number, canWait: boolean): boolean {
    if (this.makeRoom(this.#opening + count)) return true;
    const unsynced = this.files.unsynced(maxSyncsPerRound, true);
    // With nothing to wait for, a few too many are better than none.
    if (!canWait && unsynced.length === 0) return true;
    for (const writer of unsynced) this.#syncs.addUnhurried(writer);
    this.#isHeld = true;
    return false;
  }

  /** Whether `count` files more may be opened, once what can do without its files was closed as far as that takes. */
  makeRoom(count: number): boolean {
    return this.files.makeRoom(count, this.#isBusy);
  }

  /** Has synced what may soon be closed, before anybody waits for that. Returns the slots whose LIMIT is kept now. */
  keepLimits(): number[] {
    const isOver = this.#slots.length > 0 && !this.makeRoom(0);
    if (isOver || this.files.isScarce) {
      for (const writer of this.files.unsynced(maxSyncsPerRound, isOver)) this.#syncs.addUnhurried(writer);
    }
    return isOver ? [] : this.#slots.splice(0);
  }
}
