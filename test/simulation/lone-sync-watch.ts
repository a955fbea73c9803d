/**
 * Sees the syncs that the I/O thread does itself: what it syncs in the turn in which it was told that it may wait. Single
 * thread; between a store and its disk.
 */

import type { FileDescriptor, FileSystem } from '../../src/storage/file-system.ts';
import { WrappedFileSystem } from './wrapped-file-system.ts';

export class LoneSyncWatch extends WrappedFileSystem {
  readonly #synced: () => void;
  #isExpected = false;

  /** `synced` is called for each of them that goes well. */
  constructor(inner: FileSystem, synced: () => void) {
    super(inner);
    this.#synced = synced;
  }

  /** The I/O thread asks whether it may wait, and is told `mayWait`, which is returned. */
  expect(mayWait: boolean): boolean {
    this.#isExpected = mayWait;
    // Where the write before it falls short it does not sync; what it syncs later is another matter.
    if (mayWait) queueMicrotask(() => (this.#isExpected = false));
    return mayWait;
  }

  override sync(file: FileDescriptor): void {
    super.sync(file);
    if (this.#isExpected) this.#synced();
    this.#isExpected = false;
  }
}
