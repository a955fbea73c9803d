/**
 * Who may not have a group, a transactional id or the cluster: what each request hears, in every version, and that nothing
 * comes of it. What is heard of topics is held against Kafka's answers (test/oracle/authorizer.test.ts).
 */

import { describe, expect, it, vi } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import type { Uuid } from '../../../src/base/uuid.ts';
import { AclOperation, AclResource, type Authorizer } from '../../../src/broker/authorizer.ts';
import type { ApiCodec } from '../../../src/protocol/api-codec.ts';
import * as api from '../../../src/protocol/generated/index.ts';
import { BrokerHarness } from '../broker-harness.ts';

const { READ, WRITE, DELETE, DESCRIBE } = AclOperation;
const { GROUP, TRANSACTIONAL_ID } = AclResource;

/** What of the cluster would stand for leave of its groups and topics. */
const ofCluster: ReadonlySet<AclOperation> = new Set([DESCRIBE, AclOperation.CLUSTER_ACTION]);

/** Refuses what is named `secret`, and remembers what it was asked of that. */
class Guard implements Authorizer {
  readonly asked: string[] = [];

  allows(...[, operation, resource, name]: Parameters<Authorizer['allows']>): boolean {
    if (name !== 'secret') return resource !== AclResource.CLUSTER || !ofCluster.has(operation);
    this.asked.push(`${operation} ${resource}`);
    return false;
  }

  allowsOnAny(): boolean {
    return true;
  }
}

/** Refuses everything, and remembers what it was asked. */
class Nobody implements Authorizer {
  readonly asked = new Set<string>();

  allows(...[, operation, resource]: Parameters<Authorizer['allows']>): boolean {
    this.asked.add(`${operation} ${resource}`);
    return false;
  }

  allowsOnAny(...[, operation, resource]: Parameters<Authorizer['allowsOnAny']>): boolean {
    this.asked.add(`any ${operation} ${resource}`);
    return false;
  }
}

interface Case {
  // oxlint-disable-next-line typescript/no-explicit-any -- the table holds messages of many kinds.
  readonly codec: ApiCodec<any, any>;
  readonly request: object;
  readonly needs: readonly [AclOperation, AclResource];
}

