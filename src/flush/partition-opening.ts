/**
 * What a partition's directory gets when its log is opened for writing beside the log itself: whose it is, and what a
 * start found at the log's end and only the journal has for certain. Flush thread. It syncs nothing, and keeps nothing;
 * see `partition-writer.ts`.
 */

import { systemErrorCode } from '../base/environment-error.ts';
import type { FileDescriptor, FileSystem } from '../storage/file-system.ts';
import { partitionMetadataName, partitionMetadataText } from '../storage/partition-metadata.ts';
import { tailsName, writeTail } from '../storage/tail-journal.ts';
import type { TailToWrite } from '../storage/unsettled-tail.ts';
import { writeFully } from '../storage/whole-transfers.ts';

/**
 * Says whose partition this is; an attempt that failed half-way may have left a part of it. Returns the file, open, to be
 * synced and closed by the caller.
 */
export function writeMetadata(files: FileSystem, directory: string, topicId: string): FileDescriptor {
  const file = files.open(`${directory}/${partitionMetadataName}`, 'create');
  try {
    files.truncate(file, 0);
    writeFully(files, file, new TextEncoder().encode(partitionMetadataText(topicId)), 0);
    return file;
  } catch (error) {
    files.close(file);
    throw error;
  }
}

/** The same file, which is there, to be synced and closed by the caller. */
export function openMetadata(files: FileSystem, directory: string): FileDescriptor {
  return files.open(`${directory}/${partitionMetadataName}`, 'write');
}

/** Writes the tail to `log` again, unless the journal is gone: that goes once all of it is settled. */
export function writeTailAgain(files: FileSystem, directory: string, tail: TailToWrite, log: FileDescriptor): void {
  try {
    writeTail(files, `${parentOf(directory)}/${tailsName}`, tail, log);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}

export function parentOf(path: string): string {
  const slash = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'));
  return slash <= 0 ? '/' : path.slice(0, slash);
}

/** The error for a file that lost bytes while nobody had it open; as a system error, because the disk is at fault. */
export function cutShort(path: string, sizeBytes: number, wantedBytes: number): Error {
  const message = `The file ${path} has ${sizeBytes} bytes, and ${wantedBytes} had been written.`;
  return Object.assign(new Error(message), { code: 'EIO' });
}

/** The error for a write that took no bytes; as a system error, because the disk is at fault. */
export function noProgress(path: string): Error {
  return Object.assign(new Error(`A write below ${path} took no bytes.`), { code: 'EIO' });
}
