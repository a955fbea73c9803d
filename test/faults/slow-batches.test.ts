/**
 * Batches whose compression takes seconds, sent to the real program: those who send others do not wait for them, and a
 * program that is killed or stopped meanwhile has stored all of one or nothing.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { present } from '../../src/base/assert.ts';
import { ErrorCode } from '../../src/base/error-code.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import {
  createTopicsApi,
  defaultCreateTopicsRequest,
  defaultProduceRequest,
  produceApi,
} from '../../src/protocol/generated/index.ts';
import { BatchBuilder } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { attributesAt, batchSizeAt, Compression, compressionOf, hasValidCrc } from '../../src/records/record-batch.ts';
import { ProgramProcess } from '../program/program-process.ts';
import { WireClient } from '../program/wire-client.ts';

const topic = 'slow';
const recordCount = 9000;

let directory: string;
let program: ProgramProcess;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-slow-'));
  program = await ProgramProcess.serving(join(directory, 'data'));
});

afterEach(async () => {
  await killed();
  rmSync(directory, { recursive: true, force: true });
});

async function killed(): Promise<void> {
  program.child.kill('SIGKILL');
  await program.ended;
}

/** A megabyte, or more, of text of which no two records are alike: zstd looks for long at its highest levels. */
function slowBatch(megabytes = 1): Uint8Array {
  const builder = new BatchBuilder(crc32c);
  for (let i = 0; i < megabytes * recordCount; i++) {
    const value = `{"id":${(i * 2_654_435_761) % 2 ** 32},"user":"user-${(i * 40_503) % 65_536}","at":${1_700_000_000 + i * 37},"kind":"click","path":"/shop/${(i * 7919) % 10_007}"}`;
    builder.append({ key: null, value: Buffer.from(value), timestampMs: Date.now() });
  }
  return builder.seal();
}

async function createTopic(client: WireClient): Promise<void> {
  const compression = { 'compression.type': 'zstd', 'compression.zstd.level': '22' };
  const configs = Object.entries({ ...compression, 'max.message.bytes': '20000000' });
  const spec = { name: topic, numPartitions: 1, replicationFactor: 1, assignments: [] };
  const topics = [{ ...spec, configs: configs.map(([name, value]) => ({ name, value })) }];
  const created = await client.request(createTopicsApi, 5, {
    ...defaultCreateTopicsRequest(),
    topics,
    timeoutMs: 10_000,
  });
  expect(created.topics[0]).toMatchObject({ errorCode: ErrorCode.NONE });
}

async function produce(client: WireClient, records: Uint8Array): Promise<ErrorCode> {
  const topicData = [{ name: topic, topicId: zeroUuid, partitionData: [{ index: 0, records }] }];
  const request = { ...defaultProduceRequest(), acks: -1, timeoutMs: 60_000, topicData };
  const { responses } = await client.request(produceApi, 9, request);
  return present(responses[0]?.partitionResponses[0], 'the partition is answered').errorCode as ErrorCode;
}

it('others are served while it is compressed, and its sender in turn', async () => {
  const [slow, quick] = [await WireClient.connect(program.kafkaPort), await WireClient.connect(program.kafkaPort)];
  await createTopic(slow);
  await quick.createTopic('quick');
  let isDone = false;
  const answer = produce(slow, slowBatch()).then((code) => {
    isDone = true;
    return code;
  });
  let between = 0;
  for (; !isDone; between++) await quick.produce('quick', 'a record');
  expect(await answer).toBe(ErrorCode.NONE);
  // In one go they would have been served before it or behind it.
  expect(between).toBeGreaterThan(10);
  const stored = await slow.fetch(topic, 0);
  expect(compressionOf(attributesAt(stored, 0))).toBe(Compression.ZSTD);
  expect(hasValidCrc(stored, 0, batchSizeAt(stored, 0, stored.length), crc32c)).toBe(true);
});

it('a kill meanwhile leaves nothing of it, and all that was acknowledged', async () => {
  const [slow, quick] = [await WireClient.connect(program.kafkaPort), await WireClient.connect(program.kafkaPort)];
  await createTopic(slow);
  await quick.createTopic('quick');
  let isDone = false;
  void produce(slow, slowBatch()).then(
    () => (isDone = true),
    () => {},
  );
  let acknowledged = 0;
  for (; acknowledged < 5; acknowledged++) await quick.produce('quick', `record ${acknowledged}`);
  expect(isDone).toBe(false);
  await killed();
  program = await ProgramProcess.serving(join(directory, 'data'));
  const client = await WireClient.connect(program.kafkaPort);
  expect(await client.fetch(topic, 0)).toHaveLength(0);
  expect(await client.produce('quick', 'next')).toBe(acknowledged);
  expect(await produce(client, slowBatch())).toBe(ErrorCode.NONE);
  expect((await client.fetch(topic, 0)).length).toBeGreaterThan(1000);
});

it('a stop meanwhile does not wait for it, and stores nothing of it', async () => {
  const [slow, quick] = [await WireClient.connect(program.kafkaPort), await WireClient.connect(program.kafkaPort)];
  await createTopic(slow);
  await quick.createTopic('quick');
  const codes: ErrorCode[] = [];
  // Several seconds of work.
  void produce(slow, slowBatch(6)).then(
    (code) => codes.push(code),
    () => {},
  );
  for (let i = 0; i < 5; i++) await quick.produce('quick', `record ${i}`);
  program.child.kill('SIGTERM');
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(codes).not.toContain(ErrorCode.NONE);
  program = await ProgramProcess.serving(join(directory, 'data'));
  const client = await WireClient.connect(program.kafkaPort);
  expect(await client.fetch(topic, 0)).toHaveLength(0);
  expect(await client.produce('quick', 'next')).toBe(5);
});
