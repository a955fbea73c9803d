/** The requests that a single node without security answers with what is there, or with Kafka's refusals. */

import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { zeroUuid } from '../../../src/base/uuid.ts';
import type { Authorizer } from '../../../src/broker/authorizer.ts';
import { Broker } from '../../../src/broker/broker.ts';
import { BrokerConfig } from '../../../src/broker/broker-config.ts';
import { Dispatcher } from '../../../src/broker/dispatcher.ts';
import { handlers } from '../../../src/broker/handlers/index.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import type { ApiCodec } from '../../../src/protocol/api-codec.ts';
import * as generated from '../../../src/protocol/generated/index.ts';
import { decodeResponseHeader } from '../../../src/protocol/headers.ts';
import { Reader } from '../../../src/protocol/reader.ts';
import { batchOf, BrokerHarness, encodeRequest, FakeConnection, testClusterId, versionsOf } from '../broker-harness.ts';
import { ManualClock } from '../manual-clock.ts';
import { MemoryLogStore } from '../memory-log-store.ts';

test.each(versionsOf(generated.describeLogDirsApi))('DescribeLogDirs version %i tells sizes', async (version) => {
  const harness = await BrokerHarness.open({ config: { 'log.dirs': '/data' } });
  await harness.createTopic('a', 2);
  const records = batchOf(['x']);
  const topicData = [{ name: 'a', topicId: zeroUuid, partitionData: [{ index: 1, records }] }];
  await harness.request(generated.produceApi, 9, { acks: -1, timeoutMs: 1000, topicData });
  const dirsOf = async (topics: { topic: string; partitions: number[] }[] | null) =>
    (await harness.request(generated.describeLogDirsApi, version, { topics })).results;
  const sized = (index: number, partitionSize: number) => ({
    partitionIndex: index,
    partitionSize,
    offsetLag: 0,
    isFutureKey: false,
  });
  const both = [{ name: 'a', partitions: [sized(0, 0), sized(1, records.length)] }];
  expect(await dirsOf(null)).toMatchObject([{ errorCode: 0, logDir: '/data', topics: both }]);
  expect(await dirsOf([{ topic: 'a', partitions: [1, 1, 7] }])).toMatchObject([
    { topics: [{ name: 'a', partitions: [sized(1, records.length)] }] },
  ]);
  const [only] = await dirsOf([]);
  expect(only?.topics).toEqual([]);
  expect([only?.totalBytes, only?.usableBytes]).toEqual(version >= 4 ? [2 ** 40, 2 ** 39] : [-1, -1]);
});

test('a replica can only be told to be in the directory where it is', async () => {
  const harness = await BrokerHarness.open({ config: { 'log.dirs': '/data' } });
  await harness.createTopic('a');
  const into = (path: string, name: string, partition: number) => ({
    path,
    topics: [{ name, partitions: [partition] }],
  });
  const codeOf = async (...dirs: ReturnType<typeof into>[]): Promise<number> => {
    const { results } = await harness.request(generated.alterReplicaLogDirsApi, 2, { dirs });
    return results[0]!.partitions[0]!.errorCode;
  };
  expect(await codeOf(into('/data', 'a', 0))).toBe(ErrorCode.NONE);
  expect(await codeOf(into('/other', 'a', 0))).toBe(ErrorCode.LOG_DIR_NOT_FOUND);
  expect(await codeOf(into('/data', 'a', 1))).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  expect(await codeOf(into('/other', 'a', 0), into('/data', 'a', 0))).toBe(ErrorCode.NONE);
});

test('leaders are where they belong, and replicas stay there', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('a');
  const elect = async (topic: string, partition: number, electionType = 0): Promise<number> => {
    const topicPartitions = [{ topic, partitions: [partition] }];
    const response = await harness.request(generated.electLeadersApi, 2, { electionType, topicPartitions });
    return response.replicaElectionResults[0]!.partitionResult[0]!.errorCode;
  };
  expect(await elect('a', 0)).toBe(ErrorCode.ELECTION_NOT_NEEDED);
  expect(await elect('a', 1)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  expect(await elect('x'.repeat(32_000), 0)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  expect(await elect('a', 0, 7)).toBe(ErrorCode.INVALID_REQUEST);
  const reassign = async (name: string, replicas: number[] | null): Promise<number> => {
    const topics = [{ name, partitions: [{ partitionIndex: 0, replicas }] }];
    const { responses } = await harness.request(generated.alterPartitionReassignmentsApi, 1, { topics });
    return responses[0]!.partitions[0]!.errorCode;
  };
  expect(await reassign('a', [1])).toBe(ErrorCode.NONE);
  expect(await reassign('a', null)).toBe(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS);
  for (const replicas of [[], [2], [1, 1], [1, 2]]) {
    expect(await reassign('a', replicas)).toBe(ErrorCode.INVALID_REPLICA_ASSIGNMENT);
  }
  expect(await reassign('x'.repeat(32_000), [1])).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  expect(await harness.request(generated.listPartitionReassignmentsApi, 0, { topics: null })).toMatchObject({
    errorCode: ErrorCode.NONE,
    topics: [],
  });
});

test('the quorum is this node', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('a');
  const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }];
  const response = await harness.request(generated.describeQuorumApi, 2, { topics });
  expect(response.topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, leaderId: 1, highWatermark: 1 });
  expect(response.nodes).toEqual([{ nodeId: 1, listeners: [{ name: 'CONTROLLER', host: 'broker.test', port: 9092 }] }]);
  const voter = { clusterId: testClusterId, voterId: 2, voterDirectoryId: 'BBBBBBBBBBBBBBBBBBBBBA' as never };
  const listeners = [{ name: 'CONTROLLER', host: 'h', port: 1 }];
  const add = await harness.request(generated.addRaftVoterApi, 1, { ...voter, listeners });
  expect(add.errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION);
  expect(
    await harness.request(generated.removeRaftVoterApi, 0, { ...voter, clusterId: 'x'.repeat(32_000) }),
  ).toMatchObject({ errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID });
  expect(await harness.request(generated.unregisterBrokerApi, 0, { brokerId: 2 })).toMatchObject({
    errorCode: ErrorCode.BROKER_ID_NOT_REGISTERED,
  });
  expect(await harness.request(generated.unregisterBrokerApi, 0, { brokerId: 1 })).toMatchObject({
    errorCode: ErrorCode.INVALID_REQUEST,
  });
});

