/**
 * Bugs of compaction, planted between the broker and its store or disk. Any thread.
 */

import type { CompactionPlan, CompactionRun, CompactionSettings, Compactor } from '../../src/storage/compactor.ts';
import type { FileDescriptor, OpenMode } from '../../src/storage/file-system.ts';
import type { ExpectedBug } from './planted-bug.ts';
import { WrappedFileSystem } from './wrapped-file-system.ts';
import { WrappedLogStore } from './wrapped-log-store.ts';

/** Compaction takes tombstones away at once, whatever the topic says. */
class HastyTombstones implements Compactor {
  readonly #inner: Compactor;

  constructor(inner: Compactor) {
    this.#inner = inner;
  }

  begin(plan: CompactionPlan, settings: CompactionSettings): Promise<CompactionRun> {
    const later = plan.nowMs + 365 * 24 * 3_600_000;
    return this.#inner.begin({ ...plan, deleteRetentionMs: 0, nowMs: later }, settings);
  }
}

/** What compaction writes is not synced before it takes the place of what it was made of. */
class UnsyncedCleaning extends WrappedFileSystem {
  readonly #cleaned = new Set<FileDescriptor>();

  override open(path: string, mode: OpenMode): FileDescriptor {
    const file = super.open(path, mode);
    if (path.includes('.cleaned')) this.#cleaned.add(file);
    else this.#cleaned.delete(file);
    return file;
  }

  override sync(file: FileDescriptor): void {
    if (!this.#cleaned.has(file)) super.sync(file);
  }

  override async syncLater(file: FileDescriptor): Promise<void> {
    if (!this.#cleaned.has(file)) await super.syncLater(file);
  }
}

/** Segments that a cleaned one was made of stay beside it. */
class NothingReplaced extends WrappedFileSystem {
  override rename(from: string, to: string): void {
    if (!/keyed.*\.log\.deleted$/.test(to)) super.rename(from, to);
  }

  override remove(path: string): void {
    if (!/keyed.*\.log(\.deleted)?$/.test(path)) super.remove(path);
  }
}

/** Compaction is said to be done, and nothing is. */
class NoCompaction extends WrappedLogStore {
  override compactDirtiest(): Promise<boolean> {
    return Promise.resolve(false);
  }
}

export const compactionBugs: readonly ExpectedBug[] = [
  {
    name: 'tombstones that compaction takes at once',
    compactor: (inner) => new HastyTombstones(inner),
    found: /^keyed.*is the newest, but/,
    profile: {
      keyed: 1,
      topics: 1,
      producers: 1,
      groups: 0,
      reconciling: 0,
      named: 0,
      publishers: 0,
      copies: 0,
      crashEveryMs: 1000,
      thinkMs: 80,
      runMs: 3200,
      segmentBytes: 2048,
      valueBytes: 400,
      // Compaction has to pass over a tombstone while a reader is between what it replaced and the tombstone's place.
      maxNetworkMs: 5,
      maxDiskMs: 2,
      maxFlushStepMs: 1,
    },
  },
  {
    name: 'cleaned segments that are not synced',
    fileSystem: (inner) => new UnsyncedCleaning(inner),
    found: /keyed/,
    profile: { keyed: 1, groups: 0, copies: 0, powerCutChance: 1, crashEveryMs: 200, segmentBytes: 2048, runMs: 3200 },
  },
  {
    name: 'segments that stay beside what they were compacted into',
    fileSystem: (inner) => new NothingReplaced(inner),
    found: /keyed/,
    profile: { keyed: 1, groups: 0, copies: 0, segmentBytes: 2048, runMs: 3200 },
  },
  {
    name: 'compaction that does nothing',
    store: (inner) => new NoCompaction(inner, (log) => log),
    found: /^keyed.*records are there/,
    profile: { keyed: 1, groups: 0, copies: 0, segmentBytes: 2048, runMs: 3200 },
  },
];
