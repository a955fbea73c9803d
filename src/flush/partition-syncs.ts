/**
 * The syncs of one flush worker's partitions: who wants one, which one is under way, and what follows from how it went.
 * Flush thread.
 *
 *   wanted ──start──► dirty files are taken ── the disk works ──► SYNCED, CHECKPOINTED, CLOSED
 *                                                   └─ failed ──► SYNC_FAILED, now and whenever one is wanted again
 *
 * One sync is under way at a time and covers what was written before it began. A failed sync is final for its partition: the
 * kernel marks pages clean that never reached the disk, so a second sync would lie.
 * It writes nothing but index entries that are to be synced; see `flush-round.ts`.
 */

import { CompletionKind, FlushFailure } from '../memory/flush-messages.ts';
import type { FileSystem } from '../storage/file-system.ts';
import { flushFailureOf } from '../storage/flush-failure.ts';
import type { CompletionOutbox } from './completion-outbox.ts';
import { DescriptorLimit, openedBy } from './descriptor-limit.ts';
import type { PartitionWriter } from './partition-writer.ts';
import { syncInPlace, syncPartitions, type PartitionSync } from './sync-round.ts';
import { WantedSyncs } from './wanted-syncs.ts';

export interface PartitionSyncsOptions {
  readonly fileSystem: FileSystem;
  readonly outbox: CompletionOutbox;
  readonly maxOpenFiles: number;
  /** Has a group, so that its files stay open. */
  readonly isGathering: (writer: PartitionWriter) => boolean;
  /** For how long syncs take, in milliseconds. */
  readonly nowMs: () => number;
}

export class PartitionSyncs {
  readonly wanted = new WantedSyncs();
  readonly descriptors: DescriptorLimit;
  readonly #files: FileSystem;
  readonly #outbox: CompletionOutbox;
  readonly #nowMs: () => number;
  readonly #syncing = new Set<PartitionWriter>();
  #underWay: Promise<void> | null = null;
  #defect: unknown = null;

  constructor({ fileSystem, outbox, maxOpenFiles, isGathering, nowMs }: PartitionSyncsOptions) {
    this.#files = fileSystem;
    this.#outbox = outbox;
    this.#nowMs = nowMs;
    const isBusy = (writer: PartitionWriter): boolean => isGathering(writer) || this.#syncing.has(writer);
    this.descriptors = new DescriptorLimit(maxOpenFiles, isBusy, this.wanted);
  }

  /** The sync that is under way: resolves when it has ended, never rejects. Null where there is none. */
  get underWay(): Promise<void> | null {
    return this.#underWay;
  }

  /** Whether none is wanted, nor under way, nor ended by a defect. */
  get nothingLeft(): boolean {
    return this.#underWay === null && this.wanted.count === 0 && this.#defect === null;
  }

