/**
 * Kafka's file `partition.metadata` in a partition's directory: which topic it belongs to, where a name could be that
 * of an older one. Any thread. It is text:
 *
 *   version: 0
 *   topic_id: FQ0JpJ3yR5iTtAqp5Vbaqg
 */

import { parseUuid, type Uuid } from '../base/uuid.ts';
import { readWholeFile } from './checkpoint-file.ts';
import type { FileSystem } from './file-system.ts';

const largestMetadataBytes = 4096;
const metadataBytes = new Uint8Array(largestMetadataBytes);
const utf8 = new TextDecoder();

export const partitionMetadataName = 'partition.metadata';

/** What the file of a partition of the topic with this id holds. */
export function partitionMetadataText(topicId: string): string {
  return `version: 0\ntopic_id: ${topicId}\n`;
}

/** The topic id that the file's text names, or null where it cannot be read. */
export function parsePartitionMetadata(text: string): Uuid | null {
  const match = /^version: 0\ntopic_id: ([A-Za-z0-9_-]{22})\n?$/.exec(text);
  return match === null ? null : parseUuid(match[1]!);
}

/** The topic id in the partition's metadata, which exists; null where it cannot be read. Thousands are read in a row. */
export function readTopicId(fileSystem: FileSystem, path: string): string | null {
  const metadataPath = `${path}/${partitionMetadataName}`;
  const file = fileSystem.open(metadataPath, 'read');
  try {
    const filled = fileSystem.read(file, metadataBytes, 0);
    const topicId = parsePartitionMetadata(utf8.decode(metadataBytes.subarray(0, filled)));
    if (topicId !== null) return topicId;
  } finally {
    fileSystem.close(file);
  }
  const bytes = readWholeFile(fileSystem, metadataPath, largestMetadataBytes);
  return bytes === null ? null : parsePartitionMetadata(utf8.decode(bytes));
}
