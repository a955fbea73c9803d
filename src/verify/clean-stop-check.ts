/**
 * Compares what a clean stop wrote down of a partition with the files that are there: the next start believes it without
 * looking. Offline, synchronous.
 */

import type { Offset } from '../base/numbers.ts';
import type { FileSystem } from '../storage/file-system.ts';
import type { PartitionState } from '../storage/partition-state.ts';
import { segmentFileName } from '../storage/segment-name.ts';
import type { SegmentState } from '../storage/segment.ts';
import { logStartsName, recoveryPointsName, type PartitionPoint } from '../storage/store-files.ts';
import type { Findings } from './findings.ts';
import type { StoreFiles } from './known-partition.ts';
import type { SegmentReport } from './segment-check.ts';

/** What was found of the log in its segments. */
export interface FoundLog {
  readonly baseOffsets: readonly Offset[];
  /** As many, in the same order. */
  readonly segments: readonly SegmentReport[];
  readonly endOffset: Offset;
  /** The log is not whole: where it ends says nothing of what was written down. */
  readonly isCut: boolean;
}

export class CleanStopCheck {
  readonly #fileSystem: FileSystem;
  readonly #name: string;
  readonly #directory: string;
  readonly #files: StoreFiles;
  readonly #findings: Findings;
  readonly #damage: (file: string, what: string) => void;

  /** `damage` takes what is wrong in the partition itself, by the name of one of its files, or ''. */
  constructor(
    fileSystem: FileSystem,
    { name, directory }: { readonly name: string; readonly directory: string },
    files: StoreFiles,
    findings: Findings,
    damage: (file: string, what: string) => void,
  ) {
    this.#fileSystem = fileSystem;
    this.#name = name;
    this.#directory = directory;
    this.#files = files;
    this.#findings = findings;
    this.#damage = damage;
  }

  check(state: PartitionState, { baseOffsets, segments, endOffset, isCut }: FoundLog): void {
    this.#checkPoints(state);
    if (state.refusal !== null) this.#damage('', `It takes no writes: ${state.refusal}`);
    if (isCut) return;
    const bases = state.segments.map(({ baseOffset }) => baseOffset);
    if (bases.join() !== baseOffsets.join()) {
      this.#damage(
        '',
        `The clean stop knows segments at ${bases.join(', ')}, and there are ${baseOffsets.join(', ')}.`,
      );
      return;
    }
    for (const [i, segment] of state.segments.entries()) this.#checkSegment(segment, segments[i]!);
    if (state.endOffset < endOffset) {
      this.#damage(
        '',
        `The clean stop says that the log ends at offset ${state.endOffset}, and it goes on to ${endOffset}.`,
      );
    }
  }

  /** After a crash of the next run these two files must say what the clean stop says now. */
  #checkPoints(state: PartitionState): void {
    const { damage } = this.#files;
    const isMine = (point: PartitionPoint): boolean =>
      point.topic === state.topic && point.partition === state.partition && point.topicId === state.topicId;
    const point = this.#files.recoveryPoints.find(isMine);
    if (!damage.recoveryPoints && state.segments.length > 0 && point?.offset !== state.recoveryPoint) {
      damage.recoveryPoints = true;
      const what = `It says ${point?.offset ?? 'nothing'} for ${this.#name}, and the clean stop ${state.recoveryPoint}.`;
      this.#findings.add('damage', recoveryPointsName, what, null, state.recoveryPoint);
    }
    const start = this.#files.logStarts.find(isMine)?.offset ?? 0;
    if (!damage.logStarts && start !== state.logStartOffset) {
      damage.logStarts = true;
      const what = `It says that ${this.#name} begins at ${start}, and the clean stop that it does at ${state.logStartOffset}.`;
      this.#findings.add('damage', logStartsName, what, null, state.logStartOffset);
    }
  }

  #checkSegment(state: SegmentState, found: SegmentReport): void {
    const file = segmentFileName(state.baseOffset, 'log');
    if (state.sizeBytes !== found.endPosition) {
      this.#damage(file, `The clean stop says that it has ${state.sizeBytes} bytes, and it has ${found.endPosition}.`);
    }
    if (state.largestTimestampMs !== found.largestTimestampMs) {
      this.#damage(
        file,
        `The clean stop says that its largest timestamp is ${state.largestTimestampMs}, and it is ${found.largestTimestampMs}.`,
      );
    }
    for (const [kind, sizeBytes] of [
      ['index', state.offsetIndexSizeBytes],
      ['timeindex', state.timeIndexSizeBytes],
      ['txnindex', state.transactionIndexSizeBytes ?? 0],
    ] as const) {
      const name = segmentFileName(state.baseOffset, kind);
      const fileBytes = this.#fileSystem.sizeAt(`${this.#directory}/${name}`) ?? 0;
      // Those beyond do not count; who writes next cuts them off.
      if (fileBytes >= sizeBytes) continue;
      this.#damage(name, `The clean stop says that it has ${sizeBytes} bytes, and it has ${fileBytes}.`);
    }
  }
}
