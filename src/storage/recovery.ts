/**
 * Recovers one partition after a stop that was not clean: finds where its log ends and what state holds there. At the
 * start, synchronous; what it changed becomes durable behind it (`recovery-syncs.ts`).
 *
 *   segments   │ trusted │ trusted, then scanned │ scanned │           the log ends at the first batch that is not whole,
 *                                ▲ recovery point                       valid and next in sequence
 *
 * What follows the end moves to `.cut` files, unless it is zeros, which the writer makes ahead. Before the recovery
 * point nothing may be missing: where it is, the partition keeps its files, is read up to there, and refuses writes
 * until someone decides. What lies past the point is written again in place, to be synced, because the page cache may
 * hold what the disk does not.
 *
 * Index entries are made again behind the index point, but for a short end of the log: there the index goes on without
 * them, the worker cuts off what the files hold beyond it, and until that is durable the index point stays where it is.
 */

import { asOffset, firstOffset, type Offset, type Position } from '../base/numbers.ts';
import type { AbortedCount } from './aborted-counts.ts';
import { cutLog, setAside } from './cut-files.ts';
import type { FileDescriptor } from './file-system.ts';
import { FoundSegments } from './found-segments.ts';
import { LeaderEpochs, type EpochStart } from './leader-epochs.ts';
import { partitionMetadataName } from './partition-metadata.ts';
import type { PartitionState } from './partition-state.ts';
import { ProducerRecovery } from './producer-recovery.ts';
import { recoverSegment } from './recovered-segment.ts';
import { RecoveredTransactions } from './recovered-transactions.ts';
import type { UnsyncedPartition } from './recovery-syncs.ts';
import { partitionDirectoryName, segmentFileName } from './segment-name.ts';
import type { FileBatch } from './segment-scan.ts';
import type { SegmentState } from './segment.ts';
import type { JournaledTail } from './tail-journal.ts';
import type { TransactionEntry } from './transaction-index.ts';
import { trustSegment, type RecoveryTools } from './trusted-segment.ts';
import type { UnsettledTail } from './unsettled-tail.ts';

/** The partition to recover, with what was written down of it. */
export interface RecoveryInput {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string | null;
  readonly directory: string;
  /** What is in it, as `FileSystem.list` gives it. */
  readonly names: readonly string[];
  /** 0 where none was written down. */
  readonly recoveryPoint: Offset;
  /** As `PartitionPoint.indexPoint`; 0 where none was written down. */
  readonly indexPoint: Offset;
  /** What the transaction indexes have of what lies before the recovery point. */
  readonly abortedCounts: readonly AbortedCount[];
  /** Whether one was written down, so that the directory and what it says of itself are on disk. */
  readonly isKnown: boolean;
  readonly producerSnapshot: Offset | null;
  /** The leader epochs of what lies before the recovery point. */
  readonly epochs: readonly EpochStart[];
  /** 0 where none was written down. */
  readonly logStartOffset: Offset;
  /** How long the end of the log may be that gets no index entries. */
  readonly unindexedBytesMax: number;
}

export interface RecoveryResult {
  /** What holds once `unsynced` is durable, or the journal that has `tail`. */
  readonly state: PartitionState;
  readonly unsynced: UnsyncedPartition;
  /** What is left to be settled, of which the journal has a copy; then there is nothing to be synced, and the points are the old ones. */
  readonly tail: UnsettledTail | null;
  /** A snapshot that the state no longer names; removed once the recovery points no longer do either. */
  readonly staleSnapshot: Offset | null;
  /** Bytes that moved to `.cut` files. */
  readonly cutBytes: number;
  /** Bytes that were scanned. */
  readonly scannedBytes: number;
}

/** So many files of one partition are kept open to be synced later; of more segments the rest is synced at once. */
const unsyncedFilesMax = 4;
/** Producers of journaled tails wait in memory, so that larger files of them are written at once. */
const waitingProducersBytesMax = 64 * 1024;

/** Recovers the partition. Throws the file system's errors; damage is in the state's `refusal`. */
export function recoverPartition(tools: RecoveryTools, input: RecoveryInput): RecoveryResult {
  const recovery = new Recovery(tools, input);
  try {
    return recovery.run();
  } catch (error) {
    recovery.closeFiles();
    throw error;
  }
}

class Recovery {
  readonly #tools: RecoveryTools;
  readonly #input: RecoveryInput;
  readonly #producers: ProducerRecovery;
  readonly #epochs: LeaderEpochs;
  readonly #transactions: RecoveredTransactions;
  readonly #files: FoundSegments;
  readonly #unsyncedFiles: FileDescriptor[] = [];
  #recoveryPoint: Offset;
  /** The index point that holds afterwards; null where it is the log's end. */
  #indexPoint: Offset | null = null;
  #endOffset: Offset = firstOffset;
  #problem: string | null = null;
  #scannedBytes = 0;
  /** Names of files that were begun, which a power cut may take. */
  #hasNewNames = false;
  /** Whether more was done to the partition than to write its tail again. */
  #isChanged = false;
  /** What was written again, and where the producers and the indexes are those of before. */
  #tail: { readonly baseOffset: Offset; readonly position: Position } | null = null;
  #snapshot: UnsyncedPartition['producers'] = null;

