/**
 * The names that Kafka gives the files of a partition and the directories that hold them. Any thread.
 *
 *   orders-0/00000000000000001234.log          a segment whose first offset is 1234; beside it .index, .timeindex,
 *                                              .txnindex, and .snapshot (the producers as of that offset) with
 *                                              .named (what is Millrace's own of the named ones)
 *   orders-0.<32 hex digits>-delete/           a partition on its way out
 *
 * Parsing is strict: what is not exactly such a name is somebody else's and stays untouched. It opens nothing.
 */

import { assert } from '../base/assert.ts';
import { asOffset, type Offset } from '../base/numbers.ts';

/** What follows the 20 digits. */
export type SegmentFileKind = 'log' | 'index' | 'timeindex' | 'txnindex' | 'snapshot' | 'named';

export interface SegmentFileName {
  readonly baseOffset: Offset;
  readonly kind: SegmentFileKind;
}

export interface PartitionName {
  readonly topic: string;
  readonly partition: number;
}

/** Ends the name of a file that was made beside its final place and has not been renamed yet. */
export const temporarySuffix = '.tmp';
/** Ends the names of a cleaned segment's files that are not decided upon (`segment-swap.ts`). */
export const cleanedSuffix = '.cleaned';
/** Ends the name of the log file of a cleaned segment that takes the place of others. */
export const swapSuffix = '.swap';
/** Ends the name of a segment's file, or of a partition's directory, that is deleted later. */
export const deletedFileSuffix = '.deleted';

const offsetDigits = 20;
const longestTopicName = 249;
const largestPartition = 2 ** 31 - 1;
const segmentFilePattern = /^(\d{20})\.(log|index|timeindex|txnindex|snapshot|named)$/;
// The dash before the number is the last one: topics may contain dashes and digits themselves.
const partitionPattern = /^([a-zA-Z0-9._-]+)-(0|[1-9]\d{0,9})$/;
const deletedPartitionPattern = /^([a-zA-Z0-9._-]+)\.[0-9a-f]{32}-delete$/;

/** The name of a segment's file, such as `00000000000000001234.log`. */
export function segmentFileName(baseOffset: Offset, kind: SegmentFileKind): string {
  assert(baseOffset >= 0, 'a segment begins at an offset of at least 0');
  return `${String(baseOffset).padStart(offsetDigits, '0')}.${kind}`;
}

/** What `name` says, or null where it is no name of a segment's file. */
export function parseSegmentFileName(name: string): SegmentFileName | null {
  const match = segmentFilePattern.exec(name);
  if (match === null) return null;
  const baseOffset = Number(match[1]);
  if (!Number.isSafeInteger(baseOffset)) return null;
  return { baseOffset: asOffset(baseOffset), kind: match[2] as SegmentFileKind };
}

/** Whether Kafka allows `topic`: 1 to 249 of letters, digits, dot, underscore and dash, and neither `.` nor `..`. */
export function isTopicName(topic: string): boolean {
  return topic.length <= longestTopicName && /^[a-zA-Z0-9._-]+$/.test(topic) && topic !== '.' && topic !== '..';
}

/** The name of a partition's directory, such as `orders-0`. */
export function partitionDirectoryName(topic: string, partition: number): string {
  assert(isTopicName(topic), 'a directory is named after an allowed topic');
  assert(Number.isInteger(partition) && partition >= 0 && partition <= largestPartition, 'a partition is an int32');
  return `${topic}-${partition}`;
}

/** What `name` says, or null where it is not the name of a partition's directory in use. */
export function parsePartitionDirectoryName(name: string): PartitionName | null {
  const match = partitionPattern.exec(name);
  if (match === null) return null;
  const topic = match[1]!;
  const partition = Number(match[2]);
  if (!isTopicName(topic) || partition > largestPartition) return null;
  return { topic, partition };
}

/**
 * The name that a partition's directory has until it is removed: Kafka's `topic-partition.<id>-delete`. `idHex` are 32
 * lower-case hexadecimal digits that make it unique. A long name is cut, because file systems allow 255 bytes.
 */
export function deletedPartitionDirectoryName(topic: string, partition: number, idHex: string): string {
  assert(/^[0-9a-f]{32}$/.test(idHex), 'the id of a deleted directory has 32 hexadecimal digits');
  const suffix = `.${idHex}-delete`;
  return partitionDirectoryName(topic, partition).slice(0, 255 - suffix.length) + suffix;
}

/** Whether `name` is that of a partition's directory on its way out, which a start removes. */
export function isDeletedPartitionDirectoryName(name: string): boolean {
  return deletedPartitionPattern.test(name);
}
