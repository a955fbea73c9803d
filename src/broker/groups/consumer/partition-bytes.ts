/**
 * Partitions by the ids of their topics, or by subtopology, as the records of groups hold them. Any thread.
 *
 *   plain      count · count × (key · count · count × partition ~ above the last)
 *   epoched    count · count × (key · count · count × (partition ~ above the last · epoch ~))
 *
 * Numbers marked ~ are unsigned varints.
 */

import type { Uuid } from '../../../base/uuid.ts';
import type { Reader } from '../../../protocol/reader.ts';
import type { Writer } from '../../../protocol/writer.ts';
import type { EpochedPartitions, Partitions } from './partitions.ts';

/** How what the partitions are of is written and read. */
export interface KeyBytes<Key extends string> {
  /** The least that a key takes, with the count of its partitions. */
  readonly minBytes: number;
  write(writer: Writer, key: Key): void;
  read(reader: Reader): Key;
}

const minPairBytes = 2;

export const topicKeys: KeyBytes<Uuid> = {
  minBytes: 17,
  write: (writer, topicId) => writer.uuid(topicId),
  read: (reader) => reader.uuid(),
};

export const nameKeys: KeyBytes<string> = {
  minBytes: 2,
  write: (writer, name) => writer.compactString(name),
  read: (reader) => reader.compactString(),
};

export function writePartitions<Key extends string>(
  writer: Writer,
  keys: KeyBytes<Key>,
  partitions: Partitions<Key>,
): void {
  writer.compactCount(partitions.size);
  for (const [key, indexes] of partitions) {
    keys.write(writer, key);
    writer.compactCount(indexes.size);
    let next = 0;
    for (const partition of ascending(indexes)) {
      writer.uvarint(partition - next);
      next = partition + 1;
    }
  }
}

export function readPartitions<Key extends string>(reader: Reader, keys: KeyBytes<Key>): Partitions<Key> {
  const partitions = new Map<Key, ReadonlySet<number>>();
  for (let left = reader.compactCount(keys.minBytes); left > 0; left--) {
    const key = keys.read(reader);
    const indexes = new Set<number>();
    let next = 0;
    for (let more = reader.compactCount(1); more > 0; more--) {
      const partition = next + reader.uvarint();
      indexes.add(partition);
      next = partition + 1;
    }
    partitions.set(key, indexes);
  }
  return partitions;
}

export function writeEpoched<Key extends string>(
  writer: Writer,
  keys: KeyBytes<Key>,
  partitions: EpochedPartitions<Key>,
): void {
  writer.compactCount(partitions.size);
  for (const [key, epochs] of partitions) {
    keys.write(writer, key);
    writer.compactCount(epochs.size);
    let next = 0;
    for (const partition of ascending(epochs.keys())) {
      writer.uvarint(partition - next);
      writer.uvarint(epochs.get(partition)!);
      next = partition + 1;
    }
  }
}

export function readEpoched<Key extends string>(reader: Reader, keys: KeyBytes<Key>): EpochedPartitions<Key> {
  const partitions = new Map<Key, ReadonlyMap<number, number>>();
  for (let left = reader.compactCount(keys.minBytes); left > 0; left--) {
    const key = keys.read(reader);
    const epochs = new Map<number, number>();
    let next = 0;
    for (let more = reader.compactCount(minPairBytes); more > 0; more--) {
      const partition = next + reader.uvarint();
      epochs.set(partition, reader.uvarint());
      next = partition + 1;
    }
    partitions.set(key, epochs);
  }
  return partitions;
}

function ascending(indexes: Iterable<number>): number[] {
  return [...indexes].toSorted((a, b) => a - b);
}
