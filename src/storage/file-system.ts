/**
 * The file system as Millrace sees it. `nodeFileSystem` (node-file-system.ts) is the real one and the only file that
 * imports `node:fs`; the simulation has one in memory that can lose, tear and fail (test/simulation/).
 * Any thread. Descriptors belong to the whole process. Failures are Node system errors (`code: 'ENOSPC'`, …) and pass
 * through as they are: whoever knows what the call was for wraps them.
 *
 * The synchronous calls are for flush workers and for the start, where nothing else waits; what the I/O thread does
 * while it serves goes through the asynchronous ones, but for small writes and their syncs (`in-place-writer.ts`), and reads of files that
 * were read quickly before (`read-pace.ts`).
 */

/** A descriptor of an open file. */
export type FileDescriptor = number;

/** read: must exist; write: must exist, read and write; create: read and write, made where it is missing. */
export type OpenMode = 'read' | 'write' | 'create';

/** What is written past the page cache is written in such blocks; no disk in use has larger ones. */
export const directBlockBytes = 4096;

export interface DiskSpace {
  readonly totalBytes: number;
  /** What an unprivileged process may still write. */
  readonly freeBytes: number;
}

export interface FileSystem {
  // Synchronous.
  open(path: string, mode: OpenMode): FileDescriptor;
  /**
   * Opens the file at `path`, which exists, to be written past the page cache (O_DIRECT); null where that cannot be had
   * here. Through this descriptor `write` takes one source, and position, length and address in memory must be whole
   * blocks; a file system may still refuse with EINVAL.
   */
  openDirect(path: string): FileDescriptor | null;
  close(file: FileDescriptor): void;
  /** Reads up to `target.length` bytes at `position`; returns how many (0 at the end). */
  read(file: FileDescriptor, target: Uint8Array, position: number): number;
  /** One gathered write (pwritev) at `position`; returns the bytes written, which may be fewer than given. */
  write(file: FileDescriptor, sources: readonly Uint8Array[], position: number): number;
  truncate(file: FileDescriptor, sizeBytes: number): void;
  sizeOf(file: FileDescriptor): number;
  /** The size of the file at `path`, or null where nothing is there. */
  sizeAt(path: string): number | null;
  isDirectory(path: string): boolean;
  /** Names in the directory, sorted; ENOENT where it is missing. */
  list(path: string): string[];
  /** Makes the directory and missing parents; nothing happens where it exists. */
  makeDirectory(path: string): void;
  /** Replaces what is at `to`, atomically. Survives a power cut once both directories were synced. */
  rename(from: string, to: string): void;
  /** Removes a file. */
  remove(path: string): void;
  /** Removes a directory and all that is in it. */
  removeTree(path: string): void;
  /** fdatasync. */
  sync(file: FileDescriptor): void;
  /** fsync of a directory: names made, renamed or removed in it survive a power cut. */
  syncDirectory(path: string): void;

  // Asynchronous: each resolves or rejects as its synchronous sister returns or throws.
  readLater(file: FileDescriptor, target: Uint8Array, position: number): Promise<number>;
  syncLater(file: FileDescriptor): Promise<void>;
  syncDirectoryLater(path: string): Promise<void>;
  removeTreeLater(path: string): Promise<void>;
  removeLater(path: string): Promise<void>;
  /** How large the volume is that `path` lies on. */
  spaceLater(path: string): Promise<DiskSpace>;
}
