/** Reads and writes that go on where the file system did a part of what was asked. Any thread, synchronous. */

import type { FileDescriptor, FileSystem } from './file-system.ts';

/** Fills `target` from `position` on; returns how many bytes there were, fewer where the file ends. Throws the file system's errors. */
export function readFully(fileSystem: FileSystem, file: FileDescriptor, target: Uint8Array, position: number): number {
  let filled = 0;
  while (filled < target.length) {
    const count = fileSystem.read(file, target.subarray(filled), position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/** Writes all of `bytes` at `position`. Throws the file system's errors, and EIO where it takes nothing and reports nothing. */
export function writeFully(fileSystem: FileSystem, file: FileDescriptor, bytes: Uint8Array, position: number): void {
  let written = 0;
  while (written < bytes.length) {
    const count = fileSystem.write(file, [bytes.subarray(written)], position + written);
    if (count <= 0) throw Object.assign(new Error('A write took no bytes.'), { code: 'EIO' });
    written += count;
  }
}
