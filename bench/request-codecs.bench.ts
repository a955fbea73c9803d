/** The generated codecs on what every produced batch and every fetch brings beside records, and headers, beside code by hand. */

import { ErrorCode } from '../src/base/error-code.ts';
import { zeroUuid } from '../src/base/uuid.ts';
import {
  decodeFetchRequest,
  defaultFetchRequest,
  defaultProduceResponse,
  defaultProduceResponseResponsesPartitionResponses,
  encodeProduceResponse,
  fetchApi,
  produceApi,
} from '../src/protocol/generated/index.ts';
import { decodeRequestRest, decodeRequestStart, encodeResponseHeader, isFlexible } from '../src/protocol/headers.ts';
import { Reader } from '../src/protocol/reader.ts';
import { Writer } from '../src/protocol/writer.ts';
import { type Benchmark, repeated } from './benchmark.ts';
import { requestFrame } from './in-process-broker.ts';

const produceVersion = 9;
const fetchVersion = 12;
const partitionCount = 8;
const topic = 'page-views';
const messagesPerRun = 64;

export function requestCodecBenchmarks(): Benchmark[] {
  return [produceResponse(), fetchRequest()];
}

function produceResponse(): Benchmark {
  const partitionResponses = Array.from({ length: partitionCount }, (_, index) => ({
    ...defaultProduceResponseResponsesPartitionResponses(),
    index,
    errorCode: ErrorCode.NONE,
    baseOffset: 1_000_000 + index,
    logStartOffset: 0,
  }));
  const response = {
    ...defaultProduceResponse(),
    responses: [{ name: topic, topicId: zeroUuid, partitionResponses }],
  } as ReturnType<typeof defaultProduceResponse>;
  const generated = (): number => {
    const writer = new Writer(true);
    encodeResponseHeader(writer, produceApi, produceVersion, 7);
    encodeProduceResponse(writer, response, produceVersion);
    return writer.finish()[0]!.length;
  };
  const offsets = partitionResponses.map(({ baseOffset }) => baseOffset);
  return {
    name: `encode Produce response v${produceVersion}, ${partitionCount} partitions, with its header`,
    unit: 'calls',
    unitsPerRun: messagesPerRun,
    bytesPerRun: messagesPerRun * generated(),
    contenders: [
      { name: 'generated', run: repeated(messagesPerRun, generated) },
      { name: 'by hand into one buffer', run: repeated(messagesPerRun, () => responseByHand(offsets).length) },
    ],
  };
}

function responseByHand(offsets: readonly number[]): Buffer {
  const out = Buffer.allocUnsafe(64 + topic.length + offsets.length * 40);
  let at = out.writeInt32BE(7, 4);
  out[at++] = 0;
  out[at++] = 2;
  out[at++] = topic.length + 1;
  at += out.write(topic, at);
  out[at++] = offsets.length + 1;
  for (const [index, offset] of offsets.entries()) {
    at = out.writeInt32BE(index, at);
    at = out.writeInt16BE(0, at);
    at = out.writeBigInt64BE(BigInt(offset), at);
    at = out.writeBigInt64BE(-1n, at);
    at = out.writeBigInt64BE(0n, at);
    // No record errors, no message, no tags.
    out[at++] = 1;
    out[at++] = 0;
    out[at++] = 0;
  }
  out[at++] = 0;
  at = out.writeInt32BE(0, at);
  out[at++] = 0;
  out.writeInt32BE(at - 4, 0);
  return out.subarray(0, at);
}

function fetchRequest(): Benchmark {
  const partitions = Array.from({ length: partitionCount }, (_, partition) => ({
    partition,
    currentLeaderEpoch: 3,
    fetchOffset: 1_000_000 + partition,
    lastFetchedEpoch: -1,
    logStartOffset: -1,
    partitionMaxBytes: 2 ** 20,
    replicaDirectoryId: zeroUuid,
    highWatermark: -1,
  }));
  const topics = [{ topic, topicId: zeroUuid, partitions }];
  const frame = requestFrame(fetchApi, fetchVersion, { ...defaultFetchRequest(), maxWaitMs: 500, minBytes: 1, topics });
  const generated = (): number => {
    const reader = new Reader(frame);
    decodeRequestStart(reader);
    decodeRequestRest(reader, isFlexible(fetchApi, fetchVersion));
    const { topics: named } = decodeFetchRequest(reader, fetchVersion);
    reader.expectEnd();
    let sum = 0;
    for (const { partitions: places } of named) for (const { fetchOffset } of places) sum += fetchOffset;
    return sum;
  };
  return {
    name: `decode Fetch request v${fetchVersion}, ${partitionCount} partitions, with its header`,
    unit: 'calls',
    unitsPerRun: messagesPerRun,
    bytesPerRun: messagesPerRun * frame.length,
    contenders: [
      { name: 'generated, every length checked', run: repeated(messagesPerRun, generated) },
      { name: 'by hand, nothing checked', run: repeated(messagesPerRun, () => fetchByHand(frame)) },
    ],
  };
}

function fetchByHand(frame: Buffer): number {
  let at = 8;
  at += 2 + Math.max(frame.readInt16BE(at), 0) + 1;
  // Replica, wait, bytes, isolation, session: all of a fixed size.
  at += 4 + 4 + 4 + 4 + 1 + 4 + 4;
  const topics: { name: string; places: { partition: number; offset: number; maxBytes: number }[] }[] = [];
  for (let left = frame[at++]! - 1; left > 0; left--) {
    const size = frame[at++]! - 1;
    const name = frame.toString('utf8', at, at + size);
    at += size;
    const places: { partition: number; offset: number; maxBytes: number }[] = [];
    for (let more = frame[at++]! - 1; more > 0; more--) {
      const partition = frame.readInt32BE(at);
      const offset = Number(frame.readBigInt64BE(at + 8));
      places.push({ partition, offset, maxBytes: frame.readInt32BE(at + 28) });
      // Epochs and the log's start stand around the offset; tags end it.
      at += 4 + 4 + 8 + 4 + 8 + 4 + 1;
    }
    at++;
    topics.push({ name, places });
  }
  let sum = 0;
  for (const { places } of topics) for (const { offset } of places) sum += offset;
  return sum;
}
