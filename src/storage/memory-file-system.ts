/**
 * A file system that is nothing but memory, for brokers that keep nothing: those in tests. Any thread, but each has its
 * own. It knows names and bytes as the real one does, and one thing of a disk: it can be full.
 *
 *   path ─► file: piece, piece, …      the first piece grows by doubling, the others are whole
 *
 * A file that was removed is there for those who have it open. Syncs do nothing. Rights and times there are none.
 */

import { assert } from '../base/assert.ts';
import type { DiskSpace, FileDescriptor, FileSystem, OpenMode } from './file-system.ts';

/** What a file's pieces hold. */
const pieceBytes = 256 * 1024;
const smallestPieceBytes = 512;

class MemoryFile {
  sizeBytes = 0;
  /** Whether it can still be opened, and counts. */
  isNamed = true;
  readonly #pieces: Uint8Array[] = [];

  /** What its pieces take. */
  get keptBytes(): number {
    let sum = 0;
    for (const { length } of this.#pieces) sum += length;
    return sum;
  }

  read(target: Uint8Array, position: number): number {
    const end = Math.min(position + target.length, this.sizeBytes);
    for (let at = position; at < end;) {
      const piece = this.#pieces[Math.floor(at / pieceBytes)]!;
      const within = at % pieceBytes;
      const part = piece.subarray(within, Math.min(piece.length, within + end - at));
      target.set(part, at - position);
      at += part.length;
    }
    return Math.max(end - position, 0);
  }

  write(source: Uint8Array, position: number): void {
    this.resize(Math.max(this.sizeBytes, position + source.length));
    for (let done = 0; done < source.length;) {
      const at = position + done;
      const piece = this.#pieces[Math.floor(at / pieceBytes)]!;
      const within = at % pieceBytes;
      const part = source.subarray(done, done + piece.length - within);
      piece.set(part, within);
      done += part.length;
    }
  }

  /** Zeros are what it grows by, also where there was something before. */
  resize(sizeBytes: number): void {
    const count = Math.ceil(sizeBytes / pieceBytes);
    if (sizeBytes < this.sizeBytes) {
      this.#pieces.length = count;
      this.#pieces[count - 1]?.fill(0, sizeBytes - (count - 1) * pieceBytes);
    }
    while (this.#pieces.length < count) {
      const before = this.#pieces.at(-1);
      if (before !== undefined && before.length < pieceBytes) this.#growLast(pieceBytes);
      const left = sizeBytes - this.#pieces.length * pieceBytes;
      // Most files are small: indexes, checkpoints.
      const isFirst = this.#pieces.length === 0;
      this.#pieces.push(new Uint8Array(isFirst ? pieceSizeFor(Math.min(left, pieceBytes)) : pieceBytes));
    }
    if (count > 0) this.#growLast(sizeBytes - (count - 1) * pieceBytes);
    this.sizeBytes = sizeBytes;
  }

  #growLast(neededBytes: number): void {
    const last = this.#pieces.at(-1)!;
    if (neededBytes <= last.length) return;
    const larger = new Uint8Array(pieceSizeFor(neededBytes));
    larger.set(last);
    this.#pieces[this.#pieces.length - 1] = larger;
  }
}

export class MemoryFileSystem implements FileSystem {
  readonly #limitBytes: number;
  /** Null is a directory. The root is always there. */
  readonly #entries = new Map<string, MemoryFile | null>([['', null]]);
  readonly #open = new Map<FileDescriptor, { readonly file: MemoryFile; readonly mode: OpenMode }>();
  #nextDescriptor = 1;
  #keptBytes = 0;