const groupId = 'secret';
const transactionalId = 'secret';
const memberId = 'AAAAAAAAAAAAAAAAAAAAAw';
const partitions = [{ partitionIndex: 0, committedOffset: 1, committedLeaderEpoch: -1, committedMetadata: null }];
const topics = [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAw' as Uuid, name: 'topic', partitions }];
const member = { groupId, memberId };
const inTransaction = { transactionalId, producerId: 1, producerEpoch: 0 };
const shareFetch = { ...member, shareSessionEpoch: 0, topics: [], forgottenTopicsData: [], maxBytes: 1 };

const cases: readonly Case[] = [
  {
    codec: api.offsetCommitApi,
    request: { ...api.defaultOffsetCommitRequest(), ...member, topics },
    needs: [READ, GROUP],
  },
  { codec: api.joinGroupApi, request: { ...api.defaultJoinGroupRequest(), groupId }, needs: [READ, GROUP] },
  { codec: api.heartbeatApi, request: { ...api.defaultHeartbeatRequest(), ...member }, needs: [READ, GROUP] },
  { codec: api.leaveGroupApi, request: { ...api.defaultLeaveGroupRequest(), ...member }, needs: [READ, GROUP] },
  { codec: api.syncGroupApi, request: { ...api.defaultSyncGroupRequest(), ...member }, needs: [READ, GROUP] },
  { codec: api.describeGroupsApi, request: { groups: [groupId] }, needs: [DESCRIBE, GROUP] },
  {
    codec: api.initProducerIdApi,
    request: { ...api.defaultInitProducerIdRequest(), transactionalId, transactionTimeoutMs: 1000 },
    needs: [WRITE, TRANSACTIONAL_ID],
  },
  { codec: api.addOffsetsToTxnApi, request: { ...inTransaction, groupId: 'g' }, needs: [WRITE, TRANSACTIONAL_ID] },
  { codec: api.addOffsetsToTxnApi, request: { ...inTransaction, transactionalId: 't', groupId }, needs: [READ, GROUP] },
  { codec: api.endTxnApi, request: { ...inTransaction, committed: true }, needs: [WRITE, TRANSACTIONAL_ID] },
  {
    codec: api.txnOffsetCommitApi,
    request: { ...api.defaultTxnOffsetCommitRequest(), ...inTransaction, groupId: 'g', topics },
    needs: [WRITE, TRANSACTIONAL_ID],
  },
  {
    codec: api.txnOffsetCommitApi,
    request: { ...api.defaultTxnOffsetCommitRequest(), ...inTransaction, transactionalId: 't', groupId, topics },
    needs: [READ, GROUP],
  },
  { codec: api.deleteGroupsApi, request: { groupsNames: [groupId] }, needs: [DELETE, GROUP] },
  { codec: api.offsetDeleteApi, request: { groupId, topics: [] }, needs: [DELETE, GROUP] },
  {
    codec: api.describeTransactionsApi,
    request: { transactionalIds: [transactionalId] },
    needs: [DESCRIBE, TRANSACTIONAL_ID],
  },
  {
    codec: api.consumerGroupHeartbeatApi,
    request: { ...api.defaultConsumerGroupHeartbeatRequest(), ...member },
    needs: [READ, GROUP],
  },
  { codec: api.consumerGroupDescribeApi, request: { groupIds: [groupId] }, needs: [DESCRIBE, GROUP] },
  { codec: api.shareGroupHeartbeatApi, request: { ...member, rackId: null }, needs: [READ, GROUP] },
  { codec: api.shareGroupDescribeApi, request: { groupIds: [groupId] }, needs: [DESCRIBE, GROUP] },
  { codec: api.shareFetchApi, request: shareFetch, needs: [READ, GROUP] },
  { codec: api.shareAcknowledgeApi, request: { ...member, shareSessionEpoch: 1, topics: [] }, needs: [READ, GROUP] },
  {
    codec: api.streamsGroupHeartbeatApi,
    request: { ...api.defaultStreamsGroupHeartbeatRequest(), ...member },
    needs: [READ, GROUP],
  },
  { codec: api.streamsGroupDescribeApi, request: { groupIds: [groupId] }, needs: [DESCRIBE, GROUP] },
  {
    codec: api.describeShareGroupOffsetsApi,
    request: { groups: [{ groupId, topics: null }] },
    needs: [DESCRIBE, GROUP],
  },
  { codec: api.alterShareGroupOffsetsApi, request: { groupId, topics: [] }, needs: [READ, GROUP] },
  { codec: api.deleteShareGroupOffsetsApi, request: { groupId, topics: [] }, needs: [DELETE, GROUP] },
];

const errorCodes = {
  [GROUP]: ErrorCode.GROUP_AUTHORIZATION_FAILED,
  [TRANSACTIONAL_ID]: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
} as Record<number, number>;

async function open(): Promise<{ harness: BrokerHarness; guard: Guard }> {
  const guard = new Guard();
  const harness = await BrokerHarness.open({ authorizer: guard });
  await harness.createTopic('topic');
  return { harness, guard };
}

/** All error codes in a response. */
function codesIn(response: unknown): number[] {
  if (Array.isArray(response)) return response.flatMap(codesIn);
  if (typeof response !== 'object' || response === null) return [];
  return Object.entries(response).flatMap(([name, value]) =>
    name === 'errorCode' ? [value as number] : codesIn(value),
  );
}

describe('an authorizer that refuses a group or a transactional id', () => {
  it.each(cases.map((each) => [each.codec.name, each] as const))(
    'is asked by %s',
    async (_name, { codec, request, needs }) => {
      for (let version = codec.minVersion; version <= codec.stableVersion; version++) {
        const { harness, guard } = await open();
        const response: unknown = await harness.request(codec, version, request);
        expect(codesIn(response).filter((code) => code !== ErrorCode.NONE)).toEqual([errorCodes[needs[1]]]);
        expect(guard.asked).toEqual([`${needs[0]} ${needs[1]}`]);
        expect(harness.broker.groups.find('secret')).toBeNull();
        expect(harness.broker.transactions.find('secret')).toBeNull();
      }
    },
  );

  it('is asked for each group of OffsetFetch, and the others are answered', async () => {
    const { harness } = await open();
    const groups = ['secret', 'open'].map((each) => ({
      ...api.defaultOffsetFetchRequestGroups(),
      ...{ groupId: each, topics: null },
    }));
    const request = { ...api.defaultOffsetFetchRequest(), groups };
    const answered = (await harness.request(api.offsetFetchApi, 8, request)).groups;
    expect(answered.map((group) => [group.groupId, group.errorCode])).toEqual([
      ['open', ErrorCode.NONE],
      ['secret', ErrorCode.GROUP_AUTHORIZATION_FAILED],
    ]);
    for (const version of [1, 2, 5, 7]) {
      const asked = [{ name: 'topic', partitionIndexes: [0] }];
      const one = await harness.request(api.offsetFetchApi, version, { groupId, topics: asked });
      expect(codesIn(one).filter((code) => code !== 0)).toEqual([ErrorCode.GROUP_AUTHORIZATION_FAILED]);
    }
  });

  it('has lists leave out what may not be described', async () => {
    const { harness } = await open();
    const commit = { groupId: 'open', memberId: '', generationIdOrMemberEpoch: -1, topics };
    await harness.request(api.offsetCommitApi, 2, commit);
    await harness.broker.groups.commits.commit(
      'secret',
      {
        ...{
          memberId: '',
          instanceId: null,
          generation: -1,
          knowsMissingGroups: false,
          retentionMs: -1,
          producerId: null,
        },
      },
      [{ topicId: harness.broker.topics.topic('topic')!.id, partition: 0, offset: 1, leaderEpoch: -1, metadata: '' }],
    );
    expect(harness.broker.groups.find('secret')).not.toBeNull();
    const { groups } = await harness.request(api.listGroupsApi, 4, {});
    expect(groups.map((group) => group.groupId)).toEqual(['open']);
    const timeout = { transactionTimeoutMs: 1000, producerId: -1, producerEpoch: -1 };
    await harness.request(api.initProducerIdApi, 4, { transactionalId: 'open', ...timeout });
    await harness.broker.transactions.initProducer('secret', 1000, null);
    const listed = await harness.request(api.listTransactionsApi, 1, api.defaultListTransactionsRequest());
    expect(listed.transactionStates.map((state) => state.transactionalId)).toEqual(['open']);
  });

  it('is asked for topics by ListOffsets, OffsetForLeaderEpoch and DescribeProducers', async () => {
    const { harness, guard } = await open();
    await harness.createTopic('secret');
    const offsets = await harness.request(api.listOffsetsApi, 7, {
      topics: ['secret', 'topic'].map((name) => ({
        name,
        partitions: [{ ...api.defaultListOffsetsRequestTopicsPartitions(), partitionIndex: 0, timestamp: -1 }],
      })),
    });
    const epochs = await harness.request(api.offsetForLeaderEpochApi, 4, {
      topics: ['secret', 'topic'].map((topic) => ({
        topic,
        partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }],
      })),
    });
    const producers = await harness.request(api.describeProducersApi, 0, {
      topics: ['secret', 'topic'].map((name) => ({ name, partitionIndexes: [0] })),
    });
    for (const { topics: answered } of [offsets, epochs, producers]) {
      expect(codesIn(answered)).toEqual([ErrorCode.TOPIC_AUTHORIZATION_FAILED, ErrorCode.NONE]);
    }
    const { TOPIC } = AclResource;
    expect(guard.asked).toEqual([`${DESCRIBE} ${TOPIC}`, `${DESCRIBE} ${TOPIC}`, `${READ} ${TOPIC}`]);
  });
});

