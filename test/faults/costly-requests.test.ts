/** Requests of few bytes that ask for much: each is answered within bounds or ends its connection, and the log stays calm. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { present } from '../../src/base/assert.ts';
import { ErrorCode } from '../../src/base/error-code.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import {
  consumerGroupHeartbeatApi,
  createTopicsApi,
  defaultConsumerGroupHeartbeatRequest,
  defaultCreateTopicsRequest,
  defaultDescribeConfigsRequest,
  defaultJoinGroupRequest,
  defaultMetadataRequest,
  defaultOffsetCommitRequest,
  defaultOffsetFetchRequest,
  defaultProduceRequest,
  defaultShareGroupHeartbeatRequest,
  describeConfigsApi,
  describeGroupsApi,
  fetchApi,
  findCoordinatorApi,
  incrementalAlterConfigsApi,
  joinGroupApi,
  listOffsetsApi,
  metadataApi,
  offsetCommitApi,
  offsetFetchApi,
  produceApi,
  shareGroupHeartbeatApi,
} from '../../src/protocol/generated/index.ts';
import { maxStringBytes } from '../../src/protocol/reader.ts';
import { bomb } from '../fuzz/record-bytes.ts';
import { WireClient } from '../program/wire-client.ts';
import { BrokerInProcess } from './broker-in-process.ts';
import { ask } from './wire-frames.ts';

const partitionCount = 500;
const longName = 'n'.repeat(maxStringBytes);

let broker: BrokerInProcess;

beforeAll(async () => {
  broker = await BrokerInProcess.start({ 'group.initial.rebalance.delay.ms': '0' });
  const client = await WireClient.connect(broker.kafkaPort);
  await client.createTopics([
    { name: 'one', numPartitions: 1 },
    { name: 'many', numPartitions: partitionCount },
  ]);
  await client.produce('one', 'a record');
  client.socket.destroy();
});

afterAll(async () => {
  expect(broker.errors).toEqual([]);
  expect(broker.defects).toEqual([]);
  await broker[Symbol.asyncDispose]();
});

function times<T>(count: number, item: T): T[] {
  return Array.from({ length: count }, () => item);
}

describe('a request of few bytes', () => {
  it('ends its connection where its arrays have more elements than a request may have', async () => {
    const coordinatorKeys = times(300_000, '');
    expect(await ask(broker, findCoordinatorApi, 4, { key: '', keyType: 0, coordinatorKeys })).toBeNull();
    const topics = times(300_000, { name: '', topicId: zeroUuid });
    expect(await ask(broker, metadataApi, 4, { ...defaultMetadataRequest(), topics })).toBeNull();
    const reasons = broker.lines.filter(({ level }) => level === 'warn').map(({ fields }) => String(fields['reason']));
    expect(reasons.filter((reason) => reason.includes('more elements'))).toHaveLength(2);
  });

  it('is told that a resource is one too many, rather than being sent gigabytes', async () => {
    const resource = { resourceType: 2, resourceName: 'one', configurationKeys: null };
    const request = { ...defaultDescribeConfigsRequest(), resources: times(20_000, resource) };
    const { results } = present(await ask(broker, describeConfigsApi, 4, request), 'it is answered');
    expect(results).toHaveLength(20_000);
    expect(results[0]).toMatchObject({ errorCode: ErrorCode.NONE, resourceName: 'one' });
    expect(results.at(-1)).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST, configs: [] });
    const entryCount = results.reduce((sum, { configs }) => sum + configs.length, 0);
    expect(entryCount).toBeLessThan(201_000);
  });

  it('is told that a group is one too many, of committed offsets', async () => {
    const partitions = Array.from({ length: partitionCount }, (_, partitionIndex) => ({
      partitionIndex,
      committedOffset: 1,
      committedLeaderEpoch: -1,
      committedMetadata: null,
    }));
    const topics = [{ name: 'many', topicId: zeroUuid, partitions }];
    const commit = { ...defaultOffsetCommitRequest(), groupId: 'stores', generationIdOrMemberEpoch: -1, topics };
    const committed = present(await ask(broker, offsetCommitApi, 7, commit), 'it is answered');
    expect(committed.topics[0]!.partitions.every(({ errorCode }) => errorCode === ErrorCode.NONE)).toBe(true);
    const group = { groupId: 'stores', memberId: null, memberEpoch: -1, topics: null };
    const request = { ...defaultOffsetFetchRequest(), groups: times(1000, group) };
    const { groups } = present(await ask(broker, offsetFetchApi, 8, request), 'it is answered');
    expect(groups).toHaveLength(1000);
    expect(groups[0]).toMatchObject({ errorCode: ErrorCode.NONE });
    expect(groups[0]!.topics[0]!.partitions).toHaveLength(partitionCount);
    expect(groups.at(-1)).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST, topics: [] });
  });

  it('has a partition looked up by time once, however often it is named', async () => {
    const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: 5 }];
    const request = {
      replicaId: -1,
      isolationLevel: 0,
      timeoutMs: 0,
      topics: times(40_000, { name: 'one', partitions }),
    };
    const response = present(await ask(broker, listOffsetsApi, 7, request), 'it is answered');
    expect(response.topics).toHaveLength(1);
    expect(response.topics[0]!.partitions).toMatchObject([{ partitionIndex: 0, errorCode: ErrorCode.INVALID_REQUEST }]);
  });

  it('creates no topic where it asks for more partitions than a request may', async () => {
    const topics = Array.from({ length: 10_001 }, (_, i) => ({
      name: `excessive-${i}`,
      numPartitions: 1,
      replicationFactor: 1,
      assignments: [],
      configs: [],
    }));
    const created = present(
      await ask(broker, createTopicsApi, 5, { ...defaultCreateTopicsRequest(), topics, timeoutMs: 1000 }),
      'it is answered',
    );
    expect(created.topics).toHaveLength(10_001);
    expect(created.topics.every(({ errorCode }) => errorCode === ErrorCode.POLICY_VIOLATION)).toBe(true);
    const names = topics.map(({ name }) => ({ name, topicId: zeroUuid }));
    const request = { ...defaultMetadataRequest(), topics: names, allowAutoTopicCreation: true };
    const described = present(await ask(broker, metadataApi, 4, request), 'it is answered');
    expect(described.topics.every(({ errorCode }) => errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)).toBe(true);
  });

  it('cannot have a group keep more of a member than a group may have', async () => {
    const protocols = [{ name: 'range', metadata: new Uint8Array(2 * 1024 * 1024) }];
    const request = {
      ...defaultJoinGroupRequest(),
      groupId: 'heavy',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 100,
      protocolType: 'consumer',
      protocols,
    };
    expect(await ask(broker, joinGroupApi, 3, request)).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST });
    const groups = present(
      await ask(broker, describeGroupsApi, 5, { groups: ['heavy'], includeAuthorizedOperations: false }),
      'it is answered',
    );
    expect(groups.groups).toMatchObject([{ groupState: 'Dead' }]);
  });

  it('cannot have a group keep very many small things of a member either', async () => {
    const protocols = Array.from({ length: 10_000 }, (_, i) => ({ name: `${i}`, metadata: new Uint8Array(0) }));
    const joining = {
      ...defaultJoinGroupRequest(),
      groupId: 'crowded',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 100,
      protocolType: 'consumer',
      protocols,
    };
    expect(await ask(broker, joinGroupApi, 3, joining)).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST });
    const subscribedTopicNames = Array.from({ length: 40_000 }, (_, i) => `${i}`);
    const memberId = 'BBBBBBBBBBBBBBBBBBBBBA';
    const consuming = {
      ...defaultConsumerGroupHeartbeatRequest(),
      groupId: 'crowded',
      memberId,
      rebalanceTimeoutMs: 1000,
      subscribedTopicNames,
      topicPartitions: [],
    };
    expect(await ask(broker, consumerGroupHeartbeatApi, 1, consuming)).toMatchObject({
      errorCode: ErrorCode.INVALID_REQUEST,
    });
    const sharing = { ...defaultShareGroupHeartbeatRequest(), groupId: 'crowded', memberId, subscribedTopicNames };
    expect(await ask(broker, shareGroupHeartbeatApi, 1, sharing)).toMatchObject({
      errorCode: ErrorCode.INVALID_REQUEST,
    });
  });

  it('is answered though the name that it made up is as long as a name can be', async () => {
    const described = await ask(broker, describeGroupsApi, 6, {
      groups: [longName],
      includeAuthorizedOperations: false,
    });
    expect(described?.groups[0]).toMatchObject({ groupId: longName, errorCode: ErrorCode.GROUP_ID_NOT_FOUND });
    const configs = [{ name: longName, configOperation: 0, value: '1' }];
    const altered = await ask(broker, incrementalAlterConfigsApi, 1, {
      validateOnly: false,
      resources: [{ resourceType: 2, resourceName: 'one', configs }],
    });
    expect(altered?.responses[0]).toMatchObject({ errorCode: ErrorCode.INVALID_CONFIG });
    expect(altered?.responses[0]?.errorMessage).toMatch(/^Unknown topic config name: nnn.*…$/);
  });

  it('is told so of a setting that is too long to be told again', async () => {
    const value = '0:1,'.repeat(5000);
    const configs = [{ name: 'leader.replication.throttled.replicas', configOperation: 0, value }];
    const altered = await ask(broker, incrementalAlterConfigsApi, 1, {
      validateOnly: false,
      resources: [{ resourceType: 2, resourceName: 'one', configs }],
    });
    expect(altered?.responses[0]).toMatchObject({ errorCode: ErrorCode.INVALID_CONFIG });
  });

  it.each(['gzip', 'snappy-java', 'lz4', 'zstd'])('cannot have %s inflated without bound', async (codec) => {
    const records = bomb(codec, 70 * 1024 * 1024);
    const topicData = [{ name: 'one', topicId: zeroUuid, partitionData: [{ index: 0, records }] }];
    const request = { ...defaultProduceRequest(), acks: 1, timeoutMs: 1000, topicData };
    const response = present(await ask(broker, produceApi, 9, request), 'it is answered');
    const { errorCode, errorMessage } = response.responses[0]!.partitionResponses[0]!;
    // Snappy makes so little of zeros that the batch is too large as it is.
    if (records.length > 1024 * 1024) expect(errorCode).toBe(ErrorCode.MESSAGE_TOO_LARGE);
    else {
      expect(errorCode).toBe(ErrorCode.INVALID_RECORD);
      expect(errorMessage).toContain('inflate to more than');
    }
  });

  it('has others served between its batches where checking them takes long, and is not refused for it', async () => {
    const records = bomb('zstd', 60 * 1024 * 1024);
    const topicData = [{ name: 'one', topicId: zeroUuid, partitionData: times(15, { index: 0, records }) }];
    const request = { ...defaultProduceRequest(), acks: 1, timeoutMs: 60_000, topicData };
    let isAnswered = false;
    const costly = ask(broker, produceApi, 9, request).finally(() => (isAnswered = true));
    // Sent while the first batches are checked, or before; either way there are seconds of work behind it.
    await ask(broker, describeGroupsApi, 5, { groups: ['other'], includeAuthorizedOperations: false });
    expect(isAnswered).toBe(false);
    const response = present(await costly, 'it is answered');
    const errorCodes = response.responses[0]!.partitionResponses.map(({ errorCode }) => errorCode);
    expect(errorCodes).toEqual(times(15, ErrorCode.NONE));
  });

  it('gets what it asked for where that is as much as clients ask for', async () => {
    const partitions = Array.from({ length: partitionCount }, (_, partition) => ({
      partition,
      currentLeaderEpoch: -1,
      fetchOffset: 0,
      lastFetchedEpoch: -1,
      logStartOffset: -1,
      partitionMaxBytes: 1024,
      replicaDirectoryId: zeroUuid,
      highWatermark: -1,
    }));
    const request = {
      ...WireClient.fetchRequest('many', 0, 0),
      topics: [{ topic: 'many', topicId: zeroUuid, partitions }],
    };
    const response = present(await ask(broker, fetchApi, 11, request), 'it is answered');
    expect(response.responses[0]?.partitions).toHaveLength(partitionCount);
  });
});
