/**
 * The records in which a streams group keeps its state, between fields and bytes. Any thread.
 * Primitives as in Kafka's protocol, texts in their compact form; tasks as consumer/partition-bytes.ts has partitions.
 *
 *   epochs     key    48 int8 · group
 *              value  version int8 · epoch int32 · metadata hash int64 · validated topology epoch int32 ·
 *                     assignment epoch int32 · assigned int64 (ms) · count · count × (setting · value)
 *   identity   key    49 int8 · group · member id
 *              value  version int8 · instance id? · rack? · client id · client host · rebalance timeout int32 (ms) ·
 *                     topology epoch int32 · process id · has endpoint boolean: if true, host · port uint16 ·
 *                     count · count × (tag · value)
 *   progress   key    50 int8 · group · member id
 *              value  version int8 · epoch int32 · previous epoch int32 · state int8 · assigned · revoking: each
 *                     active, standby and warm-up tasks, epoched
 *   target     key    51 int8 · group · member id
 *              value  version int8 · active, standby and warm-up tasks, plain
 *   topology   key    52 int8 · group
 *              value  version int8 · epoch int32 · count · count × (subtopology id · count · count × source topic ·
 *                     count · count × sink topic · repartition topics · changelog topics · count · count × (count ·
 *                     count × source index int16 · count · count × repartition index int16))
 *                     topics: count · count × (name · partitions int32 · replication factor int16 · count ·
 *                     count × (setting · value))
 */

import type { Reader } from '../../../protocol/reader.ts';
import type { Writer } from '../../../protocol/writer.ts';
import type { KeyedRecord } from '../../keyed-batch.ts';
import { beginRecord, bytesOf, newerRecord, readVersioned } from '../../record-bytes.ts';
import { reconciliationStates } from '../consumer/consumer-member.ts';
import { nameKeys, readEpoched, readPartitions, writeEpoched, writePartitions } from '../consumer/partition-bytes.ts';
import { PartKeys, type ProtocolKey } from '../part-keys.ts';
import type { StreamsEpochs } from './streams-group.ts';
import type { StreamsIdentity, StreamsProgress } from './streams-member.ts';
import { byRole, roles, type AssignedTasks, type Tasks } from './tasks.ts';
import type { CopartitionGroup, InternalTopic, Subtopology, Topology } from './topology.ts';

export type StreamsRecordPart = 'epochs' | 'identity' | 'progress' | 'target' | 'topology';
/** `name` is a member id. */
export type StreamsRecordKey = ProtocolKey<'streams', StreamsRecordPart>;

const version = 1;
export const streamsKeys = new PartKeys<'streams', StreamsRecordPart>(
  'streams',
  48,
  ['epochs', 'identity', 'progress', 'target', 'topology'],
  ['epochs', 'topology'],
);

export function streamsEpochsRecord(group: string, epochs: StreamsEpochs): KeyedRecord {
  const writer = beginRecord(version, 128);
  writer.int32(epochs.epoch);
  writer.int64(epochs.metadataHash);
  writer.int32(epochs.validatedTopologyEpoch);
  writer.int32(epochs.assignmentEpoch);
  writer.int64(epochs.assignedMs);
  writePairs(writer, epochs.assignmentConfigs);
  return { key: streamsKeys.of('epochs', group), value: bytesOf(writer) };
}

export function streamsIdentityRecord(group: string, memberId: string, identity: StreamsIdentity): KeyedRecord {
  const writer = beginRecord(version);
  writer.compactNullableString(identity.instanceId);
  writer.compactNullableString(identity.rackId);
  writer.compactString(identity.clientId);
  writer.compactString(identity.clientHost);
  writer.int32(identity.rebalanceTimeoutMs);
  writer.int32(identity.topologyEpoch);
  writer.compactString(identity.processId);
  writer.boolean(identity.endpoint !== null);
  if (identity.endpoint !== null) {
    writer.compactString(identity.endpoint.host);
    writer.uint16(identity.endpoint.port);
  }
  writePairs(writer, identity.clientTags);
  return { key: streamsKeys.of('identity', group, memberId), value: bytesOf(writer) };
}

export function streamsProgressRecord(group: string, memberId: string, progress: StreamsProgress): KeyedRecord {
  const writer = beginRecord(version);
  writer.int32(progress.epoch);
  writer.int32(progress.previousEpoch);
  writer.int8(reconciliationStates.indexOf(progress.state));
  for (const tasks of [progress.assigned, progress.revoking]) {
    for (const role of roles) writeEpoched(writer, nameKeys, tasks[role]);
  }
  return { key: streamsKeys.of('progress', group, memberId), value: bytesOf(writer) };
}

export function streamsTargetRecord(group: string, memberId: string, tasks: Tasks): KeyedRecord {
  const writer = beginRecord(version);
  for (const role of roles) writePartitions(writer, nameKeys, tasks[role]);
  return { key: streamsKeys.of('target', group, memberId), value: bytesOf(writer) };
}

/** A topology as its record has it; equal topologies have equal bytes. */
export function topologyBytes({ epoch, subtopologies }: Topology): Uint8Array {
  const writer = beginRecord(version, 1024);
  writer.int32(epoch);
  writeList(writer, subtopologies, writeSubtopology);
  return bytesOf(writer);
}

