/**
 * A `FileSystem` in memory that can lose, tear and fail. One object is what one process sees of one disk: `kill` and
 * `powerCut` end it and yield what the next process finds. Any thread; nothing here waits for real.
 *
 * - Content: simulated-file.ts (a sync covers one file's content, never its name).
 * - Names: simulated-directory.ts (a sync of the directory covers them); paths: simulated-paths.ts.
 * - Asynchronous calls take effect when the scheduler completes them, and a sync covers what stood when it was called.
 * - Failures: a capacity (short write, then ENOSPC), `inject` (any call, any code), short writes by chance. A sync that
 *   fails marks what it should have written as clean and loses part of it, as Linux does.
 *
 * - Writes past the page cache: in whole blocks, else the caller is at fault; refused where `directWrites` says so. They
 *   are lost by a power cut like others, as a disk has a cache of its own.
 *
 * It does not model permissions, links, times, or two processes on one disk.
 */

import {
  directBlockBytes,
  type DiskSpace,
  type FileDescriptor,
  type FileSystem,
  type OpenMode,
} from '../../src/storage/file-system.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { MetadataJournal, SimulatedDirectory, type SimulatedNode } from './simulated-directory.ts';
import { FailurePlan, type FileSystemCall, type InjectedFailure, systemError } from './injected-failures.ts';
import { type Fate, SimulatedFile, checkDirect, drawFate, joined } from './simulated-file.ts';
import { checkReplaced, directoryAt, findNode, namesOf, parentOf } from './simulated-paths.ts';

/** Where asynchronous calls wait until they complete; `Scheduler` is one. */
export interface CompletionQueue {
  /** Calls `callback` once, later, at a time of its choice. `label` goes into the trace. */
  complete(label: string, callback: () => void): void;
}

export interface SimulatedFileSystemOptions {
  readonly completions: CompletionQueue;
  readonly random: SeededRandom;
  /** Bytes of content the disk holds, in sectors of 512; no limit unless given. */
  readonly capacityBytes?: number;
  /** Whether files can be written past the page cache, or which call refuses; they can, unless given. */
  readonly directWrites?: DirectSupport;
}

export type DirectSupport = 'taken' | 'refused by open' | 'refused by write';

interface OpenFile {
  readonly file: SimulatedFile;
  readonly path: string;
  readonly isWritable: boolean;
  readonly isDirect: boolean;
}

export class SimulatedFileSystem implements FileSystem {
  /** The chance that a write of more than one byte writes less than it was given; 0 unless set. */
  shortWriteChance = 0;
  /** Bytes of content that the disk holds; may be set at any time. */
  capacityBytes: number;
  readonly #completions: CompletionQueue;
  readonly #directWrites: DirectSupport;
  readonly #random: SeededRandom;
  readonly #root: SimulatedDirectory;
  readonly #journal: MetadataJournal;
  readonly #open = new Map<FileDescriptor, OpenFile>();
  readonly #failures = new FailurePlan();
  readonly #named = new Set<SimulatedFile>();
  #usedBytes = 0;
  #failedSyncs = 0;
  #hasEnded = false;

