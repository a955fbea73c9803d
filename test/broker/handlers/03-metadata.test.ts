import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { parseUuid, zeroUuid, type Uuid } from '../../../src/base/uuid.ts';
import { metadataApi, type MetadataRequestTopics } from '../../../src/protocol/generated/index.ts';
import { defaultLogConfig } from '../../../src/storage/log-config.ts';
import { BrokerHarness, testClusterId, versionsOf } from '../broker-harness.ts';
import { MemoryLogStore } from '../memory-log-store.ts';

const named = (...names: string[]): MetadataRequestTopics[] => names.map((name) => ({ name, topicId: zeroUuid }));
const withIds = (...ids: Uuid[]): MetadataRequestTopics[] => ids.map((topicId) => ({ name: null, topicId }));
const unknownId = parseUuid('BBBBBBBBBBBBBBBBBBBBBA')!;
const notAsked = -(2 ** 31);

const onlyNamed = { allowAutoTopicCreation: false };

describe.each(versionsOf(metadataApi))('Metadata version %i', (version) => {
  it('names this node at the address of the door, and a topic with its partitions', async () => {
    const harness = await BrokerHarness.open({ config: { 'broker.rack': 'r1' } });
    const { id } = await harness.createTopic('orders', 2);
    const response = await harness.request(metadataApi, version, { topics: named('orders') });
    const rack = version >= 1 ? 'r1' : null;
    expect(response.brokers).toEqual([{ nodeId: 1, host: 'broker.test', port: 9092, rack }]);
    expect(response.clusterId).toBe(version >= 2 ? testClusterId : null);
    expect(response.controllerId).toBe(version >= 1 ? 1 : -1);
    const partition = (partitionIndex: number) => ({
      errorCode: ErrorCode.NONE,
      partitionIndex,
      leaderId: 1,
      leaderEpoch: version >= 7 ? harness.store.leaderEpoch : -1,
      replicaNodes: [1],
      isrNodes: [1],
      offlineReplicas: [],
    });
    expect(response.topics).toEqual([
      {
        errorCode: ErrorCode.NONE,
        name: 'orders',
        topicId: version >= 10 ? id : zeroUuid,
        isInternal: false,
        partitions: [partition(0), partition(1)],
        topicAuthorizedOperations: notAsked,
      },
    ]);
  });

  it('shows a partition that takes no writes as offline and out of sync, and whom to read it from all the same', async () => {
    const store = new MemoryLogStore();
    const { id } = await (await BrokerHarness.open({ store })).createTopic('orders', 3);
    store.open('orders', id, 2, defaultLogConfig);
    store.damagedNames.add('orders-2');
    const harness = await BrokerHarness.open({ store, seed: 2 });
    harness.broker.findPartition(harness.broker.topics.topic('orders'), 0);
    store.open('orders', id, 0, defaultLogConfig).refusal = 'The disk is full.';
    const response = await harness.request(metadataApi, version, { topics: named('orders') });
    const states = response.topics[0]!.partitions.map(({ errorCode, leaderId, isrNodes, offlineReplicas }) => ({
      errorCode,
      leaderId,
      isrNodes,
      offlineReplicas,
    }));
    const inSync = { errorCode: ErrorCode.NONE, leaderId: 1, isrNodes: [1], offlineReplicas: [] };
    const offline = { ...inSync, isrNodes: [], offlineReplicas: version >= 5 ? [1] : [] };
    expect(states).toEqual([offline, inSync, offline]);
  });

  it('names all topics where none is named', async () => {
    const harness = await BrokerHarness.open();
    await harness.createTopic('a');
    await harness.createTopic('b');
    const response = await harness.request(metadataApi, version, { topics: version === 0 ? [] : null });
    expect(response.topics.map(({ name }) => name).toSorted()).toEqual(['a', 'b']);
  });

  it('creates a topic that is missing, with as many partitions as the broker says', async () => {
    const harness = await BrokerHarness.open({ config: { 'num.partitions': '3' } });
    const response = await harness.request(metadataApi, version, {
      topics: named('new'),
      allowAutoTopicCreation: true,
    });
    expect(response.topics[0]).toMatchObject({ errorCode: ErrorCode.NONE, name: 'new' });
    expect(response.topics[0]?.partitions).toHaveLength(3);
    expect(harness.broker.topics.topic('new')?.partitionCount).toBe(3);
  });

  it('never names nor makes the logs of coordinators', async () => {
    const harness = await BrokerHarness.open();
    const response = await harness.request(metadataApi, version, { topics: named('__cluster_metadata') });
    expect(response.topics[0]).toMatchObject({ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, partitions: [] });
  });

  it('says what a name that no topic can have is', async () => {
    const harness = await BrokerHarness.open();
    const response = await harness.request(metadataApi, version, { topics: named('a b') });
    expect(response.topics).toMatchObject([{ errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, name: 'a b' }]);
  });

  it('answers a topic once that is named twice', async () => {
    const harness = await BrokerHarness.open();
    await harness.createTopic('a');
    const response = await harness.request(metadataApi, version, { topics: named('a', 'a') });
    expect(response.topics).toHaveLength(1);
  });
});

