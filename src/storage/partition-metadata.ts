/**
 * Kafka's file `partition.metadata` in a partition's directory: which topic it belongs to, where a name could be that
 * of an older one. Any thread. It is text:
 *
 *   version: 0
 *   topic_id: FQ0JpJ3yR5iTtAqp5Vbaqg
 */

import { parseUuid, type Uuid } from '../base/uuid.ts';

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
