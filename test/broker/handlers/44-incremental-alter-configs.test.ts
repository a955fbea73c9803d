import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import type { LevelledLog } from '../../../src/base/logger.ts';
import {
  describeConfigsApi,
  incrementalAlterConfigsApi,
  listConfigResourcesApi,
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
  ['a group', ErrorCode.INVALID_CONFIG, [Resource.GROUP, 'g', ['consumer.session.timeout.ms', SET, '5']]],
  ['all groups', ErrorCode.INVALID_REQUEST, [Resource.GROUP, '', ['consumer.session.timeout.ms', SET, '50000']]],
  [
    'client metrics without a name',
    ErrorCode.INVALID_REQUEST,
    [Resource.CLIENT_METRICS, '', ['interval.ms', SET, '1']],
  ],
  [
    'a list of client metrics to append to',
    ErrorCode.INVALID_CONFIG,
    [Resource.CLIENT_METRICS, 'm', ['metrics', APPEND, 'a']],
  ],
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

test('takes the throttles that tools set for reassignments, and no compaction without a thread', async () => {
  const harness = await BrokerHarness.open();
  const throttles: Change[] = [
    ['leader.replication.throttled.rate', SET, '1000000'],
    ['follower.replication.throttled.rate', SET, '1000000'],
    ['replica.alter.log.dirs.io.max.bytes.per.second', SET, '1000000'],
  ];
  const [taken] = await alter(harness, [[Resource.BROKER, '1', ...throttles]]);
  expect(taken!.errorCode).toBe(ErrorCode.NONE);
  const [refused] = await alter(harness, [[Resource.BROKER, '1', ['log.cleaner.threads', SET, '0']]]);
  expect(refused!.errorCode).toBe(ErrorCode.INVALID_REQUEST);
});

test('min.insync.replicas is set for all brokers, is not taken away, and no broker has its own', async () => {
  const harness = await openWithTopic();
  const name = 'min.insync.replicas';
  const codes = async (node: string, change: Change): Promise<number> =>
    (await alter(harness, [[Resource.BROKER, node, change]]))[0]!.errorCode;
  const told = async (): Promise<unknown> => {
    const resource = { resourceType: Resource.TOPIC, resourceName: 'orders', configurationKeys: [name] };
    const { results } = await harness.request(describeConfigsApi, 4, { resources: [resource] });
    const { value, configSource } = results[0]!.configs[0]!;
    return [value, configSource];
  };
  const ofCluster = 3;
  expect(await told()).toEqual(['1', ofCluster]);
  expect(await codes('1', [name, SET, '2'])).toBe(ErrorCode.INVALID_CONFIG);
  expect(await codes('1', [name, DELETE, null])).toBe(ErrorCode.INVALID_CONFIG);
  expect(await codes('', [name, DELETE, null])).toBe(ErrorCode.INVALID_CONFIG);
  expect(await told()).toEqual(['1', ofCluster]);
  expect(await codes('', [name, SET, '2'])).toBe(ErrorCode.NONE);
  expect(await told()).toEqual(['2', ofCluster]);
  expect(await codes('', ['message.max.bytes', SET, '2000000'])).toBe(ErrorCode.NONE);
  expect(await told()).toEqual(['2', ofCluster]);
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

/** The settings that a resource has itself. */
async function ownOf(harness: BrokerHarness, resourceType: number, resourceName: string, own: number) {
  const resources = [{ resourceType, resourceName, configurationKeys: null }];
  const { results } = await harness.request(describeConfigsApi, 4, { resources });
  return results[0]!.configs.filter(({ configSource }) => configSource === own).map(({ name, value }) => [name, value]);
}

test('changes settings of groups and of client metrics, which outlive a restart and are listed until they are gone', async () => {
  const first = await BrokerHarness.open();
  const ofGroup = ['consumer.session.timeout.ms', SET, '50000'] as Change;
  const answers = await alter(first, [
    [Resource.GROUP, 'g', ofGroup],
    [Resource.CLIENT_METRICS, 'm', ['interval.ms', SET, '5000'] as Change, ['metrics', SET, 'a,b'] as Change],
  ]);
  expect(answers.map(({ errorCode }) => errorCode)).toEqual([0, 0]);
  await first.broker.close();
  const second = await BrokerHarness.open({ store: first.store, seed: 2 });
  expect(await ownOf(second, Resource.GROUP, 'g', 8)).toEqual([['consumer.session.timeout.ms', '50000']]);
  expect(await ownOf(second, Resource.CLIENT_METRICS, 'm', 7)).toEqual([
    ['interval.ms', '5000'],
    ['metrics', 'a,b'],
  ]);
  const listed = async (resourceTypes: number[]) =>
    (await second.request(listConfigResourcesApi, 1, { resourceTypes })).configResources;
  expect(await listed([Resource.GROUP])).toEqual([{ resourceName: 'g', resourceType: Resource.GROUP }]);
  expect(await listed([])).toHaveLength(4);
  await alter(second, [[Resource.GROUP, 'g', ['consumer.session.timeout.ms', DELETE, null] as Change]]);
  expect(await listed([Resource.GROUP])).toEqual([]);
  expect(await ownOf(second, Resource.GROUP, 'g', 8)).toEqual([]);
});

test('a secret of the broker is kept and never told, and what is for one broker is not for all', async () => {
  const harness = await BrokerHarness.open({ config: { 'ssl.key.password': 'hush-hush' } });
  const jaas = ['sasl.jaas.config', SET, 'hush-hush, too'] as Change;
  expect(await alter(harness, [[Resource.BROKER, '1', jaas]])).toMatchObject([{ errorCode: 0 }]);
  expect(await alter(harness, [[Resource.BROKER, '', jaas]])).toMatchObject([{ errorCode: ErrorCode.INVALID_REQUEST }]);
  const ofListener = ['ssl.key.password', SET, 'x'] as Change;
  expect(await alter(harness, [[Resource.BROKER, '1', ofListener]])).toMatchObject([
    { errorCode: ErrorCode.INVALID_REQUEST },
  ]);
  const resources = [{ resourceType: Resource.BROKER, resourceName: '1', configurationKeys: null }];
  const described = await harness.request(describeConfigsApi, 4, { resources, includeSynonyms: true });
  expect(JSON.stringify(described)).not.toContain('hush');
  const byName = new Map(described.results[0]!.configs.map((config) => [config.name, config]));
  expect(byName.get('ssl.key.password')).toMatchObject({ value: null, isSensitive: true, configSource: 4 });
  expect(byName.get('sasl.jaas.config')).toMatchObject({ value: null, isSensitive: true, configSource: 2 });
});

test('the level of the log is seen and changed, and the root keeps one', async () => {
  const log: LevelledLog = { level: 'info' };
  const harness = await BrokerHarness.open({ levelledLog: log });
  const change = async (...changes: Change[]) => (await alter(harness, [[Resource.BROKER_LOGGER, '1', ...changes]]))[0];
  expect(await ownOf(harness, Resource.BROKER_LOGGER, '1', 6)).toEqual([['root', 'INFO']]);
  expect(await change(['root', SET, 'DEBUG'])).toMatchObject({ errorCode: 0 });
  expect(log.level).toBe('debug');
  expect(await change(['root', SET, 'debug'])).toMatchObject({ errorCode: ErrorCode.INVALID_CONFIG });
  expect(await change(['root', DELETE, null])).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST });
  expect(await change(['root', APPEND, 'WARN'])).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST });
  expect(log.level).toBe('debug');
});
