/**
 * The names of a simulated file system: a tree of directories and a journal of the changes that no sync has covered.
 * Any thread; used by simulated-file-system.ts.
 *
 * A change (a name made or removed, or a rename, which is both at once) is settled when every directory it touches was
 * synced after it. Until then a power cut may undo it, with one rule: a change that happened implies those before it on
 * the same names, so each name passes through a prefix of its history and a rename happens wholly or not at all.
 * That is less than ext4 promises (it keeps all changes in order) and what POSIX leaves one with.
 * It knows no paths, and of files only that they survive power cuts in their own way.
 */

import type { SeededRandom } from '../../src/base/random.ts';
import { type Fate, SimulatedFile } from './simulated-file.ts';

export type SimulatedNode = SimulatedFile | SimulatedDirectory;

export class SimulatedDirectory {
  /** What the running system sees. */
  readonly entries = new Map<string, SimulatedNode>();
  /** What the disk holds for certain. */
  readonly durable = new Map<string, SimulatedNode>();
}

/** One name of one directory set to a node, or to nothing. */
export interface NameChange {
  readonly directory: SimulatedDirectory;
  readonly name: string;
  readonly node: SimulatedNode | null;
}

interface JournalEntry {
  readonly operation: number;
  readonly changes: readonly NameChange[];
  /** The directories whose sync it still waits for. */
  readonly unsynced: Set<SimulatedDirectory>;
}

function set(entries: Map<string, SimulatedNode>, change: NameChange): void {
  if (change.node === null) entries.delete(change.name);
  else entries.set(change.name, change.node);
}

export class MetadataJournal {
  #entries: JournalEntry[] = [];
  #lastOperation = 0;

  get lastOperation(): number {
    return this.#lastOperation;
  }

  /** Makes `changes` visible as one operation. */
  apply(...changes: readonly NameChange[]): void {
    const unsynced = new Set(changes.map((change) => change.directory));
    this.#entries.push({ operation: ++this.#lastOperation, changes, unsynced });
    for (const change of changes) set(change.directory.entries, change);
  }

  /** Brings the changes of `directory` up to `operation` to the disk. */
  sync(directory: SimulatedDirectory, operation: number): void {
    for (const entry of this.#entries) if (entry.operation <= operation) entry.unsynced.delete(directory);
    const settled = this.#withImplied((entry) => entry.unsynced.size === 0);
    for (const entry of settled) for (const change of entry.changes) set(change.directory.durable, change);
    this.#entries = this.#entries.filter((entry) => !settled.has(entry));
  }

  /** The tree below `root` as it is found once the power is back. */
  afterPowerCut(root: SimulatedDirectory, random: SeededRandom, drawFate: () => Fate): SimulatedDirectory {
    const fate = drawFate();
    const happened = this.#withImplied(() => fate === 'everything' || (fate === 'mixed' && random.chance(0.5)));
    const left = new Map<SimulatedDirectory, Map<string, SimulatedNode>>();
    for (const entry of happened) {
      for (const change of entry.changes) {
        const entries = left.get(change.directory) ?? new Map(change.directory.durable);
        left.set(change.directory, entries);
        set(entries, change);
      }
    }
    const copy = (directory: SimulatedDirectory): SimulatedDirectory => {
      const result = new SimulatedDirectory();
      for (const [name, node] of left.get(directory) ?? directory.durable) {
        const found = node instanceof SimulatedFile ? node.afterPowerCut(random, drawFate()) : copy(node);
        result.entries.set(name, found);
        result.durable.set(name, found);
      }
      return result;
    };
    return copy(root);
  }

  /** The entries chosen and those they imply, in order. */
  #withImplied(choose: (entry: JournalEntry) => boolean): Set<JournalEntry> {
    const implied = new Map<SimulatedDirectory, Set<string>>();
    const chosen: JournalEntry[] = [];
    for (const entry of this.#entries.toReversed()) {
      const isImplied = entry.changes.some((change) => implied.get(change.directory)?.has(change.name));
      if (!choose(entry) && !isImplied) continue;
      chosen.push(entry);
      for (const { directory, name } of entry.changes) {
        const names = implied.get(directory) ?? new Set<string>();
        implied.set(directory, names.add(name));
      }
    }
    return new Set(chosen.toReversed());
  }
}
