/**
 * Kafka's small text files, read whole and replaced whole. I/O thread, or any thread at the start.
 *
 *   0                     version
 *   2                     count
 *   3 0                   one entry a line: here epoch and start offset, as in `leader-epoch-checkpoint`; what the
 *   5 1234                store's own say stands in `store-files.ts`
 *
 * A file is replaced by writing `<path>.tmp`, syncing it, renaming it and syncing the directory, so that after a power
 * cut either the old or the new one is there, whole. Failures of the file system pass through as they are.
 */

import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import type { FileDescriptor, FileSystem } from './file-system.ts';
import { temporarySuffix } from './segment-name.ts';
import { readFully, writeFully } from './whole-transfers.ts';

const version = '0';
/** No file of this kind comes near it: a million partitions are 30 MB. */
const largestFileBytes = 256 * 1024 * 1024;

/** The lines of the checkpoint at `path`, or null where there is none. A malformed one is a DATA_CORRUPT error. */
export function readCheckpointLines(fileSystem: FileSystem, path: string): string[] | null {
  const bytes = readWholeFile(fileSystem, path, largestFileBytes);
  if (bytes === null) return null;
  const lines = new TextDecoder().decode(bytes).split('\n');
  if (lines.pop() !== '') throw corrupt(path, 'its last line does not end');
  if (lines[0] !== version) throw corrupt(path, `it says version ${JSON.stringify(lines[0] ?? '')} and not 0`);
  if (!/^\d{1,10}$/.test(lines[1] ?? '') || Number(lines[1]) !== lines.length - 2) {
    throw corrupt(path, `its count does not fit the ${Math.max(lines.length - 2, 0)} lines that follow`);
  }
  return lines.slice(2);
}

/** Replaces the checkpoint at `path`, durably. Lines hold no line breaks. */
export function writeCheckpointLines(fileSystem: FileSystem, path: string, lines: readonly string[]): void {
  const text = `${[version, String(lines.length), ...lines].join('\n')}\n`;
  replaceFile(fileSystem, path, new TextEncoder().encode(text));
}

/** As `writeCheckpointLines`, without holding up the thread for the disk. */
export function writeCheckpointLinesLater(
  fileSystem: FileSystem,
  path: string,
  lines: readonly string[],
): Promise<void> {
  const text = `${[version, String(lines.length), ...lines].join('\n')}\n`;
  return replaceFileLater(fileSystem, path, new TextEncoder().encode(text));
}

/** The bytes of the file at `path`, or null where there is none. One larger than `limitBytes` is DATA_CORRUPT. */
export function readWholeFile(fileSystem: FileSystem, path: string, limitBytes: number): Uint8Array | null {
  if (fileSystem.sizeAt(path) === null) return null;
  const file = fileSystem.open(path, 'read');
  try {
    const size = fileSystem.sizeOf(file);
    if (size > limitBytes) throw corrupt(path, `it has ${size} bytes, more than any such file`);
    const bytes = new Uint8Array(size);
    const filled = readFully(fileSystem, file, bytes, 0);
    return bytes.subarray(0, filled);
  } finally {
    fileSystem.close(file);
  }
}

/** Puts `bytes` at `path` in place of what is there, atomically and durably. */
export function replaceFile(fileSystem: FileSystem, path: string, bytes: Uint8Array): void {
  const temporary = path + temporarySuffix;
  const file = fileSystem.open(temporary, 'create');
  try {
    writeWhole(fileSystem, file, bytes);
    fileSystem.sync(file);
  } finally {
    fileSystem.close(file);
  }
  fileSystem.rename(temporary, path);
  fileSystem.syncDirectory(directoryOf(path));
}

/**
 * As `replaceFile`, but waits for the disk without holding up the thread. One call at a time for a path: both would
 * write the same temporary file.
 */
export async function replaceFileLater(fileSystem: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = path + temporarySuffix;
  const file = fileSystem.open(temporary, 'create');
  try {
    writeWhole(fileSystem, file, bytes);
    await fileSystem.syncLater(file);
  } finally {
    fileSystem.close(file);
  }
  fileSystem.rename(temporary, path);
  await fileSystem.syncDirectoryLater(directoryOf(path));
}

function writeWhole(fileSystem: FileSystem, file: FileDescriptor, bytes: Uint8Array): void {
  fileSystem.truncate(file, 0);
  writeFully(fileSystem, file, bytes, 0);
}

function directoryOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '.' : path.slice(0, Math.max(slash, 1));
}

function corrupt(path: string, what: string): EnvironmentError {
  return new EnvironmentError(
    EnvironmentErrorCode.DATA_CORRUPT,
    `The checkpoint ${path} cannot be used: ${what}. Restore it from a copy, or let \`millrace verify --repair\` make it again.`,
  );
}
