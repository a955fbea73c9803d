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
import { segmentFileName } from '../storage/segment-name.ts';
import type { TailToWrite } from '../storage/unsettled-tail.ts';
import { ActiveIndexes, type IndexSizes } from './active-indexes.ts';
import { DirectFile, type DirectWrites } from './direct-file.ts';
import type { IndexOwner } from './index-appender.ts';
import { cutShort, noProgress, openMetadata, parentOf, writeMetadata, writeTailAgain } from './partition-opening.ts';
import { RoomAhead } from './room-ahead.ts';
import { UnsyncedFiles, type DirtyFiles } from './unsynced-files.ts';
import { WriteGroup } from './write-group.ts';

/** More sources than this in one gathered write would be cut by the kernel (IOV_MAX). */
export const maxSourcesPerWrite = 1024;

/** How a submission may end for a partition's later ones. */
export type WriterState = 'open' | 'write-failed' | 'sync-failed';

export interface PartitionWriterOptions extends IndexSizes {
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
  readonly #unsynced = new UnsyncedFiles();
  readonly #directWrites: DirectWrites | null;
  /** The log's file as large groups are written to it; made with the first of them. */
  #direct: DirectFile | null = null;
  readonly #indexes: ActiveIndexes;
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
    this.#indexes = new ActiveIndexes(fileSystem, this, segmentBaseOffset, options, indexesUnsure);
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

  /** As `log`, where that file is all that would have to be synced: then another thread may do it behind a write. */
  get loneLog(): FileDescriptor | null {
    return this.#unsynced.isLogAtMost ? this.log : null;
  }

  /** Up to where writes do not change the log's size. */
  get roomEndPosition(): number {
    return this.#room.endPosition;
  }

  /** Descriptors that it holds: the log, sealed files, indexes that were appended to. */
  get openFileCount(): number {
    const direct = this.#direct?.isOpen === true ? 1 : 0;
    return (this.#log === null ? 0 : 1) + direct + this.#unsynced.sealedCount + this.#indexes.openCount;
  }

  /** Whether what it holds must be synced before it can be closed; nothing is promised of one whose sync failed. */
  get needsSync(): boolean {
    if (this.state === 'sync-failed') return false;
    return this.#unsynced.hasLog || this.#unsynced.sealedCount > 0 || this.#indexes.openCount > 0;
  }

  /** Whether so many index entries wait that they are worth a write. */
  get hasFullIndexes(): boolean {
    return this.#indexes.isFull;
  }

  /** Adds a batch to the group; it goes to `filePosition`, which must follow what is there. `synced`: a sync follows. */
  gather(batch: Uint8Array, filePosition: number, endOffset: number, synced: boolean): void {
    const group = this.#openGroup();
    assert(filePosition === this.position + group.sizeBytes, 'a write continues where the segment ends');
    assert(this.gathered < maxSourcesPerWrite, 'a group is written before it outgrows one call');
    group.add(batch, endOffset, synced);
  }

  /** Counts a batch that is in the file already, perhaps synced: the I/O thread wrote it while this thread slept. */
  gatherWritten(sizeBytes: number, filePosition: number, endOffset: number, isSynced: boolean): void {
    assert(filePosition === this.position && this.gathered === 0, 'a batch continues where the segment ends');
    assert(this.#log !== null, 'a batch is written to a descriptor of the worker');
    this.#unsynced.hasLog = !isSynced;
    this.position += sizeBytes;
    this.endOffset = endOffset;
    this.#room.reached(this.position);
    if (isSynced) this.#room.tookSynced(sizeBytes);
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
      this.#unsynced.hasLog = true;
      const path = this.#logPath(this.segmentBaseOffset);
      const isDirect = this.#directFor(group)?.begin(path, group.sizeBytes, group.isMostlySynced, mayOpen) ?? false;
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
    if (lastTimeEntry !== null) this.#indexes.addLastTime(lastTimeEntry);
    this.appendIndexes();
    const next = this.#files.open(this.#logPath(baseOffset), 'create');
    this.hasNewName();
    try {
      // An attempt that failed half-way may have left a file.
      this.#files.truncate(next, 0);
    } catch (error) {
      this.#files.close(next);
      this.#removeHalfMade(this.#logPath(baseOffset));
      throw error;
    }
    if (this.#log !== null) {
      this.#onLogLeft();
      this.#unsynced.seal([this.#log]);
    }
    this.#unsynced.seal(this.#indexes.release());
    this.#direct?.close();
    this.#log = next;
    this.#unsynced.hasLog = true;
    this.#room.begin();
    this.segmentBaseOffset = baseOffset;
    this.position = 0;
    this.#indexes.begin(baseOffset);
  }

  /** Forgets index entries beyond so many bytes: those of a segment's end that did not come. */
  cutIndexes(sizes: IndexSizes): void {
    this.#indexes.cut(sizes);
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
    this.#unsynced.hasLog = true;
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
    this.#unsynced.markDirectory(this.directory);
  }

  /** Appends all index entries that wait. */
  appendIndexes(): void {
    this.#indexes.append();
  }

  /**
   * Takes everything that must reach the disk for `endOffset` to be durable, and counts it as clean: what is written
   * from now on belongs to the next sync. Sealed segments, and indexes that were appended to, are given away.
   */
  takeDirty(): DirtyFiles {
    return this.#unsynced.take(this.#log, this.#indexes.release());
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
    for (const file of [this.#log, ...this.#unsynced.takeSealed(), ...this.#indexes.release()])
      if (file !== null) this.#files.close(file);
    this.#direct?.close();
    this.#log = null;
  }

  #directFor({ sizeBytes, isMostlySynced }: WriteGroup): DirectFile | null {
    const writes = this.#directWrites;
    if (this.#direct === null && writes?.way.isOpen(sizeBytes, isMostlySynced))
      this.#direct = new DirectFile(this.#files, writes);
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
    this.#indexes.add(group, whole.count);
  }

  #openLog(): FileDescriptor {
    if (this.#log !== null) return this.#log;
    const path = this.#logPath(this.segmentBaseOffset);
    if (this.#create) {
      if (!this.#files.isDirectory(this.directory)) {
        this.#files.makeDirectory(this.directory);
        this.#unsynced.markDirectory(parentOf(this.directory));
      }
      this.hasNewName();
      this.#unsynced.seal([writeMetadata(this.#files, this.directory, this.#topicId)]);
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
        this.#unsynced.hasLog = true;
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
    writeTailAgain(this.#files, this.directory, tail, log);
    if (tail.hasNewMetadata) this.#unsynced.seal([openMetadata(this.#files, this.directory)]);
    if (tail.hasNewMetadata || tail.hasNewNames) this.hasNewName();
    this.#unsynced.hasLog = true;
    this.#tail = null;
  }

  #logPath(baseOffset: number): string {
    return `${this.directory}/${segmentFileName(asOffset(baseOffset), 'log')}`;
  }
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
