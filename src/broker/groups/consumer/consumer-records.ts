/**
 * The records in which a consumer group keeps its state, between fields and bytes. Any thread.
 * Primitives as in Kafka's protocol, texts and bytes in their compact form; partitions as partition-bytes.ts has them.
 *
 *   epochs     key    16 int8 · group
 *              value  version int8 · epoch int32 · metadata hash int64 · assignment epoch int32 · assigned int64 (ms)
 *   identity   key    17 int8 · group · member id
 *              value  version int8 · instance id? · rack? · client id · client host · rebalance timeout int32 (ms) ·
 *                     count · count × topic · regular expression · assignor? ·
 *                     classic boolean: if true, session timeout int32 (ms) · count · count × (protocol · metadata bytes)
 *   progress   key    18 int8 · group · member id
 *              value  version int8 · epoch int32 · previous epoch int32 · state int8 · assigned · revoking: both epoched
 *   target     key    19 int8 · group · member id
 *              value  version int8 · partitions, plain
 *   regex      key    20 int8 · group · regular expression
 *              value  version int8 · resolved int64 (ms) · count · count × topic
 */

import type { Reader } from '../../../protocol/reader.ts';
import type { Writer } from '../../../protocol/writer.ts';
import type { KeyedRecord } from '../../keyed-batch.ts';
import { beginRecord, bytesOf, newerRecord, readVersioned } from '../../record-bytes.ts';
import { PartKeys, type ProtocolKey } from '../part-keys.ts';
import type { GroupEpochs } from './consumer-group.ts';
import { reconciliationStates, type ClassicPart, type MemberIdentity, type MemberProgress } from './consumer-member.ts';
import { readEpoched, readPartitions, topicKeys, writeEpoched, writePartitions } from './partition-bytes.ts';
import type { Partitions } from './partitions.ts';
import type { ResolvedRegex } from './topic-subscriptions.ts';

export type ConsumerRecordPart = 'epochs' | 'identity' | 'progress' | 'target' | 'regex';
/** `name` is a member id, or the expression. */
export type ConsumerRecordKey = ProtocolKey<'consumer', ConsumerRecordPart>;

const version = 1;
export const consumerKeys = new PartKeys<'consumer', ConsumerRecordPart>(
  'consumer',
  16,
  ['epochs', 'identity', 'progress', 'target', 'regex'],
  ['epochs'],
);

export function epochsRecord(group: string, epochs: GroupEpochs): KeyedRecord {
  return { key: consumerKeys.of('epochs', group), value: epochsValue(epochs) };
}

export function epochsValue(epochs: GroupEpochs): Uint8Array {
  const writer = beginRecord(version, 64);
  writer.int32(epochs.epoch);
  writer.int64(epochs.metadataHash);
  writer.int32(epochs.assignmentEpoch);
  writer.int64(epochs.assignedMs);
  return bytesOf(writer);
}

export function identityRecord(group: string, memberId: string, identity: MemberIdentity): KeyedRecord {
  const writer = beginRecord(version);
  writer.compactNullableString(identity.instanceId);
  writer.compactNullableString(identity.rackId);
  writer.compactString(identity.clientId);
  writer.compactString(identity.clientHost);
  writer.int32(identity.rebalanceTimeoutMs);
  writeTexts(writer, identity.subscribedTopics);
  writer.compactString(identity.subscribedRegex);
  writer.compactNullableString(identity.assignor);
  writer.boolean(identity.classic !== null);
  if (identity.classic !== null) {
    writer.int32(identity.classic.sessionTimeoutMs);
    writer.compactCount(identity.classic.protocols.length);
    for (const { name, metadata } of identity.classic.protocols) {
      writer.compactString(name);
      writer.compactBytes(metadata);
    }
  }
  return { key: consumerKeys.of('identity', group, memberId), value: bytesOf(writer) };
}

