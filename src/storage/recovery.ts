/**
 * Recovers one partition after a stop that was not clean: finds where its log ends and what state holds there. At the
 * start, synchronous.
 *
 *   segments   │ trusted │ trusted, then scanned │ scanned │           the log ends at the first batch that is not whole,
 *                                ▲ recovery point                       valid and next in sequence
 *
 * What follows the end moves to `.cut` files, unless it is zeros, which the writer makes ahead. Before the recovery
 * point nothing may be missing: where it is, the partition keeps its files, is read up to there, and refuses writes
 * until someone decides. What lies past the point is written again in place and synced, because the page cache may hold
 * what the disk does not.
 */

import { asOffset, asPosition, firstOffset, type Offset, type Position } from '../base/numbers.ts';
import { cutLog, setAside } from './cut-files.ts';
import type { FileDescriptor } from './file-system.ts';
import {
  haveSameEntries,
  readIndexEntries,
  writeIndexEntries,
  type FoundEntries,
  type IndexEntries,
} from './index-rebuild.ts';
import { LeaderEpochs, type EpochStart } from './leader-epochs.ts';
import { partitionMetadataName } from './partition-metadata.ts';
import type { PartitionState } from './partition-state.ts';
import { ProducerRecovery } from './producer-recovery.ts';
import { RecoveredTransactions } from './recovered-transactions.ts';
import { ScannedSegment } from './scanned-segment.ts';
import { deletedFileSuffix, parseSegmentFileName, segmentFileName, temporarySuffix } from './segment-name.ts';
import { scanSegmentFile, type FileBatch } from './segment-scan.ts';
import type { SegmentState } from './segment.ts';
import type { TransactionEntry } from './transaction-index.ts';
import { trustSegment, type RecoveryTools } from './trusted-segment.ts';

/** The partition to recover, with what was written down of it. */
export interface RecoveryInput {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string | null;
  readonly directory: string;
  /** 0 where none was written down. */
  readonly recoveryPoint: Offset;
  /** Whether one was written down, so that the directory and what it says of itself are on disk. */
  readonly isKnown: boolean;
  readonly producerSnapshot: Offset | null;
  /** The leader epochs of what lies before the recovery point. */
  readonly epochs: readonly EpochStart[];
  /** 0 where none was written down. */
  readonly logStartOffset: Offset;
}

export interface RecoveryResult {
  readonly state: PartitionState;
  /** A snapshot that the state no longer names; removed once the recovery points no longer do either. */
  readonly staleSnapshot: Offset | null;
  /** Bytes that moved to `.cut` files. */
  readonly cutBytes: number;
  /** Bytes that were scanned. */
  readonly scannedBytes: number;
}

/** Recovers the partition. Throws the file system's errors; damage is in the state's `refusal`. */
export function recoverPartition(tools: RecoveryTools, input: RecoveryInput): RecoveryResult {
  return new Recovery(tools, input).run();
}

/** Where a scan of a segment begins, and what is known of what lies before. */
interface ScanStart {
  readonly position: Position;
  readonly offset: Offset;
  /** Entries for what lies before. */
  readonly entries: IndexEntries;
  /** All entries that the files have. */
  readonly found: FoundEntries;
}

class Recovery {
  readonly #tools: RecoveryTools;
  readonly #input: RecoveryInput;
  readonly #producers: ProducerRecovery;
  readonly #epochs: LeaderEpochs;
  readonly #transactions: RecoveredTransactions;
  #recoveryPoint: Offset;
  #endOffset: Offset = firstOffset;
  #problem: string | null = null;
  #scannedBytes = 0;
  #changed = false;

