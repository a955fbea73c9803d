/**
 * The journal of tails, `millrace.tails` in the data directory: what a start after a crash found behind the recovery
 * points of partitions, as one file that one sync makes durable. So the ports open before thousands of logs are synced one
 * by one, and nothing that is read or promised from then on can be taken by another crash. I/O thread, synchronous but for
 * the syncs; flush workers read what is theirs.
 *
 *   header   `MRTAILS1` │ f64 size of the file │ u32 CRC-32C of the 16 bytes before
 *   entry    u32 CRC-32C of the rest of the head │ u32 size of the name │ f64 segment's base offset │ f64 position in it │
 *            f64 end offset │ f64 size of the bytes │ name: `orders-0\n<topic id>` ║ the bytes of the log from that position
 *   entry …                                                  numbers are big-endian
 *
 * The bytes have no CRC of their own, because the batches in them have. The file is made beside its place and renamed, so
 * it is there whole or not at all. What becomes of a tail says `unsettled-tail.ts`; how the next start after a crash puts
 * tails back, `tail-replay.ts`.
 */

import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import { asOffset, asPosition, type Offset, type Position } from '../base/numbers.ts';
import { crc32c } from '../records/crc32c.ts';
import type { FileDescriptor, FileSystem } from './file-system.ts';
import { temporarySuffix } from './segment-name.ts';
import { readFully, writeFully } from './whole-transfers.ts';

export const tailsName = 'millrace.tails';
/** A longer tail is not taken: a sync of its own costs it little. */
export const tailBytesMax = 256 * 1024;
/** So much of a disk's time, at some hundred MB/s, is less than the syncs that it spares. */
const journalBytesMax = 256 * 1024 * 1024;
const magic = new TextEncoder().encode('MRTAILS1');
const headerSizeBytes = 20;
const headSizeBytes = 40;
/** Directory name (255 bytes at most) and topic id. */
const nameBytesMax = 320;
const bufferBytes = 4 * 1024 * 1024;
/** Whenever so much was written the disk begins with it, while further partitions are scanned. */
const syncEveryBytes = 16 * 1024 * 1024;

const utf8 = new TextDecoder();

/** Which bytes of a partition's log an entry has. */
export interface JournaledTail {
  /** Of the partition's directory. */
  readonly name: string;
  readonly topicId: string;
  readonly segmentBaseOffset: Offset;
  /** In the segment's log file. */
  readonly position: Position;
  readonly sizeBytes: number;
  /** Where the log ends with it. */
  readonly endOffset: Offset;
  /** Where its bytes begin in the journal. */
  readonly journalPosition: number;
}