export function progressRecord(group: string, memberId: string, progress: MemberProgress): KeyedRecord {
  const writer = beginRecord(version);
  writer.int32(progress.epoch);
  writer.int32(progress.previousEpoch);
  writer.int8(reconciliationStates.indexOf(progress.state));
  writeEpoched(writer, topicKeys, progress.assigned);
  writeEpoched(writer, topicKeys, progress.revoking);
  return { key: consumerKeys.of('progress', group, memberId), value: bytesOf(writer) };
}

export function targetRecord(group: string, memberId: string, partitions: Partitions): KeyedRecord {
  const writer = beginRecord(version);
  writePartitions(writer, topicKeys, partitions);
  return { key: consumerKeys.of('target', group, memberId), value: bytesOf(writer) };
}

export function regexRecord(group: string, regex: string, { topics, resolvedMs }: ResolvedRegex): KeyedRecord {
  const writer = beginRecord(version);
  writer.int64(resolvedMs);
  writeTexts(writer, topics);
  return { key: consumerKeys.of('regex', group, regex), value: bytesOf(writer) };
}

/** Throws `EnvironmentError` DATA_CORRUPT or DATA_DIRECTORY_NEWER, as do the others that read. */
export function readEpochs(bytes: Uint8Array): GroupEpochs {
  return readValue(bytes, (reader) => {
    const epoch = reader.int32();
    const metadataHash = reader.int64();
    return { epoch, metadataHash, assignmentEpoch: reader.int32(), assignedMs: reader.int64() };
  });
}

export function readIdentity(bytes: Uint8Array): MemberIdentity {
  return readValue(bytes, (reader) => ({
    instanceId: reader.compactNullableString(),
    rackId: reader.compactNullableString(),
    clientId: reader.compactString(),
    clientHost: reader.compactString(),
    rebalanceTimeoutMs: reader.int32(),
    subscribedTopics: readTexts(reader),
    subscribedRegex: reader.compactString(),
    assignor: reader.compactNullableString(),
    classic: reader.boolean() ? readClassicPart(reader) : null,
  }));
}

export function readProgress(bytes: Uint8Array): MemberProgress {
  return readValue(bytes, (reader) => {
    const epoch = reader.int32();
    const previousEpoch = reader.int32();
    const number = reader.int8();
    const state = reconciliationStates[number];
    if (state === undefined) throw newerRecord('groups', `members in the state ${number}`);
    return {
      epoch,
      previousEpoch,
      state,
      assigned: readEpoched(reader, topicKeys),
      revoking: readEpoched(reader, topicKeys),
    };
  });
}

export function readTarget(bytes: Uint8Array): Partitions {
  return readValue(bytes, (reader) => readPartitions(reader, topicKeys));
}

export function readRegex(bytes: Uint8Array): ResolvedRegex {
  return readValue(bytes, (reader) => {
    const resolvedMs = reader.int64();
    return { resolvedMs, topics: readTexts(reader), growths: -1 };
  });
}

function readValue<T>(bytes: Uint8Array, fields: (reader: Reader) => T): T {
  return readVersioned(bytes, 'groups', 'a consumer group', version, fields);
}

export function writeTexts(writer: Writer, texts: ReadonlySet<string>): void {
  writer.compactCount(texts.size);
  for (const text of texts) writer.compactString(text);
}

export function readTexts(reader: Reader): ReadonlySet<string> {
  const texts = new Set<string>();
  for (let left = reader.compactCount(1); left > 0; left--) texts.add(reader.compactString());
  return texts;
}

function readClassicPart(reader: Reader): ClassicPart {
  const sessionTimeoutMs = reader.int32();
  const protocols: { name: string; metadata: Uint8Array }[] = [];
  for (let left = reader.compactCount(2); left > 0; left--) {
    protocols.push({ name: reader.compactString(), metadata: reader.compactBytes().slice() });
  }
  return { sessionTimeoutMs, protocols };
}
