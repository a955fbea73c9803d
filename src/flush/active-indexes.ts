/**
 * The index files of one partition's active segment, to which entries of batches are appended once these are whole in the
 * log. Flush thread. That of transactions is there from its first entry on: few partitions have aborted transactions.
 * It does not decide what is indexed, and never syncs; see `index-appender.ts`.
 */

import type { FileDescriptor, FileSystem } from '../storage/file-system.ts';
import { IndexAppender, type IndexKind, type IndexOwner } from './index-appender.ts';
import type { WriteGroup } from './write-group.ts';

/** Bytes of each index that count. */
export interface IndexSizes {
  readonly indexSizeBytes: number;
  readonly timeIndexSizeBytes: number;
  readonly transactionIndexSizeBytes: number;
}

const noEntries: IndexSizes = { indexSizeBytes: 0, timeIndexSizeBytes: 0, transactionIndexSizeBytes: 0 };

export class ActiveIndexes {
  readonly #files: FileSystem;
  readonly #owner: IndexOwner;
  #baseOffset: number;
  #offsets: IndexAppender;
  #times: IndexAppender;
  #transactions: IndexAppender | null = null;
  #transactionIndexSizeBytes: number;

  /** For the segment at `baseOffset`; `isUnsure` as for `IndexAppender`. */
  constructor(fileSystem: FileSystem, owner: IndexOwner, baseOffset: number, sizes: IndexSizes, isUnsure: boolean) {
    this.#files = fileSystem;
    this.#owner = owner;
    this.#baseOffset = baseOffset;
    this.#offsets = this.#appender('index', sizes.indexSizeBytes, isUnsure);
    this.#times = this.#appender('timeindex', sizes.timeIndexSizeBytes, isUnsure);
    this.#transactionIndexSizeBytes = sizes.transactionIndexSizeBytes;
  }

  /** Descriptors that are open: indexes that were appended to. */
  get openCount(): number {
    return (
      (this.#offsets.isOpen ? 1 : 0) + (this.#times.isOpen ? 1 : 0) + (this.#transactions?.isOpen === true ? 1 : 0)
    );
  }

  /** Whether so many entries wait that they are worth a write. */
  get isFull(): boolean {
    return this.#offsets.isFull || this.#times.isFull || this.#transactions?.isFull === true;
  }

  /** Adds the entries of the first `wholeCount` batches of `group`, and those of batches that were written before it. */
  add(group: WriteGroup, wholeCount: number): void {
    for (const entry of group.offsetEntries) {
      if (entry.at < wholeCount) this.#offsets.addOffsetEntry(entry.relativeOffset, entry.position);
    }
    for (const entry of group.timeEntries) {
      if (entry.at < wholeCount) this.#times.addTimeEntry(entry.timestamp, entry.relativeOffset);
    }
    for (const { at, entry } of group.transactionEntries) {
      if (at >= wholeCount) continue;
      this.#transactions ??= this.#appender('txnindex', this.#transactionIndexSizeBytes, false);
      this.#transactions.addEntry(entry);
    }
  }

  /** The segment ends, with this as its last time index entry. */
  addLastTime({ timestamp, relativeOffset }: { timestamp: number; relativeOffset: number }): void {
    this.#times.addTimeEntry(timestamp, relativeOffset);
  }

  /** Appends all entries that wait. */
  append(): void {
    this.#offsets.append();
    this.#times.append();
    this.#transactions?.append();
  }

  /** Forgets entries beyond so many bytes: those of a segment's end that did not come. */
  cut({ indexSizeBytes, timeIndexSizeBytes, transactionIndexSizeBytes }: IndexSizes): void {
    this.#offsets.cut(indexSizeBytes);
    this.#times.cut(timeIndexSizeBytes);
    this.#transactions?.cut(transactionIndexSizeBytes);
  }

  /** The descriptors that are open, which are the caller's from now on. */
  release(): FileDescriptor[] {
    const files: FileDescriptor[] = [];
    for (const index of [this.#offsets, this.#times, this.#transactions]) {
      const file = index?.release() ?? null;
      if (file !== null) files.push(file);
    }
    return files;
  }

  /** From now on the indexes are those of the segment at `baseOffset`, which has none yet. Nothing is open, or waits. */
  begin(baseOffset: number): void {
    this.#baseOffset = baseOffset;
    this.#offsets = this.#appender('index', noEntries.indexSizeBytes, false);
    this.#times = this.#appender('timeindex', noEntries.timeIndexSizeBytes, false);
    this.#transactions = null;
    this.#transactionIndexSizeBytes = noEntries.transactionIndexSizeBytes;
  }

  #appender(kind: IndexKind, sizeBytes: number, isUnsure: boolean): IndexAppender {
    return new IndexAppender(this.#files, this.#owner, kind, this.#baseOffset, sizeBytes, isUnsure);
  }
}
