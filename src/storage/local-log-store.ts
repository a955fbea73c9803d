/**
 * The local store: partitions' logs in one data directory, written by flush workers through the arena. I/O thread.
 *
 *   open ─► clean stop? its file says everything : recover each partition (recovery.ts), raise the leader epoch
 *        ─► logs are opened as they are asked for ─► close ─► the clean stop's file
 *
 * It owns what the logs share: ring, channels, descriptors of readers, the timers for syncs and recovery points. It does
 * not know topics, nor who may use a directory (server/directory-lock.ts, data-directory.ts).
 */

import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { systemErrorCode } from '../base/environment-error.ts';
import type { Logger } from '../base/logger.ts';
import { asAddress, firstOffset } from '../base/numbers.ts';
import type { RandomSource } from '../base/random.ts';
import { ArenaHeap } from '../memory/arena-heap.ts';
import type { Arena } from '../memory/arena.ts';
import { blankSubmission, SubmissionKind } from '../memory/flush-messages.ts';
import { FlushQueue } from '../memory/flush-queue.ts';
import { IngestRing } from '../memory/ingest-ring.ts';
import { attributesAt, batchHeaderSizeBytes } from '../records/record-batch.ts';
import { inflateBatch } from './batch-inflater.ts';
import { BufferPool } from './buffer-pool.ts';
import type { CompactionSettings, Compactor } from './compactor.ts';
import type { DiskSpace, FileSystem } from './file-system.ts';
import { FlushChannel } from './flush-channel.ts';
import type { FlushExecutor } from './flush-executor.ts';
import { InPlaceWriter } from './in-place-writer.ts';
import { IndexCache } from './index-cache.ts';
import { LocalLog, type LogOwner } from './local-log.ts';
import type { LogConfig } from './log-config.ts';
import { maxNamedProducers } from './named-producers.ts';
import { OpenLogs } from './open-logs.ts';
import { PartitionDirectories } from './partition-directories.ts';
import type { LogStore, PartitionLog } from './partition-log.ts';
import { emptyAt, type PartitionState } from './partition-state.ts';
import { RecordValidator } from './record-validation.ts';
import { scratchBodyAddress, scratchBodySizeBytes } from './scratch.ts';
import { SegmentFiles } from './segment-files.ts';
import { partitionDirectoryName } from './segment-name.ts';
import { startOrOnlyRead } from './start-or-only-read.ts';
import type { StoreContext } from './store-context.ts';
import { writeCleanStop, writeRecoveryPoints } from './store-files.ts';
import { StoreCompaction } from './store-compaction.ts';
import type { RecoverySummary } from './store-recovery.ts';
import type { StoreStart } from './store-start.ts';
import { StoreUpkeep } from './store-upkeep.ts';
import { Turns } from './turns.ts';
import { TailSet } from './unsettled-tail.ts';

export interface LocalLogStoreOptions {
  /** The data directory, which is this broker's. */
  readonly directory: string;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly arena: Arena;
  readonly executor: FlushExecutor;
  /** Without one nothing is compacted. */
  readonly compactor?: Compactor;
  /** Bounds of what is kept bound to workers, open for reading and loaded; by default those of the parts. */
  readonly maxOpenLogs?: number;
  /** Hears now and then how many logs are bound to a flush worker: so many files, and some, are best kept open. */
  readonly onOpenLogs?: (count: number) => void;
  readonly maxOpenSegmentFiles?: number;
  readonly sealedIndexBytesMax?: number;
  /** Names that producers may have in all partitions together. */
  readonly maxNamedProducers?: number;
  /** False where the data directory is of an older format and could not be marked: nothing is written then. */
  readonly isMarked?: boolean;
  /** As in `LoneSyncOptions`. */
  readonly mayWait?: () => boolean;
  /** Hears of a flush worker that ended by a defect: nothing is written any more, and the broker should end. */
  readonly onDefect?: (error: Error) => void;
}

/** A batch and its fields take at least so much of a request that brings it. */
const smallestRequestBatchBytes = 71;
/** Kafka's producers end a batch at some megabytes before compression; a kilobyte can stand for gigabytes. */
const largestInflatedBytes = 64 * 1024 * 1024;
/** Logs whose last files are written at once at the end: each has one open. */
const finalFilesAtOnce = 32;
/** What opening a partition takes of the ring beside the data directory's path: its own name, a topic id and its tail. */
const openingBytes = 256 + 32 + 64;

