/**
 * How many descriptors the writers of one flush worker hold, and which of them can do without: so many may be open and
 * no more. Flush thread. A log that is written again opens its file again, so what was used longest ago is closed first.
 *
 *   holds nothing ──write──► unsynced ──sync──► clean ──room is needed──► holds nothing
 *
 * What is not synced is never closed, because a sync of another descriptor may not hear what went wrong before. It
 * begins no syncs; see `flush-round.ts`.
 */

import { RecencyList } from '../base/recency-list.ts';
import type { PartitionWriter } from './partition-writer.ts';

/** Fewer would not let one partition roll while another is synced. */
const leastMax = 16;
/** Of the longest unused so many are looked at for what is to be synced ahead. */
const lookedAtAhead = 1024;

export class OpenFiles {
  /** Writers that hold descriptors. */
  readonly #holders = new RecencyList<PartitionWriter>();
  #max: number;
  #count = 0;

  constructor(max: number) {
    this.#max = Math.max(max, leastMax);
  }

  /** Descriptors that are open, those that a sync is to close included. */
  get count(): number {
    return this.#count;
  }

  /** How many may be open; more may be until there was time to close them. */
  get max(): number {
    return this.#max;
  }

  set max(max: number) {
    this.#max = Math.max(max, leastMax);
  }

  /** Whether there will soon be no room, so that something should be synced that can then be closed. */
  get isScarce(): boolean {
    return this.#count > this.#max - (this.#max >>> 3);
  }

  /** Counts what `writer` holds now. */
  recount(writer: PartitionWriter): void {
    this.#countOf(writer);
    if (writer.countedFiles === 0) this.#holders.delete(writer);
    else if (!this.#holders.has(writer)) this.#holders.use(writer);
  }

  /** As `recount`; the writer is the one that was used last. */
  used(writer: PartitionWriter): void {
    this.#countOf(writer);
    if (writer.countedFiles === 0) this.#holders.delete(writer);
    else this.#holders.use(writer);
  }

  #countOf(writer: PartitionWriter): void {
    const { openFileCount } = writer;
    this.#count += openFileCount - writer.countedFiles;
    writer.countedFiles = openFileCount;
  }

  /** `count` descriptors left their writer, which was counted since, and are still open. */
  gaveAway(count: number): void {
    this.#count += count;
  }

  /** `count` descriptors that were given away are closed. */
  closedAway(count: number): void {
    this.#count -= count;
  }

  /** Whether `needed` more may be opened, once what is clean and not `isBusy` was closed as far as that takes. */
  makeRoom(needed: number, isBusy: (writer: PartitionWriter) => boolean): boolean {
    if (this.#count + needed <= this.#max) return true;
    // Some more than is needed now, so that not every write has to look for one.
    const wanted = this.#max - needed - (this.#max >>> 5);
    for (const writer of this.#holders) {
      if (this.#count <= wanted) break;
      if (writer.needsSync || isBusy(writer)) continue;
      writer.park();
      this.recount(writer);
    }
    return this.#count + needed <= this.#max;
  }

  /** Up to `count` writers whose sync would let them be closed, the longest unused first; `all`: wherever they are. */
  unsynced(count: number, all: boolean): PartitionWriter[] {
    const found: PartitionWriter[] = [];
    let looked = 0;
    for (const writer of this.#holders) {
      if (found.length === count || (!all && looked++ === lookedAtAhead)) break;
      if (writer.needsSync) found.push(writer);
    }
    return found;
  }
}