describe('what only brokers and administrators may ask', () => {
  const { CLUSTER, TOPIC } = AclResource;
  const { ALTER, CLUSTER_ACTION, IDEMPOTENT_WRITE } = AclOperation;
  const ofPartition = { stateEpoch: 0, leaderEpoch: 0, startOffset: 0, deliveryCompleteCount: 0, stateBatches: [] };
  const stateOf = { topicId: topics[0]!.topicId, partitions: [{ partition: 0, ...ofPartition }] };
  const markers = [
    {
      ...{ producerId: 1, producerEpoch: 0, transactionResult: false, coordinatorEpoch: 0, transactionVersion: 0 },
      topics: [{ name: 'topic', partitionIndexes: [0] }],
    },
  ];
  const transactions = [{ ...inTransaction, verifyOnly: false, topics: [{ name: 'topic', partitions: [0] }] }];
  const stateApis = [
    api.initializeShareGroupStateApi,
    api.readShareGroupStateApi,
    api.writeShareGroupStateApi,
    api.deleteShareGroupStateApi,
    api.readShareGroupStateSummaryApi,
  ] as const;
  // oxlint-disable-next-line typescript/no-explicit-any -- the table holds messages of many kinds.
  const asked: readonly (readonly [ApiCodec<any, any>, number, object, readonly string[]])[] = [
    ...stateApis.map(
      (codec) => [codec, 0, { groupId: 'g', topics: [stateOf] }, [`${CLUSTER_ACTION} ${CLUSTER}`]] as const,
    ),
    [api.writeTxnMarkersApi, 1, { markers }, [`${ALTER} ${CLUSTER}`, `${CLUSTER_ACTION} ${CLUSTER}`]],
    [api.addPartitionsToTxnApi, 4, { transactions }, [`${CLUSTER_ACTION} ${CLUSTER}`]],
    [api.addPartitionsToTxnApi, 5, { transactions }, [`${CLUSTER_ACTION} ${CLUSTER}`]],
    [api.findCoordinatorApi, 6, { keyType: 2, coordinatorKeys: ['g:t:0'] }, [`${CLUSTER_ACTION} ${CLUSTER}`]],
    [
      api.initProducerIdApi,
      4,
      { ...api.defaultInitProducerIdRequest(), transactionalId: null },
      [`${IDEMPOTENT_WRITE} ${CLUSTER}`, `any ${WRITE} ${TOPIC}`],
    ],
  ];

  it.each(asked.map((each) => [`${each[0].name} v${each[1]}`, each] as const))(
    'is refused to others: %s',
    async (_name, [codec, version, request, needs]) => {
      const nobody = new Nobody();
      const harness = await BrokerHarness.open({ authorizer: nobody });
      const response: unknown = await harness.request(codec, version, request);
      expect(codesIn(response)).toContain(ErrorCode.CLUSTER_AUTHORIZATION_FAILED);
      expect(codesIn(response).filter((code) => code !== ErrorCode.CLUSTER_AUTHORIZATION_FAILED && code !== 0)).toEqual(
        [],
      );
      expect([...nobody.asked]).toEqual(needs);
    },
  );

  it('leaves idempotent producers be who may write to any topic', async () => {
    const nobody = new Nobody();
    nobody.allowsOnAny = () => true;
    const harness = await BrokerHarness.open({ authorizer: nobody });
    const { errorCode } = await harness.request(api.initProducerIdApi, 4, { transactionalId: null });
    expect(errorCode).toBe(ErrorCode.NONE);
  });

  it('has patterns match what may be described alone', async () => {
    const { harness } = await open();
    await harness.createTopic('secret');
    const beat = (memberEpoch: number, more: object) =>
      harness.request(api.consumerGroupHeartbeatApi, 1, {
        ...api.defaultConsumerGroupHeartbeatRequest(),
        ...{ groupId: 'g', memberId, memberEpoch, ...more },
      });
    const joined = { subscribedTopicRegex: '.*', rebalanceTimeoutMs: 1000, topicPartitions: [] };
    const { memberEpoch } = await beat(0, joined);
    await vi.waitFor(async () => {
      const run = harness.broker.groups.consumers.find('g');
      expect('group' in run && [...(run.group.subscriptions.resolved.get('.*')?.topics ?? [])]).toEqual(['topic']);
    });
    expect(memberEpoch).toBeGreaterThan(0);
  });
});
