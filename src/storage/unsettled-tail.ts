/**
 * A partition's tail whose own files may not hold it, so that it lies in the journal of tails as well, and how it is
 * settled: written again in place and synced, with the producers that hold behind it. I/O thread, behind the opened ports.
 *
 *   in the journal ─► settled: in the log's own files, durably ─► the recovery point behind it is saved ─► not needed any more
 *                       └ by `settleTail`, or by the flush worker where something is appended first
 *
 * It is written again because the page cache may hold what the disk does not; from the journal, because the page cache may
 * have dropped that meanwhile. `TailSet` knows those of a store and when their journal can go.
 */

import { systemErrorCode } from '../base/environment-error.ts';
import { asPosition, type Offset } from '../base/numbers.ts';
import type { FileDescriptor, FileSystem } from './file-system.ts';
import { partitionMetadataName } from './partition-metadata.ts';
import type { PartitionState } from './partition-state.ts';
import { producerPaths, type ProducerFiles } from './producer-files.ts';
import { makeDurable } from './recovery-syncs.ts';
import { segmentFileName } from './segment-name.ts';
import type { PartitionPoint } from './store-files.ts';
import { tailsName, writeTail, type JournaledTail } from './tail-journal.ts';

/** A journaled tail, and what else of its partition is to be made durable. */
export interface UnsettledTail extends JournaledTail {
  /** The partition's directory. */
  readonly directory: string;
  /** Whether the segment's name may not be on disk. */
  readonly hasNewNames: boolean;
  /** Whether the file that says whose directory it is may not be on disk. */
  readonly hasNewMetadata: boolean;
  /** The producers behind it, where they are others than those of the partition's snapshot. */
  readonly producers: ProducerFiles | null;
  /** Whether that snapshot, which goes once another one counts, has a file of named producers. */
  readonly hadNamedFile: boolean;
}

/** How far a tail is. */
export interface TailProgress {
  readonly tail: UnsettledTail;
  /** `synced`: the flush worker made the log durable behind it, and the producers come with the next checkpoint. */
  stage: 'journaled' | 'synced' | 'settled' | 'failed';
  /** Why it never will be settled in this run. */
  failure: string | null;
  /** While it is being settled; rejects as `settleTail`. */
  settling: Promise<void> | null;
  /** Whether somebody sees to it that the snapshot goes which is not used any more. */
  isReplacing: boolean;
}

/** The tails of one store that are not done with. */
export class TailSet {
  readonly journalPath: string;
  readonly #tails = new Map<string, TailProgress>();

  constructor(directory: string, tails: Iterable<UnsettledTail>) {
    this.journalPath = `${directory}/${tailsName}`;
    for (const tail of tails) {
      this.#tails.set(tail.name, { tail, stage: 'journaled', failure: null, settling: null, isReplacing: false });
    }
  }

  get size(): number {
    return this.#tails.size;
  }

  /** That of the partition in the directory `name`; null where it has none. */
  of(name: string): TailProgress | null {
    return this.#tails.get(name) ?? null;
  }

  all(): Iterable<TailProgress> {
    return this.#tails.values();
  }

  /** The partition is deleted. */
  forget(name: string): void {
    this.#tails.delete(name);
  }

  /** Whether nothing may be written down of the partition, because its directory may not say whose it is. */
  isNameless(name: string): boolean {
    const progress = this.#tails.get(name);
    return progress !== undefined && progress.tail.hasNewMetadata && progress.stage === 'journaled';
  }

