import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import {
  incrementalAlterConfigsApi,
  type IncrementalAlterConfigsResponseResponses,
} from '../../../src/protocol/generated/index.ts';
import { BrokerHarness, versionsOf } from '../broker-harness.ts';
import type { MemoryLog } from '../memory-log-store.ts';

const Resource = { TOPIC: 2, BROKER: 4, BROKER_LOGGER: 8, CLIENT_METRICS: 16, GROUP: 32 };
const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

type Change = [name: string, operation: number, value: string | null];
type Wanted = [resourceType: number, resourceName: string, ...changes: Change[]];

async function alter(
  harness: BrokerHarness,
  wanted: Wanted[],
  version = 1,
  validateOnly = false,
): Promise<IncrementalAlterConfigsResponseResponses[]> {
  const resources = wanted.map(([resourceType, resourceName, ...changes]) => ({
    resourceType,
    resourceName,
    configs: changes.map(([name, configOperation, value]) => ({ name, configOperation, value })),
  }));
  return (await harness.request(incrementalAlterConfigsApi, version, { resources, validateOnly })).responses;
}

async function openWithTopic(configs: Record<string, string> = { 'retention.ms': '1000' }): Promise<BrokerHarness> {
  const harness = await BrokerHarness.open();
  await harness.createTopic('orders', 1, configs);
  return harness;
}

const configsOf = ({ broker }: BrokerHarness) => Object.fromEntries(broker.topics.topic('orders')!.configs);

describe.each(versionsOf(incrementalAlterConfigsApi))('IncrementalAlterConfigs version %i', (version) => {
  it('sets and deletes single settings of a topic, for good, and the open logs follow', async () => {
    const harness = await openWithTopic();
    const log = harness.broker.findPartition(harness.broker.topics.topic('orders'), 0)!.log as MemoryLog;
    const changes: Change[] = [
      ['segment.bytes', SET, ' 1048576 '],
      ['retention.ms', DELETE, null],
      ['flush.ms', DELETE, 'whatever'],
      ['no.such', DELETE, null],
    ];
    expect(await alter(harness, [[Resource.TOPIC, 'orders', ...changes]], version)).toEqual([
      { errorCode: ErrorCode.NONE, errorMessage: null, resourceType: Resource.TOPIC, resourceName: 'orders' },
    ]);
    expect(configsOf(harness)).toEqual({ 'segment.bytes': '1048576' });
    expect(log.config).toMatchObject({ segmentBytes: 1_048_576, retentionMs: 604_800_000 });
    expect(configsOf(await BrokerHarness.open({ store: harness.store }))).toEqual({ 'segment.bytes': '1048576' });
  });

  it('sets and deletes settings of this broker and of all, and open logs follow', async () => {
    const harness = await openWithTopic({});
    const { config } = harness.broker;
    const log = harness.broker.findPartition(harness.broker.topics.topic('orders'), 0)!.log as MemoryLog;
    const set = async (name: string, operation: number, value: string | null): Promise<void> => {
      const answers = await alter(harness, [[Resource.BROKER, name, ['log.retention.ms', operation, value]]], version);
      expect(answers).toMatchObject([{ errorCode: ErrorCode.NONE, resourceName: name }]);
    };
    await set('', SET, '7300000');
    expect(log.config.retentionMs).toBe(7_300_000);
    await set('1', SET, '7200000');
    expect(config.text('log.retention.ms')).toBe('7200000');
    expect(log.config.retentionMs).toBe(7_200_000);
    const again = await BrokerHarness.open({ store: harness.store });
    expect(again.broker.config.text('log.retention.ms')).toBe('7200000');
    await set('1', DELETE, null);
    expect(config.text('log.retention.ms')).toBe('7300000');
    await set('', DELETE, null);
    expect(config.text('log.retention.ms')).toBeNull();
    expect(log.config.retentionMs).toBe(604_800_000);
  });

  it('changes nothing where it is only to look, and refuses all the same', async () => {
    const harness = await openWithTopic();
    const wanted: Wanted[] = [
      [Resource.TOPIC, 'orders', ['segment.bytes', SET, '1048576']],
      [Resource.BROKER, '1', ['log.retention.ms', SET, '1']],
      [Resource.BROKER, '', ['log.retention.ms', SET, 'x']],
    ];
    const codes = (await alter(harness, wanted, version, true)).map(({ errorCode }) => errorCode);
    expect(codes).toEqual([ErrorCode.NONE, ErrorCode.NONE, ErrorCode.INVALID_REQUEST]);
    expect(configsOf(harness)).toEqual({ 'retention.ms': '1000' });
    expect(harness.broker.config.text('log.retention.ms')).toBeNull();
  });
});

