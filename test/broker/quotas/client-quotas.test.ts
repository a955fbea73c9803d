/** What clients feel of quotas, through the dispatcher; the arithmetic stands in windowed-rate.test.ts. */

import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { zeroUuid } from '../../../src/base/uuid.ts';
import * as generated from '../../../src/protocol/generated/index.ts';
import { batchOf, BrokerHarness } from '../broker-harness.ts';
import { limit } from './limit.ts';

type Parts = Readonly<Record<string, string | null>>;

/** The harness' client calls itself "test"; without authentication its user is ANONYMOUS. */
async function limited(parts: Parts, key: string, value: number): Promise<BrokerHarness> {
  const harness = await BrokerHarness.open();
  await harness.createTopic('t');
  await limit(harness, parts, key, value);
  return harness;
}

async function produce(harness: BrokerHarness, sizeBytes: number, connection = harness.connection): Promise<number> {
  const partitionData = [{ index: 0, records: batchOf(['x'.repeat(sizeBytes)]) }];
  const topicData = [{ name: 't', topicId: zeroUuid, partitionData }];
  const fields = { acks: -1, timeoutMs: 1000, topicData };
  const response = await harness.request(generated.produceApi, 9, fields, connection);
  expect(response.responses[0]?.partitionResponses[0]?.errorCode).toBe(ErrorCode.NONE);
  return response.throttleTimeMs;
}

async function fetch(harness: BrokerHarness, sessionId = 0, sessionEpoch = -1, fetchOffset = 0) {
  const partitions = [
    {
      partition: 0,
      currentLeaderEpoch: -1,
      fetchOffset: fetchOffset as never,
      lastFetchedEpoch: -1,
      logStartOffset: -1 as never,
      partitionMaxBytes: 1 << 20,
      replicaDirectoryId: zeroUuid,
      highWatermark: 0 as never,
    },
  ];
  const topics = sessionEpoch > 0 ? [] : [{ topic: 't', topicId: zeroUuid, partitions }];
  const fields = { maxWaitMs: 0, minBytes: 1, maxBytes: 1 << 20, sessionId, sessionEpoch, topics };
  return harness.request(generated.fetchApi, 11, fields);
}

test('nobody is charged where no quota is set', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('t');
  expect(harness.broker.quotas.isActive).toBe(false);
  expect(await produce(harness, 1_000_000)).toBe(0);
  await limit(harness, { 'client-id': 'test' }, 'producer_byte_rate', 1);
  expect(harness.broker.quotas.isActive).toBe(true);
  await limit(harness, { 'client-id': 'test' }, 'producer_byte_rate', null);
  expect(harness.broker.quotas.isActive).toBe(false);
});

test('a producer above its rate is told so and muted until it is within', async () => {
  const harness = await limited({ 'client-id': 'test' }, 'producer_byte_rate', 1000);
  expect(await produce(harness, 500)).toBe(0);
  expect(harness.connection.muted).toBe(0);
  const throttleMs = await produce(harness, 12_000);
  expect(throttleMs).toBeGreaterThan(2500);
  expect(throttleMs).toBeLessThan(3000);
  expect(harness.connection.muted).toBe(1);
  harness.clock.advance(throttleMs - 1);
  expect(harness.connection.muted).toBe(1);
  harness.clock.advance(1);
  expect(harness.connection.muted).toBe(0);
  harness.clock.advance(20_000);
  expect(await produce(harness, 500)).toBe(0);
});

test('a producer without responses is muted all the same', async () => {
  const harness = await limited({ 'client-id': 'test' }, 'producer_byte_rate', 1000);
  const partitionData = [{ index: 0, records: batchOf(['x'.repeat(20_000)]) }];
  const topicData = [{ name: 't', topicId: zeroUuid, partitionData }];
  await harness.send(generated.produceApi, 9, { acks: 0, timeoutMs: 1000, topicData });
  expect(harness.connection.muted).toBe(1);
});

test('all connections of a client share its rate', async () => {
  const harness = await limited({ 'client-id': 'test' }, 'producer_byte_rate', 1000);
  expect(await produce(harness, 9000)).toBe(0);
  const other = harness.connect();
  expect(await produce(harness, 9000, other)).toBeGreaterThan(0);
  expect([harness.connection.muted, other.muted]).toEqual([0, 1]);
});

test.each<[string, [Parts, number][]]>([
  [
    'user and client before user',
    [
      [{ user: 'ANONYMOUS' }, 1],
      [{ user: 'ANONYMOUS', 'client-id': 'test' }, 1e9],
    ],
  ],
  [
    'user and any client before user',
    [
      [{ user: 'ANONYMOUS' }, 1],
      [{ user: 'ANONYMOUS', 'client-id': null }, 1e9],
    ],
  ],
  [
    'user before any user and client',
    [
      [{ user: null, 'client-id': 'test' }, 1],
      [{ user: 'ANONYMOUS' }, 1e9],
    ],
  ],
  [
    'any user and client before any user',
    [
      [{ user: null }, 1],
      [{ user: null, 'client-id': 'test' }, 1e9],
    ],
  ],
  [
    'any user before client',
    [
      [{ 'client-id': 'test' }, 1],
      [{ user: null }, 1e9],
    ],
  ],
  [
    'client before any client',
    [
      [{ 'client-id': null }, 1],
      [{ 'client-id': 'test' }, 1e9],
    ],
  ],
])('the strongest quota counts: %s', async (_what, quotas) => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('t');
  for (const [parts, value] of quotas) await limit(harness, parts, 'producer_byte_rate', value);
  expect(await produce(harness, 1000)).toBe(0);
  // Without the stronger the weaker counts.
  await limit(harness, quotas[1]![0], 'producer_byte_rate', null);
  expect(await produce(harness, 1000)).toBeGreaterThan(0);
});

