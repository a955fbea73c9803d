/**
 * Share groups through the dispatcher: members, what they are given, what they say of it, and what a restart keeps.
 */

import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import {
  alterShareGroupOffsetsApi,
  deleteGroupsApi,
  deleteShareGroupOffsetsApi,
  describeShareGroupOffsetsApi,
  incrementalAlterConfigsApi,
  listGroupsApi,
  produceApi,
  shareGroupDescribeApi,
} from '../../../src/protocol/generated/index.ts';
import { batchOf, BrokerHarness, type HarnessOptions } from '../broker-harness.ts';
import { TestShareConsumer } from './test-share-consumer.ts';

const accept = 1;
const release = 2;
const reject = 3;
const renew = 4;
const groupResource = 32;

async function open(configs: Record<string, string> = {}, options: HarnessOptions = {}): Promise<BrokerHarness> {
  const harness = await BrokerHarness.open(options);
  await set(harness, { 'share.auto.offset.reset': 'earliest', ...configs });
  return harness;
}

async function set(harness: BrokerHarness, configs: Record<string, string>, resourceName = 'group'): Promise<void> {
  const response = await harness.request(incrementalAlterConfigsApi, 1, {
    resources: [
      {
        resourceType: groupResource,
        resourceName,
        configs: Object.entries(configs).map(([name, value]) => ({ name, configOperation: 0, value })),
      },
    ],
  });
  expect(response.responses.map(({ errorMessage }) => errorMessage)).toEqual([null]);
}

async function produce(harness: BrokerHarness, texts: readonly string[], index = 0, name = 'topic'): Promise<void> {
  const topicData = [
    { topicId: harness.broker.topics.topic(name)!.id, name, partitionData: [{ index, records: batchOf(texts) }] },
  ];
  const response = await harness.request(produceApi, 9, { acks: -1, timeoutMs: 1000, topicData });
  expect(response.responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE);
}

/** A member of `group` that has joined; topic `topic` has `partitionCount` partitions. */
async function joined(harness: BrokerHarness): Promise<TestShareConsumer> {
  const consumer = new TestShareConsumer(harness);
  expect((await consumer.join()).errorCode).toBe(ErrorCode.NONE);
  return consumer;
}

const briefly = (given: Awaited<ReturnType<TestShareConsumer['fetch']>>): string[] =>
  given.map(({ value, count }) => `${value}×${count}`);

