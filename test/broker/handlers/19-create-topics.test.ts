import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { zeroUuid } from '../../../src/base/uuid.ts';
import {
  createTopicsApi,
  type CreateTopicsRequestTopics,
  type CreateTopicsResponseTopics,
} from '../../../src/protocol/generated/index.ts';
import { BrokerHarness, versionsOf } from '../broker-harness.ts';

function wanted(name: string, more: Partial<CreateTopicsRequestTopics> = {}): CreateTopicsRequestTopics {
  return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...more };
}

async function create(
  harness: BrokerHarness,
  topics: CreateTopicsRequestTopics[],
  version = 7,
  validateOnly = false,
): Promise<CreateTopicsResponseTopics[]> {
  return (await harness.request(createTopicsApi, version, { topics, timeoutMs: 1000, validateOnly })).topics;
}

const configs = (values: Record<string, string | null>) =>
  Object.entries(values).map(([name, value]) => ({ name, value }));

describe.each(versionsOf(createTopicsApi))('CreateTopics version %i', (version) => {
  it('creates topics, and says how they are', async () => {
    const harness = await BrokerHarness.open();
    const own = configs({ 'retention.ms': '1000' });
    const [created] = await create(harness, [wanted('orders', { numPartitions: 3, configs: own })], version);
    const topic = harness.broker.topics.topic('orders')!;
    expect(topic).toMatchObject({ partitionCount: 3, configs: new Map([['retention.ms', '1000']]) });
    expect(created).toMatchObject({ name: 'orders', errorCode: ErrorCode.NONE, errorMessage: null });
    expect(created?.topicId).toBe(version >= 7 ? topic.id : zeroUuid);
    if (version < 5) return;
    expect(created).toMatchObject({ numPartitions: 3, replicationFactor: 1 });
    const entry = { name: 'retention.ms', value: '1000', readOnly: false, configSource: 1, isSensitive: false };
    expect(created?.configs?.find(({ name }) => name === 'retention.ms')).toEqual(entry);
    expect(created?.configs?.find(({ name }) => name === 'segment.bytes')).toMatchObject({ configSource: 5 });
  });

  it('creates nothing where it is only to look', async () => {
    const harness = await BrokerHarness.open();
    const [created] = await create(harness, [wanted('orders')], version, true);
    expect(created).toMatchObject({ name: 'orders', errorCode: ErrorCode.NONE });
    expect(harness.broker.topics.topic('orders')).toBeNull();
  });

  it('refuses one topic and creates the others', async () => {
    const harness = await BrokerHarness.open();
    await harness.createTopic('there');
    const topics = [wanted('there'), wanted('twice'), wanted('new'), wanted('twice')];
    const answers = await create(harness, topics, version);
    expect(answers).toMatchObject([
      { name: 'there', errorCode: ErrorCode.TOPIC_ALREADY_EXISTS, errorMessage: expect.stringContaining('there') },
      { name: 'twice', errorCode: ErrorCode.INVALID_REQUEST },
      { name: 'new', errorCode: ErrorCode.NONE },
    ]);
    expect(harness.broker.topics.topic('twice')).toBeNull();
    if (version >= 5) expect(answers[0]).toMatchObject({ numPartitions: -1, replicationFactor: -1, configs: [] });
  });
});

const oneNode = (...brokerLists: [partitionIndex: number, brokerIds: number[]][]) => ({
  numPartitions: -1,
  replicationFactor: -1,
  assignments: brokerLists.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds })),
});

