/**
 * One partition's files as the flush worker sees them: the active segment, what is gathered for it, index entries that
 * wait, segments that were sealed and not synced yet. Flush thread; in the simulation the only thread.
 *
 *   <directory>/00000000000000000042.log        record batches          position, endOffset
 *               00000000000000000042.index      8 bytes an entry        i32 relative offset, i32 position
 *               00000000000000000042.timeindex  12 bytes an entry       i64 timestamp, i32 relative offset
 *               00000000000000000042.txnindex   34 bytes an entry       only where a transaction was aborted
 *
 * While a partition syncs small writes, its active segment goes on behind the last batch with zeros (`room-ahead.ts`).
 * They are cut off where the segment ends and where the files are closed, so that only a crash leaves them behind.
 *
 * Descriptors are opened when they are first needed, and the log's again after it was parked. It decides nothing: where
 * a batch goes, what is indexed and when a segment ends is given. It does not know queues or completions; see
 * `flush-round.ts`. File system errors pass through.
 */

import { assert } from '../base/assert.ts';
import { systemErrorCode } from '../base/environment-error.ts';
import { asOffset } from '../base/numbers.ts';
import type { RecencyLinks } from '../base/recency-list.ts';
import type { FileDescriptor, FileSystem } from '../storage/file-system.ts';
import { partitionMetadataName, partitionMetadataText } from '../storage/partition-metadata.ts';
import { segmentFileName } from '../storage/segment-name.ts';
import { tailsName, writeTail } from '../storage/tail-journal.ts';
import type { TailToWrite } from '../storage/unsettled-tail.ts';
import { DirectFile, type DirectWrites } from './direct-file.ts';
import { IndexAppender, type IndexKind, type IndexOwner } from './index-appender.ts';
import { RoomAhead } from './room-ahead.ts';
import { WriteGroup } from './write-group.ts';

/** More sources than this in one gathered write would be cut by the kernel (IOV_MAX). */
export const maxSourcesPerWrite = 1024;

const noPaths: readonly string[] = [];
const noFiles: readonly FileDescriptor[] = [];

/** How a submission may end for a partition's later ones. */
export type WriterState = 'open' | 'write-failed' | 'sync-failed';

export interface PartitionWriterOptions {
  readonly slot: number;
  readonly generation: number;
  readonly directory: string;
  /** As it goes into `partition.metadata` where the directory is made. */
  readonly topicId: string;
  /** The directory or the segment may not exist yet; both are made at the first write. */
  readonly create: boolean;
  /** Whether the segment's index files may hold more than the sizes below: the first append cuts them, to be synced. */
  readonly indexesUnsure: boolean;
  readonly segmentBaseOffset: number;
  readonly endOffset: number;
  readonly position: number;
  readonly indexSizeBytes: number;
  readonly timeIndexSizeBytes: number;
  readonly transactionIndexSizeBytes: number;
  /** What a start found at the segment's end and only the journal has for certain; null where there is no such thing. */
  readonly tail: TailToWrite | null;
  /** Called before the log's descriptor stops being the one that batches go to. */
  readonly onLogLeft: () => void;
}

export class PartitionWriter implements IndexOwner, RecencyLinks<PartitionWriter> {
  readonly slot: number;
  readonly directory: string;
  generation: number;
  state: WriterState = 'open';
  /** Where the last whole batch in the active segment ends. */
  position: number;
  /** The offset after the last batch that is whole in the files. */
  endOffset: number;
  segmentBaseOffset: number;
  /** How many checkpoints the next sync, which then includes the index files, is the answer to. */
  checkpointsWanted = 0;
  /** The slot was given up; the files are closed after what is still to be synced. */
  closeWanted = false;
  /** How many of its descriptors `OpenFiles` has counted. */
  countedFiles = 0;
  older: PartitionWriter | null = null;
  newer: PartitionWriter | null = null;

  readonly #files: FileSystem;
  readonly #topicId: string;
  readonly #onLogLeft: () => void;
  #create: boolean;
  /** Until it was written again. */
  #tail: TailToWrite | null;
  #log: FileDescriptor | null = null;
  /** The log's file was open and was closed because nothing had to be synced. */
  #isParked = false;
  #logDirty = false;
  readonly #directWrites: DirectWrites | null;
  /** The log's file as large groups are written to it; made with the first of them. */
  #direct: DirectFile | null = null;
  #index: IndexAppender;
  #timeIndex: IndexAppender;
  /** Null until it gets an entry: few partitions have aborted transactions. */
  #transactionIndex: IndexAppender | null = null;
  #transactionIndexSizeBytes: number;
  // Replaced, never changed: most of the time there are none, of any partition.
  #dirtyDirectories: readonly string[] = noPaths;
  #sealed: readonly FileDescriptor[] = noFiles;

