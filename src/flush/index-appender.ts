/**
 * Appends to one index file of a segment. Flush thread.
 *
 * Entries wait in memory until there are enough of them or they are asked for: an index is a hint that recovery can make
 * again, and a write for each entry would cost more than the batches'. The file is open only between an append and the sync
 * that follows, to which its descriptor is given away. Entries are Kafka's, big-endian: 8 bytes (offset index), 12 (time
 * index) or 34 (transaction index). It does not decide what is indexed, and never syncs.
 */

import { assert } from '../base/assert.ts';
import { asOffset } from '../base/numbers.ts';
import type { FileDescriptor, FileSystem } from '../storage/file-system.ts';
import { segmentFileName } from '../storage/segment-name.ts';

const fullAtBytes = 4096;
const firstBytes = 256;
/** Shared by all that have no entries yet. */
const nothingWaits = new DataView(new ArrayBuffer(0));

export type IndexKind = 'index' | 'timeindex' | 'txnindex';

/** The partition whose index it is. */
export interface IndexOwner {
  readonly directory: string;
  /** The file's name is new in the directory. */
  hasNewName(): void;
}

export class IndexAppender {
  readonly #files: FileSystem;
  readonly #owner: IndexOwner;
  readonly #kind: IndexKind;
  readonly #baseOffset: number;
  #file: FileDescriptor | null = null;
  #sizeBytes: number;
  #waiting = nothingWaits;
  #waitingBytes = 0;
  /** Whether the file may hold more than what counts, here or only on the disk. */
  #isUnsure: boolean;

  /**
   * For the segment at `baseOffset`. `sizeBytes` of the file count, what follows is cut off. With `isUnsure` the next append
   * cuts and opens the file though nothing waits, so that the sync behind it holds for all of it.
   */
  constructor(
    fileSystem: FileSystem,
    owner: IndexOwner,
    kind: IndexKind,
    baseOffset: number,
    sizeBytes: number,
    isUnsure: boolean,
  ) {
    this.#files = fileSystem;
    this.#owner = owner;
    this.#kind = kind;
    this.#baseOffset = baseOffset;
    this.#sizeBytes = sizeBytes;
    this.#isUnsure = isUnsure;
  }

  /** Whether there is something to be synced. */
  get isOpen(): boolean {
    return this.#file !== null;
  }

  /** Whether so much waits that it is worth a write. */
  get isFull(): boolean {
    return this.#waitingBytes >= fullAtBytes;
  }

  addOffsetEntry(relativeOffset: number, position: number): void {
    const at = this.#grow(8);
    this.#waiting.setInt32(at, relativeOffset);
    this.#waiting.setInt32(at + 4, position);
  }

  /** `timestamp` in milliseconds since 1970. */
  addTimeEntry(timestamp: number, relativeOffset: number): void {
    const at = this.#grow(12);
    this.#waiting.setInt32(at, Math.floor(timestamp / 2 ** 32));
    this.#waiting.setUint32(at + 4, timestamp >>> 0);
    this.#waiting.setInt32(at + 8, relativeOffset);
  }

  addEntry(entry: Uint8Array): void {
    const at = this.#grow(entry.length);
    new Uint8Array(this.#waiting.buffer).set(entry, at);
  }

  /** Writes all that waits. Where that fails it goes on waiting and the file's error is thrown on. */
  append(): void {
    const isCut = this.#isUnsure && this.#files.sizeAt(this.#path) !== null;
    if (this.#waitingBytes === 0 && !isCut) return;
    const file = this.#open();
    let written = 0;
    while (written < this.#waitingBytes) {
      const rest = new Uint8Array(this.#waiting.buffer, written, this.#waitingBytes - written);
      const size = this.#files.write(file, [rest], this.#sizeBytes + written);
      if (size <= 0) throw Object.assign(new Error(`A write to ${this.#path} took no bytes.`), { code: 'EIO' });
      written += size;
    }
    this.#sizeBytes += written;
    this.#waitingBytes = 0;
    // Thousands of partitions that are seldom written would each keep its room.
    this.#waiting = nothingWaits;
  }

  /** Forgets the entries beyond the first `sizeBytes`, which were made for what was not written. */
  cut(sizeBytes: number): void {
    assert(sizeBytes <= this.#sizeBytes + this.#waitingBytes, 'an index is cut to what it has');
    if (sizeBytes < this.#sizeBytes) {
      const file = this.#open();
      this.#files.truncate(file, sizeBytes);
      this.#sizeBytes = sizeBytes;
    }
    this.#waitingBytes = sizeBytes - this.#sizeBytes;
  }

  /** Gives the descriptor away, to be synced and closed by the caller; null where none is open. */
  release(): FileDescriptor | null {
    const file = this.#file;
    this.#file = null;
    return file;
  }

  /** Made when it is needed: thousands of partitions would keep two of them each. */
  get #path(): string {
    return `${this.#owner.directory}/${segmentFileName(asOffset(this.#baseOffset), this.#kind)}`;
  }

  #open(): FileDescriptor {
    if (this.#file !== null) return this.#file;
    const before = this.#files.sizeAt(this.#path);
    const file = this.#files.open(this.#path, 'create');
    if (before === null) this.#owner.hasNewName();
    try {
      if (before !== null && before > this.#sizeBytes) this.#files.truncate(file, this.#sizeBytes);
    } catch (error) {
      this.#files.close(file);
      throw error;
    }
    this.#file = file;
    this.#isUnsure = false;
    return file;
  }

  /** Makes room for `sizeBytes` more and returns where they go. */
  #grow(sizeBytes: number): number {
    const at = this.#waitingBytes;
    if (at + sizeBytes > this.#waiting.byteLength) {
      const larger = new ArrayBuffer(Math.max(this.#waiting.byteLength * 2, firstBytes));
      new Uint8Array(larger).set(new Uint8Array(this.#waiting.buffer));
      this.#waiting = new DataView(larger);
    }
    this.#waitingBytes = at + sizeBytes;
    return at;
  }
}
