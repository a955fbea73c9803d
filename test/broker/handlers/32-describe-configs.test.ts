import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { brokerConfigDefinitions } from '../../../src/broker/broker-config.ts';
import { configTypeCodes } from '../../../src/broker/config-definition.ts';
import { topicConfigDefinitions } from '../../../src/broker/topic-config-table.ts';
import {
  describeConfigsApi,
  type DescribeConfigsRequest,
  type DescribeConfigsResponseResults,
} from '../../../src/protocol/generated/index.ts';
import { BrokerHarness, versionsOf } from '../broker-harness.ts';

const Resource = { TOPIC: 2, BROKER: 4, BROKER_LOGGER: 8, CLIENT_METRICS: 16, GROUP: 32 };
const Source = { TOPIC: 1, BROKER: 2, CLUSTER: 3, STATIC: 4, DEFAULT: 5 };
const latest = describeConfigsApi.stableVersion;

interface Asked {
  readonly keys?: string[] | null;
  readonly version?: number;
  readonly more?: Partial<DescribeConfigsRequest>;
}

async function ask(
  harness: BrokerHarness,
  resourceType: number,
  resourceName: string,
  { keys = null, version = latest, more = {} }: Asked = {},
): Promise<DescribeConfigsResponseResults> {
  const resources = [{ resourceType, resourceName, configurationKeys: keys }];
  const { results } = await harness.request(describeConfigsApi, version, { resources, ...more });
  expect(results).toHaveLength(1);
  expect(results[0]).toMatchObject({ resourceType, resourceName });
  return results[0]!;
}

/** One setting with its synonyms as [name, value, source]. */
async function settingOf(harness: BrokerHarness, resourceType: number, resourceName: string, key: string) {
  const { configs } = await ask(harness, resourceType, resourceName, {
    keys: [key],
    more: { includeSynonyms: true },
  });
  expect(configs).toHaveLength(1);
  const { value, configSource, synonyms } = configs[0]!;
  return { value, configSource, synonyms: synonyms.map(({ name, value, source }) => [name, value, source]) };
}

describe.each(versionsOf(describeConfigsApi))('DescribeConfigs version %i', (version) => {
  it('describes every setting of a topic', async () => {
    const harness = await BrokerHarness.open();
    await harness.createTopic('orders', 1, { 'retention.ms': '1000' });
    const more = { includeSynonyms: true, includeDocumentation: true };
    const result = await ask(harness, Resource.TOPIC, 'orders', { version, more: version >= 3 ? more : {} });
    expect(result).toMatchObject({ errorCode: ErrorCode.NONE, errorMessage: '' });
    expect(result.configs.map(({ name }) => name)).toEqual(topicConfigDefinitions.map(({ name }) => name));
    const retention = result.configs.find(({ name }) => name === 'retention.ms');
    expect(retention).toMatchObject({ value: '1000', readOnly: false, configSource: Source.TOPIC, isSensitive: false });
    for (const [i, { type, documentation }] of topicConfigDefinitions.entries()) {
      const config = result.configs[i];
      expect(config?.configType).toBe(version >= 3 ? configTypeCodes[type] : 0);
      expect(config?.documentation).toBe(version >= 3 ? documentation : null);
    }
  });

  it('describes every setting of this broker', async () => {
    const harness = await BrokerHarness.open();
    const result = await ask(harness, Resource.BROKER, '1', { version });
    expect(result).toMatchObject({ errorCode: ErrorCode.NONE, errorMessage: '' });
    expect(result.configs.map(({ name }) => name)).toEqual(brokerConfigDefinitions.map(({ name }) => name));
    for (const [i, { update }] of brokerConfigDefinitions.entries()) {
      expect(result.configs[i]).toMatchObject({ readOnly: update === 'read-only', synonyms: [], documentation: null });
    }
    const nodeId = result.configs.find(({ name }) => name === 'node.id');
    expect(nodeId).toMatchObject({ value: '1', configSource: Source.STATIC });
  });

  it('gives the settings that are asked for', async () => {
    const harness = await BrokerHarness.open();
    await harness.createTopic('orders');
    const keys = ['retention.ms', 'no.such', 'segment.bytes', 'retention.ms'];
    const { configs } = await ask(harness, Resource.TOPIC, 'orders', { version, keys });
    expect(configs.map(({ name }) => name)).toEqual(['retention.ms', 'segment.bytes']);
    const { configs: all } = await ask(harness, Resource.TOPIC, 'orders', { version, keys: [] });
    expect(all).toHaveLength(topicConfigDefinitions.length);
  });
});

