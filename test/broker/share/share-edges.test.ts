/**
 * What happens to share groups at the edges: members that vanish in the middle of a fetch, locks that end while others
 * wait, epochs that are forged, logs that lose their begin, topics that go, and where a group begins by time.
 */

import { gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { asOffset } from '../../../src/base/numbers.ts';
import { incrementalAlterConfigsApi, produceApi } from '../../../src/protocol/generated/index.ts';
import { BatchBuilder } from '../../../src/records/batch-builder.ts';
import { crc32c } from '../../../src/records/crc32c.ts';
import { batchSizeAt, Compression } from '../../../src/records/record-batch.ts';
import { RecordReader } from '../../../src/records/record-reader.ts';
import type { PartitionLog } from '../../../src/storage/partition-log.ts';
import { batchOf, BrokerHarness, type HarnessOptions } from '../broker-harness.ts';
import { TestShareConsumer, type Given } from './test-share-consumer.ts';

const accept = 1;
const reject = 3;
const groupResource = 32;

async function open(configs: Record<string, string> = {}, options: HarnessOptions = {}): Promise<BrokerHarness> {
  const harness = await BrokerHarness.open(options);
  const wanted = { 'share.auto.offset.reset': 'earliest', ...configs };
  const response = await harness.request(incrementalAlterConfigsApi, 1, {
    resources: [
      {
        resourceType: groupResource,
        resourceName: 'group',
        configs: Object.entries(wanted).map(([name, value]) => ({ name, configOperation: 0, value })),
      },
    ],
  });
  expect(response.responses[0]!.errorMessage).toBeNull();
  await harness.createTopic('topic');
  return harness;
}

async function produce(harness: BrokerHarness, ...texts: string[]): Promise<void> {
  const topicId = harness.broker.topics.topic('topic')!.id;
  const topicData = [{ topicId, name: 'topic', partitionData: [{ index: 0, records: batchOf(texts) }] }];
  const response = await harness.request(produceApi, 9, { acks: -1, timeoutMs: 1000, topicData });
  expect(response.responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE);
}

async function joined(harness: BrokerHarness): Promise<TestShareConsumer> {
  const consumer = new TestShareConsumer(harness);
  expect((await consumer.join()).errorCode).toBe(ErrorCode.NONE);
  return consumer;
}

const briefly = (given: readonly Given[]): string[] => given.map(({ value, count }) => `${value}×${count}`);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('share groups at the edges', () => {
  it('give nothing to a member that has vanished while it waited', async () => {
    const harness = await open();
    const gone = await joined(harness);
    const stays = new TestShareConsumer(harness);
    Object.assign(stays, { assigned: gone.assigned });
    await stays.join();
    stays.assigned = gone.assigned;
    const waiting = gone.fetch({ maxWaitMs: 10_000 });
    await turn();
    gone.connection.close();
    expect(await waiting).toEqual([]);
    await produce(harness, 'a');
    // It was given out to nobody before: its count says so.
    expect(briefly(await stays.fetch())).toEqual(['a×1']);
  });

  it('give a record whose lock ends to the one who waits, and take nothing more of the other', async () => {
    const harness = await open({ 'share.record.lock.duration.ms': '15000' });
    const slow = await joined(harness);
    const waits = await joined(harness);
    waits.assigned = slow.assigned;
    await produce(harness, 'a');
    expect(briefly(await slow.fetch())).toEqual(['a×1']);
    const waiting = waits.fetch({ maxWaitMs: 20_000 });
    await turn();
    harness.clock.advance(15_000);
    expect(briefly(await waiting)).toEqual(['a×2']);
    expect(await slow.acknowledge([[0, 0, accept]])).toBe(ErrorCode.INVALID_RECORD_STATE);
    expect(await waits.acknowledge([[0, 0, accept]])).toBe(ErrorCode.NONE);
    harness.clock.advance(15_000);
    expect(await slow.fetch()).toEqual([]);
  });

  it('let every lock stand as long as it has left when the broker was held up', async () => {
    const harness = await open({ 'share.record.lock.duration.ms': '15000' });
    const slow = await joined(harness);
    const waits = await joined(harness);
    waits.assigned = slow.assigned;
    await produce(harness, 'a', 'b');
    expect(briefly(await slow.fetch({ maxRecords: 1, shareAcquireMode: 1 }))).toEqual(['a×1']);
    harness.clock.advance(10_000);
    expect(briefly(await slow.fetch({ maxRecords: 1, shareAcquireMode: 1 }))).toEqual(['b×1']);
    harness.clock.advance(4000);
    await harness.clock.stall(20_000);
    harness.clock.advance(999);
    expect(await waits.fetch()).toEqual([]);
    harness.clock.advance(1);
    expect(briefly(await waits.fetch())).toEqual(['a×2']);
    harness.clock.advance(9999);
    expect(await waits.fetch()).toEqual([]);
    harness.clock.advance(1);
    expect(briefly(await waits.fetch())).toEqual(['b×2']);
  });

  it('refuse forged session epochs, and the session goes on', async () => {
    const harness = await open();
    const member = await joined(harness);
    await produce(harness, 'a', 'b');
    expect(briefly(await member.fetch({ maxRecords: 1, shareAcquireMode: 1 }))).toEqual(['a×1']);
    for (const shareSessionEpoch of [2, 99, -7, 2 ** 31 - 1]) {
      const { errorCode } = await member.fetchResponse({ shareSessionEpoch });
      expect(errorCode).toBe(ErrorCode.INVALID_SHARE_SESSION_EPOCH);
    }
    const stranger = await joined(harness);
    const { errorCode } = await stranger.fetchResponse({ shareSessionEpoch: 1 });
    expect(errorCode).toBe(ErrorCode.SHARE_SESSION_NOT_FOUND);
    expect(await member.acknowledge([[0, 0, accept]])).toBe(ErrorCode.NONE);
    expect(briefly(await member.fetch())).toEqual(['b×1']);
  });

  it('go on where the log begins once it has lost what was out', async () => {
    const harness = await open();
    const member = await joined(harness);
    await produce(harness, 'a');
    await produce(harness, 'b');
    await produce(harness, 'c');
    expect(briefly(await member.fetch({ maxRecords: 2 }))).toEqual(['a×1', 'b×1']);
    const topic = harness.broker.topics.topic('topic')!;
    const { log } = harness.broker.findPartition(topic, 0)!;
    await log.deleteRecordsBefore(log.highWatermark);
    // What is below the start offset is done, whoever says so.
    expect(await member.acknowledge([[0, 1, accept]])).toBe(ErrorCode.NONE);
    await produce(harness, 'd');
    expect(briefly(await member.fetch())).toEqual(['d×1']);
  });

  it('read about as much of the log as they give out, as large as its records were the last time', async () => {
    const harness = await open();
    const large = 'x'.repeat(50_000);
    for (let i = 0; i < 40; i++) await produce(harness, large);
    const { log } = harness.broker.findPartition(harness.broker.topics.topic('topic')!, 0)!;
    const read = vi.spyOn(log, 'read');
    const consumer = await joined(harness);
    const fetched: number[] = [];
    for (let i = 0; i < 3; i++) {
      fetched.push((await consumer.fetch({ maxRecords: 10, maxBytes: 50_000_000, shareAcquireMode: 1 })).length);
    }
    expect(fetched).toEqual([1, 10, 10]);
    const sizes = await Promise.all(
      read.mock.results.map(async ({ value }) => (await value).records.length / large.length),
    );
    expect(sizes.map(Math.floor)).toEqual([1, 20, 20]);
  });

  it('forget a topic that goes, and begin anew in one of the same name', async () => {
    const harness = await open();
    const member = await joined(harness);
    await produce(harness, 'a');
    expect(briefly(await member.fetch())).toEqual(['a×1']);
    await harness.broker.topics.delete(harness.broker.topics.topic('topic')!.id);
    expect(await member.acknowledge([[0, 0, accept]])).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
    const { responses } = await member.fetchResponse();
    expect(responses[0]!.partitions[0]!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID);
    await harness.createTopic('topic');
    await produce(harness, 'new');
    const again = await joined(harness);
    harness.clock.advance(1000);
    await again.beat();
    expect(briefly(await again.fetch())).toEqual(['new×1']);
  });

  it('begin as far back as their setting says', async () => {
    const harness = await open({ 'share.auto.offset.reset': 'by_duration:PT1H' });
    const nowMs = harness.clock.nowMs();
    const topicId = harness.broker.topics.topic('topic')!.id;
    for (const [text, ageMs] of [
      ['old', 7_200_000],
      ['young', 1_800_000],
    ] as const) {
      const builder = new BatchBuilder(crc32c);
      builder.append({ key: null, value: Buffer.from(text), timestampMs: nowMs - ageMs });
      const topicData = [{ topicId, name: 'topic', partitionData: [{ index: 0, records: builder.seal() }] }];
      await harness.request(produceApi, 9, { acks: -1, timeoutMs: 1000, topicData });
    }
    const member = await joined(harness);
    expect(briefly(await member.fetch())).toEqual(['young×1']);
  });

  it('set compressed records aside in a topic that is made for them, and remember that through a restart', async () => {
    const harness = await open(
      {
        'errors.deadletterqueue.topic.name': 'dlq.group',
        'errors.deadletterqueue.copy.record.enable': 'true',
      },
      { config: { 'errors.deadletterqueue.auto.create.topics.enable': 'true' } },
    );
    const builder = new BatchBuilder(crc32c);
    for (const text of ['good', 'bad']) builder.append({ key: null, value: Buffer.from(text), timestampMs: 1 });
    const records = builder.sealCompressed(Compression.GZIP, gzipSync(builder.body));
    const topicId = harness.broker.topics.topic('topic')!.id;
    const topicData = [{ topicId, name: 'topic', partitionData: [{ index: 0, records }] }];
    await harness.request(produceApi, 9, { acks: -1, timeoutMs: 1000, topicData });
    const member = await joined(harness);
    await member.fetchResponse();
    expect(await member.acknowledge([[0, 1, accept, reject]])).toBe(ErrorCode.NONE);
    await vi.waitUntil(() => (letters(harness)?.highWatermark ?? 0) === 1, { timeout: 30_000 });
    const place = { topicId, partition: 0 };
    await vi.waitUntil(() => harness.broker.groups.sharePartitions.find('group', place)!.state.startOffset === 2, {
      timeout: 30_000,
    });
    const after = await BrokerHarness.open({ store: harness.store, seed: 2 });
    const { sharePartitions } = after.broker.groups;
    expect(sharePartitions.stored('group', place).startOffset).toBe(2);
    const read = await letters(after)!.read({
      offset: asOffset(0),
      ...{ maxBytes: 10_000, minOneBatch: true, isolation: 'read_uncommitted' },
    });
    const letter = new RecordReader(read.records, 0, read.records.length);
    expect(letter.next()).toBe(true);
    expect(Buffer.from(letter.value!).toString()).toBe('bad');
    expect(letter.next()).toBe(false);
  });

  it('set more records aside than are copied at once, each with what it was', async () => {
    const configs = {
      'errors.deadletterqueue.topic.name': 'dlq.group',
      'errors.deadletterqueue.copy.record.enable': 'true',
    };
    const harness = await open(configs, { config: { 'errors.deadletterqueue.auto.create.topics.enable': 'true' } });
    const count = 60_000;
    const builder = new BatchBuilder(crc32c);
    for (let i = 0; i < count; i++) builder.append({ key: null, value: Buffer.from(`${i}`), timestampMs: 1 });
    const records = builder.sealCompressed(Compression.GZIP, gzipSync(builder.body));
    const topicId = harness.broker.topics.topic('topic')!.id;
    const topicData = [{ topicId, name: 'topic', partitionData: [{ index: 0, records }] }];
    await harness.request(produceApi, 9, { acks: -1, timeoutMs: 1000, topicData });
    const member = await joined(harness);
    await member.fetchResponse();
    expect(await member.acknowledge([[0, count - 1, reject]])).toBe(ErrorCode.NONE);
    await vi.waitUntil(() => (letters(harness)?.highWatermark ?? 0) === count, { timeout: 30_000 });
    const log = letters(harness)!;
    let expected = 0;
    while (expected < count) {
      const read = await log.read({
        offset: asOffset(expected),
        ...{ maxBytes: 1_000_000, minOneBatch: true, isolation: 'read_uncommitted' },
      });
      const size = batchSizeAt(read.records, 0, read.records.length);
      const reader = new RecordReader(read.records, 0, size);
      while (reader.next()) {
        const value = Buffer.from(reader.value!).toString();
        if (value !== `${expected++}`) throw new Error(`letter ${expected - 1} is of record ${value}`);
      }
    }
  });
});

function letters(harness: BrokerHarness): PartitionLog | null {
  return harness.broker.findPartition(harness.broker.topics.topic('dlq.group'), 0)?.log ?? null;
}