test.each<[before: string | null, operation: number, value: string, after: string]>([
  [null, APPEND, 'compact', 'delete,compact'],
  [null, SUBTRACT, 'delete', ''],
  ['compact', APPEND, 'compact', 'compact'],
  ['compact', APPEND, ' delete , compact', 'compact,delete'],
  ['compact,delete', SUBTRACT, 'compact', 'delete'],
  ['compact', SUBTRACT, 'delete', 'compact'],
  ['compact', SUBTRACT, 'compact', ''],
  ['', APPEND, 'compact', 'compact'],
  ['compact', SET, 'delete', 'delete'],
])('makes of the list %j by operation %i of %j the list %j', async (before, operation, value, after) => {
  const harness = await openWithTopic(before === null ? {} : { 'cleanup.policy': before });
  expect(await alter(harness, [[Resource.TOPIC, 'orders', ['cleanup.policy', operation, value]]])).toMatchObject([
    { errorCode: ErrorCode.NONE },
  ]);
  expect(configsOf(harness)).toEqual({ 'cleanup.policy': after });
});

test('appends to and subtracts from lists of a broker', async () => {
  const harness = await openWithTopic();
  const change = (operation: number, value: string) =>
    alter(harness, [[Resource.BROKER, '1', ['log.cleanup.policy', operation, value]]]);
  await change(APPEND, 'compact');
  expect(harness.broker.config.text('log.cleanup.policy')).toBe('delete,compact');
  await change(SUBTRACT, 'delete');
  expect(harness.broker.config.text('log.cleanup.policy')).toBe('compact');
});

const topic = (...changes: Change[]): Wanted => [Resource.TOPIC, 'orders', ...changes];
const broker = (...changes: Change[]): Wanted => [Resource.BROKER, '1', ...changes];
const good: Change = ['segment.bytes', SET, '1048576'];

