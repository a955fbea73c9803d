import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { alterConfigsApi, type AlterConfigsResponseResponses } from '../../../src/protocol/generated/index.ts';
import { BrokerHarness, versionsOf } from '../broker-harness.ts';

const Resource = { TOPIC: 2, BROKER: 4, BROKER_LOGGER: 8, GROUP: 32 };

type Wanted = [resourceType: number, resourceName: string, configs: [name: string, value: string | null][]];

async function alter(
  harness: BrokerHarness,
  wanted: Wanted[],
  version = 2,
  validateOnly = false,
): Promise<AlterConfigsResponseResponses[]> {
  const resources = wanted.map(([resourceType, resourceName, configs]) => ({
    resourceType,
    resourceName,
    configs: configs.map(([name, value]) => ({ name, value })),
  }));
  return (await harness.request(alterConfigsApi, version, { resources, validateOnly })).responses;
}

async function openWithTopic(): Promise<BrokerHarness> {
  const harness = await BrokerHarness.open();
  await harness.createTopic('orders', 1, { 'retention.ms': '1000' });
  return harness;
}

const configsOf = ({ broker }: BrokerHarness) => Object.fromEntries(broker.topics.topic('orders')!.configs);

describe.each(versionsOf(alterConfigsApi))('AlterConfigs version %i', (version) => {
  it("replaces a topic's settings", async () => {
    const harness = await openWithTopic();
    const done = {
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      resourceType: Resource.TOPIC,
      resourceName: 'orders',
    };
    expect(await alter(harness, [[Resource.TOPIC, 'orders', [['segment.bytes', '1048576']]]], version)).toEqual([done]);
    expect(configsOf(harness)).toEqual({ 'segment.bytes': '1048576' });
    expect(await alter(harness, [[Resource.TOPIC, 'orders', []]], version)).toEqual([done]);
    expect(configsOf(harness)).toEqual({});
  });

  it("replaces a broker's settings", async () => {
    const harness = await openWithTopic();
    const { config } = harness.broker;
    await alter(harness, [[Resource.BROKER, '1', [['log.retention.ms', '7200000']]]], version);
    expect(config.text('log.retention.ms')).toBe('7200000');
    await alter(harness, [[Resource.BROKER, '1', [['message.max.bytes', '2000000']]]], version);
    expect(config.text('log.retention.ms')).toBeNull();
    expect(config.text('message.max.bytes')).toBe('2000000');
  });

  it('changes nothing where it is only to look', async () => {
    const harness = await openWithTopic();
    const wanted: Wanted[] = [
      [Resource.TOPIC, 'orders', []],
      [
        Resource.BROKER,
        '',
        [
          ['message.max.bytes', '2000000'],
          ['min.insync.replicas', '1'],
        ],
      ],
    ];
    expect(await alter(harness, wanted, version, true)).toMatchObject([{ errorCode: 0 }, { errorCode: 0 }]);
    expect(configsOf(harness)).toEqual({ 'retention.ms': '1000' });
    expect(harness.broker.config.text('message.max.bytes')).toBe('1048588');
  });
});

test.each<[what: string, errorCode: ErrorCode, wanted: Wanted]>([
  ['a bad value', ErrorCode.INVALID_CONFIG, [Resource.TOPIC, 'orders', [['segment.bytes', 'x']]]],
  ['an unknown setting', ErrorCode.INVALID_CONFIG, [Resource.TOPIC, 'orders', [['no.such', '1']]]],
  ['a null', ErrorCode.INVALID_REQUEST, [Resource.TOPIC, 'orders', [['segment.bytes', null]]]],
  [
    'a setting twice',
    ErrorCode.INVALID_REQUEST,
    [
      Resource.TOPIC,
      'orders',
      [
        ['flush.ms', '1'],
        ['flush.ms', '2'],
      ],
    ],
  ],
  ['a missing topic', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, [Resource.TOPIC, 'none', []]],
  ['a bad name', ErrorCode.INVALID_TOPIC_EXCEPTION, [Resource.TOPIC, 'a b', []]],
  ['no name', ErrorCode.INVALID_REQUEST, [Resource.TOPIC, '', []]],
  ['loggers', ErrorCode.INVALID_REQUEST, [Resource.BROKER_LOGGER, '1', [['root', 'INFO']]]],
  ['groups', ErrorCode.INVALID_CONFIG, [Resource.GROUP, 'g', [['consumer.session.timeout.ms', '5']]]],
  ['all groups', ErrorCode.INVALID_REQUEST, [Resource.GROUP, '', [['consumer.session.timeout.ms', '50000']]]],
  ['an unknown type', ErrorCode.INVALID_REQUEST, [99, 'x', []]],
  ['a read-only setting', ErrorCode.INVALID_REQUEST, [Resource.BROKER, '1', [['num.partitions', '3']]]],
  ['a bad value of the broker', ErrorCode.INVALID_REQUEST, [Resource.BROKER, '1', [['log.retention.ms', 'x']]]],
  ['another broker', ErrorCode.INVALID_REQUEST, [Resource.BROKER, '2', [['log.retention.ms', '1']]]],
])('refuses %s', async (_what, errorCode, wanted) => {
  const harness = await openWithTopic();
  const [answer] = await alter(harness, [wanted]);
  expect(answer).toMatchObject({ errorCode, errorMessage: expect.stringMatching(/./), resourceName: wanted[1] });
  expect(configsOf(harness)).toEqual({ 'retention.ms': '1000' });
  expect([...harness.broker.topics.image.brokerConfigs('1')]).toEqual([]);
});

test('refuses a resource that stands twice, and serves the others', async () => {
  const harness = await openWithTopic();
  await harness.createTopic('other', 1, { 'retention.ms': '1' });
  const wanted: Wanted[] = [
    [Resource.TOPIC, 'orders', []],
    [Resource.TOPIC, 'other', []],
    [Resource.TOPIC, 'orders', []],
  ];
  const codes = (await alter(harness, wanted)).map(({ errorCode }) => errorCode);
  expect(codes).toEqual([ErrorCode.INVALID_REQUEST, ErrorCode.NONE, ErrorCode.INVALID_REQUEST]);
  expect(configsOf(harness)).toEqual({ 'retention.ms': '1000' });
  expect(harness.broker.topics.topic('other')?.configs.size).toBe(0);
});