/** Throws `EnvironmentError` DATA_CORRUPT or DATA_DIRECTORY_NEWER, as do the others that read. */
export function readStreamsEpochs(bytes: Uint8Array): StreamsEpochs {
  return readValue(bytes, (reader) => {
    const epoch = reader.int32();
    const metadataHash = reader.int64();
    const validatedTopologyEpoch = reader.int32();
    const assignmentEpoch = reader.int32();
    const assignedMs = reader.int64();
    const assignmentConfigs = readPairs(reader);
    return { epoch, metadataHash, validatedTopologyEpoch, assignmentEpoch, assignedMs, assignmentConfigs };
  });
}

export function readStreamsIdentity(bytes: Uint8Array): StreamsIdentity {
  return readValue(bytes, (reader) => ({
    instanceId: reader.compactNullableString(),
    rackId: reader.compactNullableString(),
    clientId: reader.compactString(),
    clientHost: reader.compactString(),
    rebalanceTimeoutMs: reader.int32(),
    topologyEpoch: reader.int32(),
    processId: reader.compactString(),
    endpoint: reader.boolean() ? { host: reader.compactString(), port: reader.uint16() } : null,
    clientTags: readPairs(reader),
  }));
}

export function readStreamsProgress(bytes: Uint8Array): StreamsProgress {
  return readValue(bytes, (reader) => {
    const epoch = reader.int32();
    const previousEpoch = reader.int32();
    const number = reader.int8();
    const state = reconciliationStates[number];
    if (state === undefined) throw newerRecord('groups', `members in the state ${number}`);
    const readTasks = (): AssignedTasks => byRole(() => readEpoched(reader, nameKeys));
    return { epoch, previousEpoch, state, assigned: readTasks(), revoking: readTasks() };
  });
}

export function readStreamsTarget(bytes: Uint8Array): Tasks {
  return readValue(bytes, (reader) => byRole(() => readPartitions(reader, nameKeys)));
}

export function readTopology(bytes: Uint8Array): Topology {
  return readValue(bytes, (reader) => {
    const epoch = reader.int32();
    return { epoch, subtopologies: readList(reader, minSubtopologyBytes, readSubtopology) };
  });
}

const minSubtopologyBytes = 6;
const minTopicBytes = 8;

function writeSubtopology(writer: Writer, subtopology: Subtopology): void {
  writer.compactString(subtopology.id);
  writeList(writer, subtopology.sourceTopics, writeText);
  writeList(writer, subtopology.repartitionSinkTopics, writeText);
  writeList(writer, subtopology.repartitionSourceTopics, writeTopic);
  writeList(writer, subtopology.changelogTopics, writeTopic);
  writeList(writer, subtopology.copartitionGroups, (_writer, { sourceTopics, repartitionSourceTopics }) => {
    writeList(writer, sourceTopics, writeIndex);
    writeList(writer, repartitionSourceTopics, writeIndex);
  });
}

function readSubtopology(reader: Reader): Subtopology {
  return {
    id: reader.compactString(),
    sourceTopics: readList(reader, 1, readText),
    repartitionSinkTopics: readList(reader, 1, readText),
    repartitionSourceTopics: readList(reader, minTopicBytes, readTopic),
    changelogTopics: readList(reader, minTopicBytes, readTopic),
    copartitionGroups: readList<CopartitionGroup>(reader, 2, () => ({
      sourceTopics: readList(reader, 2, readIndex),
      repartitionSourceTopics: readList(reader, 2, readIndex),
    })),
  };
}

function writeTopic(writer: Writer, { name, partitionCount, replicationFactor, configs }: InternalTopic): void {
  writer.compactString(name);
  writer.int32(partitionCount);
  writer.int16(replicationFactor);
  writeList(writer, configs, (_writer, { key, value }) => {
    writer.compactString(key);
    writer.compactString(value);
  });
}

function readTopic(reader: Reader): InternalTopic {
  return {
    name: reader.compactString(),
    partitionCount: reader.int32(),
    replicationFactor: reader.int16(),
    configs: readList(reader, 2, () => ({ key: reader.compactString(), value: reader.compactString() })),
  };
}

const writeText = (writer: Writer, text: string): void => writer.compactString(text);
const readText = (reader: Reader): string => reader.compactString();
const writeIndex = (writer: Writer, index: number): void => writer.int16(index);
const readIndex = (reader: Reader): number => reader.int16();

function writeList<T>(writer: Writer, elements: readonly T[], write: (writer: Writer, element: T) => void): void {
  writer.compactCount(elements.length);
  for (const element of elements) write(writer, element);
}

function readList<T>(reader: Reader, minElementBytes: number, read: (reader: Reader) => T): T[] {
  const elements: T[] = [];
  for (let left = reader.compactCount(minElementBytes); left > 0; left--) elements.push(read(reader));
  return elements;
}

function writePairs(writer: Writer, pairs: ReadonlyMap<string, string>): void {
  writer.compactCount(pairs.size);
  for (const [key, value] of pairs) {
    writer.compactString(key);
    writer.compactString(value);
  }
}

function readPairs(reader: Reader): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (let left = reader.compactCount(2); left > 0; left--) pairs.set(reader.compactString(), reader.compactString());
  return pairs;
}

function readValue<T>(bytes: Uint8Array, fields: (reader: Reader) => T): T {
  return readVersioned(bytes, 'groups', 'a streams group', version, fields);
}