  constructor(tools: RecoveryTools, input: RecoveryInput) {
    this.#tools = tools;
    this.#input = input;
    this.#recoveryPoint = input.recoveryPoint;
    this.#producers = new ProducerRecovery(tools, input.directory);
    this.#transactions = new RecoveredTransactions(tools.fileSystem, input.directory);
    this.#epochs = new LeaderEpochs(input.epochs);
    this.#files = new FoundSegments(tools.fileSystem, input);
    if (!this.#producers.load(input.producerSnapshot)) this.#distrust('producer snapshot');
    tools.tails?.begin(partitionDirectoryName(input.topic, input.partition), input.topicId);
  }

  run(): RecoveryResult {
    let baseOffsets = this.#files.list((baseOffset) => this.#transactions.found(baseOffset));
    const segments: SegmentState[] = [];
    let cutBytes = 0;
    if (this.#beginsNowhere(baseOffsets)) {
      cutBytes = this.#setAside(baseOffsets);
      baseOffsets = [];
    }
    if (!this.#transactions.load(baseOffsets, this.#recoveryPoint, this.#input.abortedCounts)) {
      this.#distrust('transaction index of a segment');
    }
    const first = baseOffsets[0] ?? this.#input.logStartOffset;
    this.#endOffset = first;
    for (const [i, baseOffset] of baseOffsets.entries()) {
      const nextBase = baseOffsets[i + 1] ?? null;
      // One that ends at the recovery point may have been ended after it, so that its last index entries are not certain.
      const trusted =
        nextBase !== null && nextBase < this.#recoveryPoint
          ? trustSegment(this.#tools, this.#input, baseOffset, nextBase, this.#transactions.of(baseOffset))
          : null;
      if (trusted !== null) {
        if (this.#transactions.save(baseOffset, this.#transactions.of(baseOffset))) this.#isChanged = true;
        segments.push(trusted);
        this.#endOffset = nextBase!;
        continue;
      }
      segments.push(this.#scan(baseOffset, nextBase));
      if (this.#problem === null && nextBase !== null && nextBase !== this.#endOffset) {
        this.#problem = `the segment after it begins at offset ${nextBase}, and ${this.#endOffset} is next`;
      }
      if (this.#problem === null) continue;
      if (nextBase !== null && nextBase <= this.#input.logStartOffset) {
        // Nobody reads here any more, and it was kept for its producers only: what follows is not its business.
        this.#problem = null;
        for (const { baseOffset: before } of segments.splice(0)) this.#files.remove(before);
        this.#endOffset = nextBase;
        continue;
      }
      if (this.#isDamaged) return this.#refused(segments, baseOffset);
      cutBytes = this.#cut(segments.at(-1)!, baseOffsets.slice(i + 1));
      break;
    }
    if (this.#isDamaged) return this.#refused(segments, baseOffsets.at(-1) ?? firstOffset);
    if (this.#endOffset < this.#input.logStartOffset) {
      this.#beginAnew(segments);
      segments.length = 0;
      this.#indexPoint = null;
    }
    this.#epochs.truncateFromEnd(this.#endOffset);
    const snapshot = this.#producers.snapshotAt(this.#endOffset);
    if (snapshot !== null) this.#snapshot = { endOffset: this.#endOffset, files: snapshot };
    if (first > this.#input.logStartOffset && this.#input.recoveryPoint > firstOffset) {
      return this.#result(this.#state(segments, this.#headless(first)), cutBytes);
    }
    return this.#result(this.#state(segments, null), cutBytes);
  }

  #result(state: PartitionState, cutBytes: number): RecoveryResult {
    const { producerSnapshot, directory, isKnown } = this.#input;
    const tail = this.#journaledTail(state);
    if (tail !== null) return this.#journaled(state, tail);
    if (!isKnown && !this.#isDamaged) this.#keepMetadata();
    const staleSnapshot = producerSnapshot === state.producerSnapshot ? null : producerSnapshot;
    const unsynced = {
      directory,
      files: this.#unsyncedFiles,
      hasNewNames: this.#hasNewNames || this.#isChanged || this.#files.isChanged,
      producers: this.#snapshot,
    };
    return { state, unsynced, tail: null, staleSnapshot, cutBytes, scannedBytes: this.#scannedBytes };
  }

  /** The tail, kept in the journal, where making it durable later is all that there is to do; else null. */
  #journaledTail(state: PartitionState): JournaledTail | null {
    const { recoveryPoint, producerSnapshot } = this.#input;
    const { tails } = this.#tools;
    const isSimple =
      !this.#isChanged && !this.#files.isChanged && state.refusal === null && this.#recoveryPoint === recoveryPoint;
    if (tails === null || this.#tail === null || !isSimple) return null;
    const { baseOffset, position } = this.#tail;
    // Those who write on know of the active segment's tail alone, and its index goes on without entries for it.
    if (baseOffset !== state.segments.at(-1)!.baseOffset || this.#indexPoint === null) return null;
    if (this.#snapshot === null && state.producerSnapshot !== producerSnapshot) return null;
    const { snapshot, named } = this.#snapshot?.files ?? { snapshot: null, named: null };
    if ((snapshot?.length ?? 0) + (named?.length ?? 0) > waitingProducersBytesMax) return null;
    return tails.keep(baseOffset, position, state.endOffset);
  }

  /** What holds before the tail is settled: all that is certain in the partition's own files is what was before. */
  #journaled(state: PartitionState, tail: JournaledTail): RecoveryResult {
    const { recoveryPoint, indexPoint, producerSnapshot, directory, names, isKnown } = this.#input;
    this.closeFiles();
    return {
      state: { ...state, recoveryPoint, indexPoint, producerSnapshot },
      unsynced: { directory, files: [], hasNewNames: false, producers: null },
      tail: {
        ...tail,
        directory,
        hasNewNames: this.#hasNewNames,
        hasNewMetadata: !isKnown,
        producers: this.#snapshot?.files ?? null,
        hadNamedFile: producerSnapshot !== null && names.includes(segmentFileName(producerSnapshot, 'named')),
      },
      staleSnapshot: null,
      cutBytes: 0,
      scannedBytes: this.#scannedBytes,
    };
  }

  /** For a recovery that failed. */
  closeFiles(): void {
    for (const file of this.#unsyncedFiles.splice(0)) this.#tools.fileSystem.close(file);
  }

  /** Whether something is missing that was on disk and was not deleted. */
  get #isDamaged(): boolean {
    const { recoveryPoint, logStartOffset } = this.#input;
    return this.#endOffset < recoveryPoint && logStartOffset < recoveryPoint;
  }

  /** What was to hold at the recovery point is not known, so all is read again from the first segment on. */
  #distrust(what: string): void {
    const { topic, partition } = this.#input;
    this.#tools.logger.warn({ topic, partition }, `The ${what} is missing or damaged: all of the log is read again.`);
    this.#recoveryPoint = firstOffset;
    this.#producers.clear();
  }

  /**
   * The log ends before it begins: what was deleted was never durable. No offset that was deleted comes back, so the
   * log is empty and goes on at its start, as Kafka has it.
   */
  #beginAnew(segments: readonly SegmentState[]): void {
    const { topic, partition, logStartOffset } = this.#input;
    const endOffset = this.#endOffset;
    this.#tools.logger.warn(
      { topic, partition, logStartOffset, endOffset },
      'The log ended before the offset up to which its records were deleted: it is empty and begins there.',
    );
    for (const { baseOffset } of segments) this.#files.remove(baseOffset);
    this.#endOffset = logStartOffset;
    this.#isChanged = true;
  }

  /**
   * Whether the first segment is missing while nothing was promised: names of new files reach the disk in any order. What
   * is on disk for sure is a beginning of the log, so nothing of what is there can be part of it.
   */
  #beginsNowhere(baseOffsets: readonly Offset[]): boolean {
    const { logStartOffset, recoveryPoint } = this.#input;
    return recoveryPoint <= logStartOffset && (baseOffsets[0] ?? firstOffset) > logStartOffset;
  }

  #setAside(baseOffsets: readonly Offset[]): number {
    const { fileSystem, logger } = this.#tools;
    const { topic, partition, directory, logStartOffset } = this.#input;
    const cutBytes = setAside(fileSystem, directory, baseOffsets);
    this.#isChanged = true;
    logger.warn(
      { topic, partition, endOffset: logStartOffset, cutBytes },
      'The log has no beginning, which was not on disk yet; what followed is kept in .cut files.',
    );
    return cutBytes;
  }

  /** Recovers a segment by scanning it. */
  #scan(baseOffset: Offset, nextBase: Offset | null): SegmentState {
    const { directory, names, indexPoint, recoveryPoint: certainEnd, unindexedBytesMax } = this.#input;
    const recoveryPoint = this.#recoveryPoint;
    const segment = {
      directory,
      names,
      baseOffset,
      nextBase,
      recoveryPoint,
      certainEnd,
      indexPoint,
      unindexedBytesMax,
      transactions: this.#transactions.of(baseOffset),
    };
    const recovered = recoverSegment(this.#tools, segment, (batch) => this.#take(batch));
    const { state, endOffset, problem, scannedBytes, unsynced, hasNewIndexes, isUnindexed, tailPosition } = recovered;
    if (unsynced !== null) this.#syncLater(unsynced);
    this.#endOffset = endOffset;
    if (this.#transactions.save(baseOffset, recovered.transactions)) this.#isChanged = true;
    this.#problem = problem;
    this.#scannedBytes += scannedBytes;
    if (isUnindexed) this.#indexPoint = indexPoint;
    if (hasNewIndexes) this.#isChanged = true;
    // The name of a file that was begun at the recovery point, or behind it, may not be on disk.
    if (baseOffset >= recoveryPoint) this.#hasNewNames = true;
    if (unsynced === null) return state;
    // The journal takes one piece of a log.
    if (tailPosition === null || this.#tail !== null) this.#isChanged = true;
    else this.#tail = { baseOffset, position: tailPosition };
    return state;
  }

  #syncLater(file: FileDescriptor): void {
    const { fileSystem } = this.#tools;
    this.#unsyncedFiles.push(file);
    if (this.#unsyncedFiles.length <= unsyncedFilesMax) return;
    const first = this.#unsyncedFiles.shift()!;
    try {
      fileSystem.sync(first);
    } finally {
      fileSystem.close(first);
    }
  }

  /** Returns the transaction that the batch aborts, where it lies behind the recovery point; else null. */
  #take(batch: FileBatch): TransactionEntry | null {
    if (batch.leaderEpoch > this.#epochs.latestEpoch) {
      this.#epochs.assign(batch.leaderEpoch, batch.baseOffset);
    }
    return batch.baseOffset >= this.#recoveryPoint ? this.#producers.take(batch) : null;
  }

  #cut(last: SegmentState, later: readonly Offset[]): number {
    const { fileSystem, logger } = this.#tools;
    const { topic, partition, directory } = this.#input;
    const cutBytes = cutLog(fileSystem, directory, last.baseOffset, last.sizeBytes, later);
    this.#isChanged = true;
    logger.warn(
      { topic, partition, endOffset: this.#endOffset, cutBytes, problem: this.#problem },
      'The log was cut where it is not whole; what followed is kept in .cut files.',
    );
    return cutBytes;
  }

  /** What the directory says of itself is to be synced with it, where nobody knows that it was. */
  #keepMetadata(): void {
    const { fileSystem } = this.#tools;
    const path = `${this.#input.directory}/${partitionMetadataName}`;
    this.#hasNewNames = true;
    if (fileSystem.sizeAt(path) !== null) this.#syncLater(fileSystem.open(path, 'write'));
  }

  /** The sentence for a log whose beginning is missing: what is left is read, and nothing added to it. */
  #headless(first: Offset): string {
    const { topic, partition, directory, logStartOffset } = this.#input;
    const refusal =
      `Partition ${partition} of ${topic} takes no writes: its first segment in ${directory} begins at offset ${first}, and ` +
      `the log at ${logStartOffset}. Restore the files from a copy, or let \`millrace verify --repair\` begin the log there.`;
    this.#tools.logger.error({ topic, partition, first, logStartOffset }, refusal);
    return refusal;
  }

  #refused(segments: readonly SegmentState[], baseOffset: Offset): RecoveryResult {
    const { topic, partition, directory, recoveryPoint } = this.#input;
    const position = segments.at(-1)?.sizeBytes ?? 0;
    const refusal =
      `Partition ${partition} of ${topic} takes no writes: ${directory}/${segmentFileName(baseOffset, 'log')} has ` +
      `${this.#problem ?? 'nothing more'} at position ${position}, though everything before offset ${recoveryPoint} was on disk. ` +
      'Restore the files from a copy, or let `millrace verify --repair` cut the log there.';
    this.#tools.logger.error({ topic, partition, position, endOffset: this.#endOffset }, refusal);
    return this.#result(this.#state(segments, refusal), 0);
  }

  #state(segments: readonly SegmentState[], refusal: string | null): PartitionState {
    const { topic, partition, topicId, logStartOffset } = this.#input;
    const first = segments[0]?.baseOffset ?? this.#endOffset;
    return {
      topic,
      partition,
      topicId,
      logStartOffset: asOffset(Math.min(Math.max(first, logStartOffset), this.#endOffset)),
      endOffset: this.#endOffset,
      recoveryPoint: refusal === null ? this.#endOffset : this.#input.recoveryPoint,
      indexPoint: refusal === null ? (this.#indexPoint ?? this.#endOffset) : this.#input.indexPoint,
      segments,
      epochs: this.#epochs.starts,
      producerSnapshot: this.#producers.savedAs,
      firstOpenTransaction: this.#producers.firstOpenTransaction,
      refusal,
    };
  }
}
