/**
 * The store's own small files in the data directory. At the start and from the I/O thread; each is replaced whole.
 *
 *   millrace.leader-epoch      the epoch of the run that uses the directory
 *   millrace.recovery-points   up to where each partition is on disk with all that is needed to go on from there
 *   millrace.log-starts        where logs begin that begin later than their first segment
 *   millrace.clean-stop        everything that a start needs to open nothing; only there while nobody runs
 *
 * The first three are checkpoints (checkpoint-file.ts) whose last line is the CRC of those before it; lines of the middle two are
 * `topic partition topic-id offset producer-snapshot leader-epochs [index-point]`, where -1 stands for no snapshot, the
 * epochs are `epoch:start-offset,…` or a dash, and an index point that is missing is the offset. The id keeps the offsets of a deleted topic away from one that was made with its name.
 * Epochs stand here, beside Kafka's own file in each partition, so that thousands of partitions become durable at once.
 * The clean stop's file is JSON behind a line with its CRC.
 */

import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import { asOffset, type Offset } from '../base/numbers.ts';
import { crc32c } from '../records/crc32c.ts';
import {
  readCheckpointLines,
  readWholeFile,
  replaceFileLater,
  writeCheckpointLines,
  writeCheckpointLinesLater,
} from './checkpoint-file.ts';
import { abortedCountsOf, abortedCountsText, parseAbortedCounts, type AbortedCount } from './aborted-counts.ts';
import type { FileSystem } from './file-system.ts';
import { parseLeaderEpochLines, type EpochStart } from './leader-epochs.ts';
import type { PartitionState } from './partition-state.ts';

export const leaderEpochName = 'millrace.leader-epoch';
export const recoveryPointsName = 'millrace.recovery-points';
export const logStartsName = 'millrace.log-starts';
export const cleanStopName = 'millrace.clean-stop';
/** Version 2 says where open transactions began, and how large transaction indexes are; 1 is of before there were any. */
const cleanStopVersion = 2;
const oldestCleanStopVersion = 1;
const largestCleanStopBytes = 1024 * 1024 * 1024;
const largestEpoch = 2 ** 31 - 1;
const nothing = '-';

/** An offset of a partition that is kept in one of the files. */
export interface PartitionPoint {
  readonly topic: string;
  readonly partition: number;
  /** Null where the partition's directory did not say. */
  readonly topicId: string | null;
  readonly offset: Offset;
  /** The offset that the producer snapshot is named after which holds at `offset`; null where there is none. */
  readonly producerSnapshot: Offset | null;
  /** The leader epochs of what lies before `offset`. */
  readonly epochs: readonly EpochStart[];
  /** Up to here index entries are on disk as well; `offset` or before it, where recovery left a short end without any. */
  readonly indexPoint: Offset;
  /** What the transaction indexes have of what lies before `offset`. */
  readonly abortedCounts: readonly AbortedCount[];
}

/** The recovery point of a partition that is not written at the moment. */
export function pointOf(state: PartitionState): PartitionPoint {
  const { topic, partition, topicId, recoveryPoint, producerSnapshot, epochs, indexPoint, segments } = state;
  const abortedCounts = abortedCountsOf(segments);
  return { topic, partition, topicId, offset: recoveryPoint, producerSnapshot, epochs, indexPoint, abortedCounts };
}

/** A partition as a clean stop's file has it; the first releases wrote no index points. */
type WrittenState = Omit<PartitionState, 'indexPoint'> & Partial<Pick<PartitionState, 'indexPoint'>>;

/** The last run's leader epoch; null where there was none. Throws `EnvironmentError` DATA_CORRUPT. */
export function readLeaderEpoch(fileSystem: FileSystem, directory: string): number | null {
  const path = `${directory}/${leaderEpochName}`;
  const lines = readSealedLines(fileSystem, path);
  if (lines === null) return null;
  const text = lines[0] ?? '';
  if (!/^\d{1,10}$/.test(text) || Number(text) > largestEpoch) throw corrupt(path, text);
  return Number(text);
}

export function writeLeaderEpoch(fileSystem: FileSystem, directory: string, leaderEpoch: number): void {
  writeCheckpointLines(fileSystem, `${directory}/${leaderEpochName}`, sealed([String(leaderEpoch)]));
}

/** The recovery points; empty where there is no file. Throws `EnvironmentError` DATA_CORRUPT. */
export function readRecoveryPoints(fileSystem: FileSystem, directory: string): PartitionPoint[] {
  return readPoints(fileSystem, `${directory}/${recoveryPointsName}`);
}

export function writeRecoveryPoints(
  fileSystem: FileSystem,
  directory: string,
  points: readonly PartitionPoint[],
): void {
  writeCheckpointLines(fileSystem, `${directory}/${recoveryPointsName}`, sealed(points.map(pointLine)));
}

export function writeRecoveryPointsLater(
  fileSystem: FileSystem,
  directory: string,
  points: readonly PartitionPoint[],
): Promise<void> {
  return writeCheckpointLinesLater(fileSystem, `${directory}/${recoveryPointsName}`, sealed(points.map(pointLine)));
}

/** The log start offsets; empty where there is no file. Throws `EnvironmentError` DATA_CORRUPT. */
export function readLogStarts(fileSystem: FileSystem, directory: string): PartitionPoint[] {
  return readPoints(fileSystem, `${directory}/${logStartsName}`);
}

export function writeLogStarts(fileSystem: FileSystem, directory: string, points: readonly PartitionPoint[]): void {
  writeCheckpointLines(fileSystem, `${directory}/${logStartsName}`, sealed(points.map(pointLine)));
}

