/**
 * The real file system: `FileSystem` over Node's own calls, and the only file in src/ that imports them. Any thread.
 * Errors are Node's, unchanged. It keeps no state; whoever opened a descriptor closes it.
 * Names are written through to the disk only where a caller syncs the directory.
 */

import * as fs from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { dirname } from 'node:path';
import type { FileDescriptor, FileSystem, OpenMode } from './file-system.ts';
import { systemErrorCode } from '../base/environment-error.ts';
import { systemRandom, type RandomSource } from '../base/random.ts';

const openFlags: Record<OpenMode, number> = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT,
};

const fileMode = 0o640;
const directoryMode = 0o750;

const standardOutput = 1;
const randomDevice = '/dev/urandom';

/** How long to wait for a descriptor, and how often. */
const descriptorWaitMs = 100;
const descriptorTries = 100;

export const nodeFileSystem: FileSystem = {
  open(path: string, mode: OpenMode): FileDescriptor {
    return fs.openSync(path, openFlags[mode], fileMode);
  },
  openDirect(path) {
    // Windows and macOS know no such flag.
    const flag: number | undefined = fs.constants.O_DIRECT;
    if (flag === undefined || process.platform === 'win32') return null;
    try {
      return fs.openSync(path, fs.constants.O_WRONLY | flag);
    } catch (error) {
      if (['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(systemErrorCode(error) ?? '')) return null;
      throw error;
    }
  },
  close(file) {
    fs.closeSync(file);
  },
  read(file, target, position) {
    return fs.readSync(file, target, 0, target.length, position);
  },
  write(file, sources, position) {
    // One source needs no vector, and write is the cheaper call.
    const only = sources.length === 1 ? sources[0] : undefined;
    if (only !== undefined) return fs.writeSync(file, only, 0, only.length, position);
    return fs.writevSync(file, sources, position);
  },
  truncate(file, sizeBytes) {
    fs.ftruncateSync(file, sizeBytes);
  },
  sizeOf(file) {
    return fs.fstatSync(file).size;
  },
  sizeAt(path) {
    return fs.statSync(path, { throwIfNoEntry: false })?.size ?? null;
  },
  isDirectory(path) {
    return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  },
  list(path) {
    return fs.readdirSync(path).toSorted();
  },
  makeDirectory(path) {
    // Node's own way of making parents never returns where a directory cannot be made in a parent that exists, as in /proc.
    try {
      fs.mkdirSync(path, { mode: directoryMode });
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === 'EEXIST' && nodeFileSystem.isDirectory(path)) return;
      const parent = dirname(path);
      if (code !== 'ENOENT' || nodeFileSystem.isDirectory(parent)) throw error;
      nodeFileSystem.makeDirectory(parent);
      fs.mkdirSync(path, { mode: directoryMode });
    }
  },
  rename(from, to) {
    fs.renameSync(from, to);
  },
  remove(path) {
    fs.unlinkSync(path);
  },
  removeTree(path) {
    fs.rmSync(path, { recursive: true });
  },
  sync(file) {
    fs.fdatasyncSync(file);
  },
  syncDirectory(path) {
    let directory: FileDescriptor;
    try {
      directory = fs.openSync(path, fs.constants.O_RDONLY);
    } catch (error) {
      if (cannotOpenDirectories(error)) return;
      throw error;
    }
    try {
      fs.fsyncSync(directory);
    } finally {
      fs.closeSync(directory);
    }
  },

  readLater(file, target, position) {
    return settled<number>((done) => fs.read(file, target, 0, target.length, position, done));
  },
  syncLater(file) {
    return settled<void>((done) => fs.fdatasync(file, done));
  },
  async syncDirectoryLater(path) {
    let directory: FileDescriptor;
    try {
      directory = await openDirectoryLater(path);
    } catch (error) {
      if (cannotOpenDirectories(error)) return;
      throw error;
    }
    try {
      await settled<void>((done) => fs.fsync(directory, done));
    } finally {
      fs.closeSync(directory);
    }
  },
  async removeTreeLater(path) {
    await fs.promises.rm(path, { recursive: true });
  },
  async removeLater(path) {
    await fs.promises.unlink(path);
  },
  async spaceLater(path) {
    const { bavail, blocks, bsize } = await fs.promises.statfs(path);
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  },
};

/** As `systemRandom`, from the system's device where there is one: what the other needs takes milliseconds of a start to load. */
export const deviceRandom: RandomSource = {
  fill(target) {
    let descriptor: number;
    try {
      descriptor = fs.openSync(randomDevice, 'r');
    } catch {
      // Windows has none, and a sandbox may hide it.
      systemRandom.fill(target);
      return;
    }
    try {
      for (let at = 0; at < target.length;) at += fs.readSync(descriptor, target, at, target.length - at, null);
    } finally {
      fs.closeSync(descriptor);
    }
  },
};

/** Writes up to all of `bytes` to standard output, and returns how many it took. Throws Node's error, such as EAGAIN or EPIPE. */
export function writeStandardOutput(bytes: Uint8Array): number {
  return fs.writeSync(standardOutput, bytes);
}

/**
 * Opens a directory in order to sync it. Where the process may open no more files it tries again for a while: unlike a
 * sync that failed, one that was not begun loses nothing. The opening itself takes less time than handing it to another
 * thread.
 */
async function openDirectoryLater(path: string): Promise<FileDescriptor> {
  for (let triesLeft = descriptorTries; ; triesLeft--) {
    try {
      return fs.openSync(path, fs.constants.O_RDONLY);
    } catch (error) {
      const isShort = ['EMFILE', 'ENFILE'].includes(systemErrorCode(error) ?? '');
      if (!isShort || triesLeft === 0) throw error;
      await setTimeout(descriptorWaitMs);
    }
  }
}

/** Whether this is Windows saying that a directory has no descriptor; it keeps names in order by itself. */
function cannotOpenDirectories(error: unknown): boolean {
  return process.platform === 'win32' && ['EISDIR', 'EPERM', 'EACCES'].includes(systemErrorCode(error) ?? '');
}

function settled<T>(start: (done: (error: Error | null, result?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      if (error === null) resolve(result as T);
      else reject(error);
    });
  });
}
