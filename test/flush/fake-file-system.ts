/**
 * A small file system in memory for the flush tests: it records syncs, and a test can make single calls fail or fall
 * short. Asynchronous syncs end when the test says so.
 */

import type { DiskSpace, FileDescriptor, FileSystem, OpenMode } from '../../src/storage/file-system.ts';
import { checkDirect } from '../simulation/simulated-file.ts';

export function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

export class FakeFileSystem implements FileSystem {
  readonly contents = new Map<string, Uint8Array>();
  readonly directories = new Set<string>(['/']);
  /** Paths in the order in which their syncs began. */
  readonly synced: string[] = [];
  readonly opened = new Map<FileDescriptor, string>();
  /** Asked before each write: bytes it may take, or an error to throw. */
  onWrite: (path: string, sizeBytes: number, isDirect: boolean) => number = (_path, sizeBytes) => sizeBytes;
  onOpen: (path: string) => void = () => {};
  /** Called at each asynchronous sync; what it returns is awaited. */
  onSync: (path: string) => Promise<void> = () => Promise.resolve();
  onSyncInPlace: () => void = () => {};
  /** The path of each write, in order. */
  readonly written: string[] = [];
  takesDirect = false;
  readonly direct = new Set<FileDescriptor>();
  #next = 3;

  open(path: string, mode: OpenMode): FileDescriptor {
    this.onOpen(path);
    if (!this.contents.has(path)) {
      if (mode !== 'create') throw systemError('ENOENT');
      if (!this.directories.has(path.slice(0, path.lastIndexOf('/')))) throw systemError('ENOENT');
      this.contents.set(path, new Uint8Array(0));
    }
    this.opened.set(this.#next, path);
    return this.#next++;
  }
  openDirect(path: string): FileDescriptor | null {
    if (!this.takesDirect) return null;
    const file = this.open(path, 'write');
    this.direct.add(file);
    return file;
  }
  close(file: FileDescriptor): void {
    this.direct.delete(file);
    if (!this.opened.delete(file)) throw systemError('EBADF');
  }
  read(file: FileDescriptor, target: Uint8Array, position: number): number {
    const piece = this.contents.get(this.#path(file))!.subarray(position, position + target.length);
    target.set(piece);
    return piece.length;
  }
  write(file: FileDescriptor, sources: readonly Uint8Array[], position: number): number {
    const path = this.#path(file);
    if (this.direct.has(file)) checkDirect(sources, position);
    this.written.push(this.direct.has(file) ? `${path} direct` : path);
    const all = Buffer.concat(sources.map((source) => Uint8Array.from(source)));
    const piece = all.subarray(0, this.onWrite(path, all.length, this.direct.has(file)));
    const old = this.contents.get(path)!;
    const content = new Uint8Array(Math.max(old.length, position + piece.length));
    content.set(old);
    content.set(piece, position);
    this.contents.set(path, content);
    return piece.length;
  }
  truncate(file: FileDescriptor, sizeBytes: number): void {
    const path = this.#path(file);
    const content = new Uint8Array(sizeBytes);
    content.set(this.contents.get(path)!.subarray(0, sizeBytes));
    this.contents.set(path, content);
  }
  sizeOf(file: FileDescriptor): number {
    return this.contents.get(this.#path(file))!.length;
  }
  sizeAt(path: string): number | null {
    return this.contents.get(path)?.length ?? null;
  }
  isDirectory(path: string): boolean {
    return this.directories.has(path);
  }
  list(path: string): string[] {
    return [...this.contents.keys()]
      .filter((name) => name.startsWith(`${path}/`))
      .map((name) => name.slice(path.length + 1))
      .toSorted();
  }
  makeDirectory(path: string): void {
    this.directories.add(path);
  }
  rename(from: string, to: string): void {
    this.contents.set(to, this.contents.get(from)!);
    this.contents.delete(from);
  }
  remove(path: string): void {
    this.contents.delete(path);
  }
  removeTree(path: string): void {
    for (const name of this.list(path)) this.contents.delete(`${path}/${name}`);
    this.directories.delete(path);
  }
  sync(file: FileDescriptor): void {
    this.synced.push(this.#path(file));
    this.onSyncInPlace();
  }
  syncDirectory(path: string): void {
    this.synced.push(path);
  }
  readLater(file: FileDescriptor, target: Uint8Array, position: number): Promise<number> {
    return Promise.resolve(this.read(file, target, position));
  }
  async syncLater(file: FileDescriptor): Promise<void> {
    this.synced.push(this.#path(file));
    await this.onSync(this.#path(file));
  }
  async syncDirectoryLater(path: string): Promise<void> {
    this.syncDirectory(path);
    await this.onSync(path);
  }
  async removeTreeLater(path: string): Promise<void> {
    this.removeTree(path);
  }
  async removeLater(path: string): Promise<void> {
    this.remove(path);
  }
  spaceLater(): Promise<DiskSpace> {
    return Promise.resolve({ totalBytes: 2 ** 41, freeBytes: 2 ** 40 });
  }

  #path(file: FileDescriptor): string {
    const path = this.opened.get(file);
    if (path === undefined) throw systemError('EBADF');
    return path;
  }
}
