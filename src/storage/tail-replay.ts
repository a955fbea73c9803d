/**
 * Puts the tails of the journal back into their logs, before a start after a crash looks at these: the power may have failed
 * before they were settled. At the start and offline, synchronous. It may be done again and again.
 *
 * Left out is a tail whose partition's recovery point is behind it, because that is settled and the log may have changed
 * since; and one whose directory is gone or another topic's, because the partition was deleted. All else that may have been
 * done to the log stands behind the tail: what was appended, and cut off again.
 */

import type { FileSystem } from './file-system.ts';
import { replaceFile } from './checkpoint-file.ts';
import { partitionMetadataName, partitionMetadataText, readTopicId } from './partition-metadata.ts';
import { segmentFileName } from './segment-name.ts';
import type { PartitionPoint } from './store-files.ts';
import { readTails, tailsName, writeTail, type JournaledTail } from './tail-journal.ts';

/** The tails in `directory` that may not be in their logs. Throws `EnvironmentError` DATA_CORRUPT, else the file system's errors. */
export function unsettledTails(
  fileSystem: FileSystem,
  directory: string,
  points: readonly PartitionPoint[],
): JournaledTail[] {
  const tails = readTails(fileSystem, directory);
  if (tails.length === 0) return [];
  const offsets = new Map(
    points.map(({ topic, partition, topicId, offset }) => [`${topic}-${partition} ${topicId}`, offset]),
  );
  return tails.filter(({ name, topicId, endOffset }) => (offsets.get(`${name} ${topicId}`) ?? -1) < endOffset);
}

/**
 * Writes them where they belong; durable is that once recovery has made it so. Returns those that were written, by the names
 * of their directories. Throws as `unsettledTails`.
 */
export function replayTails(
  fileSystem: FileSystem,
  directory: string,
  points: readonly PartitionPoint[],
): Map<string, JournaledTail> {
  const replayed = new Map<string, JournaledTail>();
  for (const tail of unsettledTails(fileSystem, directory, points)) {
    const path = `${directory}/${tail.name}`;
    if (!fileSystem.isDirectory(path) || !isOfTopic(fileSystem, path, tail.topicId)) continue;
    const file = fileSystem.open(`${path}/${segmentFileName(tail.segmentBaseOffset, 'log')}`, 'create');
    try {
      writeTail(fileSystem, `${directory}/${tailsName}`, tail, file);
    } finally {
      fileSystem.close(file);
    }
    replayed.set(tail.name, tail);
  }
  return replayed;
}

/** Whether the directory is the topic's. One that does not say is: what takes a name over says so before it holds anything. */
function isOfTopic(fileSystem: FileSystem, path: string, topicId: string): boolean {
  const metadataPath = `${path}/${partitionMetadataName}`;
  const said = fileSystem.sizeAt(metadataPath) === null ? null : readTopicId(fileSystem, path);
  if (said === null) replaceFile(fileSystem, metadataPath, new TextEncoder().encode(partitionMetadataText(topicId)));
  return said === null || said === topicId;
}