test.each<[what: string, errorCode: ErrorCode, wanted: Wanted]>([
  ['a bad value', ErrorCode.INVALID_CONFIG, topic(good, ['retention.ms', SET, 'x'])],
  ['an unknown setting', ErrorCode.INVALID_CONFIG, topic(['no.such', SET, '1'])],
  ['a null', ErrorCode.INVALID_REQUEST, topic(['segment.bytes', SET, null])],
  ['a null to append', ErrorCode.INVALID_REQUEST, topic(['cleanup.policy', APPEND, null])],
  ['a setting twice', ErrorCode.INVALID_REQUEST, topic(good, ['segment.bytes', DELETE, null])],
  ['a number to append to', ErrorCode.INVALID_CONFIG, topic(['segment.bytes', APPEND, '1'])],
  ['a number to subtract from', ErrorCode.INVALID_CONFIG, topic(['segment.bytes', SUBTRACT, '1'])],
  ['an unknown list', ErrorCode.INVALID_CONFIG, topic(['no.such', APPEND, '1'])],
  ['a bad element', ErrorCode.INVALID_CONFIG, topic(['cleanup.policy', APPEND, 'burn'])],
  ['an unknown operation', ErrorCode.INVALID_REQUEST, topic(['segment.bytes', 4, '1'])],
  ['a negative operation', ErrorCode.INVALID_REQUEST, topic(['segment.bytes', -1, '1'])],
  [
    'lags that contradict',
    ErrorCode.INVALID_CONFIG,
    topic(['min.compaction.lag.ms', SET, '10'], ['max.compaction.lag.ms', SET, '5']),
  ],
  ['a missing topic', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, [Resource.TOPIC, 'none', good]],
  ["a coordinator's log", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, [Resource.TOPIC, '__cluster_metadata', good]],
  ['a bad name', ErrorCode.INVALID_TOPIC_EXCEPTION, [Resource.TOPIC, 'a b', good]],
  ['no name', ErrorCode.INVALID_REQUEST, [Resource.TOPIC, '', good]],
  ['a read-only setting', ErrorCode.INVALID_REQUEST, broker(['num.partitions', SET, '3'])],
  ['a bad value of the broker', ErrorCode.INVALID_REQUEST, broker(['message.max.bytes', SET, 'x'])],
  ['a value out of bounds', ErrorCode.INVALID_REQUEST, broker(['message.max.bytes', SET, '-1'])],
  ['an unknown setting of the broker', ErrorCode.INVALID_REQUEST, broker(['no.such', SET, '3'])],
  ['a number of the broker to append to', ErrorCode.INVALID_CONFIG, broker(['message.max.bytes', APPEND, '3'])],
  ['a null of the broker', ErrorCode.INVALID_REQUEST, broker(['message.max.bytes', SET, null])],
  ['an unknown operation on the broker', ErrorCode.INVALID_REQUEST, broker(['message.max.bytes', 9, '1'])],
  ['another broker', ErrorCode.INVALID_REQUEST, [Resource.BROKER, '2', ['log.retention.ms', SET, '1']]],
  ['no broker', ErrorCode.INVALID_REQUEST, [Resource.BROKER, 'x', ['log.retention.ms', SET, '1']]],
  ['a logger', ErrorCode.INVALID_CONFIG, [Resource.BROKER_LOGGER, '1', ['root', SET, 'INFO']]],
  ["another broker's logger", ErrorCode.INVALID_REQUEST, [Resource.BROKER_LOGGER, '2', ['root', SET, 'INFO']]],
  ['a group', ErrorCode.INVALID_REQUEST, [Resource.GROUP, 'g', ['consumer.session.timeout.ms', SET, '50000']]],
  ['client metrics', ErrorCode.INVALID_REQUEST, [Resource.CLIENT_METRICS, 'm', ['interval.ms', SET, '1']]],
  ['an unknown type', ErrorCode.INVALID_REQUEST, [99, 'x']],
])('refuses %s, and changes nothing', async (_what, errorCode, wanted) => {
  const harness = await openWithTopic();
  const [answer] = await alter(harness, [wanted]);
  const [resourceType, resourceName] = wanted;
  expect(answer).toEqual({ errorCode, errorMessage: expect.stringMatching(/./), resourceType, resourceName });
  expect(configsOf(harness)).toEqual({ 'retention.ms': '1000' });
  expect([...harness.broker.topics.image.brokerConfigs('1')]).toEqual([]);
});

test('lets a read-only setting be deleted that nobody could have set', async () => {
  const harness = await openWithTopic();
  expect(await alter(harness, [broker(['num.partitions', DELETE, null])])).toMatchObject([{ errorCode: 0 }]);
});

test('serves one resource and refuses another', async () => {
  const harness = await openWithTopic();
  const codes = (await alter(harness, [topic(good), [Resource.TOPIC, 'none', good]])).map(({ errorCode }) => errorCode);
  expect(codes).toEqual([ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]);
  expect(configsOf(harness)).toMatchObject({ 'segment.bytes': '1048576' });
});

test('says where a change could not be made durable, and does not keep it', async () => {
  const harness = await openWithTopic();
  harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  const codes = await alter(harness, [topic(good), broker(['log.retention.ms', SET, '1'])]);
  expect(codes).toMatchObject([
    { errorCode: ErrorCode.KAFKA_STORAGE_ERROR },
    { errorCode: ErrorCode.KAFKA_STORAGE_ERROR },
  ]);
  expect(configsOf(harness)).toEqual({ 'retention.ms': '1000' });
  expect(harness.broker.config.text('log.retention.ms')).toBeNull();
});