test('shows what stands behind a setting, as it comes and goes', async () => {
  const harness = await BrokerHarness.open({ config: { 'log.segment.bytes': '2097152' } });
  await harness.createTopic('orders', 1, { 'segment.bytes': '1048576' });
  await harness.createTopic('plain');
  const inherited = [
    ['log.segment.bytes', '2097152', Source.STATIC],
    ['log.segment.bytes', '1073741824', Source.DEFAULT],
  ];
  expect(await settingOf(harness, Resource.TOPIC, 'orders', 'segment.bytes')).toEqual({
    value: '1048576',
    configSource: Source.TOPIC,
    synonyms: [['segment.bytes', '1048576', Source.TOPIC], ...inherited],
  });
  const set = (node: string, value: string) =>
    harness.broker.topics.alterBrokerConfigs(node, '1', () => new Map([['log.segment.bytes', value]]), false);
  await set('', '3145728');
  await set('1', '4194304');
  expect(await settingOf(harness, Resource.TOPIC, 'plain', 'segment.bytes')).toEqual({
    value: '4194304',
    configSource: Source.BROKER,
    synonyms: [
      ['log.segment.bytes', '4194304', Source.BROKER],
      ['log.segment.bytes', '3145728', Source.CLUSTER],
      ...inherited,
    ],
  });
  const { configs } = await ask(harness, Resource.BROKER, '', { more: { includeSynonyms: true } });
  expect(configs).toMatchObject([
    { name: 'min.insync.replicas', value: '1', configSource: Source.CLUSTER },
    {
      name: 'log.segment.bytes',
      value: '3145728',
      configSource: Source.CLUSTER,
      synonyms: [{ name: 'log.segment.bytes', value: '3145728', source: Source.CLUSTER }],
    },
  ]);
});

test('describes settings that have several units as Kafka does', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('orders');
  const unset = { configSource: Source.DEFAULT, synonyms: [] };
  expect(await settingOf(harness, Resource.TOPIC, 'orders', 'retention.ms')).toEqual({ value: '604800000', ...unset });
  expect(await settingOf(harness, Resource.BROKER, '1', 'log.retention.ms')).toEqual({ value: null, ...unset });
  const hours = ['log.retention.hours', '168', Source.DEFAULT];
  expect(await settingOf(harness, Resource.BROKER, '1', 'log.retention.hours')).toMatchObject({ synonyms: [hours] });
  await harness.broker.topics.alterBrokerConfigs('1', '1', () => new Map([['log.retention.ms', '7200000']]), false);
  const changed = ['log.retention.ms', '7200000', Source.BROKER];
  for (const [type, name, key] of [
    [Resource.BROKER, '1', 'log.retention.ms'],
    [Resource.TOPIC, 'orders', 'retention.ms'],
  ] as const) {
    expect(await settingOf(harness, type, name, key)).toEqual({
      value: '7200000',
      configSource: Source.BROKER,
      synonyms: [changed, hours],
    });
  }
  expect(await settingOf(harness, Resource.BROKER, '1', 'log.retention.hours')).toMatchObject({ synonyms: [hours] });
});

test('says where the value of a topic comes from that was given in hours', async () => {
  const harness = await BrokerHarness.open({ config: { 'log.retention.hours': '2' } });
  await harness.createTopic('orders');
  expect(await settingOf(harness, Resource.TOPIC, 'orders', 'retention.ms')).toMatchObject({
    value: '7200000',
    configSource: Source.STATIC,
  });
});

test('describes the settings of a group, which come from the broker', async () => {
  const harness = await BrokerHarness.open({ config: { 'group.consumer.session.timeout.ms': '50000' } });
  expect(await settingOf(harness, Resource.GROUP, 'readers', 'consumer.session.timeout.ms')).toEqual({
    value: '50000',
    configSource: Source.STATIC,
    synonyms: [
      ['group.consumer.session.timeout.ms', '50000', Source.STATIC],
      ['group.consumer.session.timeout.ms', '45000', Source.DEFAULT],
    ],
  });
});

test('finds no loggers', async () => {
  const harness = await BrokerHarness.open();
  expect(await ask(harness, Resource.BROKER_LOGGER, '1')).toMatchObject({ errorCode: ErrorCode.NONE, configs: [] });
});

test.each([
  [Resource.TOPIC, 'none', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  [Resource.TOPIC, '__cluster_metadata', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
  [Resource.TOPIC, 'a b', ErrorCode.INVALID_TOPIC_EXCEPTION],
  [Resource.TOPIC, '', ErrorCode.INVALID_TOPIC_EXCEPTION],
  [Resource.BROKER, '2', ErrorCode.INVALID_REQUEST],
  [Resource.BROKER, 'x', ErrorCode.INVALID_REQUEST],
  [Resource.BROKER_LOGGER, '', ErrorCode.INVALID_REQUEST],
  [Resource.BROKER_LOGGER, '2', ErrorCode.INVALID_REQUEST],
  [Resource.GROUP, '', ErrorCode.INVALID_REQUEST],
  [Resource.CLIENT_METRICS, '', ErrorCode.INVALID_REQUEST],
  [0, 'x', ErrorCode.INVALID_REQUEST],
  [99, 'x', ErrorCode.INVALID_REQUEST],
  [-1, 'x', ErrorCode.INVALID_REQUEST],
])('refuses type %i with the name %j', async (resourceType, name, errorCode) => {
  const harness = await BrokerHarness.open();
  const result = await ask(harness, resourceType, name);
  expect(result).toMatchObject({ errorCode, errorMessage: expect.stringMatching(/./), configs: [] });
});