test('features change together or not at all, are told by ApiVersions, and outlive a restart', async () => {
  const first = await BrokerHarness.open();
  const update = async (harness: BrokerHarness, ...updates: [string, number, number][]): Promise<number> => {
    const featureUpdates = updates.map(([feature, maxVersionLevel, upgradeType]) => ({
      feature,
      maxVersionLevel,
      upgradeType,
      allowDowngrade: false,
    }));
    return (await harness.request(generated.updateFeaturesApi, 2, { featureUpdates })).errorCode;
  };
  const level = async (harness: BrokerHarness): Promise<number | undefined> => {
    const client = { clientSoftwareName: 'test', clientSoftwareVersion: '1' };
    const { finalizedFeatures } = await harness.request(generated.apiVersionsApi, 4, client);
    return finalizedFeatures.find(({ name }) => name === 'eligible.leader.replicas.version')?.maxVersionLevel;
  };
  const elr = 'eligible.leader.replicas.version';
  expect(await level(first)).toBe(1);
  expect(await update(first, [elr, 0, 1])).toBe(ErrorCode.INVALID_UPDATE_VERSION);
  expect(await update(first, [elr, 0, 2], ['no.such', 1, 1])).toBe(ErrorCode.INVALID_UPDATE_VERSION);
  expect(await level(first)).toBe(1);
  expect(await update(first, [elr, 0, 2])).toBe(ErrorCode.NONE);
  expect(await level(first)).toBeUndefined();
  await first.broker.close();
  const second = await BrokerHarness.open({ store: first.store, seed: 2 });
  expect(await level(second)).toBeUndefined();
  expect(await update(second, ['metadata.version', 32, 2])).toBe(ErrorCode.INVALID_UPDATE_VERSION);
  expect(await update(second, [elr, 1, 1])).toBe(ErrorCode.NONE);
  expect(await level(second)).toBe(1);
});

test('SCRAM credentials are kept as hashes, and outlive a restart', async () => {
  const first = await BrokerHarness.open();
  const upsertion = {
    name: 'alice',
    mechanism: 1,
    iterations: 4096,
    salt: Buffer.from('salt'),
    saltedPassword: Buffer.alloc(32, 7),
  };
  const alter = async (upsertions: (typeof upsertion)[], deletions: { name: string; mechanism: number }[] = []) =>
    (await first.request(generated.alterUserScramCredentialsApi, 0, { upsertions, deletions })).results.map(
      ({ errorCode }) => errorCode,
    );
  expect(await alter([upsertion])).toEqual([ErrorCode.NONE]);
  expect(await alter([{ ...upsertion, iterations: 4095 }])).toEqual([ErrorCode.UNACCEPTABLE_CREDENTIAL]);
  expect(await alter([{ ...upsertion, mechanism: 3 }])).toEqual([ErrorCode.UNSUPPORTED_SASL_MECHANISM]);
  expect(await alter([upsertion], [{ name: 'alice', mechanism: 1 }])).toEqual([ErrorCode.DUPLICATE_RESOURCE]);
  const record = [...first.broker.topics.image.scramCredentials.snapshot()][0]!;
  expect(Buffer.from(record.value!).includes(upsertion.saltedPassword.toString('base64'))).toBe(false);
  await first.broker.close();
  const second = await BrokerHarness.open({ store: first.store, seed: 2 });
  const described = await second.request(generated.describeUserScramCredentialsApi, 0, { users: null });
  expect(described.results).toMatchObject([{ user: 'alice', credentialInfos: [{ mechanism: 1, iterations: 4096 }] }]);
});

