/**
 * The records in which the group coordinator keeps its state, between fields and bytes. Any thread.
 * Primitives as in Kafka's protocol, texts and bytes in their compact form.
 *
 *   group    key    1 int8 · group
 *            value  version int8 · generation int32 · protocol type? · protocol? · leader? · state since int64 (ms) ·
 *                   count · count × (member id · instance id? · client id · client host · rebalance timeout int32 (ms) ·
 *                   session timeout int32 (ms) · subscription bytes · assignment bytes)
 *   offset   key    2 int8 · group · topic id uuid · partition int32
 *            value  version int8 · offset int64 · leader epoch int32 · committed int64 (ms) · expires int64 (ms, or -1) ·
 *                   metadata
 *   pending  key    32 int8 · group · topic id uuid · partition int32 · producer id int64
 *            value  as an offset's: what the producer's transaction commits
 *   ended    key    33 int8 · group · topic id uuid · partition int32 · producer id int64
 *            value  version int8: what is pending of the producer there where this stands in the log is the group's from here
 *                   on, unless something that stands behind the pending one is already
 *
 *   kinds from 16 to 31 belong to consumer groups (consumer/consumer-records.ts), from 48 to 63 to streams groups
 *   (streams/streams-records.ts), from 80 to 95 to share groups (share/share-records.ts)
 *
 * Of a member's protocols only the one that was selected is kept, as in Kafka. Offsets carry the topic's id: those of a
 * topic that was deleted are never taken for those of a later topic with the same name.
 */

import type { Uuid } from '../../base/uuid.ts';
import { Writer } from '../../protocol/writer.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import type { ClassicGroup } from './classic-group.ts';
import { consumerKeys, type ConsumerRecordKey } from './consumer/consumer-records.ts';
import { noAssignment } from './group-member.ts';
import { streamsKeys, type StreamsRecordKey } from './streams/streams-records.ts';
import { shareKeys, type ShareRecordKey } from './share/share-records.ts';
import { beginRecord, bytesOf, newerRecord, readRecord, readVersioned } from '../record-bytes.ts';

export interface StoredMember {
  readonly id: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly subscription: Uint8Array;
  readonly assignment: Uint8Array;
}

export interface StoredGroup {
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leaderId: string | null;
  readonly stateSinceMs: number;
  readonly members: readonly StoredMember[];
}

export interface CommittedOffset {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
  /** Wall-clock milliseconds. */
  readonly committedMs: number;
  /** When a commit before version 5 wanted it to expire; -1 where `offsets.retention.minutes` decides. */
  readonly expiresMs: number;
}

export type GroupRecordKey =
  | { readonly kind: 'group'; readonly group: string }
  | (OffsetName & { readonly kind: 'offset' })
  | (PendingOffsetName & { readonly kind: 'ended' })
  | ConsumerRecordKey
  | ShareRecordKey
  | StreamsRecordKey;

const version = 1;
const Kind = { GROUP: 1, OFFSET: 2, PENDING_OFFSET: 32, ENDED: 33 } as const;
/** Four strings or byte fields and two int32 are the least that a member takes. */
const minMemberBytes = 6 + 8;

export function groupKey(group: string): Uint8Array {
  const writer = new Writer(false, 64);
  writer.int8(Kind.GROUP);
  writer.compactString(group);
  return bytesOf(writer);
}

/** Whose offset it is; with a producer id one that becomes the group's once the producer's transaction is committed. */
export interface OffsetName {
  readonly group: string;
  readonly topicId: Uuid;
  readonly partition: number;
  readonly producerId: number | null;
}

/** An offset that a producer's transaction commits. */
export interface PendingOffsetName extends OffsetName {
  readonly producerId: number;
}

export function offsetKey(name: OffsetName): Uint8Array {
  const writer = new Writer(false, 96);
  writeOffsetKey(writer, offsetKind(name), name);
  return bytesOf(writer);
}

/** Makes what is pending in the producer's transaction valid, as it is where the record stands in the log. */
export function endedRecord(name: PendingOffsetName): KeyedRecord {
  const key = new Writer(false, 96);
  writeOffsetKey(key, Kind.ENDED, name);
  return { key: bytesOf(key), value: bytesOf(beginRecord(version, 1)) };
}

function offsetKind({ producerId }: OffsetName): number {
  return producerId === null ? Kind.OFFSET : Kind.PENDING_OFFSET;
}

function writeOffsetKey(writer: Writer, kind: number, { group, topicId, partition, producerId }: OffsetName): void {
  writer.int8(kind);
  writer.compactString(group);
  writer.uuid(topicId);
  writer.int32(partition);
  if (producerId !== null) writer.int64(producerId);
}

