/**
 * Checks one partition's directory: its segments one after the other, producers, leader epochs, whose it is, what was
 * written down of it, and what does not belong there. Offline, synchronous.
 *
 *   segments ─► the offsets go on from one to the next ─► where the log ends ─► recovery point, clean stop, epochs
 */

import { asOffset, firstOffset, type Offset } from '../base/numbers.ts';
import { readCheckpointLines, readWholeFile } from '../storage/checkpoint-file.ts';
import { cutSuffix } from '../storage/cut-files.ts';
import { parseLeaderEpochLines, type EpochStart } from '../storage/leader-epochs.ts';
import { leaderEpochsName } from '../storage/log-checkpoint.ts';
import { parsePartitionMetadata, partitionMetadataName } from '../storage/partition-metadata.ts';
import {
  cleanedSuffix,
  deletedFileSuffix,
  parsePartitionDirectoryName,
  parseSegmentFileName,
  segmentFileName,
  swapSuffix,
  temporarySuffix,
} from '../storage/segment-name.ts';
import type { FileBatch } from '../storage/segment-scan.ts';
import { endOfSwapped } from '../storage/segment-swap.ts';
import { CleanStopCheck } from './clean-stop-check.ts';
import { epochProblem, EpochsOfLog, laggingEpochProblem } from './epoch-check.ts';
import type { Findings, Loss, PartitionReport, Severity } from './findings.ts';
import { knownPartition, type KnownPartition, type StoreFiles } from './known-partition.ts';
import { SnapshotCheck } from './snapshot-check.ts';
import { capital, checkSegment, type SegmentReport, type SegmentTools } from './segment-check.ts';
import { TransactionsOfLog } from './transaction-check.ts';

const largestMetadataBytes = 4096;

/** Checks the partition in the directory `name` of `root`, which has such a name. */
export function checkPartition(
  tools: SegmentTools,
  root: string,
  name: string,
  files: StoreFiles,
  findings: Findings,
): PartitionReport {
  return new PartitionCheck(tools, root, name, files, findings).run();
}

class PartitionCheck {
  readonly #tools: SegmentTools;
  readonly #root: string;
  readonly #name: string;
  readonly #files: StoreFiles;
  readonly #findings: Findings;
  readonly #topicId: string | null;
  readonly #known: KnownPartition;
  readonly #epochs = new EpochsOfLog();
  /** Compacted segments that were taking the place of others: where they begin and end. */
  readonly #swapped = new Map<Offset, Offset>();
  #metadataDamaged = false;
  #needsRepair = false;
  #largestEpoch = -1;
  #records = 0;
  #batches = 0;
  #sizeBytes = 0;
  #endOffset: Offset = firstOffset;
  #loss: Loss | null = null;

  constructor(tools: SegmentTools, root: string, name: string, files: StoreFiles, findings: Findings) {
    this.#tools = tools;
    this.#root = root;
    this.#name = name;
    this.#files = files;
    this.#findings = findings;
    const { topic, partition } = this.#place;
    const topicId = this.#readTopicId();
    this.#known = knownPartition(files, topic, partition, topicId);
    this.#topicId = topicId ?? this.#known.state?.topicId ?? this.#known.recoveryPoint?.topicId ?? null;
  }