test('what belongs to security is refused as a Kafka without it does', async () => {
  const harness = await BrokerHarness.open();
  const codes = {
    handshake: (await harness.request(generated.saslHandshakeApi, 1, { mechanism: 'PLAIN' })).errorCode,
    authenticate: (await harness.request(generated.saslAuthenticateApi, 2, {})).errorCode,
    describeAcls: (await harness.request(generated.describeAclsApi, 3, {})).errorCode,
    createToken: (await harness.request(generated.createDelegationTokenApi, 3, {})).errorCode,
    renewToken: (await harness.request(generated.renewDelegationTokenApi, 2, {})).errorCode,
    expireToken: (await harness.request(generated.expireDelegationTokenApi, 2, {})).errorCode,
    describeTokens: (await harness.request(generated.describeDelegationTokenApi, 3, {})).errorCode,
  };
  expect(codes).toEqual({
    handshake: ErrorCode.ILLEGAL_SASL_STATE,
    authenticate: ErrorCode.ILLEGAL_SASL_STATE,
    describeAcls: ErrorCode.SECURITY_DISABLED,
    createToken: ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
    renewToken: ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
    expireToken: ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
    describeTokens: ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
  });
});

const nobody: Authorizer = { allows: () => false, allowsOnAny: () => false };

/** A broker whose authorizer is `authorizer`, and how to ask it: gives the response's fields. */
async function guarded(authorizer: Authorizer) {
  const broker = await Broker.open({
    store: new MemoryLogStore(),
    config: new BrokerConfig(),
    clusterId: testClusterId,
    clock: new ManualClock(),
    random: new SeededRandom(1),
    logger: silentLogger,
    authorizer,
  });
  const dispatcher = new Dispatcher(broker, handlers);
  return async <Request, Response>(api: ApiCodec<Request, Response>, version: number, fields: Partial<Request>) => {
    const chunks = await dispatcher.serve(encodeRequest(api, version, fields), new FakeConnection(1));
    const reader = new Reader(Buffer.concat(chunks!).subarray(4));
    decodeResponseHeader(reader, api as ApiCodec, version);
    return api.decodeResponse(reader, version);
  };
}

test('an authorizer that says no is heard where the cluster is concerned', async () => {
  const asked: number[] = [];
  const ask = await guarded({
    allows(context) {
      asked.push(context.apiKey);
      return false;
    },
    allowsOnAny: () => false,
  });
  const topLevel = [
    generated.describeLogDirsApi,
    generated.electLeadersApi,
    generated.alterPartitionReassignmentsApi,
    generated.listPartitionReassignmentsApi,
    generated.describeClientQuotasApi,
    generated.describeUserScramCredentialsApi,
    generated.describeQuorumApi,
    generated.updateFeaturesApi,
    generated.unregisterBrokerApi,
    generated.listConfigResourcesApi,
    generated.addRaftVoterApi,
    generated.removeRaftVoterApi,
    generated.unregisterControllerApi,
  ];
  for (const api of topLevel) {
    const { errorCode } = await ask(api as typeof generated.describeQuorumApi, api.stableVersion, {});
    expect([api.name, errorCode]).toEqual([api.name, ErrorCode.CLUSTER_AUTHORIZATION_FAILED]);
  }
  expect(asked).toEqual(topLevel.map(({ apiKey }) => apiKey));
});

test('an authorizer that says no is heard where topics and settings are concerned', async () => {
  const ask = await guarded(nobody);
  const topicData = [{ name: 't', topicId: zeroUuid, partitionData: [{ index: 0, records: batchOf(['x']) }] }];
  const topics = [{ name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }];
  const resources = [2, 4, 32, 16].map((resourceType) => ({ resourceType, resourceName: '0' }));
  const described = resources.map((resource) => ({ ...resource, configurationKeys: null }));
  const altered = resources.map((resource) => ({ ...resource, configs: [] }));
  const deleted = [{ name: 't', partitions: [{ partitionIndex: 0, offset: 0 as never }] }];
  const answers = {
    produce: await ask(generated.produceApi, 9, { acks: 1, timeoutMs: 0, topicData }),
    create: await ask(generated.createTopicsApi, 7, { topics, timeoutMs: 0 }),
    deleteRecords: await ask(generated.deleteRecordsApi, 2, { topics: deleted, timeoutMs: 0 }),
    grow: await ask(generated.createPartitionsApi, 3, { topics: [{ name: 't', count: 2, assignments: null }] }),
  };
  for (const [name, answer] of Object.entries(answers)) {
    const codes = [...JSON.stringify(answer).matchAll(/"errorCode":(-?\d+)/g)].map((match) => Number(match[1]));
    expect([name, codes]).toEqual([name, [ErrorCode.TOPIC_AUTHORIZATION_FAILED]]);
  }
  const expected = [
    ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
    ErrorCode.GROUP_AUTHORIZATION_FAILED,
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
  ];
  const codesOf = (results: readonly { errorCode: number }[]) => results.map(({ errorCode }) => errorCode);
  expect(codesOf((await ask(generated.describeConfigsApi, 4, { resources: described })).results)).toEqual(expected);
  expect(codesOf((await ask(generated.incrementalAlterConfigsApi, 1, { resources: altered })).responses)).toEqual(
    expected,
  );
});