/**
 * The record of an offset, and what it says: there are ten thousand in a second, and nobody has to read from bytes what
 * is known. The bytes are views, for whoever writes them soon.
 */
export class OffsetRecord implements KeyedRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly name: OffsetName;
  readonly committed: CommittedOffset;

  constructor(name: OffsetName, committed: CommittedOffset) {
    this.name = name;
    this.committed = committed;
    const writer = new Writer(false, 192);
    writeOffsetKey(writer, offsetKind(name), name);
    const keySizeBytes = writer.length;
    writer.int8(version);
    writer.int64(committed.offset);
    writer.int32(committed.leaderEpoch);
    writer.int64(committed.committedMs);
    writer.int64(committed.expiresMs);
    writer.compactString(committed.metadata);
    const bytes = writer.finish()[0]!;
    this.key = bytes.subarray(0, keySizeBytes);
    this.value = bytes.subarray(keySizeBytes);
  }
}

/** The group's generation with its members and their `assignments` by member id. */
export function groupRecord(group: ClassicGroup, assignments: ReadonlyMap<string, Uint8Array>): KeyedRecord {
  const writer = beginRecord(version);
  writer.int32(group.generation);
  writer.compactNullableString(group.protocolType);
  writer.compactNullableString(group.protocolName);
  writer.compactNullableString(group.leaderId);
  writer.int64(group.stateSinceMs);
  writer.compactCount(group.members.size);
  for (const member of group.members.values()) {
    const { clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs } = member.description;
    writer.compactString(member.id);
    writer.compactNullableString(member.instanceId);
    writer.compactString(clientId);
    writer.compactString(clientHost);
    writer.int32(rebalanceTimeoutMs);
    writer.int32(sessionTimeoutMs);
    writer.compactBytes(member.metadata(group.protocolName));
    writer.compactBytes(assignments.get(member.id) ?? noAssignment);
  }
  return { key: groupKey(group.id), value: bytesOf(writer) };
}

/** Throws `EnvironmentError`: DATA_CORRUPT, or DATA_DIRECTORY_NEWER where a newer Millrace wrote it. */
export function readGroupRecordKey(bytes: Uint8Array): GroupRecordKey {
  return readRecord(bytes, 'groups', 'a key', (reader) => {
    const kind = reader.int8();
    for (const keys of [consumerKeys, streamsKeys, shareKeys]) if (keys.has(kind)) return keys.read(reader, kind);
    if (kind !== Kind.GROUP && kind !== Kind.OFFSET && kind !== Kind.PENDING_OFFSET && kind !== Kind.ENDED) {
      throw newerRecord('groups', `records of the kind ${kind}`);
    }
    const group = reader.compactString();
    if (kind === Kind.GROUP) return { kind: 'group', group };
    const topicId = reader.uuid();
    const partition = reader.int32();
    if (kind === Kind.OFFSET) return { kind: 'offset', group, topicId, partition, producerId: null };
    const producerId = reader.int64();
    return { kind: kind === Kind.ENDED ? 'ended' : 'offset', group, topicId, partition, producerId };
  });
}

/** Throws as `readGroupRecordKey`. The byte fields are copies. */
export function readGroupValue(bytes: Uint8Array): StoredGroup {
  return readVersioned(bytes, 'groups', 'a group', version, (reader) => {
    const generation = reader.int32();
    const protocolType = reader.compactNullableString();
    const protocolName = reader.compactNullableString();
    const leaderId = reader.compactNullableString();
    const stateSinceMs = reader.int64();
    const members: StoredMember[] = [];
    for (let left = reader.compactCount(minMemberBytes); left > 0; left--) {
      members.push({
        id: reader.compactString(),
        instanceId: reader.compactNullableString(),
        clientId: reader.compactString(),
        clientHost: reader.compactString(),
        rebalanceTimeoutMs: reader.int32(),
        sessionTimeoutMs: reader.int32(),
        subscription: reader.compactBytes().slice(),
        assignment: reader.compactBytes().slice(),
      });
    }
    return { generation, protocolType, protocolName, leaderId, stateSinceMs, members };
  });
}

/** The value of `endedRecord`, which says nothing but its version. Throws as `readGroupRecordKey`. */
export function checkEndedValue(bytes: Uint8Array): void {
  readVersioned(bytes, 'groups', 'the end of a transaction', version, () => null);
}

/** Throws as `readGroupRecordKey`. */
export function readOffsetValue(bytes: Uint8Array): CommittedOffset {
  return readVersioned(bytes, 'groups', 'an offset', version, (reader) => {
    const offset = reader.int64();
    const leaderEpoch = reader.int32();
    const committedMs = reader.int64();
    const expiresMs = reader.int64();
    return { offset, leaderEpoch, committedMs, expiresMs, metadata: reader.compactString() };
  });
}
