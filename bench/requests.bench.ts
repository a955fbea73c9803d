/**
 * What serving a request takes, from the bytes of a connection to those of the answer: frames, pipeline, dispatcher,
 * handler and log, over files in memory. The rivals are written by hand for just that request and one partition, and check
 * nothing but the CRC.
 */

import { zeroUuid } from '../src/base/uuid.ts';
import {
  defaultFetchRequest,
  defaultOffsetCommitRequest,
  defaultProduceRequest,
  fetchApi,
  offsetCommitApi,
  produceApi,
} from '../src/protocol/generated/index.ts';
import { recordCountAt } from '../src/records/record-batch.ts';
import { AssemblyBudget } from '../src/server/assembly-budget.ts';
import { FrameAssembler } from '../src/server/frame-assembler.ts';
import type { Benchmark } from './benchmark.ts';
import { CommitsByHand, cutByHand, fetchByHand, LogByHand, produceByHand } from './by-hand.ts';
import { InProcessDoor } from './door.ts';
import { InProcessBroker, prefixed, requestFrame } from './in-process-broker.ts';
import { filledBuilder } from './material.ts';

const requestsPerRun = 32;
const chunkBytes = 64 * 1024;
const logBytes = 2 ** 25;
const fetchBytes = 64 * 1024;
/** As much as lies in the ring before a fetch. */
const filledBytes = 2 ** 21;
const commitLogBytes = 2 ** 20;

export async function requestBenchmarks(): Promise<Benchmark[]> {
  const broker = await InProcessBroker.open();
  const door = new InProcessDoor(broker);
  return [
    framing(),
    await producing(broker, door, '1 record of 100 B', filledBuilder(100, 1).seal()),
    await producing(broker, door, 'a batch of 16 KiB', filledBuilder(1024).seal()),
    await fetching(broker, door),
    await committing(broker, door),
  ];
}

/** Frames of 1 KiB in reads of 64 KiB, whose last frame is seldom whole. */
function framing(): Benchmark {
  const frames = Array.from({ length: 256 }, (_, i) => prefixed(Buffer.alloc(1024, i)));
  const stream = Buffer.concat(frames);
  const chunks: Buffer[] = [];
  for (let at = 0; at < stream.length; at += chunkBytes) chunks.push(stream.subarray(at, at + chunkBytes));
  let count = 0;
  const owner = {
    take: () => {
      count++;
      return true;
    },
    readingMayGoOn: () => {},
    mustEnd: () => {},
  };
  const budget = new AssemblyBudget({ limitBytes: 2 ** 22, largestFrameBytes: 2 ** 20 });
  const assembler = new FrameAssembler(owner, budget, 2 ** 20);
  const counted = (cut: () => void) => (): number => {
    count = 0;
    cut();
    return count;
  };
  return {
    name: `${frames.length} frames of 1 KiB cut from reads of 64 KiB`,
    unit: 'calls',
    unitsPerRun: frames.length,
    bytesPerRun: stream.length,
    contenders: [
      { name: 'FrameAssembler', run: counted(() => chunks.forEach((chunk) => void assembler.push(chunk))) },
      { name: 'Buffer.concat and subarray', run: counted(() => cutByHand(chunks, owner.take)) },
    ],
  };
}

async function producing(
  broker: InProcessBroker,
  door: InProcessDoor,
  what: string,
  records: Uint8Array,
): Promise<Benchmark> {
  const { name } = await broker.newTopic();
  const topicData = [{ name, topicId: zeroUuid, partitionData: [{ index: 0, records }] }];
  const fields = { ...defaultProduceRequest(), acks: 1, timeoutMs: 30_000, topicData };
  const chunk = repeatedFrame(requestFrame(produceApi, 7, fields));
  const log = new LogByHand(logBytes);
  return {
    name: `Produce served, ${what}, acks=1`,
    unit: 'calls',
    unitsPerRun: requestsPerRun,
    bytesPerRun: chunk.length,
    contenders: [
      { name: 'pipeline, dispatcher, log', run: () => door.serve(chunk) },
      { name: 'by hand, one partition', run: () => served(chunk, (frame) => produceByHand(frame, log)) },
    ],
  };
}

async function fetching(broker: InProcessBroker, door: InProcessDoor): Promise<Benchmark> {
  const { name, logs } = await broker.newTopic();
  const records = filledBuilder(1024).seal();
  const log = new LogByHand(logBytes);
  for (let at = 0; at < filledBytes; at += records.length) {
    logs[0]!.append(records, { durability: 'written', origin: 'client' }, () => {});
    log.append(records);
    await broker.step();
  }
  const partition = {
    partition: 0,
    currentLeaderEpoch: -1,
    // In the middle of what is there.
    fetchOffset: Math.floor(filledBytes / records.length / 2) * recordCountAt(records, 0),
    lastFetchedEpoch: -1,
    logStartOffset: -1,
    partitionMaxBytes: fetchBytes,
    replicaDirectoryId: zeroUuid,
    highWatermark: -1,
  };
  const topics = [{ topic: name, topicId: zeroUuid, partitions: [partition] }];
  const fields = { ...defaultFetchRequest(), maxWaitMs: 0, minBytes: 1, maxBytes: 2 ** 20, topics };
  const chunk = repeatedFrame(requestFrame(fetchApi, 11, fields));
  return {
    name: 'Fetch served, 64 KiB from the ring',
    unit: 'calls',
    unitsPerRun: requestsPerRun,
    bytesPerRun: requestsPerRun * fetchBytes,
    contenders: [
      { name: 'pipeline, dispatcher, log', run: () => door.serve(chunk) },
      { name: 'by hand, one partition', run: () => served(chunk, (frame) => fetchByHand(frame, log)) },
    ],
  };
}

async function committing(broker: InProcessBroker, door: InProcessDoor): Promise<Benchmark> {
  const { name } = await broker.newTopic();
  const committed = { partitionIndex: 0, committedOffset: 7, committedLeaderEpoch: -1, committedMetadata: '' };
  const topics = [{ name, topicId: zeroUuid, partitions: [committed] }];
  const fields = { ...defaultOffsetCommitRequest(), groupId: 'bench', topics };
  const chunk = repeatedFrame(requestFrame(offsetCommitApi, 5, fields));
  const commits = new CommitsByHand(commitLogBytes);
  return {
    name: 'OffsetCommit served, one partition, synced',
    unit: 'calls',
    unitsPerRun: requestsPerRun,
    bytesPerRun: 0,
    contenders: [
      { name: "pipeline, dispatcher, the groups' log", run: () => door.serve(chunk) },
      { name: 'by hand: a Map, a line of text', run: () => served(chunk, (frame) => commits.serve(frame)) },
    ],
  };
}

function repeatedFrame(frame: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: requestsPerRun }, () => prefixed(frame)));
}

/** The bytes of the answers, put together for one write. */
function served(chunk: Buffer, serve: (frame: Buffer) => Buffer): number {
  const answers: Buffer[] = [];
  cutByHand([chunk], (frame) => answers.push(serve(frame)));
  return Buffer.concat(answers).length;
}