test.each<[what: string, errorCode: ErrorCode, topic: CreateTopicsRequestTopics]>([
  ['no name', ErrorCode.INVALID_TOPIC_EXCEPTION, wanted('')],
  ['a way up', ErrorCode.INVALID_TOPIC_EXCEPTION, wanted('..')],
  ['a slash', ErrorCode.INVALID_TOPIC_EXCEPTION, wanted('a/b')],
  ['a long name', ErrorCode.INVALID_TOPIC_EXCEPTION, wanted('x'.repeat(250))],
  ["a coordinator's name", ErrorCode.INVALID_REQUEST, wanted('__cluster_metadata')],
  ['a name that collides', ErrorCode.INVALID_TOPIC_EXCEPTION, wanted('a.there')],
  ['no partitions', ErrorCode.INVALID_PARTITIONS, wanted('t', { numPartitions: 0 })],
  ['fewer than no partitions', ErrorCode.INVALID_PARTITIONS, wanted('t', { numPartitions: -2 })],
  ['too many partitions', ErrorCode.POLICY_VIOLATION, wanted('t', { numPartitions: 10_001 })],
  ['no replicas', ErrorCode.INVALID_REPLICATION_FACTOR, wanted('t', { replicationFactor: 0 })],
  ['more replicas than nodes', ErrorCode.INVALID_REPLICATION_FACTOR, wanted('t', { replicationFactor: 2 })],
  ['an unknown setting', ErrorCode.INVALID_CONFIG, wanted('t', { configs: configs({ 'no.such': '1' }) })],
  ['a null setting', ErrorCode.INVALID_CONFIG, wanted('t', { configs: configs({ 'retention.ms': null }) })],
  ['a bad setting', ErrorCode.INVALID_CONFIG, wanted('t', { configs: configs({ 'retention.ms': 'x' }) })],
  ['a gap in assignments', ErrorCode.INVALID_REPLICA_ASSIGNMENT, wanted('t', oneNode([0, [1]], [2, [1]]))],
  ['a partition assigned twice', ErrorCode.INVALID_REPLICA_ASSIGNMENT, wanted('t', oneNode([0, [1]], [0, [1]]))],
  ['an unknown broker', ErrorCode.INVALID_REPLICA_ASSIGNMENT, wanted('t', oneNode([0, [2]]))],
  ['no broker', ErrorCode.INVALID_REPLICA_ASSIGNMENT, wanted('t', oneNode([0, []]))],
  ['a broker twice', ErrorCode.INVALID_REPLICA_ASSIGNMENT, wanted('t', oneNode([0, [1, 1]]))],
  ['assignments and a count', ErrorCode.INVALID_REQUEST, wanted('t', { ...oneNode([0, [1]]), numPartitions: 1 })],
  ['assignments and a factor', ErrorCode.INVALID_REQUEST, wanted('t', { ...oneNode([0, [1]]), replicationFactor: 1 })],
])('refuses %s', async (_what, errorCode, topic) => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('a_there');
  for (const validateOnly of [true, false]) {
    const [answer] = await create(harness, [topic], 7, validateOnly);
    expect(answer).toMatchObject({ name: topic.name, errorCode, topicId: zeroUuid, errorMessage: expect.any(String) });
  }
  expect(harness.broker.topics.image.topicCount).toBe(1);
});

test('takes the counts of the broker where it is asked to', async () => {
  const harness = await BrokerHarness.open({ config: { 'num.partitions': '4' } });
  const [answer] = await create(harness, [wanted('t', { numPartitions: -1, replicationFactor: -1 })]);
  expect(answer).toMatchObject({ errorCode: ErrorCode.NONE, numPartitions: 4, replicationFactor: 1 });
});

test.each([
  [[], 'an empty replica list'],
  [[2], 'broker 2, but no such broker is registered'],
  [[1, 1], 'the broker 1 more than once'],
])('says of a partition assigned to %j that it includes %s', async (brokerIds, problem) => {
  const harness = await BrokerHarness.open();
  const topics = [wanted('t', oneNode([0, brokerIds]))];
  const answer = await harness.request(createTopicsApi, 7, { topics, timeoutMs: 1000, validateOnly: false });
  expect(answer.topics[0]!.errorMessage).toBe(`The manual partition assignment includes ${problem}.`);
});

test('takes partitions that are assigned to this node', async () => {
  const harness = await BrokerHarness.open();
  const [answer] = await create(harness, [wanted('t', oneNode([1, [1]], [0, [1]]))]);
  expect(answer).toMatchObject({ errorCode: ErrorCode.NONE, numPartitions: 2 });
});

test('answers nothing before the topic is durable, and keeps it', async () => {
  const harness = await BrokerHarness.open();
  harness.store.held = [];
  let answered = false;
  const answer = create(harness, [wanted('t')]).finally(() => (answered = true));
  await new Promise(setImmediate);
  expect(answered).toBe(false);
  harness.store.finishHeld();
  const [{ topicId } = { topicId: zeroUuid }] = await answer;
  const again = await BrokerHarness.open({ store: harness.store });
  expect(again.broker.topics.topic('t')?.id).toBe(topicId);
});

test('says where the topic could not be made durable', async () => {
  const harness = await BrokerHarness.open();
  harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  expect(await create(harness, [wanted('t')])).toMatchObject([{ errorCode: ErrorCode.KAFKA_STORAGE_ERROR }]);
  expect(harness.broker.topics.topic('t')).toBeNull();
});