describe('share groups', () => {
  it('spread partitions over members, are described and listed, and go once they are empty', async () => {
    const harness = await open();
    await harness.createTopic('topic', 4);
    const a = await joined(harness);
    expect(a.assigned.flatMap(({ partitions }) => partitions)).toEqual([0, 1, 2, 3]);
    harness.clock.advance(1000);
    const b = await joined(harness);
    harness.clock.advance(1000);
    await a.beat();
    expect([a, b].map(({ assigned }) => assigned[0]!.partitions.length)).toEqual([2, 2]);
    const { groups } = await harness.request(shareGroupDescribeApi, 1, { groupIds: ['group', 'none'] });
    expect(groups[0]).toMatchObject({ groupState: 'Stable', assignorName: 'simple', groupEpoch: a.epoch });
    expect(groups[0]!.members.map(({ memberId }) => memberId).toSorted()).toEqual([a.id, b.id].toSorted());
    expect(groups[1]!.errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
    const listed = await harness.request(listGroupsApi, 5, { typesFilter: ['share'] });
    expect(listed.groups).toEqual([
      { groupId: 'group', protocolType: 'share', groupState: 'Stable', groupType: 'share' },
    ]);
    const tryDelete = async (): Promise<number> =>
      (await harness.request(deleteGroupsApi, 2, { groupsNames: ['group'] })).results[0]!.errorCode;
    expect(await tryDelete()).toBe(ErrorCode.NON_EMPTY_GROUP);
    await a.leave();
    harness.clock.advance(45_001);
    expect((await b.beat()).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(await tryDelete()).toBe(ErrorCode.NONE);
    expect((await b.beat()).errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
  });

  it('fence members whose epoch is not theirs', async () => {
    const harness = await open();
    await harness.createTopic('topic');
    const a = await joined(harness);
    expect((await a.beat({ memberEpoch: a.epoch + 5 })).errorCode).toBe(ErrorCode.FENCED_MEMBER_EPOCH);
    expect((await a.beat({ memberEpoch: -7 })).errorCode).toBe(ErrorCode.INVALID_REQUEST);
    expect((await a.beat({ memberId: 'x'.repeat(37) })).errorCode).toBe(ErrorCode.INVALID_REQUEST);
    expect((await a.beat({ memberId: 'other' })).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect((await a.beat({ memberEpoch: 0, subscribedTopicNames: [] })).errorCode).toBe(ErrorCode.INVALID_REQUEST);
  });

  it('let a member that has left say what became of its records until its session ends', async () => {
    const harness = await open();
    await harness.createTopic('topic');
    const [a, b] = [await joined(harness), await joined(harness)];
    await produce(harness, ['1', '2', '3']);
    harness.clock.advance(1000);
    await a.beat();
    await b.beat();
    expect(await a.fetch()).toHaveLength(3);
    await a.leave();
    expect(await b.fetch()).toEqual([]);
    expect(await a.acknowledge([[0, 0, accept]])).toEqual(ErrorCode.NONE);
    expect((await a.fetchResponse({ shareSessionEpoch: -1 })).errorCode).toBe(ErrorCode.NONE);
    expect(briefly(await b.fetch())).toEqual(['2×2', '3×2']);
  });

  it('give each record to one member, again where it is released, and never once it is accepted', async () => {
    const harness = await open();
    await harness.createTopic('topic');
    const [a, b] = [await joined(harness), await joined(harness)];
    await produce(harness, ['1', '2', '3', '4']);
    harness.clock.advance(1000);
    await a.beat();
    await b.beat();
    expect(briefly(await a.fetch())).toEqual(['1×1', '2×1', '3×1', '4×1']);
    expect(await b.fetch()).toEqual([]);
    expect(await b.acknowledge([[0, 0, accept]])).toBe(ErrorCode.INVALID_RECORD_STATE);
    expect(await a.acknowledge([[0, 3, accept, release, reject, accept]])).toBe(ErrorCode.NONE);
    expect(briefly(await b.fetch())).toEqual(['2×2']);
    expect(await a.acknowledge([[1, 1, accept]])).toBe(ErrorCode.INVALID_RECORD_STATE);
    expect(await b.acknowledge([[1, 1, accept]])).toBe(ErrorCode.NONE);
    expect(await b.acknowledge([[1, 1, accept]])).toBe(ErrorCode.NONE);
    expect(await a.fetch()).toEqual([]);
  });

  it('go by their settings as these change', async () => {
    const harness = await open();
    await harness.createTopic('topic');
    const member = await joined(harness);
    await produce(harness, ['1']);
    expect(briefly(await member.fetch())).toEqual(['1×1']);
    expect(await member.acknowledge([[0, 0, renew]])).toBe(ErrorCode.NONE);
    await set(harness, { 'share.renew.acknowledge.enable': 'false' });
    expect(await member.acknowledge([[0, 0, renew]])).toBe(ErrorCode.INVALID_RECORD_STATE);
    expect((await member.beat()).heartbeatIntervalMs).toBe(5000);
    await set(harness, { 'share.heartbeat.interval.ms': '6000', 'share.session.timeout.ms': '60000' });
    expect((await member.beat()).heartbeatIntervalMs).toBe(6000);
    harness.clock.advance(59_999);
    expect((await member.beat()).errorCode).toBe(ErrorCode.NONE);
    harness.clock.advance(60_000);
    expect((await member.beat()).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  });

  it('give records of one partition beside what came back in another, whatever else of that is out', async () => {
    const harness = await open();
    await harness.createTopic('topic', 2);
    const member = await joined(harness);
    const many = Array.from({ length: 400 }, (_, i) => `${i}`);
    await produce(harness, many);
    expect(await member.fetch()).toHaveLength(400);
    // Whose turn was last has the next one last.
    await produce(harness, ['first'], 1);
    expect(briefly(await member.fetch())).toEqual(['first×1']);
    expect(await member.acknowledge([[7, 7, release]])).toBe(ErrorCode.NONE);
    await produce(harness, ['a', 'b', 'c', 'd'], 1);
    const given = await member.fetch({ maxRecords: 3, shareAcquireMode: 1 });
    expect(given.map(({ partition, value }) => [partition, value])).toEqual([
      [0, '7'],
      [1, 'a'],
      [1, 'b'],
    ]);
  });

  it('give back what a lock ends for, what a session ends with, and what a connection takes with it', async () => {
    const harness = await open({ 'share.record.lock.duration.ms': '15000' });
    await harness.createTopic('topic');
    const a = await joined(harness);
    await produce(harness, ['1', '2']);
    expect(briefly(await a.fetch())).toEqual(['1×1', '2×1']);
    harness.clock.advance(14_000);
    expect(await a.acknowledge([[0, 0, renew]])).toBe(ErrorCode.NONE);
    harness.clock.advance(1001);
    expect(briefly(await a.fetch())).toEqual(['2×2']);
    expect(await a.acknowledge([[1, 1, renew]])).toBe(ErrorCode.NONE);
    await a.fetchResponse({ shareSessionEpoch: -1 });
    a.sessionEpoch = 0;
    expect(briefly(await a.fetch())).toEqual(['1×2', '2×3']);
    const again = new TestShareConsumer(harness);
    await again.join();
    a.connection.close();
    expect(
      briefly(
        await again.fetch({
          topics: [
            { topicId: a.assigned[0]!.topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches: [] }] },
          ],
        }),
      ),
    ).toEqual(['1×3']);
    // What has been given out so often comes alone.
    expect(briefly(await again.fetch())).toEqual(['2×4']);
  });

  it('answer a fetch that waits once a record comes, or comes back', async () => {
    const harness = await open();
    await harness.createTopic('topic');
    const a = await joined(harness);
    const waiting = a.fetch({ maxWaitMs: 10_000 });
    await produce(harness, ['1']);
    expect(briefly(await waiting)).toEqual(['1×1']);
    const again = a.fetch({ maxWaitMs: 10_000 });
    await new Promise((resolve) => setImmediate(resolve));
    const b = new TestShareConsumer(harness);
    Object.assign(b, { id: a.id, sessionEpoch: a.sessionEpoch + 1, assigned: a.assigned, connection: a.connection });
    expect(await b.acknowledge([[0, 0, release]])).toBe(ErrorCode.NONE);
    expect(briefly(await again)).toEqual(['1×2']);
    const idle = a.fetch({ maxWaitMs: 500, shareSessionEpoch: b.sessionEpoch });
    await new Promise((resolve) => setImmediate(resolve));
    harness.clock.advance(501);
    expect(await idle).toEqual([]);
  });

  it('give a record out as often as the group says, and no more records at once', async () => {
    const harness = await open({ 'share.delivery.count.limit': '2', 'share.partition.max.record.locks': '100' });
    await harness.createTopic('topic');
    const a = await joined(harness);
    await produce(
      harness,
      Array.from({ length: 60 }, (_, i) => `${i}`),
    );
    await produce(
      harness,
      Array.from({ length: 60 }, (_, i) => `${60 + i}`),
    );
    await produce(harness, ['last']);
    expect(await a.fetch({ maxRecords: 10, shareAcquireMode: 1 })).toHaveLength(10);
    expect(await a.fetch({ maxRecords: 10 })).toHaveLength(50);
    expect(await a.fetch({ maxRecords: 10 })).toHaveLength(60);
    expect(await a.fetch()).toEqual([]);
    expect(await a.acknowledge([[0, 118, accept]])).toBe(ErrorCode.NONE);
    expect(await a.acknowledge([[119, 119, release]])).toBe(ErrorCode.NONE);
    expect(briefly(await a.fetch({ maxRecords: 1 }))).toEqual(['119×2']);
    expect(await a.acknowledge([[119, 119, release]])).toBe(ErrorCode.NONE);
    expect(briefly(await a.fetch())).toEqual(['last×1']);
  });

  it('refuse acknowledgements that cannot be, with the code that Kafka has for them', async () => {
    const harness = await open();
    await harness.createTopic('topic', 2);
    const a = await joined(harness);
    await produce(harness, ['1', '2', '3']);
    await a.fetch();
    const invalid = ErrorCode.INVALID_REQUEST;
    expect(await a.acknowledge([[2, 9, accept]])).toBe(invalid);
    expect(await a.acknowledge([[2, 1, accept]])).toBe(invalid);
    expect(await a.acknowledge([[0, 0]])).toBe(invalid);
    expect(await a.acknowledge([[0, 0, 9]])).toBe(invalid);
    expect(await a.acknowledge([[0, 2, accept, accept]])).toBe(invalid);
    expect(
      await a.acknowledge([
        [1, 2, accept],
        [0, 0, accept],
      ]),
    ).toBe(invalid);
    expect(await a.acknowledge([[0, 0, renew]], 0, { isRenewAck: false })).toBe(invalid);
    expect(
      await a.acknowledge([
        [0, 1, accept],
        [1, 2, accept],
      ]),
    ).toBe(ErrorCode.INVALID_RECORD_STATE);
    expect(await a.acknowledge([[0, 0, accept]], 7)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    expect(await a.acknowledge([[0, 0, accept]], 0, { shareSessionEpoch: 99 })).toBe(
      ErrorCode.INVALID_SHARE_SESSION_EPOCH,
    );
    expect(await a.acknowledge([[0, 0, accept]], 0, { shareSessionEpoch: 0 })).toBe(
      ErrorCode.INVALID_SHARE_SESSION_EPOCH,
    );
    expect(await a.acknowledge([[0, 0, accept]], 0, { memberId: 'stranger' })).toBe(ErrorCode.SHARE_SESSION_NOT_FOUND);
    // Nothing of all that was taken over.
    expect(await a.acknowledge([[0, 2, accept]])).toBe(ErrorCode.NONE);
  });

  it('go on after a restart where they were, with what was not accepted', async () => {
    const before = await open();
    await before.createTopic('topic');
    const a = await joined(before);
    await produce(before, ['1', '2', '3', '4', '5']);
    await a.fetch();
    expect(await a.acknowledge([[0, 2, accept, release, accept]])).toBe(ErrorCode.NONE);
    const after = await BrokerHarness.open({ store: before.store, seed: 2 });
    a.harness = after;
    a.connection = after.connect();
    expect((await a.beat()).errorCode).toBe(ErrorCode.NONE);
    expect(await a.acknowledge([[3, 3, accept]])).toBe(ErrorCode.SHARE_SESSION_NOT_FOUND);
    a.sessionEpoch = 0;
    expect(briefly(await a.fetch())).toEqual(['2×2', '4×1', '5×1']);
  });

  it('do not take over what could not be written', async () => {
    const harness = await open();
    await harness.createTopic('topic');
    const a = await joined(harness);
    await produce(harness, ['1', '2']);
    await a.fetch();
    harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
    expect(await a.acknowledge([[0, 0, accept]])).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    harness.store.failAppends = ErrorCode.NONE;
    expect(briefly(await a.fetch())).toEqual(['1×1', '2×1']);
  });

  it('have their offsets described, altered and deleted', async () => {
    const harness = await open();
    const topic = await harness.createTopic('topic', 2);
    const describeOffsets = async (): Promise<unknown> =>
      (
        await harness.request(describeShareGroupOffsetsApi, 1, { groups: [{ groupId: 'group', topics: null }] })
      ).groups[0]!.topics.flatMap(({ partitions }) => partitions.map(({ startOffset, lag }) => [startOffset, lag]));
    const alter = async (startOffset: number): Promise<number[]> => {
      const topics = [
        { topicName: 'topic', partitions: [0, 9].map((partitionIndex) => ({ partitionIndex, startOffset })) },
      ];
      const response = await harness.request(alterShareGroupOffsetsApi, 0, { groupId: 'group', topics });
      return [
        response.errorCode,
        ...response.responses.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
      ];
    };
    const forget = async (): Promise<number[]> => {
      const response = await harness.request(deleteShareGroupOffsetsApi, 0, {
        groupId: 'group',
        topics: [{ topicName: 'topic' }],
      });
      return [response.errorCode, ...response.responses.map(({ errorCode }) => errorCode)];
    };
    const a = await joined(harness);
    await produce(harness, ['1', '2', '3', '4']);
    await a.fetch();
    await a.acknowledge([[0, 1, accept]]);
    await a.acknowledge([[3, 3, accept]]);
    expect(await describeOffsets()).toEqual([
      [2, 1],
      [0, 0],
    ]);
    expect(await alter(1)).toEqual([ErrorCode.NON_EMPTY_GROUP]);
    expect(await forget()).toEqual([ErrorCode.NON_EMPTY_GROUP]);
    await a.leave();
    expect(await alter(1)).toEqual([ErrorCode.NONE, ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]);
    expect(await describeOffsets()).toEqual([
      [1, 3],
      [0, 0],
    ]);
    expect(await forget()).toEqual([ErrorCode.NONE, ErrorCode.NONE]);
    expect(await describeOffsets()).toEqual([]);
    expect(await forget()).toEqual([ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]);
    await a.join();
    a.sessionEpoch = 0;
    expect(await a.fetch()).toHaveLength(4);
    await harness.broker.topics.delete(topic.id);
    expect(await describeOffsets()).toEqual([]);
  });

  it('set aside what they give up, where they have a topic for it', async () => {
    const harness = await open({
      'errors.deadletterqueue.topic.name': 'dlq.group',
      'errors.deadletterqueue.copy.record.enable': 'true',
    });
    await harness.createTopic('topic');
    await harness.createTopic('dlq.group', 1, { 'errors.deadletterqueue.group.enable': 'true' });
    const a = await joined(harness);
    await produce(harness, ['good', 'bad']);
    await a.fetch();
    expect(await a.acknowledge([[0, 1, accept, reject]])).toBe(ErrorCode.NONE);
    await set(harness, { 'share.auto.offset.reset': 'earliest' }, 'dead');
    const dead = new TestShareConsumer(harness, 'dead', ['dlq.group']);
    await dead.join();
    expect(briefly(await dead.fetch({ maxWaitMs: 1000 }))).toEqual(['bad×1']);
    expect(await a.fetch()).toEqual([]);
    expect(
      harness.broker.groups.sharePartitions.find('group', { topicId: a.assigned[0]!.topicId, partition: 0 })!.state
        .startOffset,
    ).toBe(2);
  });
});