/** Writes a journal. Whatever throws or rejects, `abandon` follows. */
export class TailWriter {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  #file: FileDescriptor | null = null;
  #buffer = new Uint8Array();
  /** Bytes of entries in the buffer that were kept. */
  #filled = 0;
  /** Bytes behind them, of the entry that is being made. */
  #added = 0;
  #dataStart = 0;
  #name = '';
  #topicId = '';
  /** Whether what is added is not taken. */
  #isTooLong = true;
  /** Where in the file the buffer's beginning goes. */
  #position = headerSizeBytes;
  #unsyncedBytes = 0;
  /** They never reject: of a sync that failed `#syncFailure` knows. */
  readonly #syncs: Promise<void>[] = [];
  #syncFailure: unknown = null;

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
  }

  /**
   * Begins an entry for the partition in the directory `name`; what was added before and not kept is forgotten. Of one whose
   * topic is not known nothing is taken.
   */
  begin(name: string, topicId: string | null): void {
    this.#added = 0;
    this.#isTooLong = topicId === null;
    if (topicId === null) return;
    if (this.#buffer.length === 0) this.#buffer = new Uint8Array(bufferBytes);
    if (this.#filled + headSizeBytes + nameBytesMax + tailBytesMax > bufferBytes) this.#flush();
    this.#name = name;
    this.#topicId = topicId;
    // Names of directories and topic ids are ASCII.
    this.#dataStart = this.#filled + headSizeBytes + name.length + 1 + topicId.length;
    this.#isTooLong = this.#dataStart - this.#filled > headSizeBytes + nameBytesMax;
  }

  /** Adds the bytes of the log that follow those that were added. */
  add(bytes: Uint8Array): void {
    this.#isTooLong ||= this.#added + bytes.length > tailBytesMax;
    if (this.#isTooLong) return;
    this.#buffer.set(bytes, this.#dataStart + this.#added);
    this.#added += bytes.length;
  }

  /**
   * Keeps the entry, whose bytes stand from `position` on in the segment at `segmentBaseOffset`. Returns null where there
   * is no room for it. Throws the file system's errors.
   */
  keep(segmentBaseOffset: Offset, position: Position, endOffset: Offset): JournaledTail | null {
    const sizeBytes = this.#added;
    const journalPosition = this.#position + this.#dataStart;
    if (this.#isTooLong || sizeBytes === 0 || journalPosition + sizeBytes > journalBytesMax) return null;
    const name = new TextEncoder().encode(`${this.#name}\n${this.#topicId}`);
    const head = this.#buffer.subarray(this.#filled, this.#dataStart);
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    view.setUint32(4, name.length);
    view.setFloat64(8, segmentBaseOffset);
    view.setFloat64(16, position);
    view.setFloat64(24, endOffset);
    view.setFloat64(32, sizeBytes);
    head.set(name, headSizeBytes);
    view.setUint32(0, crc32c(head.subarray(4)));
    this.#filled = this.#dataStart + sizeBytes;
    this.#added = 0;
    return {
      name: this.#name,
      topicId: this.#topicId,
      segmentBaseOffset,
      position,
      sizeBytes,
      endOffset,
      journalPosition,
    };
  }

  /**
   * Puts the journal in its place, durably, instead of the one that is there. Resolves with whether there was anything to
   * keep; without that nothing happens. Rejects with the file system's errors.
   */
  async commit(): Promise<boolean> {
    if (this.#filled === 0 && this.#file === null) return false;
    this.#flush();
    const file = this.#file!;
    const header = new Uint8Array(headerSizeBytes);
    const view = new DataView(header.buffer);
    header.set(magic);
    view.setFloat64(8, this.#position);
    view.setUint32(16, crc32c(header.subarray(0, 16)));
    writeFully(this.#fileSystem, file, header, 0);
    await Promise.all(this.#syncs);
    if (this.#syncFailure !== null) throw this.#syncFailure;
    await this.#fileSystem.syncLater(file);
    this.#file = null;
    this.#fileSystem.close(file);
    const path = `${this.#directory}/${tailsName}`;
    this.#fileSystem.rename(path + temporarySuffix, path);
    await this.#fileSystem.syncDirectoryLater(this.#directory);
    return true;
  }

  /** Ends without a journal. */
  async abandon(): Promise<void> {
    await Promise.all(this.#syncs);
    if (this.#file === null) return;
    this.#fileSystem.close(this.#file);
    this.#file = null;
    const temporary = `${this.#directory}/${tailsName}${temporarySuffix}`;
    if (this.#fileSystem.sizeAt(temporary) !== null) this.#fileSystem.remove(temporary);
  }

  #flush(): void {
    if (this.#filled === 0) return;
    if (this.#file === null) {
      this.#file = this.#fileSystem.open(`${this.#directory}/${tailsName}${temporarySuffix}`, 'create');
      this.#fileSystem.truncate(this.#file, 0);
    }
    writeFully(this.#fileSystem, this.#file, this.#buffer.subarray(0, this.#filled), this.#position);
    this.#position += this.#filled;
    this.#unsyncedBytes += this.#filled;
    this.#filled = 0;
    if (this.#unsyncedBytes < syncEveryBytes) return;
    this.#unsyncedBytes = 0;
    const sync = this.#fileSystem.syncLater(this.#file);
    this.#syncs.push(sync.catch((error: unknown) => void (this.#syncFailure ??= error)));
  }
}

/** The entries of the journal in `directory`, in order; none where there is no journal. Throws `EnvironmentError` DATA_CORRUPT. */
export function readTails(fileSystem: FileSystem, directory: string): JournaledTail[] {
  const path = `${directory}/${tailsName}`;
  if (fileSystem.sizeAt(path) === null) return [];
  const file = fileSystem.open(path, 'read');
  try {
    return entriesOf(fileSystem, file, path);
  } finally {
    fileSystem.close(file);
  }
}

function entriesOf(fileSystem: FileSystem, file: FileDescriptor, path: string): JournaledTail[] {
  const endPosition = fileSystem.sizeOf(file);
  const bytes = new Uint8Array(headSizeBytes + nameBytesMax);
  const view = new DataView(bytes.buffer);
  const filled = readFully(fileSystem, file, bytes.subarray(0, headerSizeBytes), 0);
  const isHeader = filled === headerSizeBytes && magic.every((byte, i) => bytes[i] === byte);
  if (!isHeader || view.getUint32(16) !== crc32c(bytes.subarray(0, 16)) || view.getFloat64(8) !== endPosition) {
    throw corrupt(path, 0);
  }
  const tails: JournaledTail[] = [];
  for (let position = headerSizeBytes; position < endPosition;) {
    const headBytes = readFully(fileSystem, file, bytes, position);
    const nameBytes = view.getUint32(4);
    const journalPosition = position + headSizeBytes + nameBytes;
    if (headBytes < headSizeBytes + nameBytes || nameBytes > nameBytesMax) throw corrupt(path, position);
    if (view.getUint32(0) !== crc32c(bytes.subarray(4, headSizeBytes + nameBytes))) throw corrupt(path, position);
    const sizeBytes = view.getFloat64(32);
    const isWithin = Number.isSafeInteger(sizeBytes) && sizeBytes > 0 && journalPosition + sizeBytes <= endPosition;
    if (!isWithin) throw corrupt(path, position);
    const [name = '', topicId = ''] = utf8.decode(bytes.subarray(headSizeBytes, headSizeBytes + nameBytes)).split('\n');
    tails.push({
      name,
      topicId,
      segmentBaseOffset: asOffset(view.getFloat64(8)),
      position: asPosition(view.getFloat64(16)),
      sizeBytes,
      endOffset: asOffset(view.getFloat64(24)),
      journalPosition,
    });
    position = journalPosition + sizeBytes;
  }
  return tails;
}

/**
 * Writes a tail's bytes from the journal at `journalPath` into the log's `file`, where they belong. Any thread. Throws the
 * file system's errors, and EIO where the journal has less than it had.
 */
export function writeTail(
  fileSystem: FileSystem,
  journalPath: string,
  { position, sizeBytes, journalPosition }: Pick<JournaledTail, 'position' | 'sizeBytes' | 'journalPosition'>,
  file: FileDescriptor,
): void {
  const bytes = new Uint8Array(sizeBytes);
  const journal = fileSystem.open(journalPath, 'read');
  try {
    if (readFully(fileSystem, journal, bytes, journalPosition) < sizeBytes) {
      throw Object.assign(new Error(`The file ${journalPath} ends before its time.`), { code: 'EIO' });
    }
  } finally {
    fileSystem.close(journal);
  }
  writeFully(fileSystem, file, bytes, position);
}

function corrupt(path: string, position: number): EnvironmentError {
  return new EnvironmentError(
    EnvironmentErrorCode.DATA_CORRUPT,
    `The file ${path} cannot be used: it is damaged at position ${position}. It has the ends of logs of a start after a crash, ` +
      'which may be nowhere else on disk. Restore it from a copy, or remove it to go on with what is in the logs themselves.',
  );
}

/** Removes the journal, once nothing is in it that counts; one that comes back after a power cut has nothing either. */
export function removeTails(fileSystem: FileSystem, directory: string): void {
  const path = `${directory}/${tailsName}`;
  if (fileSystem.sizeAt(path) !== null) fileSystem.remove(path);
}
