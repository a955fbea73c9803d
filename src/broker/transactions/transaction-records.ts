/**
 * The records in which the transaction coordinator keeps its state, between fields and bytes. Any thread.
 * Primitives as in Kafka's protocol, texts in their compact form.
 *
 *   key    1 int8 · transactional id
 *   value  version int8 · state int8 · producer id int64 · previous int64 · next int64 · producer epoch int16 ·
 *          last epoch int16 · timeout int32 (ms) · started int64 (ms, or -1) · updated int64 (ms) · client's version int8 ·
 *          count · count × (topic · topic id uuid · count · count × partition int32)
 *
 * A state is its place in `transactionStates`.
 */

import type { Reader } from '../../protocol/reader.ts';
import { Writer } from '../../protocol/writer.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import { beginRecord, bytesOf, newerRecord, readRecord, readVersioned } from '../record-bytes.ts';
import type { TransactionImage } from './transaction.ts';
import { TransactionPartitions, type PartitionName } from './transaction-partitions.ts';
import { transactionStates } from './transaction-state.ts';

const version = 1;
const kind = 1;
/** An empty name, an id and no partitions. */
const minTopicBytes = 1 + 16 + 1;
const partitionBytes = 4;

export function transactionKey(transactionalId: string): Uint8Array {
  const writer = new Writer(false, 64);
  writer.int8(kind);
  writer.compactString(transactionalId);
  return bytesOf(writer);
}

export function transactionRecord(transactionalId: string, image: TransactionImage): KeyedRecord {
  const writer = beginRecord(version, 160);
  writer.int8(transactionStates.indexOf(image.state));
  writer.int64(image.producerId);
  writer.int64(image.previousProducerId);
  writer.int64(image.nextProducerId);
  writer.int16(image.producerEpoch);
  writer.int16(image.lastProducerEpoch);
  writer.int32(image.timeoutMs);
  writer.int64(image.startedMs);
  writer.int64(image.updatedMs);
  writer.int8(image.version);
  const topics = [...image.partitions.topics()];
  writer.compactCount(topics.length);
  for (const { topic, topicId, partitions } of topics) {
    writer.compactString(topic);
    writer.uuid(topicId);
    writer.compactCount(partitions.size);
    for (const partition of partitions) writer.int32(partition);
  }
  return { key: transactionKey(transactionalId), value: bytesOf(writer) };
}

/** The transactional id. Throws `EnvironmentError`: DATA_CORRUPT, or DATA_DIRECTORY_NEWER where a newer Millrace wrote it. */
export function readTransactionKey(bytes: Uint8Array): string {
  return readRecord(bytes, 'transactions', 'a key', (reader) => {
    const found = reader.int8();
    if (found !== kind) throw newerRecord('transactions', `records of the kind ${found}`);
    return reader.compactString();
  });
}

/** Throws as `readTransactionKey`. */
export function readTransactionImage(bytes: Uint8Array): TransactionImage {
  return readVersioned(bytes, 'transactions', 'a transaction', version, (reader) => {
    const state = transactionStates[reader.int8()];
    if (state === undefined) throw newerRecord('transactions', 'a state of transactions that is not known');
    const producerId = reader.int64();
    const previousProducerId = reader.int64();
    const nextProducerId = reader.int64();
    const producerEpoch = reader.int16();
    const lastProducerEpoch = reader.int16();
    const timeoutMs = reader.int32();
    const startedMs = reader.int64();
    const updatedMs = reader.int64();
    const clientVersion = reader.int8();
    const partitions = TransactionPartitions.none.with(readPartitions(reader));
    return {
      state,
      producerId,
      previousProducerId,
      nextProducerId,
      producerEpoch,
      lastProducerEpoch,
      timeoutMs,
      partitions,
      startedMs,
      updatedMs,
      version: clientVersion === 2 ? 2 : 0,
    };
  });
}

function readPartitions(reader: Reader): PartitionName[] {
  const names: PartitionName[] = [];
  for (let topics = reader.compactCount(minTopicBytes); topics > 0; topics--) {
    const topic = reader.compactString();
    const topicId = reader.uuid();
    for (let left = reader.compactCount(partitionBytes); left > 0; left--) {
      names.push({ topic, topicId, partition: reader.int32() });
    }
  }
  return names;
}