test('quotas of others do not count', async () => {
  const harness = await limited({ 'client-id': 'other' }, 'producer_byte_rate', 1);
  await limit(harness, { user: 'alice' }, 'producer_byte_rate', 1);
  expect(await produce(harness, 100_000)).toBe(0);
});

test('a consumer above its rate gets nothing, keeps its session, and gets it all later', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('t');
  await produce(harness, 15_000);
  const begun = await fetch(harness, 0, 0, 1);
  expect(begun.sessionId).toBeGreaterThan(0);
  await produce(harness, 15_000);
  await limit(harness, { 'client-id': 'test' }, 'consumer_byte_rate', 1000);
  const refused = await fetch(harness, begun.sessionId, 1);
  expect(refused).toMatchObject({ errorCode: 0, sessionId: begun.sessionId, responses: [] });
  expect(refused.throttleTimeMs).toBeGreaterThan(5000);
  expect(refused.throttleTimeMs).toBeLessThan(5500);
  expect(harness.connection.muted).toBe(1);
  harness.clock.advance(refused.throttleTimeMs);
  // What it did not get is not charged.
  await limit(harness, { 'client-id': 'test' }, 'consumer_byte_rate', 2000);
  const given = await fetch(harness, begun.sessionId, 2);
  expect(given.throttleTimeMs).toBe(0);
  expect(given.responses[0]?.partitions[0]?.records?.length).toBeGreaterThan(15_000);
});

test('a fetch returns no more than its quota allows for within all windows', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('t');
  for (let i = 0; i < 20; i++) await produce(harness, 1000);
  await limit(harness, { 'client-id': 'test' }, 'consumer_byte_rate', 500);
  const { responses, throttleTimeMs } = await fetch(harness);
  expect(throttleTimeMs).toBe(0);
  expect(responses[0]?.partitions[0]?.records?.length).toBeLessThanOrEqual(5000);
});

test('requests that take the thread for too long make their client wait, at most a window', async () => {
  const harness = await limited({ 'client-id': 'test' }, 'request_percentage', 1);
  const slow = harness.broker.topics.image.topics.bind(harness.broker.topics.image);
  harness.broker.topics.image.topics = () => {
    harness.clock.advance(200);
    return slow();
  };
  const { throttleTimeMs } = await harness.request(generated.metadataApi, 9, { topics: null });
  // 20 percent-seconds within ten seconds are 2%, twice the limit.
  expect(throttleTimeMs).toBe(1000);
  expect(harness.connection.muted).toBe(1);
});

test('whoever creates and deletes too many partitions is refused in new versions and waits in old ones', async () => {
  const harness = await limited({ 'client-id': 'test' }, 'controller_mutation_rate', 2);
  const topic = (name: string, numPartitions: number) => ({
    name,
    numPartitions,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  });
  const create = (version: number, name: string, partitions: number) =>
    harness.request(generated.createTopicsApi, version, { topics: [topic(name, partitions)], timeoutMs: 1000 });
  // The burst is eleven seconds' worth, and may be exceeded once.
  expect(await create(7, 'a', 24)).toMatchObject({ throttleTimeMs: 0, topics: [{ errorCode: 0 }] });
  const refused = await create(7, 'b', 1);
  expect(refused).toMatchObject({ throttleTimeMs: 1000, topics: [{ errorCode: ErrorCode.THROTTLING_QUOTA_EXCEEDED }] });
  expect(harness.broker.topics.topic('b')).toBeNull();
  expect(await create(5, 'b', 1)).toMatchObject({ throttleTimeMs: 1500, topics: [{ errorCode: 0 }] });
  const remove = (version: number) =>
    harness.request(generated.deleteTopicsApi, version, { topicNames: ['a'], timeoutMs: 1000 });
  expect((await remove(5)).responses[0]?.errorCode).toBe(ErrorCode.THROTTLING_QUOTA_EXCEEDED);
  expect(harness.broker.topics.topic('a')).not.toBeNull();
  const grow = (version: number) =>
    harness.request(generated.createPartitionsApi, version, {
      topics: [{ name: 'a', count: 25, assignments: null }],
      timeoutMs: 1000,
    });
  expect((await grow(3)).results[0]?.errorCode).toBe(ErrorCode.THROTTLING_QUOTA_EXCEEDED);
  harness.clock.advance(2000);
  expect((await grow(3)).results[0]?.errorCode).toBe(ErrorCode.NONE);
});

test('very many client ids do not take memory for ever', async () => {
  const harness = await limited({ 'client-id': null }, 'producer_byte_rate', 1e6);
  const { quotas } = harness.broker;
  const contextOf = (clientId: string) => ({
    apiKey: 0,
    apiVersion: 9,
    correlationId: 0,
    clientId,
    connection: harness.connection,
    charge: null,
  });
  for (let i = 0; i < 20_000; i++) {
    quotas.rate('producer_byte_rate', contextOf(`client-${i}`))!.rate.record(1, harness.clock.monotonicMs());
    harness.clock.advance(10);
  }
  expect(quotas.rateCount).toBeLessThan(9000);
});