  run(): PartitionReport {
    const baseOffsets = this.#listFiles();
    const start = Math.max(baseOffsets[0] ?? this.#known.logStartOffset, this.#known.logStartOffset);
    this.#endOffset = baseOffsets[0] ?? asOffset(this.#known.logStartOffset);
    const snapshot = this.#snapshotCheck(baseOffsets[0] ?? firstOffset);
    const segments = this.#checkSegments(baseOffsets, snapshot);
    this.#checkBeginning(baseOffsets);
    this.#checkEnd(baseOffsets, segments);
    this.#checkState(baseOffsets, segments);
    // A log that is cut gets its snapshot and epochs made again in any case.
    if (this.#loss === null) this.#checkSnapshot(snapshot);
    this.#checkEpochs(start);
    const { topic, partition } = this.#place;
    return {
      name: this.#name,
      topic,
      partition,
      topicId: this.#topicId,
      segments: baseOffsets.length,
      sizeBytes: this.#sizeBytes,
      batches: this.#batches,
      records: this.#records,
      logStartOffset: Math.min(start, this.#endOffset),
      endOffset: this.#endOffset,
      largestEpoch: this.#largestEpoch,
      loss: this.#loss,
      needsRepair: this.#needsRepair,
      metadataDamaged: this.#metadataDamaged,
    };
  }

  get #place(): { topic: string; partition: number } {
    return parsePartitionDirectoryName(this.#name)!;
  }

  get #stoppedClean(): boolean {
    return this.#files.cleanStop !== null;
  }

  /** Everything before it was on disk, with all that belongs to it. */
  get #certainOffset(): number {
    return this.#known.state?.endOffset ?? this.#known.recoveryPoint?.offset ?? 0;
  }

  /** Whether what follows the log's end so far need not have been on disk: the next start recovers from there. */
  get #isUncertain(): boolean {
    return !this.#stoppedClean && this.#endOffset >= this.#certainOffset;
  }