  /** Holds at most `limitBytes` in files that have a name; a write beyond fails as on a full disk. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** What the files take. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  open(path: string, mode: OpenMode): FileDescriptor {
    const name = normal(path);
    let file = this.#entries.get(name);
    if (file === null) throw failure('EISDIR', path);
    if (file === undefined) {
      if (mode !== 'create' || this.#entries.get(parentOf(name)) !== null) throw failure('ENOENT', path);
      this.#entries.set(name, (file = new MemoryFile()));
    }
    this.#open.set(this.#nextDescriptor, { file, mode });
    return this.#nextDescriptor++;
  }

  openDirect(): null {
    return null;
  }

  close(descriptor: FileDescriptor): void {
    if (!this.#open.delete(descriptor)) throw failure('EBADF');
  }

  read(descriptor: FileDescriptor, target: Uint8Array, position: number): number {
    return this.#fileOf(descriptor).read(target, position);
  }

  write(descriptor: FileDescriptor, sources: readonly Uint8Array[], position: number): number {
    const file = this.#writable(descriptor);
    let written = 0;
    this.#change(
      file,
      () => {
        for (const source of sources) {
          file.write(source, position + written);
          written += source.length;
        }
      },
      position + sources.reduce((sum, { length }) => sum + length, 0),
    );
    return written;
  }

  truncate(descriptor: FileDescriptor, sizeBytes: number): void {
    const file = this.#writable(descriptor);
    this.#change(file, () => file.resize(sizeBytes), sizeBytes);
  }

  sizeOf(descriptor: FileDescriptor): number {
    return this.#fileOf(descriptor).sizeBytes;
  }

  sizeAt(path: string): number | null {
    const entry = this.#entries.get(normal(path));
    return entry === undefined ? null : (entry?.sizeBytes ?? 0);
  }

  isDirectory(path: string): boolean {
    return this.#entries.get(normal(path)) === null;
  }

  list(path: string): string[] {
    const name = normal(path);
    if (this.#entries.get(name) !== null) throw failure('ENOENT', path);
    // oxlint-disable-next-line unicorn/require-array-sort-compare -- the plain order is that of the file systems.
    return [...this.#below(name)]
      .map((each) => each.slice(name.length + 1))
      .filter((each) => !each.includes('/'))
      .toSorted();
  }

  makeDirectory(path: string): void {
    const name = normal(path);
    const entry = this.#entries.get(name);
    if (entry === null) return;
    if (entry !== undefined) throw failure('EEXIST', path);
    this.makeDirectory(parentOf(name));
    this.#entries.set(name, null);
  }

  rename(from: string, to: string): void {
    const source = normal(from);
    const target = normal(to);
    const entry = this.#entries.get(source);
    if (entry === undefined || this.#entries.get(parentOf(target)) !== null) throw failure('ENOENT', from);
    if (source === target) return;
    if (target.startsWith(`${source}/`)) throw failure('EINVAL', to);
    const replaced = this.#entries.get(target);
    if (replaced === null && entry !== null) throw failure('EISDIR', to);
    if (replaced === null && !this.#below(target).next().done) throw failure('ENOTEMPTY', to);
    if (replaced !== undefined) this.#forget(replaced);
    const moved = entry === null ? [...this.#below(source)] : [];
    for (const name of [source, ...moved]) {
      const each = this.#entries.get(name)!;
      this.#entries.delete(name);
      this.#entries.set(target + name.slice(source.length), each);
    }
  }

  remove(path: string): void {
    const name = normal(path);
    const file = this.#entries.get(name);
    if (file === undefined) throw failure('ENOENT', path);
    if (file === null) throw failure('EISDIR', path);
    this.#entries.delete(name);
    this.#forget(file);
  }

  removeTree(path: string): void {
    const name = normal(path);
    if (!this.#entries.has(name)) throw failure('ENOENT', path);
    for (const each of [name, ...this.#below(name)]) {
      this.#forget(this.#entries.get(each)!);
      this.#entries.delete(each);
    }
  }

  sync(descriptor: FileDescriptor): void {
    this.#fileOf(descriptor);
  }

  syncDirectory(path: string): void {
    if (!this.isDirectory(path)) throw failure('ENOENT', path);
  }

  async readLater(descriptor: FileDescriptor, target: Uint8Array, position: number): Promise<number> {
    return this.read(descriptor, target, position);
  }

  async syncLater(descriptor: FileDescriptor): Promise<void> {
    this.sync(descriptor);
  }

  async syncDirectoryLater(path: string): Promise<void> {
    this.syncDirectory(path);
  }

  async removeTreeLater(path: string): Promise<void> {
    this.removeTree(path);
  }

  async removeLater(path: string): Promise<void> {
    this.remove(path);
  }

  async spaceLater(path: string): Promise<DiskSpace> {
    if (this.sizeAt(path) === null) throw failure('ENOENT', path);
    return { totalBytes: this.#limitBytes, freeBytes: Math.max(this.#limitBytes - this.#keptBytes, 0) };
  }

  #fileOf(descriptor: FileDescriptor): MemoryFile {
    const open = this.#open.get(descriptor);
    if (open === undefined) throw failure('EBADF');
    return open.file;
  }

  #writable(descriptor: FileDescriptor): MemoryFile {
    const file = this.#fileOf(descriptor);
    if (this.#open.get(descriptor)!.mode === 'read') throw failure('EBADF');
    return file;
  }

  /** Runs `change`, after which `file` has at least `endBytes`; refuses it where there is no room. */
  #change(file: MemoryFile, change: () => void, endBytes: number): void {
    const before = file.keptBytes;
    if (file.isNamed && endBytes > file.sizeBytes && this.#keptBytes + endBytes - before > this.#limitBytes)
      throw failure('ENOSPC');
    change();
    if (file.isNamed) this.#keptBytes += file.keptBytes - before;
  }

  #forget(entry: MemoryFile | null): void {
    if (entry === null) return;
    entry.isNamed = false;
    this.#keptBytes -= entry.keptBytes;
  }

  *#below(name: string): Generator<string> {
    for (const each of this.#entries.keys()) if (each.startsWith(`${name}/`)) yield each;
  }
}

function pieceSizeFor(sizeBytes: number): number {
  assert(sizeBytes <= pieceBytes, 'a piece has a largest size');
  return Math.max(2 ** Math.ceil(Math.log2(Math.max(sizeBytes, 1))), smallestPieceBytes);
}

/** `/a/b` and `a/b/` are the same; there is no `.` nor `..` in the paths of a data directory. */
function normal(path: string): string {
  return path.replaceAll(/\/+/g, '/').replace(/\/$/, '');
}

function parentOf(name: string): string {
  return name.slice(0, Math.max(name.lastIndexOf('/'), 0));
}

function failure(code: string, path = 'a descriptor'): Error {
  return Object.assign(new Error(`${code}: ${path}, in memory.`), { code });
}