export class LocalLogStore implements LogStore, LogOwner {
  readonly startedClean: boolean;
  readonly leaderEpoch: number;
  readonly recovery: RecoverySummary;
  readonly refusal: string | null;
  readonly #options: LocalLogStoreOptions;
  readonly #context: StoreContext;
  readonly #directories: PartitionDirectories;
  readonly #upkeep: StoreUpkeep;
  readonly #compaction: StoreCompaction;
  readonly #openLogs: OpenLogs;
  readonly #logs = new Map<string, LocalLog>();
  /** Partitions that are on disk and were not opened yet, by their directory's name. */
  readonly #dormant: Map<string, PartitionState>;
  /** Names of directories of deleted partitions that could not be set aside. */
  readonly #stuck = new Set<string>();
  /** Partitions whose directory is missing, or another's, though their log begins past 0. */
  readonly #homeless: Map<string, PartitionState>;
  #slots = 0;
  /** A flush worker ended by a defect. */
  #workerEnded = false;
  #closing: Promise<void> | null = null;

  private constructor(options: LocalLogStoreOptions, start: StoreStart, refusal: string | null) {
    this.#options = options;
    this.refusal = refusal;
    this.startedClean = start.clean;
    this.leaderEpoch = start.leaderEpoch;
    this.recovery = start.recovery;
    this.#dormant = start.partitions;
    this.#homeless = new Map(start.homeless.map((state) => [homelessKey(state), state]));
    this.#openLogs = new OpenLogs(options.maxOpenLogs, options.onOpenLogs);
    this.#directories = new PartitionDirectories(options);
    this.#context = this.#makeContext(options, start);
    this.#upkeep = new StoreUpkeep(this.#context, {
      open: this.#logs,
      dormant: this.#dormant,
      homeless: this.#homeless,
    });
    this.#compaction = new StoreCompaction(this.#context, options.compactor ?? null, () => this.#logs.values());
    for (const name of start.leftovers) this.#directories.removeLater(name);
  }

  /**
   * Opens the store: reads what a clean stop wrote, or recovers. Rejects with `EnvironmentError` DATA_CORRUPT for
   * checkpoints that cannot be read, DATA_DIRECTORY_NEWER, DISK_FULL and IO_FAILED where the file system refuses.
   */
  static async open(options: LocalLogStoreOptions): Promise<LocalLogStore> {
    const { start, fileSystem, refusal } = await startOrOnlyRead(options);
    const store = new LocalLogStore({ ...options, fileSystem }, start, refusal);
    options.executor.start(
      (workerIndex) => store.#drain(workerIndex),
      (error, workerIndex) => store.#workerFailed(error, workerIndex),
    );
    store.#upkeep.start();
    return store;
  }

  get maxRequestBytes(): number {
    const { ring, arena } = this.#context;
    // Recovery looks at a batch as a whole, in the scratch: one that does not fit there would be cut off.
    return Math.min(ring.maxReservationBytes - this.#openingBytesMax, scratchBodySizeBytes(arena));
  }

  /** Bytes in the ring that wait for the disk; for metrics. */
  get pendingBytes(): number {
    return this.#context.ring.pendingBytes;
  }

  open(topic: string, topicId: string, partition: number, config: LogConfig): PartitionLog {
    assert(this.#closing === null, 'a store that is closed opens nothing');
    const name = partitionDirectoryName(topic, partition);
    const open = this.#logs.get(name);
    if (open !== undefined) {
      assert(open.state.topicId === topicId, 'a log is destroyed before another topic takes its name');
      return open;
    }
    const known = this.#dormant.get(name) ?? this.#unknown(name, topic, topicId, partition);
    assert(known.topicId === null || known.topicId === topicId, 'orphans are discarded before logs are opened');
    this.#dormant.delete(name);
    const log = new LocalLog(this.#context, this, known, topicId, config);
    this.#logs.set(name, log);
    if (this.#workerEnded) log.abandon();
    return log;
  }

  found(): readonly { topic: string; topicId: string | null; partition: number }[] {
    const open = [...this.#logs.values()].map(({ state }) => state);
    return [...this.#dormant.values(), ...open].map(({ topic, topicId, partition }) => ({ topic, topicId, partition }));
  }

  damaged(): readonly { topic: string; topicId: string | null; partition: number }[] {
    return this.#sleeping().filter(({ refusal }) => refusal !== null);
  }

  discardOrphans(exists: (topic: string, topicId: string | null, partition: number) => boolean): void {
    const orphans = [...this.#dormant].filter(
      ([, { topic, topicId, partition }]) => !exists(topic, topicId, partition),
    );
    for (const [key, { topic, topicId, partition }] of this.#homeless) {
      if (!exists(topic, topicId, partition)) this.#homeless.delete(key);
    }
    for (const [name, { topic, partition }] of orphans) {
      this.#dormant.delete(name);
      this.#context.tails.forget(name);
      this.#options.logger.warn({ topic, partition }, 'A partition of no topic was found; it is deleted.');
      this.#directories.discard(topic, partition);
    }
    if (orphans.length === 0) return;
    this.#options.fileSystem.syncDirectory(this.#options.directory);
    this.#upkeep.saveLogStarts().catch((error: unknown) => {
      this.#options.logger.warn({ error }, 'The log start offsets could not be written.');
    });
  }

  whenRoom(sizeBytes: number, proceed: () => void): boolean {
    const { ring } = this.#context;
    const batchCount = Math.ceil(sizeBytes / smallestRequestBatchBytes);
    const opening = batchCount * (this.#options.directory.length + openingBytes);
    return ring.whenRoom(sizeBytes + Math.min(opening, this.#openingBytesMax), proceed);
  }

  space(): Promise<DiskSpace> {
    return this.#options.fileSystem.spaceLater(this.#options.directory);
  }

  inflate(bytes: Uint8Array, at: number, sizeBytes: number): Uint8Array | null {
    const { arena } = this.#context;
    const address = scratchBodyAddress(arena);
    const capacityBytes = Math.min(scratchBodySizeBytes(arena) - sizeBytes, largestInflatedBytes);
    if (capacityBytes <= 0) return null;
    arena.bytes.set(bytes.subarray(at, at + sizeBytes), address);
    const body = asAddress(address + sizeBytes);
    const recordsAddress = asAddress(address + batchHeaderSizeBytes);
    const recordsBytes = sizeBytes - batchHeaderSizeBytes;
    const size = inflateBatch(arena, attributesAt(bytes, at), recordsAddress, recordsBytes, body, capacityBytes);
    return size < 0 ? null : arena.bytes.slice(body, body + size);
  }

  /** Room for a request that brings batches to many partitions at once, which opens them all. */
  get #openingBytesMax(): number {
    return this.#context.ring.maxReservationBytes >>> 2;
  }

  /**
   * Has at most about `files` files of partitions open for writing from now on, and `readers` for reading. Resolves once
   * no more are. What needs more waits, and so do those who append.
   */
  async limitOpenFiles(files: number, readers: number): Promise<void> {
    if (this.#closing !== null || this.#workerEnded) return;
    const { channels, segmentFiles, ring } = this.#context;
    segmentFiles.maxOpen = readers;
    const ofEach = Math.floor(files / channels.length);
    const limited = channels.map((channel) => {
      const slot = this.#slots++;
      return new Promise<void>((resolve) => {
        const completed = (): void => {
          channel.unbind(slot);
          resolve();
        };
        channel.bind(slot, { completed });
        channel.submit({ ...blankSubmission(), kind: SubmissionKind.LIMIT, slot, sizeBytes: ofEach }, ring.head);
      });
    });
    await Promise.all(limited);
  }

  compactDirtiest(settings: CompactionSettings): Promise<boolean> {
    return this.#closing === null ? this.#compaction.compactDirtiest(settings) : Promise.resolve(false);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** As `LogOwner`: the log's directory goes away, durably, before anybody hears that the topic is gone. */
  async destroyed(log: LocalLog): Promise<void> {
    const { topic, partition, directory } = log.state;
    this.#logs.delete(partitionDirectoryName(topic, partition));
    this.#openLogs.delete(log);
    // How far it was compacted must not be taken for how far a topic is that gets the name next.
    await this.#compaction.forget(topic, partition);
    this.#context.segmentFiles.forget(`${directory}/`);
    this.#context.tails.forget(partitionDirectoryName(topic, partition));
    if (!this.#options.fileSystem.isDirectory(directory)) return;
    this.#stuck.add(partitionDirectoryName(topic, partition));
    this.#directories.discard(topic, partition);
    this.#stuck.delete(partitionDirectoryName(topic, partition));
    await this.#options.fileSystem.syncDirectoryLater(this.#options.directory);
    // Its entry must not be taken for that of a topic which gets the name next.
    if (log.state.logStartOffset > 0) await this.#upkeep.saveLogStarts();
  }

  /** A partition that is not on disk, or whose name is still taken by one that was deleted. */
  #unknown(name: string, topic: string, topicId: string, partition: number): PartitionState {
    const key = homelessKey({ topic, partition, topicId });
    const empty = this.#homeless.get(key) ?? emptyAt(topic, partition, topicId, firstOffset);
    this.#homeless.delete(key);
    if (empty.refusal !== null) this.#options.logger.error({ topic, partition }, empty.refusal);
    if (!this.#stuck.has(name)) return empty;
    try {
      this.#directories.discard(topic, partition);
      this.#stuck.delete(name);
      return empty;
    } catch (error) {
      this.#options.logger.error({ topic, partition, error }, 'The directory of a deleted topic cannot be renamed.');
      const why = `the directory ${name} of a deleted topic of that name cannot be renamed`;
      return { ...empty, refusal: `Partition ${partition} of ${topic} takes no writes: ${why}. Check the disk.` };
    }
  }

  async #close(): Promise<void> {
    const { fileSystem, directory, executor, logger } = this.#options;
    await this.#upkeep.stop();
    const logs = [...this.#logs.values()];
    const turns = new Turns(finalFilesAtOnce);
    const closed = await Promise.all(logs.map((log) => log.closeForStop(turns)));
    closed.push(await this.#upkeep.settleDormant(turns));
    // Some may have been on their way out.
    const left = [...this.#logs.values()];
    await executor.stop();
    await this.#directories.settled();
    this.#context.segmentFiles.close();
    if (closed.includes(false)) {
      logger.warn({}, 'Not everything could be written: the next start recovers.');
      return;
    }
    try {
      const points = this.#upkeep.recoveryPoints();
      writeRecoveryPoints(fileSystem, directory, points);
      this.#upkeep.tailsSaved(points);
      const partitions = [...this.#sleeping(), ...left.map(({ state }) => state.known)].filter(
        ({ segments, refusal, logStartOffset }) => segments.length > 0 || refusal !== null || logStartOffset > 0,
      );
      await writeCleanStop(fileSystem, directory, partitions);
    } catch (error) {
      // All that was acknowledged is on disk; a full one only costs the next start its time.
      if (systemErrorCode(error) === null) throw error;
      logger.warn({ error }, 'The stop could not be written down: the next start recovers.');
      return;
    }
    await this.#upkeep.removeStaleSnapshots();
  }

  /** Partitions that were not opened in this run. */
  #sleeping(): PartitionState[] {
    return [...this.#dormant.values(), ...this.#homeless.values()];
  }

  #drain(workerIndex: number): void {
    this.#context.channels[workerIndex]!.drain();
    this.#releaseRing();
  }

  #releaseRing(): void {
    const { channels, ring } = this.#context;
    let oldest: number = ring.head;
    for (const channel of channels) oldest = Math.min(oldest, channel.oldestRingPosition);
    ring.releaseUpTo(oldest as typeof ring.head);
  }

  #workerFailed(error: Error, workerIndex: number): void {
    this.#options.logger.error({ error, workerIndex }, 'A flush worker ended by a defect: nothing can be written.');
    this.#workerEnded = true;
    for (const log of this.#logs.values()) log.abandon();
    // Who waits for room in the ring is refused, instead of waiting for ever.
    this.#context.channels[workerIndex]!.abandon();
    this.#releaseRing();
    this.#options.onDefect?.(error);
  }

  #makeChannel(address: number, workerIndex: number): FlushChannel {
    const { arena, executor } = this.#options;
    const { ringAddress, ringSizeBytes, queueCapacity } = arena.layout;
    const queue = new FlushQueue(arena.memory.buffer, address, queueCapacity);
    return new FlushChannel({
      queue,
      inPlace: new InPlaceWriter({ ...this.#options, queue, bytes: arena.bytes, ringAddress, ringSizeBytes }),
      onPublished: () => executor.submitted?.(workerIndex),
      onWritten: () => this.#releaseRing(),
      onDefect: (error) => this.#workerFailed(error, workerIndex),
    });
  }

  #makeContext(options: LocalLogStoreOptions, { leaderEpoch, tails }: StoreStart): StoreContext {
    const { arena, fileSystem, directory, clock, random, logger } = options;
    const { layout } = arena;
    const heap = new ArenaHeap(asAddress(layout.heapAddress), layout.heapSizeBytes, () => {
      logger.warn(
        { heapSizeBytes: layout.heapSizeBytes },
        'The memory for segment indexes is used up, so that reads search longer: use fewer partitions or a larger index.interval.bytes.',
      );
    });
    return {
      directory,
      fileSystem,
      clock,
      random,
      logger,
      arena,
      heap,
      ring: new IngestRing(asAddress(layout.ringAddress), layout.ringSizeBytes),
      channels: layout.queueAddresses.map((address, workerIndex) => this.#makeChannel(address, workerIndex)),
      segmentFiles: new SegmentFiles(fileSystem, clock, options.maxOpenSegmentFiles),
      indexes: new IndexCache(fileSystem, arena, heap, options.sealedIndexBytesMax),
      buffers: new BufferPool(),
      validator: new RecordValidator(
        arena,
        scratchBodyAddress(arena),
        Math.min(scratchBodySizeBytes(arena), largestInflatedBytes),
      ),
      names: { used: 0, max: options.maxNamedProducers ?? maxNamedProducers },
      tails: new TailSet(directory, tails),
      leaderEpoch,
      refusal: this.refusal,
      takeSlot: () => this.#slots++,
      used: (log) => this.#openLogs.used(log),
      checkpointSoon: () => this.#upkeep.checkpointUrgent(),
      saveLogStartOffsets: () => this.#upkeep.saveLogStarts(),
    };
  }
}

function homelessKey({ topic, partition, topicId }: Pick<PartitionState, 'topic' | 'partition' | 'topicId'>): string {
  return `${topic}-${partition} ${topicId}`;
}