  /** What the next gathered write takes; null where nothing was gathered since the last. */
  #group: WriteGroup | null = null;
  readonly #room = new RoomAhead();

  constructor(fileSystem: FileSystem, direct: DirectWrites | null, options: PartitionWriterOptions) {
    this.#files = fileSystem;
    this.#directWrites = direct;
    this.slot = options.slot;
    this.generation = options.generation;
    this.directory = options.directory;
    this.#topicId = options.topicId;
    this.#onLogLeft = options.onLogLeft;
    this.#create = options.create;
    this.#tail = options.tail;
    this.segmentBaseOffset = options.segmentBaseOffset;
    this.endOffset = options.endOffset;
    this.position = options.position;
    const { segmentBaseOffset, indexesUnsure } = options;
    this.#index = this.#indexAt(segmentBaseOffset, 'index', options.indexSizeBytes, indexesUnsure);
    this.#timeIndex = this.#indexAt(segmentBaseOffset, 'timeindex', options.timeIndexSizeBytes, indexesUnsure);
    this.#transactionIndexSizeBytes = options.transactionIndexSizeBytes;
  }

  /** Batches that wait for their write. */
  get gathered(): number {
    return this.#group?.sources.length ?? 0;
  }

  get isLogOpen(): boolean {
    return this.#log !== null;
  }

  /** The descriptor that the next batch goes to; null where none is open or no batch may go. */
  get log(): FileDescriptor | null {
    return this.state === 'open' ? this.#log : null;
  }

