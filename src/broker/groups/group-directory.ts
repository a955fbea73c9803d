/**
 * All groups there are, of all protocols, by id. I/O thread.
 */

import type { ConsumerRun } from './consumer/consumer-run.ts';
import type { Rebalance } from './rebalance.ts';
import type { ShareRun } from './share/share-run.ts';
import type { StreamsRun } from './streams/streams-run.ts';

/** A group as it runs: a classic one (rebalance.ts), one of the consumer or the streams protocol, or a share group. */
export type GroupRun = Rebalance | ConsumerRun | ShareRun | StreamsRun;

/** As many groups as there may be; each costs memory for as long as its offsets are kept. */
const maxGroups = 1_000_000;
/** What the names of all groups may have together, in characters; a name may have 32767. */
const maxNameLength = 64 * 1024 * 1024;

export class GroupDirectory {
  readonly #runs = new Map<string, GroupRun>();
  #nameLength = 0;

  find(id: string): GroupRun | null {
    return this.#runs.get(id) ?? null;
  }

  runs(): IterableIterator<GroupRun> {
    return this.#runs.values();
  }

  ids(): IterableIterator<string> {
    return this.#runs.keys();
  }

  /** Whether there is room for another group with this id. */
  hasRoomFor(id: string): boolean {
    return this.#runs.size < maxGroups && this.#nameLength + id.length <= maxNameLength;
  }

  /** Puts a group in, or in the place of the one with the same id. */
  put(run: GroupRun): void {
    const { id } = run.group;
    if (!this.#runs.has(id)) this.#nameLength += id.length;
    this.#runs.set(id, run);
  }

  remove(id: string): void {
    if (this.#runs.delete(id)) this.#nameLength -= id.length;
  }

  clear(): void {
    this.#runs.clear();
    this.#nameLength = 0;
  }
}
