/**
 * Descriptors of segment files that readers use, kept open because readers come again. I/O thread. At most so many are
 * open: the longest unused one is closed first, and reads of more files than that wait. A file that was deleted stays readable for those
 * who read it already.
 */

import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { FileDescriptor, FileSystem } from './file-system.ts';
import { ReadAllowance, ReadPace } from './read-pace.ts';
import { Turns } from './turns.ts';

interface OpenFile {
  readonly path: string;
  readonly file: FileDescriptor;
  readonly pace: ReadPace;
  users: number;
  /** Forgotten while it was in use: closed by its last user. */
  doomed: boolean;
}

const defaultMaxOpen = 256;

export class SegmentFiles {
  readonly #fileSystem: FileSystem;
  #maxOpen: number;
  /** In the order of use, the longest unused first. */
  readonly #open = new Map<string, OpenFile>();

  readonly #turns: Turns;
  readonly #allowance: ReadAllowance;

  constructor(fileSystem: FileSystem, clock: Pick<Clock, 'monotonicMs'>, maxOpen = defaultMaxOpen) {
    this.#fileSystem = fileSystem;
    this.#allowance = new ReadAllowance(clock);
    this.#maxOpen = maxOpen;
    this.#turns = new Turns(maxOpen);
  }

  set maxOpen(maxOpen: number) {
    this.#maxOpen = maxOpen;
    this.#turns.max = maxOpen;
    this.#closeUnused();
  }

  /**
   * Reads up to `target.length` bytes at `position` of the file at `path`; returns how many, fewer only at its end.
   * Rejects with the file system's error.
   */
  read(path: string, target: Uint8Array, position: number): Promise<number> {
    return this.#turns.run(() => this.#read(path, target, position));
  }

  async #read(path: string, target: Uint8Array, position: number): Promise<number> {
    const open = this.#acquire(path);
    try {
      let filled = 0;
      while (filled < target.length) {
        const part = filled === 0 ? target : target.subarray(filled);
        const count = await this.#readPart(open, part, position + filled);
        if (count === 0) break;
        filled += count;
      }
      return filled;
    } finally {
      open.users--;
      if (open.doomed && open.users === 0) this.#fileSystem.close(open.file);
    }
  }

  /** What one call of the file system gives, at once where that is quick (`read-pace.ts`). */
  #readPart({ file, pace }: OpenFile, target: Uint8Array, position: number): number | Promise<number> {
    const startedMs = this.#allowance.nowMs;
    if (!pace.isAtOnce(target.length, startedMs)) return this.#readLater(file, pace, target, position, startedMs);
    const count = this.#fileSystem.read(file, target, position);
    pace.readAtOnce(this.#allowance.nowMs - startedMs);
    return count;
  }

  async #readLater(
    file: FileDescriptor,
    pace: ReadPace,
    target: Uint8Array,
    position: number,
    startedMs: number,
  ): Promise<number> {
    const count = await this.#fileSystem.readLater(file, target, position);
    pace.readLater(this.#allowance.nowMs - startedMs);
    return count;
  }

  /** Closes what is open of files whose path begins with `prefix`: they are deleted or renamed. */
  forget(prefix: string): void {
    for (const [path, open] of this.#open) if (path.startsWith(prefix)) this.#drop(path, open);
  }

  close(): void {
    this.forget('');
  }

  #acquire(path: string): OpenFile {
    let open = this.#open.get(path);
    if (open === undefined) {
      this.#closeUnused(1);
      const file = this.#fileSystem.open(path, 'read');
      open = { path, file, pace: new ReadPace(this.#allowance), users: 0, doomed: false };
    } else this.#open.delete(path);
    this.#open.set(path, open);
    open.users++;
    return open;
  }

  /** Closes unused ones as far as `more` would be too many. */
  #closeUnused(more = 0): void {
    for (const [path, open] of this.#open) {
      if (this.#open.size + more <= this.#maxOpen) return;
      if (open.users === 0) this.#drop(path, open);
    }
  }

  #drop(path: string, open: OpenFile): void {
    assert(!open.doomed, 'a file is dropped once');
    this.#open.delete(path);
    open.doomed = true;
    if (open.users === 0) this.#fileSystem.close(open.file);
  }
}