  /** Descriptors that it holds: the log, sealed files, indexes that were appended to. */
  get openFileCount(): number {
    const transactions = this.#transactionIndex?.isOpen === true ? 1 : 0;
    const indexes = (this.#index.isOpen ? 1 : 0) + (this.#timeIndex.isOpen ? 1 : 0) + transactions;
    const direct = this.#direct?.isOpen === true ? 1 : 0;
    return (this.#log === null ? 0 : 1) + direct + this.#sealed.length + indexes;
  }

  /** Whether what it holds must be synced before it can be closed; nothing is promised of one whose sync failed. */
  get needsSync(): boolean {
    if (this.state === 'sync-failed') return false;
    const hasOpenIndex = this.#index.isOpen || this.#timeIndex.isOpen || this.#transactionIndex?.isOpen === true;
    return this.#logDirty || this.#sealed.length > 0 || hasOpenIndex;
  }

  /** Whether so many index entries wait that they are worth a write. */
  get hasFullIndexes(): boolean {
    return this.#index.isFull || this.#timeIndex.isFull || this.#transactionIndex?.isFull === true;
  }

  /** Adds a batch to the group; it goes to `filePosition`, which must follow what is there. `synced`: a sync follows. */
  gather(batch: Uint8Array, filePosition: number, endOffset: number, synced: boolean): void {
    const group = this.#openGroup();
    assert(filePosition === this.position + group.sizeBytes, 'a write continues where the segment ends');
    assert(this.gathered < maxSourcesPerWrite, 'a group is written before it outgrows one call');
    group.add(batch, endOffset, synced);
  }

  /** Counts a batch that is in the file already: the I/O thread wrote it while this thread slept. */
  gatherWritten(sizeBytes: number, filePosition: number, endOffset: number): void {
    assert(filePosition === this.position && this.gathered === 0, 'a batch continues where the segment ends');
    assert(this.#log !== null, 'a batch is written to a descriptor of the worker');
    this.#logDirty = true;
    this.position += sizeBytes;
    this.endOffset = endOffset;
    this.#room.reached(this.position);
  }

  /** An offset index entry for the batch that was gathered last. */
  gatherIndexEntry(relativeOffset: number, position: number): void {
    const group = this.#openGroup();
    group.offsetEntries.push({ at: group.lastPlace, relativeOffset, position });
  }

  /** A time index entry for the batch that was gathered last. */
  gatherTimeIndexEntry(timestamp: number, relativeOffset: number): void {
    const group = this.#openGroup();
    group.timeEntries.push({ at: group.lastPlace, timestamp, relativeOffset });
  }

  /** A transaction index entry for the batch that was gathered last. */
  gatherTransactionEntry(entry: Uint8Array): void {
    const group = this.#openGroup();
    group.transactionEntries.push({ at: group.lastPlace, entry });
  }

  /**
   * Writes the group. Whatever happens, `position` and `endOffset` name the last batch that is whole in the file
   * afterwards, index entries of whole batches are kept, and the group is empty; the file's error is thrown on.
   * `mayOpen` tells whether there is room for another descriptor, which a large group may need.
   */
  writeGroup(mayOpen: () => boolean): void {
    const group = this.#group;
    if (group === null) return;
    // Batches that were written before may have brought index entries.
    if (group.sources.length === 0) return this.#settle(group, 0);
    let writtenBytes = 0;
    try {
      const log = this.#openLog();
      // From here on bytes may be in the file, whole or not.
      this.#logDirty = true;
      const path = this.#path(this.segmentBaseOffset, 'log');
      const isDirect = this.#directFor(group)?.begin(path, group.sizeBytes, mayOpen) ?? false;
      const zeros = isDirect || group.sources.length === maxSourcesPerWrite ? null : this.#zerosBehind(group);
      let rest: readonly Uint8Array[] = zeros === null ? group.sources : [...group.sources, zeros];
      while (writtenBytes < group.sizeBytes) {
        const position = this.position + writtenBytes;
        const size = this.#direct?.write(log, rest, position) ?? this.#files.write(log, rest, position);
        // A disk that takes nothing and reports nothing would keep the worker here for ever.
        if (size <= 0) throw noProgress(this.directory);
        writtenBytes += size;
        // Zeros that found no room are none that anybody waits for.
        if (writtenBytes < group.sizeBytes) rest = without(rest, size);
      }
      this.#room.reached(Math.max(this.position + writtenBytes, this.#direct?.end() ?? 0));
    } finally {
      this.#settle(group, writtenBytes);
    }
  }

  /**
   * Seals the active segment, with `lastTimeEntry` as its last time index entry, and begins one at `baseOffset`.
   * Where the new files cannot be made the old segment stays active and the error is thrown on.
   */
  roll(baseOffset: number, lastTimeEntry: { timestamp: number; relativeOffset: number } | null): void {
    assert(this.gathered === 0, 'a group is written before its segment ends');
    this.#openLog();
    this.#cutRoom();
    if (lastTimeEntry !== null) this.#timeIndex.addTimeEntry(lastTimeEntry.timestamp, lastTimeEntry.relativeOffset);
    this.appendIndexes();
    const next = this.#files.open(this.#path(baseOffset, 'log'), 'create');
    this.#markDirectory(this.directory);
    try {
      // An attempt that failed half-way may have left a file.
      this.#files.truncate(next, 0);
    } catch (error) {
      this.#files.close(next);
      this.#removeHalfMade(this.#path(baseOffset, 'log'));
      throw error;
    }
    if (this.#log !== null) {
      this.#onLogLeft();
      this.#seal([this.#log]);
    }
    this.#seal(this.#releaseIndexes());
    this.#direct?.close();
    this.#log = next;
    this.#logDirty = true;
    this.#room.begin();
    this.segmentBaseOffset = baseOffset;
    this.position = 0;
    this.#index = this.#indexAt(baseOffset, 'index', 0);
    this.#timeIndex = this.#indexAt(baseOffset, 'timeindex', 0);
    this.#transactionIndex = null;
    this.#transactionIndexSizeBytes = 0;
  }

  /** Forgets index entries beyond so many bytes: those of a segment's end that did not come. */
  cutIndexes(indexSizeBytes: number, timeIndexSizeBytes: number, transactionIndexSizeBytes: number): void {
    this.#index.cut(indexSizeBytes);
    this.#timeIndex.cut(timeIndexSizeBytes);
    this.#transactionIndex?.cut(transactionIndexSizeBytes);
  }

  /** Where even that fails, recovery takes an empty segment for what it is. */
  #removeHalfMade(path: string): void {
    try {
      this.#files.remove(path);
    } catch (error) {
      if (systemErrorCode(error) === null) throw error;
    }
  }

  /** Cuts off what a failed write left behind the last whole batch. */
  cut(): void {
    // Where the log was never opened nothing was written; opening cuts as well.
    if (this.#log === null && !this.#isParked) return;
    this.#files.truncate(this.#openLog(), this.position);
    this.#logDirty = true;
    this.#room.cut();
  }

  /** Brings the log's file to the size that its batches have; for the end. */
  trim(): void {
    if (this.state === 'write-failed') this.cut();
    else this.#cutRoom();
  }

  #cutRoom(): void {
    if (this.#room.endPosition > this.position) this.cut();
  }

  /** The zeros to be written with the group, or null. */
  #zerosBehind({ sizeBytes, synced }: WriteGroup): Uint8Array | null {
    return this.#room.zerosBehind(this.position, sizeBytes, synced);
  }

  /** As `IndexOwner`. */
  hasNewName(): void {
    this.#markDirectory(this.directory);
  }

  /** Appends all index entries that wait. */
  appendIndexes(): void {
    this.#index.append();
    this.#timeIndex.append();
    this.#transactionIndex?.append();
  }

  /**
   * Takes everything that must reach the disk for `endOffset` to be durable, and counts it as clean: what is written
   * from now on belongs to the next sync. Sealed segments, and indexes that were appended to, are given away.
   */
  takeDirty(): DirtyFiles {
    const givenAway = [...this.#sealed, ...this.#releaseIndexes()];
    const dirty: DirtyFiles = { files: [...givenAway], givenAway, directories: this.#dirtyDirectories };
    this.#sealed = noFiles;
    this.#dirtyDirectories = noPaths;
    if (this.#logDirty && this.#log !== null) dirty.files.push(this.#log);
    this.#logDirty = false;
    return dirty;
  }

  /** Closes every descriptor until the next write, which goes on where the file ends. No sync may be under way. */
  park(): void {
    assert(!this.needsSync, 'what is to be synced stays open');
    assert(this.gathered === 0, 'a group is written before its file is closed');
    if (this.#log !== null) this.#isParked = true;
    this.close();
  }

  /** Closes every descriptor. What is not synced is left to the kernel. */
  close(): void {
    if (this.#log !== null) this.#onLogLeft();
    for (const file of [this.#log, ...this.#sealed, ...this.#releaseIndexes()])
      if (file !== null) this.#files.close(file);
    this.#direct?.close();
    this.#log = null;
    this.#sealed = noFiles;
  }

  /** The descriptors of the indexes that are open, which are the caller's from now on. */
  #releaseIndexes(): FileDescriptor[] {
    const files: FileDescriptor[] = [];
    for (const index of [this.#index, this.#timeIndex, this.#transactionIndex]) {
      const file = index?.release() ?? null;
      if (file !== null) files.push(file);
    }
    return files;
  }

  /** Keeps `files` open until they are synced. */
  #seal(files: readonly FileDescriptor[]): void {
    if (files.length > 0) this.#sealed = [...this.#sealed, ...files];
  }

  #directFor({ sizeBytes }: WriteGroup): DirectFile | null {
    const writes = this.#directWrites;
    if (this.#direct === null && writes?.way.isLarge(sizeBytes)) this.#direct = new DirectFile(this.#files, writes);
    return this.#direct;
  }

  #openGroup(): WriteGroup {
    return (this.#group ??= new WriteGroup());
  }

  /** `writtenBytes` of the group are in the file, and what is not is given up. */
  #settle(group: WriteGroup, writtenBytes: number): void {
    this.#group = null;
    const whole = group.wholeBatches(writtenBytes);
    if (whole.count > 0) this.endOffset = group.endOffsets[whole.count - 1]!;
    this.position += whole.sizeBytes;
    for (const entry of group.offsetEntries) {
      if (entry.at < whole.count) this.#index.addOffsetEntry(entry.relativeOffset, entry.position);
    }
    for (const entry of group.timeEntries) {
      if (entry.at < whole.count) this.#timeIndex.addTimeEntry(entry.timestamp, entry.relativeOffset);
    }
    for (const { at, entry } of group.transactionEntries) {
      if (at >= whole.count) continue;
      this.#transactionIndex ??= this.#indexAt(this.segmentBaseOffset, 'txnindex', this.#transactionIndexSizeBytes);
      this.#transactionIndex.addEntry(entry);
    }
  }

  #openLog(): FileDescriptor {
    if (this.#log !== null) return this.#log;
    const path = this.#path(this.segmentBaseOffset, 'log');
    if (this.#create) {
      if (!this.#files.isDirectory(this.directory)) {
        this.#files.makeDirectory(this.directory);
        this.#markDirectory(parentOf(this.directory));
      }
      this.#markDirectory(this.directory);
      this.#writeMetadata();
    }
    const log = this.#files.open(path, this.#create ? 'create' : 'write');
    try {
      // Bytes past the end that was given belong to nothing, unless they are the zeros that were written ahead.
      const sizeBytes = this.#files.sizeOf(log);
      // Writing behind a gap would promise what the next start cannot read.
      if (sizeBytes < this.position) throw cutShort(path, sizeBytes, this.position);
      const hasZeros = this.#isParked && this.state === 'open' && sizeBytes === this.#room.endPosition;
      if (sizeBytes > this.position && !hasZeros) {
        this.#files.truncate(log, this.position);
        this.#logDirty = true;
        this.#room.cut();
      }
      if (this.#tail !== null) this.#writeTail(log, this.#tail);
    } catch (error) {
      this.#files.close(log);
      throw error;
    }
    this.#log = log;
    this.#create = false;
    return log;
  }

  /** Writes the tail again, so that the next sync makes it durable with what follows, and the names that it needs. */
  #writeTail(log: FileDescriptor, tail: TailToWrite): void {
    try {
      writeTail(this.#files, `${parentOf(this.directory)}/${tailsName}`, tail, log);
    } catch (error) {
      // The journal goes once all of it is settled.
      if (systemErrorCode(error) !== 'ENOENT') throw error;
    }
    if (tail.hasNewMetadata) {
      const metadata = this.#files.open(`${this.directory}/${partitionMetadataName}`, 'write');
      this.#sealed = [...this.#sealed, metadata];
    }
    if (tail.hasNewMetadata || tail.hasNewNames) this.#markDirectory(this.directory);
    this.#logDirty = true;
    this.#tail = null;
  }

  /** Says whose partition this is; an attempt that failed half-way may have left a part of it. */
  #writeMetadata(): void {
    const file = this.#files.open(`${this.directory}/${partitionMetadataName}`, 'create');
    try {
      this.#files.truncate(file, 0);
      const bytes = new TextEncoder().encode(partitionMetadataText(this.#topicId));
      let written = 0;
      while (written < bytes.length) {
        const size = this.#files.write(file, [bytes.subarray(written)], written);
        if (size <= 0) throw noProgress(this.directory);
        written += size;
      }
    } catch (error) {
      this.#files.close(file);
      throw error;
    }
    this.#seal([file]);
  }

  #indexAt(baseOffset: number, kind: IndexKind, sizeBytes: number, isUnsure = false): IndexAppender {
    return new IndexAppender(this.#files, this, kind, baseOffset, sizeBytes, isUnsure);
  }

  #markDirectory(path: string): void {
    if (!this.#dirtyDirectories.includes(path)) this.#dirtyDirectories = [...this.#dirtyDirectories, path];
  }

  #path(baseOffset: number, kind: 'log' | 'index' | 'timeindex' | 'txnindex'): string {
    return `${this.directory}/${segmentFileName(asOffset(baseOffset), kind)}`;
  }
}

/** What a sync has to make durable. `givenAway` are those of `files` that are closed afterwards. */
export interface DirtyFiles {
  readonly files: FileDescriptor[];
  readonly givenAway: readonly FileDescriptor[];
  readonly directories: readonly string[];
}

/** `sources` without their first `sizeBytes`. */
function without(sources: readonly Uint8Array[], sizeBytes: number): Uint8Array[] {
  let first = 0;
  let skipBytes = sizeBytes;
  while (skipBytes >= sources[first]!.length) {
    skipBytes -= sources[first]!.length;
    first++;
  }
  return [sources[first]!.subarray(skipBytes), ...sources.slice(first + 1)];
}

function parentOf(path: string): string {
  const slash = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'));
  return slash <= 0 ? '/' : path.slice(0, slash);
}

/** The error for a file that lost bytes while nobody had it open; as a system error, because the disk is at fault. */
function cutShort(path: string, sizeBytes: number, wantedBytes: number): Error {
  const message = `The file ${path} has ${sizeBytes} bytes, and ${wantedBytes} had been written.`;
  return Object.assign(new Error(message), { code: 'EIO' });
}

/** The error for a write that took no bytes; as a system error, because the disk is at fault. */
function noProgress(path: string): Error {
  return Object.assign(new Error(`A write below ${path} took no bytes.`), { code: 'EIO' });
}
