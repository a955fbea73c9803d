/**
 * A file system over another one whose changes stay in memory and are gone with it. At a start on a disk without room,
 * which then reads what it may not change; I/O thread.
 *
 *   written in place ─► the disk (it needs no room)      read, sync ─► the disk
 *   made, replaced   ─► memory                           shortened, renamed, removed ─► noted, as if it had been
 *
 * Bytes of files that `isKept` declines are dropped: they only have a size, and nobody reads them. What is renamed or
 * removed as a directory is looked up by its own name only, not what is in it. It decides nothing.
 */

import type { DiskSpace, FileDescriptor, FileSystem, OpenMode } from './file-system.ts';

/** A file that is in memory alone. */
interface MemoryFile {
  bytes: Uint8Array;
  sizeBytes: number;
  readonly isKept: boolean;
}

export class OverlayFileSystem implements FileSystem {
  readonly #disk: FileSystem;
  readonly #isKept: (path: string) => boolean;
  /** By their paths. Null for what the disk has and is gone here. */
  readonly #changed = new Map<string, MemoryFile | null>();
  /** Where on the disk lies what was renamed. */
  readonly #renamed = new Map<string, string>();
  /** Sizes of files on the disk that were shortened, by their paths there. */
  readonly #shortened = new Map<string, number>();
  readonly #open = new Map<FileDescriptor, MemoryFile>();
  /** What is open on the disk: its path here, and there. */
  readonly #paths = new Map<FileDescriptor, { readonly path: string; readonly diskPath: string }>();
  /** Descriptors of the disk are not negative. */
  #nextFile = -1;

  constructor(disk: FileSystem, isKept: (path: string) => boolean) {
    this.#disk = disk;
    this.#isKept = isKept;
  }