  /** Whether the last segment's index files may hold what does not count: a recovery left them as they were. */
  get #hasUnsureIndexes(): boolean {
    const { state } = this.#known;
    return state !== null && state.indexPoint < state.recoveryPoint;
  }

  #damage(file: string, what: string, position: number | null = null, offset: number | null = null): void {
    this.#needsRepair = true;
    this.#findings.add('damage', file === '' ? this.#name : `${this.#name}/${file}`, what, position, offset);
  }

  #readTopicId(): string | null {
    const path = `${this.#root}/${this.#name}/${partitionMetadataName}`;
    const bytes = readWholeFile(this.#tools.fileSystem, path, largestMetadataBytes);
    const topicId = bytes === null ? null : parsePartitionMetadata(new TextDecoder().decode(bytes));
    if (topicId === null) this.#metadataDamaged = true;
    return topicId;
  }

  /** The base offsets of the segments, ascending; what else is there becomes findings. */
  #listFiles(): Offset[] {
    const { fileSystem } = this.#tools;
    const names = fileSystem.list(`${this.#root}/${this.#name}`);
    const parsed = names.map((name) => ({ name, parsed: parseSegmentFileName(name) }));
    for (const { name } of parsed) this.#takeSwapped(name);
    const logs = parsed.flatMap((one) => (one.parsed?.kind === 'log' ? [one.parsed.baseOffset] : []));
    const baseOffsets = [...new Set([...logs, ...this.#swapped.keys()])].filter((offset) => !this.#isReplaced(offset));
    const used = this.#known.state?.producerSnapshot ?? this.#known.recoveryPoint?.producerSnapshot ?? null;
    for (const { name, parsed: file } of parsed) {
      if (file === null) this.#strangeFile(name);
      else if (file.kind === 'snapshot' || file.kind === 'named') {
        if (file.baseOffset !== used) this.#note(name, 'A producer snapshot that is not used any more.');
      } else if (file.kind !== 'log' && !baseOffsets.includes(file.baseOffset)) {
        this.#note(name, 'An index without its segment.');
      }
    }
    if (this.#metadataDamaged && baseOffsets.length > 0) this.#reportMetadata();
    return this.#withoutDeleted(baseOffsets.toSorted((a, b) => a - b));
  }

  /** Leaves out the segments that lie before the log's start and that nobody knows any more: the next start removes them. */
  #withoutDeleted(baseOffsets: readonly Offset[]): Offset[] {
    const known = this.#known.state?.segments.map(({ baseOffset }) => baseOffset) ?? [];
    const isDeleted = (baseOffset: Offset, i: number): boolean =>
      (baseOffsets[i + 1] ?? Infinity) <= this.#known.logStartOffset && !known.includes(baseOffset);
    for (const baseOffset of baseOffsets.filter(isDeleted)) {
      this.#note(segmentFileName(baseOffset, 'log'), 'A deleted segment that was not removed yet.');
    }
    return baseOffsets.filter((baseOffset, i) => !isDeleted(baseOffset, i));
  }

  /** A partition that was just being made need not say yet whose it is, and a start after a crash writes it again. */
  #reportMetadata(): void {
    const what = 'It is missing, or does not say which topic the partition belongs to.';
    if (this.#stoppedClean && this.#topicId !== null) this.#damage(partitionMetadataName, what);
    else this.#findings.add('warning', `${this.#name}/${partitionMetadataName}`, what);
  }

  /** Notes a compacted segment that was taking the place of others when a crash came. */
  #takeSwapped(name: string): void {
    if (this.#stoppedClean || !name.endsWith(swapSuffix)) return;
    const segment = parseSegmentFileName(name.slice(0, -swapSuffix.length));
    if (segment?.kind !== 'log') return;
    const { arena, fileSystem } = this.#tools;
    const path = `${this.#root}/${this.#name}/${name}`;
    const endOffset = endOfSwapped(arena, fileSystem, path, segment.baseOffset);
    if (endOffset !== null) this.#swapped.set(segment.baseOffset, endOffset);
  }

  #isReplaced(baseOffset: Offset): boolean {
    return [...this.#swapped].some(([begin, end]) => baseOffset > begin && baseOffset < end);
  }

  #strangeFile(name: string): void {
    if (name === partitionMetadataName || name === leaderEpochsName) return;
    if (name.endsWith(cleanedSuffix))
      return this.#note(name, 'What a compaction had not ended; a recovery removes it.');
    if (name.endsWith(swapSuffix) && !this.#stoppedClean)
      return this.#note(name, 'A compacted segment, whose place the next start completes.');
    if (name.endsWith(cutSuffix))
      this.#note(name, 'What a recovery or repair cut off the log; remove it once nobody needs it.');
    else if (name.endsWith(temporarySuffix))
      this.#note(name, 'A file whose replacement was cut short; a recovery removes it.');
    else if (name.endsWith(deletedFileSuffix)) this.#note(name, 'A deleted file that was not removed yet.');
    else this.#note(name, "It is none of Millrace's files.");
  }

  #note(file: string, what: string): void {
    this.#findings.add('note', `${this.#name}/${file}`, what);
  }

  #checkSegments(baseOffsets: readonly Offset[], snapshot: SnapshotCheck | null): SegmentReport[] {
    const segments: SegmentReport[] = [];
    const transactions = new TransactionsOfLog(this.#tools.arena.bytes);
    for (const [i, baseOffset] of baseOffsets.entries()) {
      const sealed = i < baseOffsets.length - 1;
      const madeAgain = !this.#stoppedClean && (!sealed || baseOffsets[i + 1]! >= this.#certainOffset);
      const indexSeverity: Severity = madeAgain ? 'warning' : 'damage';
      const file = segmentFileName(baseOffset, 'log');
      if (this.#loss === null && baseOffset !== this.#endOffset) {
        const before = segments.at(-1)!;
        this.#cut(
          `The segment begins at offset ${baseOffset}, and ${this.#endOffset} is next.`,
          file,
          { baseOffset: baseOffsets[i - 1]!, position: before.endPosition },
          null,
          this.#isUncertain ? 'warning' : 'damage',
        );
      }
      const countedIndexes = sealed || !this.#hasUnsureIndexes ? null : (this.#known.state?.segments.at(-1) ?? null);
      const suffix = this.#swapped.has(baseOffset) ? swapSuffix : '';
      const gapsBefore = this.#certainOffset;
      const place = {
        root: this.#root,
        name: this.#name,
        baseOffset,
        sealed,
        suffix,
        transactions,
        gapsBefore,
        indexSeverity,
        countedIndexes,
      } as const;
      const report = checkSegment(this.#tools, place, this.#findings, (batch) => {
        if (this.#loss === null) this.#take(batch, snapshot, file);
      });
      segments.push(report);
      this.#sizeBytes += report.fileBytes;
      this.#batches += report.batches;
      this.#records += report.records;
      if (report.indexProblem && indexSeverity === 'damage') this.#needsRepair = true;
      if (this.#loss === null) this.#endOffset = report.endOffset;
      if (report.zeroBytes > 0) this.#checkRoom(report, file);
      if (report.problem === null) continue;
      const torn = report.isTorn && this.#isUncertain;
      this.#cut(
        torn
          ? `${capital(report.problem)}: a write that did not end. The next start cuts it off.`
          : `${capital(report.problem)}.`,
        file,
        { baseOffset, position: report.endPosition },
        report.endPosition,
        torn ? 'warning' : 'damage',
        report.endOffset,
      );
    }
    this.#loss = this.#measuredLoss(baseOffsets, segments);
    return segments;
  }

  /** A crash leaves the room that the writer made ahead; a clean stop does not. Nothing is lost with it either way. */
  #checkRoom({ zeroBytes, endPosition, endOffset }: SegmentReport, file: string): void {
    const what = `${zeroBytes} zeros behind its last batch`;
    if (!this.#stoppedClean) this.#note(file, `${what}: room for more that was not used.`);
    else this.#damage(file, `${what}.`, endPosition, endOffset);
  }

  #take(batch: FileBatch, snapshot: SnapshotCheck | null, file: string): void {
    const problem = this.#epochs.take(batch.leaderEpoch, batch.baseOffset, batch.lastOffset);
    if (problem !== null)
      this.#findings.add('damage', `${this.#name}/${file}`, `${capital(problem)}.`, batch.position, batch.baseOffset);
    this.#largestEpoch = Math.max(this.#largestEpoch, batch.leaderEpoch);
    snapshot?.take(batch);
  }

  /** Notes that the log is not whole; the first such place is where it would be cut. */
  #cut(
    what: string,
    file: string,
    at: { readonly baseOffset: Offset; readonly position: number },
    position: number | null,
    severity: 'damage' | 'warning',
    offset: Offset = this.#endOffset,
  ): void {
    this.#findings.add(severity, `${this.#name}/${file}`, what, position, offset);
    if (severity === 'damage') this.#needsRepair = true;
    this.#loss ??= { ...at, fromOffset: this.#endOffset, endOffset: this.#endOffset, sizeBytes: 0, readableRecords: 0 };
  }

  /** How much goes with the cut. */
  #measuredLoss(baseOffsets: readonly Offset[], segments: readonly SegmentReport[]): Loss | null {
    const loss = this.#loss;
    if (loss === null) return null;
    const later = segments.filter((_, i) => baseOffsets[i]! > loss.baseOffset);
    const damaged = segments[baseOffsets.indexOf(loss.baseOffset as Offset)]!;
    return {
      ...loss,
      endOffset: Math.max(this.#endOffset, this.#certainOffset, ...later.map(({ endOffset }) => endOffset)),
      sizeBytes: damaged.fileBytes - loss.position + later.reduce((sum, { fileBytes }) => sum + fileBytes, 0),
      readableRecords: later.reduce((sum, { records }) => sum + records, 0),
    };
  }

  #checkBeginning(baseOffsets: readonly Offset[]): void {
    const first = baseOffsets[0];
    if (first === undefined || first <= this.#known.logStartOffset) return;
    this.#damage(
      segmentFileName(first, 'log'),
      `The first segment begins at offset ${first}, and the log at ${this.#known.logStartOffset}: what lies between is missing.`,
      null,
      this.#known.logStartOffset,
    );
  }

  /** Whether the log reaches as far as it must, and what would be lost where it does not. */
  #checkEnd(baseOffsets: readonly Offset[], segments: readonly SegmentReport[]): void {
    if (this.#endOffset >= this.#certainOffset || this.#loss !== null) return;
    const { endPosition = 0 } = segments.at(-1) ?? {};
    this.#loss = {
      baseOffset: baseOffsets.at(-1) ?? this.#endOffset,
      position: endPosition,
      fromOffset: this.#endOffset,
      endOffset: this.#certainOffset,
      sizeBytes: 0,
      readableRecords: 0,
    };
    this.#damage(
      '',
      `The log ends at offset ${this.#endOffset}, though everything before ${this.#certainOffset} was on disk.`,
      segments.length === 0 ? null : endPosition,
      this.#endOffset,
    );
  }

  /** Compares with what a clean stop wrote down: the next start believes it without looking. */
  #checkState(baseOffsets: readonly Offset[], segments: readonly SegmentReport[]): void {
    const { state } = this.#known;
    if (state !== null) {
      const log = { baseOffsets, segments, endOffset: this.#endOffset, isCut: this.#loss !== null };
      const place = { name: this.#name, directory: `${this.#root}/${this.#name}` };
      const damage = (file: string, what: string): void => this.#damage(file, what);
      new CleanStopCheck(this.#tools.fileSystem, place, this.#files, this.#findings, damage).check(state, log);
    } else if (this.#stoppedClean && this.#batches > 0) {
      this.#damage('', 'The clean stop does not know the partition: the next start would not find it.');
    }
  }

  #snapshotCheck(firstBase: Offset): SnapshotCheck | null {
    const { state, recoveryPoint } = this.#known;
    const named = state === null ? (recoveryPoint?.producerSnapshot ?? null) : state.producerSnapshot;
    if (named === null) return null;
    const { fileSystem, arena } = this.#tools;
    return new SnapshotCheck(fileSystem, `${this.#root}/${this.#name}`, named, firstBase, arena.bytes);
  }

  #checkSnapshot(snapshot: SnapshotCheck | null): void {
    const problem = snapshot?.end(this.#endOffset, (offset) => this.#epochs.isGone(offset)) ?? null;
    if (snapshot === null || problem === null) return;
    const file = problem.path.slice(problem.path.lastIndexOf('/') + 1);
    this.#damage(file, problem.what, problem.position, problem.offset);
  }

  #checkEpochs(logStartOffset: number): void {
    const starts = this.#readEpochs();
    this.#largestEpoch = Math.max(this.#largestEpoch, starts?.at(-1)?.leaderEpoch ?? -1);
    if (this.#loss !== null) return;
    const certain = Math.min(this.#endOffset, this.#certainOffset);
    const problem =
      starts === null
        ? null
        : laggingEpochProblem(starts, this.#epochs.startsBeside(starts), logStartOffset, certain, this.#stoppedClean);
    if (problem !== null) this.#damage(leaderEpochsName, `${capital(problem)}.`);
    const written = this.#known.state?.epochs ?? this.#known.recoveryPoint?.epochs ?? null;
    const other =
      written === null ? null : epochProblem(written, this.#epochs.startsBeside(written), logStartOffset, certain);
    if (other !== null)
      this.#damage('', `Of its leader epochs, what was written down says something else than the log: ${other}.`);
  }

  /** The epochs in the file; null, with a finding, where it cannot be used. */
  #readEpochs(): readonly EpochStart[] | null {
    let epochs: ReturnType<typeof parseLeaderEpochLines> = null;
    try {
      const lines = readCheckpointLines(this.#tools.fileSystem, `${this.#root}/${this.#name}/${leaderEpochsName}`);
      epochs = parseLeaderEpochLines(lines ?? []);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
    if (epochs !== null) return epochs.starts;
    this.#damage(leaderEpochsName, 'It cannot be read as lines of epoch and start offset.');
    return null;
  }
}
