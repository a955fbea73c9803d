/**
 * The file system of a process that may die within a call: a countdown of changing calls, and then one happens wholly,
 * in part (a write) or not at all, and does not return. Any thread; over simulated-file-system.ts.
 * What throws is `ProcessDied`: nothing that happens in the process afterwards can be seen from outside.
 */

import type { SeededRandom } from '../../src/base/random.ts';
import {
  directBlockBytes,
  type FileDescriptor,
  type FileSystem,
  type OpenMode,
} from '../../src/storage/file-system.ts';
import { joined } from './simulated-file.ts';
import { WrappedFileSystem } from './wrapped-file-system.ts';

/** Thrown out of the call in which the process died. */
export class ProcessDied extends Error {
  override readonly name = 'ProcessDied';
}

export class MortalFileSystem extends WrappedFileSystem {
  readonly #random: SeededRandom;
  readonly #died: () => void;
  readonly #direct = new Set<FileDescriptor>();
  #callsLeft = Number.POSITIVE_INFINITY;

  /** `died` is called once, in the call that does not return. */
  constructor(inner: FileSystem, random: SeededRandom, died: () => void) {
    super(inner);
    this.#random = random;
    this.#died = died;
  }

  /** The `count`th changing call from now on does not return; 1 is the next. */
  dieIn(count: number): void {
    this.#callsLeft = count;
  }

  /** No call kills any more. */
  survive(): void {
    this.#callsLeft = Number.POSITIVE_INFINITY;
  }

  override open(path: string, mode: OpenMode): FileDescriptor {
    return mode === 'create' ? this.#change(() => super.open(path, mode)) : super.open(path, mode);
  }

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
    return this.#change(
      () => super.write(file, sources, position),
      () => {
        const whole = joined(sources);
        const unitBytes = this.#direct.has(file) ? directBlockBytes : 1;
        if (whole.length <= unitBytes) return;
        const partBytes = unitBytes * (1 + this.#random.below(whole.length / unitBytes - 1));
        super.write(file, [whole.subarray(0, partBytes)], position);
      },
    );
  }

  override truncate(file: FileDescriptor, sizeBytes: number): void {
    this.#change(() => super.truncate(file, sizeBytes));
  }

  override makeDirectory(path: string): void {
    this.#change(() => super.makeDirectory(path));
  }

  override rename(from: string, to: string): void {
    this.#change(() => super.rename(from, to));
  }

  override remove(path: string): void {
    this.#change(() => super.remove(path));
  }

  override sync(file: FileDescriptor): void {
    this.#change(() => super.sync(file));
  }

  override syncDirectory(path: string): void {
    this.#change(() => super.syncDirectory(path));
  }

  // These begin within the call, and what they do comes later: dead, the process does not see it.

  override async syncLater(file: FileDescriptor): Promise<void> {
    await this.#change(() => super.syncLater(file));
  }

  override async syncDirectoryLater(path: string): Promise<void> {
    await this.#change(() => super.syncDirectoryLater(path));
  }

  #change<T>(call: () => T, inPart: () => void = () => {}): T {
    if (--this.#callsLeft > 0) return call();
    this.#callsLeft = Number.POSITIVE_INFINITY;
    const drawn = this.#random.below(3);
    if (drawn === 0) {
      const begun: unknown = call();
      // How it ends nobody hears; the file may be closed by then, as who waits for it does where the call throws.
      if (begun instanceof Promise) begun.catch(() => {});
    } else if (drawn === 1) inPart();
    this.#died();
    throw new ProcessDied('the process died in a call of the file system');
  }
}
