/**
 * The records in which a share group keeps its state, between fields and bytes. Any thread.
 * Primitives as in Kafka's protocol, texts in their compact form; numbers marked ~ are unsigned varints.
 *
 *   epochs     key    80 int8 · group
 *              value  as a consumer group's: see consumer/consumer-records.ts
 *   member     key    81 int8 · group · member id
 *              value  version int8 · rack? · client id · client host · count · count × topic · epoch int32 ·
 *                     previous epoch int32 · assigned: plain, as in consumer/partition-bytes.ts
 *   target     key    82 int8 · group · member id
 *              value  version int8 · partitions, plain as in consumer/partition-bytes.ts
 *   partition  key    83 int8 · group · topic id and partition as the text `partition/id`
 *              value  version int8 · start offset int64 (-1: nobody has read yet) · leader epoch int32 · count ·
 *                     count × (records ~ · state int8 · delivery count ~)
 *   change     key    84 int8 · group · the partition, as above
 *              value  version int8 · start offset int64 · leader epoch int32 · count ·
 *                     count × (offsets before it ~ · records ~ · state int8 · delivery count ~)
 *
 * The ranges of a partition follow each other without gaps from the start offset on; those of a change have what did not
 * change before them. A partition's record stands for itself, a change for what it says beside the partition's last record
 * and the changes since (KIP-932 calls them snapshot and update). What is out with a member stands as it was before it was
 * given out: nobody has it any more after a crash. The leader epoch is that of the last record in the ranges, -1 where
 * none is known; the first version of a partition's record has none.
 */

import type { Uuid } from '../../../base/uuid.ts';
import type { KeyedRecord } from '../../keyed-batch.ts';
import { beginRecord, bytesOf, readVersioned } from '../../record-bytes.ts';
import type { GroupEpochs } from '../consumer/consumer-group.ts';
import { epochsValue, readTexts, writeTexts } from '../consumer/consumer-records.ts';
import { readPartitions, topicKeys, writePartitions } from '../consumer/partition-bytes.ts';
import type { Partitions } from '../consumer/partitions.ts';
import { PartKeys, type ProtocolKey } from '../part-keys.ts';
import type { ShareMember } from './share-member.ts';
import {
  unknownEpoch,
  type ChangedRange,
  type PartitionChange,
  type StoredPartition,
  type StoredRange,
} from './stored-partition.ts';

export type SharePart = 'epochs' | 'member' | 'target' | 'partition' | 'change';
/** `name` is a member id, or a partition's, also for its change. */
export type ShareRecordKey = ProtocolKey<'share', SharePart>;

/** A partition that a share group reads. */
export interface SharePlace {
  readonly topicId: Uuid;
  readonly partition: number;
}

const version = 1;
const partitionVersion = 2;
const firstPartitionVersionWithEpoch = 2;
const minRangeBytes = 3;
const minChangedRangeBytes = 4;

export const shareKeys = new PartKeys<'share', SharePart>(
  'share',
  80,
  ['epochs', 'member', 'target', 'partition', 'change'],
  ['epochs'],
);

/** The name that a partition's record has. */
export function placeName({ topicId, partition }: SharePlace): string {
  return `${partition}/${topicId}`;
}

/** What `placeName` made into a name. */
export function placeNamed(name: string): SharePlace {
  const slash = name.indexOf('/');
  return { topicId: name.slice(slash + 1) as Uuid, partition: Number(name.slice(0, slash)) };
}

export function shareEpochsRecord(group: string, epochs: GroupEpochs): KeyedRecord {
  return { key: shareKeys.of('epochs', group), value: epochsValue(epochs) };
}

export function shareMemberRecord(group: string, member: ShareMember): KeyedRecord {
  const writer = beginRecord(version);
  writer.compactNullableString(member.rackId);
  writer.compactString(member.clientId);
  writer.compactString(member.clientHost);
  writeTexts(writer, member.subscribedTopics);
  writer.int32(member.epoch);
  writer.int32(member.previousEpoch);
  writePartitions(writer, topicKeys, member.assigned);
  return { key: shareKeys.of('member', group, member.id), value: bytesOf(writer) };
}

export function shareTargetRecord(group: string, memberId: string, partitions: Partitions): KeyedRecord {
  const writer = beginRecord(version);
  writePartitions(writer, topicKeys, partitions);
  return { key: shareKeys.of('target', group, memberId), value: bytesOf(writer) };
}

export function partitionRecord(group: string, place: SharePlace, stored: StoredPartition): KeyedRecord {
  const writer = beginRecord(partitionVersion, 64);
  writer.int64(stored.startOffset);
  writer.int32(stored.leaderEpoch);
  writer.compactCount(stored.ranges.length);
  for (const { recordCount, state, deliveryCount } of stored.ranges) {
    writer.uvarint(recordCount);
    writer.int8(state);
    writer.uvarint(deliveryCount);
  }
  return { key: shareKeys.of('partition', group, placeName(place)), value: bytesOf(writer) };
}

export function partitionChangeRecord(group: string, place: SharePlace, change: PartitionChange): KeyedRecord {
  const writer = beginRecord(version, 64);
  writer.int64(change.startOffset);
  writer.int32(change.leaderEpoch);
  writer.compactCount(change.ranges.length);
  let endOffset = change.startOffset;
  for (const { firstOffset, recordCount, state, deliveryCount } of change.ranges) {
    writer.uvarint(firstOffset - endOffset);
    writer.uvarint(recordCount);
    writer.int8(state);
    writer.uvarint(deliveryCount);
    endOffset = firstOffset + recordCount;
  }
  return { key: shareKeys.of('change', group, placeName(place)), value: bytesOf(writer) };
}

/** Throws `EnvironmentError` DATA_CORRUPT or DATA_DIRECTORY_NEWER, as do the others that read. */
export function readShareMember(id: string, bytes: Uint8Array): ShareMember {
  return readVersioned(bytes, 'groups', 'a member of a share group', version, (reader) => ({
    id,
    rackId: reader.compactNullableString(),
    clientId: reader.compactString(),
    clientHost: reader.compactString(),
    subscribedTopics: readTexts(reader),
    epoch: reader.int32(),
    previousEpoch: reader.int32(),
    assigned: readPartitions(reader, topicKeys),
  }));
}

export function readStoredPartition(bytes: Uint8Array): StoredPartition {
  return readVersioned(bytes, 'groups', 'a partition of a share group', partitionVersion, (reader, found) => {
    const startOffset = reader.int64();
    const leaderEpoch = found >= firstPartitionVersionWithEpoch ? reader.int32() : unknownEpoch;
    const ranges: StoredRange[] = [];
    for (let left = reader.compactCount(minRangeBytes); left > 0; left--) {
      ranges.push({ recordCount: reader.uvarint(), state: reader.int8(), deliveryCount: reader.uvarint() });
    }
    return { startOffset, leaderEpoch, ranges };
  });
}

export function readPartitionChange(bytes: Uint8Array): PartitionChange {
  return readVersioned(bytes, 'groups', 'a change to a partition of a share group', version, (reader) => {
    const startOffset = reader.int64();
    const leaderEpoch = reader.int32();
    const ranges: ChangedRange[] = [];
    let endOffset = startOffset;
    for (let left = reader.compactCount(minChangedRangeBytes); left > 0; left--) {
      const firstOffset = endOffset + reader.uvarint();
      const recordCount = reader.uvarint();
      ranges.push({ firstOffset, recordCount, state: reader.int8(), deliveryCount: reader.uvarint() });
      endOffset = firstOffset + recordCount;
    }
    return { startOffset, leaderEpoch, ranges };
  });
}
