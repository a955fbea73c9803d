import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import {
  createPartitionsApi,
  type CreatePartitionsRequestTopics,
  type CreatePartitionsResponseResults,
} from '../../../src/protocol/generated/index.ts';
import { BrokerHarness, versionsOf } from '../broker-harness.ts';

const to = (name: string, count: number, brokerLists: number[][] | null = null): CreatePartitionsRequestTopics => ({
  name,
  count,
  assignments: brokerLists === null ? null : brokerLists.map((brokerIds) => ({ brokerIds })),
});

async function grow(
  harness: BrokerHarness,
  topics: CreatePartitionsRequestTopics[],
  version = 3,
  validateOnly = false,
): Promise<CreatePartitionsResponseResults[]> {
  return (await harness.request(createPartitionsApi, version, { topics, timeoutMs: 1000, validateOnly })).results;
}

const countOf = ({ broker }: BrokerHarness, name = 'a') => broker.topics.topic(name)?.partitionCount;

describe.each(versionsOf(createPartitionsApi))('CreatePartitions version %i', (version) => {
  it('adds partitions, for good', async () => {
    const harness = await BrokerHarness.open();
    const { id } = await harness.createTopic('a', 2);
    const done = [{ name: 'a', errorCode: ErrorCode.NONE, errorMessage: null }];
    expect(await grow(harness, [to('a', 4)], version)).toEqual(done);
    expect(harness.broker.findPartition(harness.broker.topics.topic('a'), 3)).not.toBeNull();
    const again = await BrokerHarness.open({ store: harness.store });
    expect(again.broker.topics.topic('a')).toMatchObject({ id, partitionCount: 4 });
  });

  it('adds none where it is only to look', async () => {
    const harness = await BrokerHarness.open();
    await harness.createTopic('a', 2);
    expect(await grow(harness, [to('a', 4)], version, true)).toMatchObject([{ errorCode: ErrorCode.NONE }]);
    expect(countOf(harness)).toBe(2);
  });

  it('refuses one topic and serves the others', async () => {
    const harness = await BrokerHarness.open();
    await harness.createTopic('a', 2);
    await harness.createTopic('b', 2);
    expect(await grow(harness, [to('a', 3), to('b', 3), to('none', 3), to('b', 4)], version)).toMatchObject([
      { name: 'b', errorCode: ErrorCode.INVALID_REQUEST, errorMessage: expect.any(String) },
      { name: 'a', errorCode: ErrorCode.NONE },
      { name: 'none', errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
    ]);
    expect([countOf(harness, 'a'), countOf(harness, 'b')]).toEqual([3, 2]);
  });
});

test.each<[what: string, errorCode: ErrorCode, topic: CreatePartitionsRequestTopics]>([
  ['as many as there are', ErrorCode.INVALID_PARTITIONS, to('a', 2)],
  ['fewer than there are', ErrorCode.INVALID_PARTITIONS, to('a', 1)],
  ['none', ErrorCode.INVALID_PARTITIONS, to('a', 0)],
  ['less than none', ErrorCode.INVALID_PARTITIONS, to('a', -1)],
  ['too many', ErrorCode.POLICY_VIOLATION, to('a', 10_003)],
  ['a name that no topic can have', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, to('a b', 4)],
  ["a coordinator's log", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, to('__cluster_metadata', 4)],
  ['fewer assignments', ErrorCode.INVALID_REPLICA_ASSIGNMENT, to('a', 4, [[1]])],
  ['more assignments', ErrorCode.INVALID_REPLICA_ASSIGNMENT, to('a', 3, [[1], [1]])],
  ['no assignments', ErrorCode.INVALID_REPLICA_ASSIGNMENT, to('a', 3, [])],
  ['an unknown broker', ErrorCode.INVALID_REPLICA_ASSIGNMENT, to('a', 3, [[2]])],
  ['no broker', ErrorCode.INVALID_REPLICA_ASSIGNMENT, to('a', 3, [[]])],
  ['a broker twice', ErrorCode.INVALID_REPLICA_ASSIGNMENT, to('a', 3, [[1, 1]])],
])('refuses %s', async (_what, errorCode, topic) => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('a', 2);
  for (const validateOnly of [true, false]) {
    const answers = await grow(harness, [topic], 3, validateOnly);
    expect(answers).toMatchObject([{ name: topic.name, errorCode, errorMessage: expect.any(String) }]);
  }
  expect(countOf(harness)).toBe(2);
});

test('takes partitions that are assigned to this node', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('a', 2);
  expect(await grow(harness, [to('a', 4, [[1], [1]])])).toMatchObject([{ errorCode: ErrorCode.NONE }]);
  expect(countOf(harness)).toBe(4);
});

test('adds none that could not be made durable', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('a', 2);
  harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  expect(await grow(harness, [to('a', 4)])).toMatchObject([{ errorCode: ErrorCode.KAFKA_STORAGE_ERROR }]);
  expect(countOf(harness)).toBe(2);
});