export function writeLogStartsLater(
  fileSystem: FileSystem,
  directory: string,
  points: readonly PartitionPoint[],
): Promise<void> {
  return writeCheckpointLinesLater(fileSystem, `${directory}/${logStartsName}`, sealed(points.map(pointLine)));
}

/** What a clean stop wrote down; null where there was none, or its file is not whole, which makes the stop unclean. */
export function readCleanStop(fileSystem: FileSystem, directory: string): readonly PartitionState[] | null {
  const bytes = readWholeFile(fileSystem, `${directory}/${cleanStopName}`, largestCleanStopBytes);
  if (bytes === null) return null;
  const lineEnd = bytes.indexOf(10);
  if (lineEnd < 0) return null;
  const body = bytes.subarray(lineEnd + 1);
  if (new TextDecoder().decode(bytes.subarray(0, lineEnd)) !== crcLine(body)) return null;
  const content: unknown = JSON.parse(new TextDecoder().decode(body));
  // What this program wrote it wrote whole, or the CRC would not fit.
  const { version, partitions } = content as { version: number; partitions: WrittenState[] };
  if (version >= oldestCleanStopVersion && version <= cleanStopVersion) {
    return partitions.map((state) => ({ ...state, indexPoint: state.indexPoint ?? state.recoveryPoint }));
  }
  throw new EnvironmentError(
    EnvironmentErrorCode.DATA_DIRECTORY_NEWER,
    `The file ${directory}/${cleanStopName} was written by another Millrace (version ${version}, and this one knows ${cleanStopVersion}): use that release.`,
  );
}

/** Writes down a clean stop, durably; the last thing of a run. */
export async function writeCleanStop(
  fileSystem: FileSystem,
  directory: string,
  partitions: readonly PartitionState[],
): Promise<void> {
  const body = new TextEncoder().encode(JSON.stringify({ version: cleanStopVersion, partitions }));
  const line = new TextEncoder().encode(`${crcLine(body)}\n`);
  const bytes = new Uint8Array(line.length + body.length);
  bytes.set(line);
  bytes.set(body, line.length);
  await replaceFileLater(fileSystem, `${directory}/${cleanStopName}`, bytes);
}

/** From now on the directory is in use, and only another clean stop says otherwise. Durable when it returns. */
export function removeCleanStop(fileSystem: FileSystem, directory: string): void {
  const path = `${directory}/${cleanStopName}`;
  if (fileSystem.sizeAt(path) === null) return;
  fileSystem.remove(path);
  fileSystem.syncDirectory(directory);
}

function crcLine(body: Uint8Array): string {
  return `crc32c ${crc32c(body).toString(16).padStart(8, '0')}`;
}

/** `lines` with one more at the end: the CRC of those before it, because one wrong digit would hide or repeat records. */
function sealed(lines: readonly string[]): string[] {
  return [...lines, crcLine(new TextEncoder().encode(lines.join('\n')))];
}

/** The lines of a file that `sealed` made; null where there is none. */
function readSealedLines(fileSystem: FileSystem, path: string): string[] | null {
  const lines = readCheckpointLines(fileSystem, path);
  if (lines === null) return null;
  const content = lines.slice(0, -1);
  const last = lines.at(-1) ?? '';
  if (sealed(content).at(-1) !== last) throw corrupt(path, last);
  return content;
}

function pointLine({
  topic,
  partition,
  topicId,
  offset,
  producerSnapshot,
  epochs,
  indexPoint,
  abortedCounts,
}: PartitionPoint): string {
  const epochsText = epochs.map(({ leaderEpoch, startOffset }) => `${leaderEpoch}:${startOffset}`).join(',');
  const indexText = indexPoint === offset ? '' : ` ${indexPoint}`;
  const abortedText = abortedCounts.length === 0 ? '' : ` aborted=${abortedCountsText(abortedCounts)}`;
  return `${topic} ${partition} ${topicId ?? nothing} ${offset} ${producerSnapshot ?? -1} ${epochsText || nothing}${indexText}${abortedText}`;
}

function readPoints(fileSystem: FileSystem, path: string): PartitionPoint[] {
  return (readSealedLines(fileSystem, path) ?? []).map((line) => {
    const match =
      /^(\S{1,249}) (\d{1,10}) (\S{1,22}) (\d{1,16}) (-1|\d{1,16}) (\S+)(?: (\d{1,16}))?(?: aborted=([\d:,]+))?$/.exec(
        line,
      );
    const [partition, offset, snapshot] = [Number(match?.[2]), Number(match?.[4]), Number(match?.[5])];
    const indexPoint = Number(match?.[7] ?? offset);
    const isSafe = [partition, offset, snapshot, indexPoint].every(Number.isSafeInteger) && indexPoint <= offset;
    if (match === null || !isSafe) throw corrupt(path, line);
    const epochLines = match[6] === nothing ? [] : match[6]!.split(',').map((text) => text.replace(':', ' '));
    const epochs = parseLeaderEpochLines(epochLines);
    const abortedCounts = parseAbortedCounts(match[8] ?? '');
    if (epochs === null || abortedCounts === null) throw corrupt(path, line);
    return {
      topic: match[1]!,
      partition,
      topicId: match[3] === nothing ? null : match[3]!,
      offset: asOffset(offset),
      producerSnapshot: snapshot < 0 ? null : asOffset(snapshot),
      epochs: epochs.starts,
      indexPoint: asOffset(indexPoint),
      abortedCounts,
    };
  });
}

function corrupt(path: string, line: string): EnvironmentError {
  return new EnvironmentError(
    EnvironmentErrorCode.DATA_CORRUPT,
    `The checkpoint ${path} cannot be used: its line ${JSON.stringify(line.slice(0, 300))} is wrong, or does not fit the others. Restore it from a copy, or let \`millrace verify --repair\` make it again.`,
  );
}
