import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { zeroUuid } from '../../../src/base/uuid.ts';
import {
  describeTopicPartitionsApi,
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponse,
} from '../../../src/protocol/generated/index.ts';
import { defaultLogConfig } from '../../../src/storage/log-config.ts';
import { BrokerHarness } from '../broker-harness.ts';

/** Topics `a` and `b` with three partitions each, and `c` with one. */
async function openWithTopics(config: Record<string, string> = {}): Promise<BrokerHarness> {
  const harness = await BrokerHarness.open({ config });
  await harness.createTopic('b', 3);
  await harness.createTopic('c', 1);
  await harness.createTopic('a', 3);
  return harness;
}

function ask(
  harness: BrokerHarness,
  names: string[],
  more: Partial<DescribeTopicPartitionsRequest> = {},
): Promise<DescribeTopicPartitionsResponse> {
  return harness.request(describeTopicPartitionsApi, 0, { topics: names.map((name) => ({ name })), ...more });
}

const from = (topicName: string, partitionIndex: number) => ({ topicName, partitionIndex });

/** A page in short: each topic with its partitions, and where the next page begins. */
function pageOf({ topics, nextCursor }: DescribeTopicPartitionsResponse): unknown {
  const named = topics.map(({ name, partitions }) => [name, ...partitions.map(({ partitionIndex }) => partitionIndex)]);
  return { topics: named, next: nextCursor };
}

test('describes a topic whole', async () => {
  const harness = await openWithTopics();
  const { id } = harness.broker.topics.topic('c')!;
  expect(await ask(harness, ['c', 'c'])).toEqual({
    throttleTimeMs: 0,
    topics: [
      {
        errorCode: ErrorCode.NONE,
        name: 'c',
        topicId: id,
        isInternal: false,
        partitions: [
          {
            errorCode: ErrorCode.NONE,
            partitionIndex: 0,
            leaderId: 1,
            leaderEpoch: harness.store.leaderEpoch,
            replicaNodes: [1],
            isrNodes: [1],
            eligibleLeaderReplicas: [],
            lastKnownElr: [],
            offlineReplicas: [],
          },
        ],
        topicAuthorizedOperations: 3576,
      },
    ],
    nextCursor: null,
  });
});

test('shows a partition that takes no writes as offline and out of sync, with its leader', async () => {
  const harness = await openWithTopics();
  const { id } = harness.broker.topics.topic('a')!;
  harness.broker.findPartition(harness.broker.topics.topic('a'), 1);
  harness.store.open('a', id, 1, defaultLogConfig).refusal = 'The disk failed.';
  const { topics } = await ask(harness, ['a']);
  const inSync = { errorCode: ErrorCode.NONE, leaderId: 1, replicaNodes: [1], isrNodes: [1], offlineReplicas: [] };
  const offline = { ...inSync, isrNodes: [], offlineReplicas: [1] };
  expect(topics[0]?.partitions).toMatchObject([inSync, offline, inSync]);
});

const all = { a: ['a', 0, 1, 2], b: ['b', 0, 1, 2], c: ['c', 0] };

test.each([['none', []] as [string, string[]], ['each', ['c', 'a', 'b']] as [string, string[]]])(
  'goes through all topics in order where %s is named',
  async (_what, names) => {
    const harness = await openWithTopics();
    expect(pageOf(await ask(harness, names))).toEqual({ topics: [all.a, all.b, all.c], next: null });
  },
);

test.each([
  [0, [['a', 0]], from('a', 1)],
  [-1, [['a', 0]], from('a', 1)],
  [1, [['a', 0]], from('a', 1)],
  [2, [['a', 0, 1]], from('a', 2)],
  [3, [all.a], from('b', 0)],
  [4, [all.a, ['b', 0]], from('b', 1)],
  [6, [all.a, all.b], from('c', 0)],
  [7, [all.a, all.b, all.c], null],
])('ends a page at the limit of %i', async (responsePartitionLimit, topics, next) => {
  const harness = await openWithTopics();
  expect(pageOf(await ask(harness, ['a', 'b', 'c'], { responsePartitionLimit }))).toEqual({ topics, next });
});

test("ends a page at the broker's limit as well", async () => {
  const harness = await openWithTopics({ 'max.request.partition.size.limit': '2' });
  expect(pageOf(await ask(harness, []))).toEqual({ topics: [['a', 0, 1]], next: from('a', 2) });
});

test.each([
  [from('b', 0), [all.b, all.c]],
  [from('b', 2), [['b', 2], all.c]],
  [from('b', 3), [['b'], all.c]],
  [from('c', 0), [all.c]],
])('goes on from %j', async (cursor, topics) => {
  const harness = await openWithTopics();
  expect(pageOf(await ask(harness, ['a', 'b', 'c'], { cursor }))).toEqual({ topics, next: null });
});

test('goes on behind a topic that is gone meanwhile, where all are asked for', async () => {
  const harness = await openWithTopics();
  expect(pageOf(await ask(harness, [], { cursor: from('aa', 1) }))).toEqual({ topics: [all.b, all.c], next: null });
});

test('page after page gives every partition once', async () => {
  const harness = await openWithTopics();
  const seen: string[] = [];
  let cursor: DescribeTopicPartitionsRequest['cursor'] = null;
  do {
    const page: DescribeTopicPartitionsResponse = await ask(harness, [], { responsePartitionLimit: 2, cursor });
    for (const { name, partitions } of page.topics) {
      seen.push(...partitions.map(({ partitionIndex }) => `${name}${partitionIndex}`));
    }
    cursor = page.nextCursor;
  } while (cursor !== null);
  expect(seen).toEqual(['a0', 'a1', 'a2', 'b0', 'b1', 'b2', 'c0']);
});

test.each([from('b', -1), from('bb', 0), from('zzz', 0)])('refuses the cursor %j', async (cursor) => {
  const harness = await openWithTopics();
  const refusal = { errorCode: ErrorCode.INVALID_REQUEST, topicId: zeroUuid, partitions: [] };
  const { topics, nextCursor } = await ask(harness, ['c', 'b'], { cursor });
  expect(topics).toMatchObject([
    { name: 'c', ...refusal },
    { name: 'b', ...refusal },
  ]);
  expect(nextCursor).toBeNull();
});

test('names what is missing, beside the rest', async () => {
  const harness = await openWithTopics();
  const { topics } = await ask(harness, ['none', 'c', 'a b', '__cluster_metadata']);
  expect(topics).toMatchObject([
    { name: '__cluster_metadata', errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, topicId: zeroUuid },
    { name: 'a b', errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION },
    { name: 'c', errorCode: ErrorCode.NONE },
    { name: 'none', errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, partitions: [] },
  ]);
});