  constructor(tools: RecoveryTools, input: RecoveryInput) {
    this.#tools = tools;
    this.#input = input;
    this.#recoveryPoint = input.recoveryPoint;
    this.#producers = new ProducerRecovery(tools, input.directory);
    this.#transactions = new RecoveredTransactions(tools.fileSystem, input.directory);
    this.#epochs = new LeaderEpochs(input.epochs);
    if (!this.#producers.load(input.producerSnapshot)) this.#distrust('producer snapshot');
  }

  run(): RecoveryResult {
    let baseOffsets = this.#withoutLeftovers(this.#withoutDeleted(this.#listSegments()));
    const segments: SegmentState[] = [];
    let cutBytes = 0;
    if (this.#beginsNowhere(baseOffsets)) {
      cutBytes = this.#setAside(baseOffsets);
      baseOffsets = [];
    }
    if (!this.#transactions.load(baseOffsets, this.#recoveryPoint)) this.#distrust('transaction index of a segment');
    const first = baseOffsets[0] ?? this.#input.logStartOffset;
    this.#endOffset = first;
    for (const [i, baseOffset] of baseOffsets.entries()) {
      const nextBase = baseOffsets[i + 1] ?? null;
      // One that ends at the recovery point may have been ended after it, so that its last index entries are not certain.
      const trusted =
        nextBase !== null && nextBase < this.#recoveryPoint
          ? trustSegment(this.#tools, this.#input.directory, baseOffset, nextBase, this.#transactions.of(baseOffset))
          : null;
      if (trusted !== null) {
        if (this.#transactions.save(baseOffset, this.#transactions.of(baseOffset))) this.#changed = true;
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
        for (const { baseOffset: before } of segments.splice(0)) this.#remove(before);
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
    }
    this.#finish();
    if (first > this.#input.logStartOffset && this.#input.recoveryPoint > firstOffset) {
      return this.#result(this.#state(segments, this.#headless(first)), cutBytes);
    }
    return this.#result(this.#state(segments, null), cutBytes);
  }

  #result(state: PartitionState, cutBytes: number): RecoveryResult {
    const { producerSnapshot } = this.#input;
    const staleSnapshot = producerSnapshot === state.producerSnapshot ? null : producerSnapshot;
    return { state, staleSnapshot, cutBytes, scannedBytes: this.#scannedBytes };
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

  /** The base offsets of the segments, ascending. What a deletion or a replacement left behind is removed. */
  #listSegments(): Offset[] {
    const { fileSystem } = this.#tools;
    const { directory } = this.#input;
    const baseOffsets: Offset[] = [];
    for (const name of fileSystem.list(directory)) {
      if (name.endsWith(deletedFileSuffix) || name.endsWith(temporarySuffix)) fileSystem.remove(`${directory}/${name}`);
      const parsed = parseSegmentFileName(name);
      if (parsed?.kind === 'log') baseOffsets.push(parsed.baseOffset);
      if (parsed?.kind === 'txnindex') this.#transactions.found(parsed.baseOffset);
      const isSnapshot = parsed?.kind === 'snapshot' || parsed?.kind === 'named';
      if (isSnapshot && parsed.baseOffset !== this.#input.producerSnapshot) {
        fileSystem.remove(`${directory}/${name}`);
      }
    }
    return baseOffsets.toSorted((a, b) => a - b);
  }

  /**
   * Leaves out, and removes, the segments that end at or before the log's start: a deletion was not finished. Those
   * that go beyond the recovery point stay, because their producers are not known yet.
   */
  #withoutDeleted(baseOffsets: readonly Offset[]): Offset[] {
    const unneededBefore = Math.min(this.#input.logStartOffset, this.#input.recoveryPoint);
    const kept = baseOffsets.filter((_, i) => !((baseOffsets[i + 1] ?? Infinity) <= unneededBefore));
    for (const baseOffset of baseOffsets.slice(0, baseOffsets.length - kept.length)) this.#remove(baseOffset);
    return kept;
  }

  /**
   * Leaves out, and removes, empty segments in the middle: a segment that was to begin there could not be made, and the
   * one before it went on past that offset.
   */
  #withoutLeftovers(baseOffsets: readonly Offset[]): Offset[] {
    const { fileSystem } = this.#tools;
    return baseOffsets.filter((baseOffset, i) => {
      const isLeftover = i > 0 && i < baseOffsets.length - 1 && fileSystem.sizeAt(this.#logPath(baseOffset)) === 0;
      if (isLeftover) this.#remove(baseOffset);
      return !isLeftover;
    });
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
    for (const { baseOffset } of segments) this.#remove(baseOffset);
    this.#endOffset = logStartOffset;
    this.#changed = true;
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
    this.#changed = true;
    logger.warn(
      { topic, partition, endOffset: logStartOffset, cutBytes },
      'The log has no beginning, which was not on disk yet; what followed is kept in .cut files.',
    );
    return cutBytes;
  }

  #remove(baseOffset: Offset): void {
    const { fileSystem } = this.#tools;
    for (const kind of ['log', 'index', 'timeindex', 'txnindex'] as const) {
      const path = `${this.#input.directory}/${segmentFileName(baseOffset, kind)}`;
      if (fileSystem.sizeAt(path) !== null) fileSystem.remove(path);
    }
    this.#changed = true;
  }

  /** Scans a segment from the recovery point, or all of it, and makes its indexes again from there on. */
  #scan(baseOffset: Offset, nextBase: Offset | null): SegmentState {
    const { arena, fileSystem } = this.#tools;
    const isLast = nextBase === null;
    const path = this.#logPath(baseOffset);
    const file = fileSystem.open(path, 'write');
    try {
      const sizeBytes = fileSystem.sizeOf(file);
      const start = this.#scanStart(baseOffset, sizeBytes);
      const known = this.#transactions.of(baseOffset);
      const segment = new ScannedSegment(baseOffset, start.entries, [...known], this.#tools.nowMs);
      this.#endOffset = start.offset;
      const take = (batch: FileBatch): null => {
        const aborted = this.#take(batch);
        segment.take(batch);
        if (aborted !== null) segment.transactions.push(aborted);
        return null;
      };
      const end = scanSegmentFile(
        arena,
        fileSystem,
        file,
        sizeBytes,
        start.position,
        start.offset,
        true,
        take,
        (address, position, takenBytes) => {
          if (this.#endOffset > this.#recoveryPoint) this.#writeAgain(file, address, position, takenBytes);
        },
      );
      this.#scannedBytes += end.endPosition - start.position;
      this.#problem = end.problem;
      // Zeros where batches were on disk are damage, which stays as it is; before a segment that is next they are none.
      if (end.zeroBytes > 0 && (this.#endOffset >= this.#input.recoveryPoint || this.#endOffset === nextBase)) {
        fileSystem.truncate(file, end.endPosition);
        this.#changed = true;
      }
      segment.end(end.endPosition, isLast);
      // Of a segment that ends at the recovery point only the last index entry is not certain.
      const isCertain = isLast ? this.#endOffset <= this.#recoveryPoint : this.#endOffset < this.#recoveryPoint;
      if (!isCertain) this.#changed = true;
      const { offsets, times } = segment.entries;
      const isSame = haveSameEntries(segment.entries, start.found);
      // Entries that are right may stand in the page cache alone, where the recovery point passes over them.
      if (!isSame || (!isCertain && offsets.length + times.length > 0)) {
        this.#changed = true;
        writeIndexEntries(fileSystem, this.#input.directory, baseOffset, segment.entries);
      }
      if (this.#transactions.save(baseOffset, segment.transactions)) this.#changed = true;
      return segment.state;
    } finally {
      fileSystem.close(file);
    }
  }

  /**
   * Writes in place what was read: after a sync that failed the kernel calls pages clean that the disk never took, also
   * to the process that comes next. Written again they are taken, or the sync at the end fails.
   */
  #writeAgain(file: FileDescriptor, address: number, position: Position, sizeBytes: number): void {
    const { arena, fileSystem } = this.#tools;
    let written = 0;
    while (written < sizeBytes) {
      const rest = arena.bytes.subarray(address + written, address + sizeBytes);
      const count = fileSystem.write(file, [rest], position + written);
      if (count <= 0) throw Object.assign(new Error('A write took no bytes.'), { code: 'EIO' });
      written += count;
    }
    this.#changed = true;
  }

  /** The last index entry before the recovery point, where the file has at its position what the entry says. */
  #scanStart(baseOffset: Offset, sizeBytes: number): ScanStart {
    const { fileSystem, arena } = this.#tools;
    const found = readIndexEntries(fileSystem, this.#input.directory, baseOffset);
    const { offsets, times } = found;
    const fromFirst: ScanStart = {
      position: asPosition(0),
      offset: baseOffset,
      entries: { offsets: [], times: [] },
      found,
    };
    // A time index that lost entries says nothing of the timestamps before the scan.
    if (this.#recoveryPoint <= baseOffset || !found.isWhole || found.times.length === 0) return fromFirst;
    const count = offsets.findLastIndex(({ lastOffset }) => lastOffset < this.#recoveryPoint) + 1;
    if (count === 0) return fromFirst;
    const { lastOffset, position } = offsets[count - 1]!;
    if (position >= sizeBytes) return fromFirst;
    // The batch at the entry's place is looked at once before its word is taken for where the scan begins.
    let first: Offset | null = null;
    const file = fileSystem.open(this.#logPath(baseOffset), 'read');
    try {
      scanSegmentFile(arena, fileSystem, file, sizeBytes, asPosition(position), baseOffset, false, (batch) => {
        if (batch.lastOffset === lastOffset) first = batch.baseOffset;
        return 'one batch is enough';
      });
    } finally {
      fileSystem.close(file);
    }
    if (first === null) return fromFirst;
    return {
      position: asPosition(position),
      offset: first,
      // The entry at this place is made again, so those before it are kept.
      entries: { offsets: offsets.slice(0, count - 1), times: times.filter(({ offset }) => offset < first!) },
      found,
    };
  }

  /** Returns the transaction that the batch aborts, where it lies behind the recovery point; else null. */
  #take(batch: FileBatch): TransactionEntry | null {
    this.#endOffset = asOffset(batch.lastOffset + 1);
    if (batch.leaderEpoch > this.#epochs.latestEpoch) {
      this.#epochs.assign(batch.leaderEpoch, batch.baseOffset);
    }
    return batch.baseOffset >= this.#recoveryPoint ? this.#producers.take(batch) : null;
  }

  #cut(last: SegmentState, later: readonly Offset[]): number {
    const { fileSystem, logger } = this.#tools;
    const { topic, partition, directory } = this.#input;
    const cutBytes = cutLog(fileSystem, directory, last.baseOffset, last.sizeBytes, later);
    this.#changed = true;
    logger.warn(
      { topic, partition, endOffset: this.#endOffset, cutBytes, problem: this.#problem },
      'The log was cut where it is not whole; what followed is kept in .cut files.',
    );
    return cutBytes;
  }

  /** Makes durable what was recovered, so that the next start finds at least this. */
  #finish(): void {
    const { fileSystem } = this.#tools;
    const { directory } = this.#input;
    this.#epochs.truncateFromEnd(this.#endOffset);
    this.#producers.save(this.#endOffset);
    if (!this.#changed && this.#input.isKnown) return;
    for (const name of fileSystem.list(directory)) {
      if (parseSegmentFileName(name)?.kind !== 'log' && name !== partitionMetadataName) continue;
      const file = fileSystem.open(`${directory}/${name}`, 'write');
      try {
        fileSystem.sync(file);
      } finally {
        fileSystem.close(file);
      }
    }
    fileSystem.syncDirectory(directory);
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
      segments,
      epochs: this.#epochs.starts,
      producerSnapshot: this.#producers.savedAs,
      firstOpenTransaction: this.#producers.firstOpenTransaction,
      refusal,
    };
  }

  #logPath(baseOffset: Offset): string {
    return `${this.#input.directory}/${segmentFileName(baseOffset, 'log')}`;
  }
}
