/** The generated codecs on the messages that carry records, beside code written by hand for just those messages. */

import {
  decodeProduceRequest,
  defaultFetchResponse,
  defaultFetchResponseResponses,
  defaultFetchResponseResponsesPartitions,
  defaultProduceRequest,
  encodeFetchResponse,
  encodeProduceRequest,
  type FetchResponse,
} from '../src/protocol/generated/index.ts';
import { Reader } from '../src/protocol/reader.ts';
import { Writer } from '../src/protocol/writer.ts';
import { recordCountAt } from '../src/records/record-batch.ts';
import { type Benchmark, repeated } from './benchmark.ts';
import { filledBuilder } from './material.ts';

const produceVersion = 9;
const fetchVersion = 12;
const partitionCount = 8;
const topic = 'page-views';
const messagesPerRun = 32;

export function codecBenchmarks(): Benchmark[] {
  const records = filledBuilder(100).seal();
  return [produceBenchmark(records), fetchBenchmark(records)];
}

function produceBenchmark(records: Uint8Array): Benchmark {
  const partitionData = Array.from({ length: partitionCount }, (_, index) => ({ index, records }));
  const writer = new Writer(false);
  const request = {
    ...defaultProduceRequest(),
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ topicId: '00000000-0000-0000-0000-000000000000' as never, name: topic, partitionData }],
  };
  encodeProduceRequest(writer, request, produceVersion);
  const frame = Buffer.concat(writer.finish());
  const generated = (): number => {
    const reader = new Reader(frame);
    const message = decodeProduceRequest(reader, produceVersion);
    reader.expectEnd();
    let sizeBytes = 0;
    for (const { partitionData: parts } of message.topicData) {
      for (const part of parts) sizeBytes += part.records?.length ?? 0;
    }
    return sizeBytes;
  };
  return {
    name: `decode Produce v${produceVersion}, ${partitionCount} batches of 16 KiB`,
    unit: 'records',
    unitsPerRun: messagesPerRun * partitionCount * recordCountAt(records, 0),
    bytesPerRun: messagesPerRun * frame.length,
    contenders: [
      { name: 'generated, every length checked', run: repeated(messagesPerRun, generated) },
      { name: 'by hand, nothing checked', run: repeated(messagesPerRun, () => decodeByHand(frame)) },
    ],
  };
}

/** A flexible Produce as someone would write it who trusts it; the bytes of records in it. */
function decodeByHand(frame: Buffer): number {
  let at = 0;
  const uvarint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = frame[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const transactionalIdSize = uvarint();
  at += Math.max(transactionalIdSize - 1, 0);
  const acks = frame.readInt16BE(at);
  const timeoutMs = frame.readInt32BE(at + 2);
  at += 6;
  const topics: { name: string; partitions: { index: number; records: Buffer }[] }[] = [];
  for (let left = uvarint() - 1; left > 0; left--) {
    const nameSize = uvarint() - 1;
    const name = frame.toString('utf8', at, at + nameSize);
    at += nameSize;
    const partitions: { index: number; records: Buffer }[] = [];
    for (let more = uvarint() - 1; more > 0; more--) {
      const index = frame.readInt32BE(at);
      at += 4;
      const size = uvarint() - 1;
      partitions.push({ index, records: frame.subarray(at, at + size) });
      at += size;
      uvarint();
    }
    uvarint();
    topics.push({ name, partitions });
  }
  const request = { acks, timeoutMs, topics };
  let sizeBytes = 0;
  for (const { partitions } of request.topics) for (const { records } of partitions) sizeBytes += records.length;
  return sizeBytes;
}

function fetchBenchmark(records: Uint8Array): Benchmark {
  const response: FetchResponse = {
    ...defaultFetchResponse(),
    responses: [
      {
        ...defaultFetchResponseResponses(),
        topic,
        partitions: Array.from({ length: partitionCount }, (_, partitionIndex) => ({
          ...defaultFetchResponseResponsesPartitions(),
          partitionIndex,
          highWatermark: 1_000_000,
          lastStableOffset: 1_000_000,
          logStartOffset: 0,
          records,
        })),
      },
    ],
  };
  const generated = (): number => {
    const writer = new Writer(true);
    encodeFetchResponse(writer, response, fetchVersion);
    let sizeBytes = 0;
    for (const chunk of writer.finish()) sizeBytes += chunk.length;
    return sizeBytes;
  };
  return {
    name: `encode Fetch v${fetchVersion}, ${partitionCount} batches of 16 KiB`,
    unit: 'records',
    unitsPerRun: messagesPerRun * partitionCount * recordCountAt(records, 0),
    bytesPerRun: messagesPerRun * generated(),
    contenders: [
      { name: 'generated, records passed on as they lie', run: repeated(messagesPerRun, generated) },
      { name: 'by hand into one buffer', run: repeated(messagesPerRun, () => encodeByHand(response).length) },
    ],
  };
}

/** A flexible Fetch response as someone would write it for one topic, copied into a buffer of its size. */
function encodeByHand(response: FetchResponse): Buffer {
  const { topic: name, partitions } = response.responses[0]!;
  let sizeBytes = 64 + name.length;
  for (const { records } of partitions) sizeBytes += 64 + (records?.length ?? 0);
  const out = Buffer.allocUnsafe(sizeBytes);
  let at = 4;
  const uvarint = (value: number): void => {
    for (; value >= 0x80; value >>>= 7) out[at++] = (value & 0x7f) | 0x80;
    out[at++] = value;
  };
  const int64 = (value: number): void => {
    at = out.writeBigInt64BE(BigInt(value), at);
  };
  at = out.writeInt32BE(response.throttleTimeMs, at);
  at = out.writeInt16BE(response.errorCode, at);
  at = out.writeInt32BE(response.sessionId, at);
  uvarint(2);
  uvarint(name.length + 1);
  at += out.write(name, at);
  uvarint(partitions.length + 1);
  for (const partition of partitions) {
    const { records } = partition;
    at = out.writeInt32BE(partition.partitionIndex, at);
    at = out.writeInt16BE(partition.errorCode, at);
    int64(partition.highWatermark);
    int64(partition.lastStableOffset);
    int64(partition.logStartOffset);
    uvarint(1);
    at = out.writeInt32BE(partition.preferredReadReplica, at);
    uvarint((records?.length ?? 0) + 1);
    if (records !== null) out.set(records, at);
    at += records?.length ?? 0;
    uvarint(0);
  }
  uvarint(0);
  uvarint(0);
  out.writeInt32BE(at - 4, 0);
  return out.subarray(0, at);
}