  open(path: string, mode: OpenMode): FileDescriptor {
    let changed = this.#changed.get(path);
    const isThere = this.sizeAt(path) !== null;
    if (!isThere && mode === 'create') {
      changed = { bytes: new Uint8Array(), sizeBytes: 0, isKept: this.#isKept(path) };
      this.#changed.set(path, changed);
    }
    if (changed === null) throw Object.assign(new Error(`There is no file ${path}.`), { code: 'ENOENT' });
    if (changed !== undefined) {
      this.#open.set(this.#nextFile, changed);
      return this.#nextFile--;
    }
    const diskPath = this.#onDisk(path);
    const file = this.#disk.open(diskPath, mode === 'create' ? 'write' : mode);
    this.#paths.set(file, { path, diskPath });
    return file;
  }

  openDirect(): null {
    return null;
  }

  close(file: FileDescriptor): void {
    this.#open.delete(file);
    if (this.#paths.delete(file)) this.#disk.close(file);
  }

  read(file: FileDescriptor, target: Uint8Array, position: number): number {
    const found = this.#open.get(file);
    if (found === undefined) return this.#disk.read(file, this.#within(file, target, position), position);
    if (!found.isKept) return 0;
    const part = found.bytes.subarray(position, Math.min(position + target.length, found.sizeBytes));
    target.set(part);
    return part.length;
  }

  write(file: FileDescriptor, sources: readonly Uint8Array[], position: number): number {
    const found = this.#open.get(file);
    const sizeBytes = sources.reduce((sum, source) => sum + source.length, 0);
    if (found === undefined) {
      if (position + sizeBytes > this.sizeOf(file)) throw noRoom();
      return this.#disk.write(file, sources, position);
    }
    resize(found, Math.max(found.sizeBytes, position + sizeBytes));
    if (found.isKept) {
      let at = position;
      for (const source of sources) {
        found.bytes.set(source, at);
        at += source.length;
      }
    }
    return sizeBytes;
  }

  truncate(file: FileDescriptor, sizeBytes: number): void {
    const found = this.#open.get(file);
    if (found !== undefined) return resize(found, sizeBytes);
    if (sizeBytes > this.sizeOf(file)) throw noRoom();
    const { path, diskPath } = this.#paths.get(file)!;
    if (sizeBytes > 0) {
      this.#shortened.set(diskPath, sizeBytes);
      return;
    }
    // It is written anew, and what it had before may be what an attempt without room left behind.
    const emptied = { bytes: new Uint8Array(), sizeBytes, isKept: this.#isKept(path) };
    this.#changed.set(path, emptied);
    this.#open.set(file, emptied);
  }

  sizeOf(file: FileDescriptor): number {
    return this.#open.get(file)?.sizeBytes ?? this.#shortenedSizeOf(file) ?? this.#disk.sizeOf(file);
  }

  sizeAt(path: string): number | null {
    const changed = this.#changed.get(path);
    if (changed !== undefined) return changed?.sizeBytes ?? null;
    const diskPath = this.#onDisk(path);
    return this.#shortened.get(diskPath) ?? this.#disk.sizeAt(diskPath);
  }

  isDirectory(path: string): boolean {
    return this.#changed.get(path) !== null && this.#disk.isDirectory(this.#onDisk(path));
  }

  list(path: string): string[] {
    const names = new Set(this.#disk.list(this.#onDisk(path)));
    const nameOf = (each: string): string | null => {
      const name = each.startsWith(`${path}/`) ? each.slice(path.length + 1) : '';
      return name === '' || name.includes('/') ? null : name;
    };
    for (const each of this.#renamed.keys()) {
      const name = nameOf(each);
      if (name !== null) names.add(name);
    }
    for (const [each, changed] of this.#changed) {
      const name = nameOf(each);
      if (name === null) continue;
      if (changed === null) names.delete(name);
      else names.add(name);
    }
    // oxlint-disable-next-line unicorn/require-array-sort-compare -- the plain order is that of the file systems.
    return [...names].toSorted();
  }

  makeDirectory(path: string): void {
    if (!this.isDirectory(path)) throw noRoom();
  }

  rename(from: string, to: string): void {
    const changed = this.#changed.get(from);
    if (changed === undefined || changed === null) {
      this.#renamed.set(to, this.#onDisk(from));
      this.#changed.delete(to);
    } else {
      this.#renamed.delete(to);
      this.#changed.set(to, changed);
    }
    this.#forget(from);
  }

  remove(path: string): void {
    this.#forget(path);
  }

  removeTree(path: string): void {
    this.#forget(path);
  }

  sync(file: FileDescriptor): void {
    if (!this.#open.has(file)) this.#disk.sync(file);
  }

  syncDirectory(path: string): void {
    if (this.isDirectory(path)) this.#disk.syncDirectory(this.#onDisk(path));
  }

  async readLater(file: FileDescriptor, target: Uint8Array, position: number): Promise<number> {
    if (this.#open.has(file)) return this.read(file, target, position);
    return this.#disk.readLater(file, this.#within(file, target, position), position);
  }

  async syncLater(file: FileDescriptor): Promise<void> {
    if (!this.#open.has(file)) await this.#disk.syncLater(file);
  }

  async syncDirectoryLater(path: string): Promise<void> {
    if (this.isDirectory(path)) await this.#disk.syncDirectoryLater(this.#onDisk(path));
  }

  async removeTreeLater(path: string): Promise<void> {
    this.removeTree(path);
  }

  async removeLater(path: string): Promise<void> {
    this.remove(path);
  }

  spaceLater(path: string): Promise<DiskSpace> {
    return this.#disk.spaceLater(path);
  }

  #onDisk(path: string): string {
    return this.#renamed.get(path) ?? path;
  }

  #shortenedSizeOf(file: FileDescriptor): number | undefined {
    return this.#shortened.get(this.#paths.get(file)!.diskPath);
  }

  /** As much of `target` as a file on the disk that was shortened still has. */
  #within(file: FileDescriptor, target: Uint8Array, position: number): Uint8Array {
    const sizeBytes = this.#shortenedSizeOf(file);
    return sizeBytes === undefined ? target : target.subarray(0, Math.max(sizeBytes - position, 0));
  }

  #forget(path: string): void {
    this.#renamed.delete(path);
    this.#changed.set(path, null);
  }
}

function resize(file: MemoryFile, sizeBytes: number): void {
  file.sizeBytes = sizeBytes;
  if (!file.isKept || (sizeBytes > 0 && sizeBytes <= file.bytes.length)) return;
  const larger = new Uint8Array(sizeBytes === 0 ? 0 : Math.max(sizeBytes, file.bytes.length * 2));
  larger.set(file.bytes.subarray(0, larger.length));
  file.bytes = larger;
}

function noRoom(): Error {
  return Object.assign(new Error('Nothing becomes longer on a disk without room.'), { code: 'ENOSPC' });
}