  constructor(options: SimulatedFileSystemOptions, root?: SimulatedDirectory, journal?: MetadataJournal) {
    this.#completions = options.completions;
    this.#random = options.random;
    this.#directWrites = options.directWrites ?? 'taken';
    this.capacityBytes = options.capacityBytes ?? Number.MAX_SAFE_INTEGER;
    this.#root = root ?? new SimulatedDirectory();
    this.#journal = journal ?? new MetadataJournal();
    const count = (node: SimulatedNode): void => {
      if (node instanceof SimulatedFile) {
        this.#named.add(node);
        this.#usedBytes += node.allocatedBytes;
      } else for (const child of node.entries.values()) count(child);
    };
    count(this.#root);
  }

  /** Descriptors that are open; to find leaks. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Calls made so far; with it a test can fail each call of a run in turn. */
  get callCount(): number {
    return this.#failures.callCount;
  }

  /** Bytes of content on the disk, in whole sectors, those of removed files that are still open included. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Syncs of files that failed so far: what they should have written may be in the cache alone. */
  get failedSyncs(): number {
    return this.#failedSyncs;
  }

  /** Sets a failure. Several may be set; the first that matches is the one that is thrown, and all count the call. */
  inject(failure: InjectedFailure): void {
    this.#failures.inject(failure);
  }

  clearFailures(): void {
    this.#failures.clear();
  }

  /** The process dies. The page cache stays; what was under way never completes. Returns what the next one finds. */
  kill(): SimulatedFileSystem {
    this.#hasEnded = true;
    return new SimulatedFileSystem(this.#options(), this.#root, this.#journal);
  }

  /** The power fails. Returns what is found afterwards, of which all is on the disk. */
  powerCut(random: SeededRandom): SimulatedFileSystem {
    this.#hasEnded = true;
    const draw = (): Fate => drawFate(random);
    return new SimulatedFileSystem(this.#options(), this.#journal.afterPowerCut(this.#root, random, draw));
  }

  /** Memory runs short: whatever counts as clean is read from the disk again, lost sectors of failed syncs included. */
  evictCleanPages(): void {
    const evict = (node: SimulatedNode): void => {
      if (node instanceof SimulatedFile) this.#accounted(node, () => node.evictCleanPages());
      else for (const child of node.entries.values()) evict(child);
    };
    evict(this.#root);
  }

  open(path: string, mode: OpenMode): FileDescriptor {
    this.#enter('open', path);
    const { directory, name } = parentOf(this.#root, 'open', path);
    let node = directory.entries.get(name);
    if (node instanceof SimulatedDirectory) throw systemError('EISDIR', 'open', path);
    if (node === undefined) {
      if (mode !== 'create') throw systemError('ENOENT', 'open', path);
      node = new SimulatedFile();
      this.#journal.apply({ directory, name, node });
      this.#named.add(node);
    }
    return this.#describe({ file: node, path, isWritable: mode !== 'read', isDirect: false });
  }

  openDirect(path: string): FileDescriptor | null {
    this.#enter('open', path);
    const file = findNode(this.#root, path);
    if (!(file instanceof SimulatedFile)) throw systemError('ENOENT', 'open', path);
    if (this.#directWrites === 'refused by open') return null;
    return this.#describe({ file, path, isWritable: true, isDirect: true });
  }

  close(descriptor: FileDescriptor): void {
    const { file } = this.#enterOpen('close', descriptor);
    this.#open.delete(descriptor);
    this.#releaseIfGone(file);
  }

  read(descriptor: FileDescriptor, target: Uint8Array, position: number): number {
    const { file, path } = this.#enterOpen('read', descriptor);
    this.#checkNumber('read', path, position);
    return file.read(target, position);
  }

  write(descriptor: FileDescriptor, sources: readonly Uint8Array[], position: number): number {
    const { file, path, isWritable, isDirect } = this.#enterOpen('write', descriptor);
    if (!isWritable) throw systemError('EBADF', 'write', path);
    this.#checkNumber('write', path, position);
    if (isDirect) checkDirect(sources, position);
    if (isDirect && this.#directWrites === 'refused by write') throw systemError('EINVAL', 'write', path);
    const whole = joined(sources);
    let length = whole.length;
    const leastBytes = isDirect ? directBlockBytes : 1;
    if (length > leastBytes && this.#random.chance(this.shortWriteChance)) {
      length = leastBytes * (1 + this.#random.below(length / leastBytes - 1));
    }
    let fitting = file.fittingBytes(position, length, this.capacityBytes - this.#usedBytes);
    fitting -= fitting % leastBytes;
    if (fitting === 0 && length > 0) throw systemError('ENOSPC', 'write', path);
    this.#accounted(file, () => file.write(whole.subarray(0, fitting), position));
    return fitting;
  }

  truncate(descriptor: FileDescriptor, sizeBytes: number): void {
    const { file, path, isWritable } = this.#enterOpen('truncate', descriptor);
    if (!isWritable) throw systemError('EINVAL', 'truncate', path);
    this.#checkNumber('truncate', path, sizeBytes);
    this.#accounted(file, () => file.truncate(sizeBytes));
  }

  sizeOf(descriptor: FileDescriptor): number {
    return this.#enterOpen('sizeOf', descriptor).file.sizeBytes;
  }

  sizeAt(path: string): number | null {
    this.#enter('sizeAt', path);
    const node = findNode(this.#root, path);
    if (node === null) return null;
    return node instanceof SimulatedFile ? node.sizeBytes : 0;
  }

  isDirectory(path: string): boolean {
    this.#enter('isDirectory', path);
    return findNode(this.#root, path) instanceof SimulatedDirectory;
  }

  list(path: string): string[] {
    this.#enter('list', path);
    return [...directoryAt(this.#root, 'list', path).entries.keys()].toSorted();
  }

  makeDirectory(path: string): void {
    this.#enter('makeDirectory', path);
    let directory = this.#root;
    for (const name of namesOf(path)) {
      let node = directory.entries.get(name);
      if (node instanceof SimulatedFile) throw systemError('EEXIST', 'makeDirectory', path);
      if (node === undefined) {
        node = new SimulatedDirectory();
        this.#journal.apply({ directory, name, node });
      }
      directory = node;
    }
  }

  rename(from: string, to: string): void {
    this.#enter('rename', from);
    const source = parentOf(this.#root, 'rename', from);
    const target = parentOf(this.#root, 'rename', to);
    const node = source.directory.entries.get(source.name);
    if (node === undefined) throw systemError('ENOENT', 'rename', from);
    const replaced = target.directory.entries.get(target.name);
    if (replaced === node) return;
    checkReplaced(node, from, replaced, to);
    this.#journal.apply({ ...source, node: null }, { ...target, node });
    if (replaced instanceof SimulatedFile) this.#unname(replaced);
  }

  remove(path: string): void {
    this.#enter('remove', path);
    this.#remove(path);
  }

  removeTree(path: string): void {
    this.#enter('removeTree', path);
    this.#removeTree(path);
  }

  sync(descriptor: FileDescriptor): void {
    this.#sync(descriptor, this.#openFile('sync', descriptor).file.lastOperation);
  }

  syncDirectory(path: string): void {
    this.#enter('syncDirectory', path);
    this.#journal.sync(directoryAt(this.#root, 'syncDirectory', path), this.#journal.lastOperation);
  }

  readLater(descriptor: FileDescriptor, target: Uint8Array, position: number): Promise<number> {
    return this.#later(`read ${this.#pathOf(descriptor)} @${position}`, () => this.read(descriptor, target, position));
  }

  syncLater(descriptor: FileDescriptor): Promise<void> {
    const operation = this.#open.get(descriptor)?.file.lastOperation ?? 0;
    return this.#later(`sync ${this.#pathOf(descriptor)}`, () => this.#sync(descriptor, operation));
  }

  syncDirectoryLater(path: string): Promise<void> {
    const operation = this.#journal.lastOperation;
    // The real one opens the directory at once, so a later rename does not mislead it.
    const node = findNode(this.#root, path);
    return this.#later(`syncDirectory ${path}`, () => {
      this.#enter('syncDirectory', path);
      if (node === null) throw systemError('ENOENT', 'syncDirectory', path);
      if (node instanceof SimulatedFile) throw systemError('ENOTDIR', 'syncDirectory', path);
      this.#journal.sync(node, operation);
    });
  }

  removeTreeLater(path: string): Promise<void> {
    return this.#later('removeTree', () => this.removeTree(path));
  }

  removeLater(path: string): Promise<void> {
    return this.#later('remove', () => this.remove(path));
  }

  spaceLater(path: string): Promise<DiskSpace> {
    return this.#later('space', () => {
      this.#enter('space', path);
      if (findNode(this.#root, path) === null) throw systemError('ENOENT', 'space', path);
      return { totalBytes: this.capacityBytes, freeBytes: Math.max(0, this.capacityBytes - this.#usedBytes) };
    });
  }

  #describe(open: OpenFile): FileDescriptor {
    // The lowest that is free, as systems have it: one that was closed is soon another file's.
    let descriptor = 3;
    while (this.#open.has(descriptor)) descriptor++;
    this.#open.set(descriptor, open);
    return descriptor;
  }

  #pathOf(descriptor: FileDescriptor): string {
    return this.#open.get(descriptor)?.path ?? `descriptor ${descriptor}`;
  }

  #options(): SimulatedFileSystemOptions {
    return {
      completions: this.#completions,
      random: this.#random,
      capacityBytes: this.capacityBytes,
      directWrites: this.#directWrites,
    };
  }

  #later<T>(label: string, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#completions.complete(label, () => {
        // Nobody is left to be told, and what was not done by now never is.
        if (this.#hasEnded) return;
        try {
          resolve(effect());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }

  /** Counts a call and throws where a failure was set on it. */
  #enter(call: FileSystemCall, path: string): void {
    if (this.#hasEnded) throw new Error(`${call} '${path}' by a process that has ended`);
    this.#failures.check(call, path);
  }

  #openFile(call: FileSystemCall, descriptor: FileDescriptor): OpenFile {
    const open = this.#open.get(descriptor);
    if (open === undefined) throw systemError('EBADF', call, `descriptor ${descriptor}`);
    return open;
  }

  #enterOpen(call: FileSystemCall, descriptor: FileDescriptor): OpenFile {
    const open = this.#openFile(call, descriptor);
    this.#enter(call, open.path);
    return open;
  }

  #checkNumber(call: FileSystemCall, path: string, value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw systemError('EINVAL', call, path);
  }

  #sync(descriptor: FileDescriptor, operation: number): void {
    const { file, path } = this.#openFile('sync', descriptor);
    try {
      this.#enter('sync', path);
    } catch (error) {
      if (!this.#hasEnded) {
        this.#failedSyncs++;
        file.failSync(operation, this.#random);
      }
      throw error;
    }
    file.sync(operation);
  }

  #remove(path: string): void {
    const { directory, name } = parentOf(this.#root, 'remove', path);
    const node = directory.entries.get(name);
    if (node === undefined) throw systemError('ENOENT', 'remove', path);
    if (node instanceof SimulatedDirectory) throw systemError('EISDIR', 'remove', path);
    this.#journal.apply({ directory, name, node: null });
    this.#unname(node);
  }

  #removeTree(path: string): void {
    const { directory, name } = parentOf(this.#root, 'removeTree', path);
    const node = directory.entries.get(name);
    if (node === undefined) throw systemError('ENOENT', 'removeTree', path);
    if (node instanceof SimulatedFile) {
      this.#remove(path);
      return;
    }
    for (const child of [...node.entries.keys()]) this.#removeTree(`${path}/${child}`);
    this.#journal.apply({ directory, name, node: null });
  }

  /** Runs `change` and keeps count of the space that `file` takes up. */
  #accounted(file: SimulatedFile, change: () => void): void {
    const before = file.allocatedBytes;
    change();
    this.#usedBytes += file.allocatedBytes - before;
  }

  /** Gives a file's space back once it has neither a name nor a descriptor. */
  #releaseIfGone(file: SimulatedFile): void {
    if (this.#named.has(file)) return;
    for (const open of this.#open.values()) if (open.file === file) return;
    this.#usedBytes -= file.allocatedBytes;
  }

  #unname(file: SimulatedFile): void {
    this.#named.delete(file);
    this.#releaseIfGone(file);
  }
}