  /** The recovery points are on disk: tails before them are done with, and returned. */
  saved(points: readonly PartitionPoint[]): TailProgress[] {
    const done: TailProgress[] = [];
    if (this.#tails.size === 0) return done;
    for (const { topic, partition, offset } of points) {
      const name = `${topic}-${partition}`;
      const progress = this.#tails.get(name);
      if (progress === undefined || offset < progress.tail.endOffset) continue;
      this.#tails.delete(name);
      done.push(progress);
    }
    return done;
  }
}

/**
 * Settles the tail; who asks while that is under way waits for the same. What is written to its log is written before this
 * returns, so that nobody else may have the file open only until then. Rejects with the file system's error; where `failure`
 * is null it may be tried again.
 */
export function settleTail(fileSystem: FileSystem, journalPath: string, progress: TailProgress): Promise<void> {
  progress.settling ??= settle(fileSystem, journalPath, progress).finally(() => (progress.settling = null));
  return progress.settling;
}

async function settle(fileSystem: FileSystem, journalPath: string, progress: TailProgress): Promise<void> {
  const { tail } = progress;
  const files: FileDescriptor[] = [];
  try {
    files.push(fileSystem.open(`${tail.directory}/${segmentFileName(tail.segmentBaseOffset, 'log')}`, 'write'));
    if (tail.hasNewMetadata) files.push(fileSystem.open(`${tail.directory}/${partitionMetadataName}`, 'write'));
    writeTail(fileSystem, journalPath, tail, files[0]!);
  } catch (error) {
    for (const file of files) fileSystem.close(file);
    throw error;
  }
  const { directory, hasNewNames, hasNewMetadata, producers, endOffset } = tail;
  try {
    await makeDurable(fileSystem, {
      directory,
      files,
      hasNewNames: hasNewNames || hasNewMetadata,
      producers: producers === null ? null : { endOffset, files: producers },
    });
  } catch (error) {
    // What is written can be written again; but a name whose sync failed may count as synced from then on.
    if (systemErrorCode(error) === 'EIO') {
      progress.stage = 'failed';
      progress.failure = 'a sync failed, so what the disk holds is not known';
    }
    throw error;
  }
  progress.stage = 'settled';
}

/** The state of a partition that nobody has opened, once its tail is settled. */
export function settledState(state: PartitionState, { endOffset, producers }: UnsettledTail): PartitionState {
  const producerSnapshot = producers === null ? state.producerSnapshot : endOffset;
  return { ...state, recoveryPoint: endOffset, producerSnapshot };
}

/**
 * The paths of the snapshot that a settled tail's takes the place of, for the time when nothing on disk names it any more;
 * of who asks first.
 */
export function takeReplaced(progress: TailProgress, before: PartitionState['producerSnapshot']): string[] {
  const { producers, endOffset, hadNamedFile } = progress.tail;
  if (producers === null || before === null || before === endOffset) return [];
  return takeSnapshot(progress, before, hadNamedFile);
}

/** As `takeReplaced`, of the snapshot that settling the tail wrote, where a newer one is wanted already. */
export function takeUnused(progress: TailProgress): string[] {
  const { producers, endOffset } = progress.tail;
  return producers === null ? [] : takeSnapshot(progress, endOffset, producers.named !== null);
}

function takeSnapshot(progress: TailProgress, offset: Offset, hasNamedFile: boolean): string[] {
  if (progress.isReplacing) return [];
  progress.isReplacing = true;
  const { snapshot, named } = producerPaths(progress.tail.directory, offset);
  return hasNamedFile ? [snapshot, named] : [snapshot];
}

/** What a flush worker is told of a tail, as text for the ring. */
export type TailToWrite = Pick<
  UnsettledTail,
  'position' | 'sizeBytes' | 'journalPosition' | 'hasNewNames' | 'hasNewMetadata'
>;

export function tailText({ position, sizeBytes, journalPosition, hasNewNames, hasNewMetadata }: UnsettledTail): string {
  return `${position} ${sizeBytes} ${journalPosition} ${Number(hasNewNames)} ${Number(hasNewMetadata)}`;
}

/** What `tailText` said. */
export function parseTailText(text: string): TailToWrite {
  const [position, sizeBytes, journalPosition, names, metadata] = text.split(' ').map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return {
    position: asPosition(position),
    sizeBytes,
    journalPosition,
    hasNewNames: names === 1,
    hasNewMetadata: metadata === 1,
  };
}