test.each(versionsOf(metadataApi).filter((version) => version >= 1))('names none in version %i', async (version) => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('a');
  expect((await harness.request(metadataApi, version, { topics: [] })).topics).toEqual([]);
});

test.each([4, 13])('creates nothing in version %i where the client does not want it', async (version) => {
  const harness = await BrokerHarness.open();
  const response = await harness.request(metadataApi, version, { topics: named('new'), ...onlyNamed });
  expect(response.topics).toMatchObject([{ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name: 'new' }]);
  expect(harness.broker.topics.topic('new')).toBeNull();
});

test('creates nothing where the broker must not', async () => {
  const harness = await BrokerHarness.open({ config: { 'auto.create.topics.enable': 'false' } });
  const response = await harness.request(metadataApi, 13, { topics: named('new') });
  expect(response.topics).toMatchObject([{ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }]);
});

test('tells of a topic that could not be created', async () => {
  const harness = await BrokerHarness.open();
  harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  const response = await harness.request(metadataApi, 13, { topics: named('new') });
  expect(response.topics).toMatchObject([{ errorCode: ErrorCode.KAFKA_STORAGE_ERROR, name: 'new' }]);
});

test('says what the client may do where it asks, also with topics that are missing', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('a');
  const response = await harness.request(metadataApi, 8, {
    topics: named('a', 'none'),
    ...onlyNamed,
    includeTopicAuthorizedOperations: true,
    includeClusterAuthorizedOperations: true,
  });
  expect(response.topics.map(({ topicAuthorizedOperations }) => topicAuthorizedOperations)).toEqual([3576, 3576]);
  expect(response.clusterAuthorizedOperations).toBe(8096);
});

describe.each([12, 13])('Metadata version %i', (version) => {
  it('finds topics by id', async () => {
    const harness = await BrokerHarness.open();
    const { id } = await harness.createTopic('a');
    const response = await harness.request(metadataApi, version, { topics: withIds(id, id, unknownId) });
    expect(response.topics).toMatchObject([
      { errorCode: ErrorCode.NONE, name: 'a', topicId: id },
      { errorCode: ErrorCode.UNKNOWN_TOPIC_ID, name: null, topicId: unknownId, partitions: [] },
    ]);
  });

  it('goes by ids alone where there are any, and creates no topic then', async () => {
    const harness = await BrokerHarness.open();
    const { id } = await harness.createTopic('a');
    const topics = [...named('new'), { name: 'other', topicId: id }];
    const response = await harness.request(metadataApi, version, { topics });
    expect(response.topics).toMatchObject([{ errorCode: ErrorCode.NONE, name: 'a', topicId: id }]);
    expect(response.topics).toHaveLength(1);
    expect(harness.broker.topics.image.topicCount).toBe(1);
  });
});

test.each([10, 11])('refuses ids in version %i, as every broker does', async (version) => {
  const harness = await BrokerHarness.open();
  const { id } = await harness.createTopic('a');
  const topics = [{ name: 'a', topicId: id }, ...named('b')];
  const response = await harness.request(metadataApi, version, { topics });
  expect(response.topics).toMatchObject([
    { errorCode: ErrorCode.INVALID_REQUEST, name: 'a', topicId: id, partitions: [] },
    { errorCode: ErrorCode.INVALID_REQUEST, name: 'b', partitions: [] },
  ]);
  expect(harness.broker.topics.topic('b')).toBeNull();
});
