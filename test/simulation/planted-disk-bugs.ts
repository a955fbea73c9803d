/**
 * Bugs of what a start finds on the disk, planted between the store and its file system, or its flush workers. Any thread.
 */

import { directBlockBytes, type FileDescriptor, type OpenMode } from '../../src/storage/file-system.ts';
import { tailsName } from '../../src/storage/tail-journal.ts';
import { encodeProducerSnapshot } from '../../src/storage/producer-snapshot.ts';
import type { ExpectedBug } from './planted-bug.ts';
import { WrappedFileSystem } from './wrapped-file-system.ts';

class NoDirectorySyncs extends WrappedFileSystem {
  override syncDirectory(): void {}

  override async syncDirectoryLater(): Promise<void> {}
}

/** The disk says that it has synced, and has not. */
class NoSyncs extends WrappedFileSystem {
  override async syncLater(): Promise<void> {}
}

/** The store raises its leader epoch for this run, and the disk keeps the old one. */
class ForgottenEpochs extends WrappedFileSystem {
  override rename(from: string, to: string): void {
    if (to.endsWith('leader-epoch') && this.inner.sizeAt(to) !== null) this.inner.remove(from);
    else super.rename(from, to);
  }
}

/** Producer snapshots read as if there had been no producers. */
class EmptySnapshots extends WrappedFileSystem {
  readonly #empty = encodeProducerSnapshot([]);
  readonly #snapshots = new Set<FileDescriptor>();

  override open(path: string, mode: OpenMode): FileDescriptor {
    const file = super.open(path, mode);
    if (path.endsWith('.snapshot') && mode === 'read') this.#snapshots.add(file);
    else this.#snapshots.delete(file);
    return file;
  }

  override sizeOf(file: FileDescriptor): number {
    return this.#snapshots.has(file) ? this.#empty.length : super.sizeOf(file);
  }

  override read(file: FileDescriptor, target: Uint8Array, position: number): number {
    if (!this.#snapshots.has(file)) return super.read(file, target, position);
    const part = this.#empty.subarray(position, position + target.length);
    target.set(part);
    return part.length;
  }
}

/** Blocks that are written again past the page cache lose what they held. */
class ForgottenBlocks extends WrappedFileSystem {
  readonly #direct = new Set<FileDescriptor>();

  override openDirect(path: string): FileDescriptor | null {
    const file = super.openDirect(path);
    if (file !== null) this.#direct.add(file);
    return file;
  }

  override close(file: FileDescriptor): void {
    this.#direct.delete(file);
    super.close(file);
  }

  override write(file: FileDescriptor, sources: readonly Uint8Array[], position: number): number {
    if (!this.#direct.has(file)) return super.write(file, sources, position);
    const held = new Uint8Array(directBlockBytes);
    const heldBytes = this.inner.read(file, held, position);
    const source = Uint8Array.from(sources[0]!);
    if (heldBytes > 0) source.fill(0, 0, held.findLastIndex((byte) => byte !== 0) + 1);
    return super.write(file, [source], position);
  }
}

/** What is to be cut off the end of a log stays. */
class NoTruncation extends WrappedFileSystem {
  readonly #logs = new Set<FileDescriptor>();

  override open(path: string, mode: OpenMode): FileDescriptor {
    const file = super.open(path, mode);
    if (path.endsWith('.log')) this.#logs.add(file);
    else this.#logs.delete(file);
    return file;
  }

  override truncate(file: FileDescriptor, sizeBytes: number): void {
    if (!this.#logs.has(file)) super.truncate(file, sizeBytes);
  }
}

/** What a start found behind the recovery points is shown, and promised, though its journal is not on disk yet. */
class UnsyncedTails extends WrappedFileSystem {
  readonly #journals = new Set<FileDescriptor>();

  override open(path: string, mode: OpenMode): FileDescriptor {
    const file = super.open(path, mode);
    if (path.includes(tailsName)) this.#journals.add(file);
    else this.#journals.delete(file);
    return file;
  }

  override async syncLater(file: FileDescriptor): Promise<void> {
    if (!this.#journals.has(file)) await super.syncLater(file);
  }
}

/** A start does not put back what the one before it found and had not settled. */
class ForgottenTails extends WrappedFileSystem {
  override sizeAt(path: string): number | null {
    return path.endsWith(tailsName) ? null : super.sizeAt(path);
  }
}

const tailsLost: Pick<ExpectedBug, 'found' | 'profile'> = {
  found: /^lost-(acknowledged|read)|tails cannot be used/,
  // A kill leaves a tail that is not synced, and a power cut follows before it is settled.
  profile: {
    crashEveryMs: 150,
    powerCutChance: 0.5,
    maxDiskMs: 40,
    maxFlushStepMs: 15,
    thinkMs: 20,
    runMs: 3200,
    segmentBytes: 16_384,
  },
};

export const diskBugs: readonly ExpectedBug[] = [
  { name: 'syncs that do nothing', fileSystem: (inner) => new NoSyncs(inner), found: /^lost-acknowledged/ },
  { name: 'directories are not synced', fileSystem: (inner) => new NoDirectorySyncs(inner), found: /lost-ack|gone/ },
  {
    name: 'a leader epoch that is not raised',
    fileSystem: (inner) => new ForgottenEpochs(inner),
    found: /^epoch-offset-reused/,
    // What was read and not synced has to be lost, and its offset read again: many write and read little, nobody else.
    profile: {
      powerCutChance: 1,
      crashEveryMs: 150,
      maxDiskMs: 40,
      maxFlushStepMs: 15,
      maxNetworkMs: 1,
      thinkMs: 20,
      runMs: 3200,
      topics: 1,
      producers: 4,
      consumers: 3,
      groups: 0,
      named: 0,
      publishers: 0,
      reconciling: 0,
      copies: 0,
      keyed: 0,
    },
  },
  {
    name: 'logs left without a word',
    queue: (inner) => {
      inner.files.leaveLog = () => {};
      return inner;
    },
    found: /^(lost|two-values|duplicate|a defect: Error: EBADF)/,
    profile: { segmentBytes: 2048, topics: 3 },
  },
  { name: 'producers forgotten at a start', fileSystem: (inner) => new EmptySnapshots(inner), found: /^duplicate/ },
  {
    name: 'blocks written again without what they held',
    fileSystem: (inner) => new ForgottenBlocks(inner),
    found: /^(lost|two-values|unreadable)/,
    profile: { directFromBytes: 1, directWrites: 'taken' },
  },
  { name: 'tails shown before their journal is synced', fileSystem: (inner) => new UnsyncedTails(inner), ...tailsLost },
  { name: 'tails that are not put back', fileSystem: (inner) => new ForgottenTails(inner), ...tailsLost },
  {
    name: 'torn ends that are not cut off',
    fileSystem: (inner) => new NoTruncation(inner),
    found: /^(lost|two-values|duplicate)/,
    profile: { powerCutChance: 1, crashEveryMs: 150, valueBytes: 400, thinkMs: 20, runMs: 3200 },
  },
];