  /** Throws what ended a sync that was no failure of the disk. */
  throwDefect(): void {
    if (this.#defect !== null) throw this.#defect;
  }

  /**
   * Begins a sync of partitions that ask for one, unless one is under way. Returns whether it began. With `inPlace`
   * one that is a single file's is over when this returns.
   */
  start(inPlace: boolean): boolean {
    if (this.#underWay !== null) return false;
    const startedMs = this.#nowMs();
    const syncs = this.#take();
    if (syncs.length === 0) return false;
    const ended = (): void => {
      // Told once, and not of partitions of which nothing was to be synced: that says nothing of the disk.
      let durationMs = this.#nowMs() - startedMs;
      for (const sync of syncs) {
        const waited = sync.dirty.files.length > 0;
        this.#end(sync, waited ? durationMs : Number.NaN);
        if (waited) durationMs = Number.NaN;
      }
    };
    if (inPlace && syncInPlace(this.#files, syncs)) {
      ended();
      return true;
    }
    this.#underWay = syncPartitions(this.#files, syncs)
      .then(ended)
      .catch((error: unknown) => {
        // Not the disk's failure but a defect; the next step throws it.
        this.#defect = error;
      })
      .finally(() => {
        this.#underWay = null;
      });
    return true;
  }

  /** The writer's slot is given up: its files are closed once all of it is synced, or, to `discard` it, as they are. */
  close(writer: PartitionWriter, discard: boolean): void {
    writer.closeWanted = true;
    if (!discard) {
      // Not only when it is synced: who has these files next, perhaps in this round, goes on behind its entries.
      this.#appendLast(writer);
      this.wanted.add(writer);
      return;
    }
    this.wanted.delete(writer);
    // A sync may be using the descriptors; it closes them when it ends.
    if (!this.#syncing.has(writer)) this.#finishClose(writer);
  }

  /** What another thread synced of the writer, as the only one at it, failed: that is as final as if it were done here. */
  failedElsewhere(writer: PartitionWriter, failure: FlushFailure): void {
    writer.state = 'sync-failed';
    this.#outbox.tell(writer, CompletionKind.SYNC_FAILED, failure);
  }

  /** Those that the next sync is of, with what they have to be synced. */
  #take(): PartitionSync[] {
    const syncs: PartitionSync[] = [];
    for (const writer of this.wanted.next()) {
      const opensIndexes = writer.checkpointsWanted > 0 || writer.closeWanted;
      const hasRoom = !opensIndexes || this.descriptors.makeRoom(openedBy.indexes);
      if (!hasRoom && syncs.length > 0) break;
      this.wanted.delete(writer);
      if (writer.state === 'sync-failed') this.#refuse(writer);
      else syncs.push(this.#begin(writer));
    }
    return syncs;
  }

  #begin(writer: PartitionWriter): PartitionSync {
    const withIndexes = writer.checkpointsWanted > 0 || writer.closeWanted;
    const sideFailure = withIndexes ? this.#appendLast(writer) : FlushFailure.NONE;
    const sync: PartitionSync = {
      writer,
      dirty: writer.takeDirty(),
      endOffset: writer.endOffset,
      position: writer.position,
      segmentBaseOffset: writer.segmentBaseOffset,
      checkpoints: writer.checkpointsWanted,
      close: writer.closeWanted,
      sideFailure,
      failure: FlushFailure.NONE,
    };
    writer.checkpointsWanted = 0;
    this.#syncing.add(writer);
    this.descriptors.files.recount(writer);
    this.descriptors.files.gaveAway(sync.dirty.givenAway.length);
    return sync;
  }

  /** Brings the files to what the writer says of them. What is written is unharmed by a failure, which is returned. */
  #appendLast(writer: PartitionWriter): FlushFailure {
    try {
      // Who opens these files next takes their size for the log's.
      if (writer.closeWanted) writer.trim();
      writer.appendIndexes();
      return FlushFailure.NONE;
    } catch (error) {
      const failure = flushFailureOf(error);
      if (failure === null) throw error;
      return failure;
    } finally {
      this.descriptors.files.recount(writer);
    }
  }

  #end(sync: PartitionSync, durationMs: number): void {
    const { writer } = sync;
    this.#syncing.delete(writer);
    for (const file of sync.dirty.givenAway) this.#files.close(file);
    this.descriptors.files.closedAway(sync.dirty.givenAway.length);
    const failed = sync.failure !== FlushFailure.NONE;
    if (failed) {
      writer.state = 'sync-failed';
      // It says what is written by now, because later writes are dropped without another word.
      this.#outbox.tell(writer, CompletionKind.SYNC_FAILED, sync.failure);
    } else this.#outbox.tellSynced(sync, durationMs);
    for (let i = 0; i < sync.checkpoints && !sync.close && !failed; i++) {
      this.#outbox.tell(writer, CompletionKind.CHECKPOINTED, sync.sideFailure);
    }
    // A CLOSE that came while this sync ran has its own, unless there is nothing to keep.
    if (writer.closeWanted && !this.wanted.has(writer)) {
      this.#finishClose(writer, failed ? sync.failure : sync.sideFailure);
    }
  }

  /** Answers a sync of a partition whose last one failed. */
  #refuse(writer: PartitionWriter): void {
    writer.checkpointsWanted = 0;
    this.#outbox.tell(writer, CompletionKind.SYNC_FAILED, FlushFailure.IO);
    if (writer.closeWanted) this.#finishClose(writer, FlushFailure.IO);
  }

  #finishClose(writer: PartitionWriter, failure: FlushFailure = FlushFailure.NONE): void {
    writer.close();
    this.descriptors.files.recount(writer);
    this.#outbox.tell(writer, CompletionKind.CLOSED, failure);
  }
}
