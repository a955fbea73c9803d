import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { deleteRecordsApi, type DeleteRecordsResponseTopics } from '../../../src/protocol/generated/index.ts';
import { batchOf, BrokerHarness, versionsOf } from '../broker-harness.ts';

/** A topic with four records in two batches. */
async function openWithRecords(configs: Record<string, string> = {}): Promise<BrokerHarness> {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('orders', 1, configs);
  const { log } = harness.broker.findPartition(topic, 0)!;
  for (const texts of [
    ['a', 'b'],
    ['c', 'd'],
  ]) {
    log.append(batchOf(texts), { durability: 'written', origin: 'client' }, () => {});
  }
  return harness;
}

async function deleteBefore(
  harness: BrokerHarness,
  version: number,
  ...offsets: [partitionIndex: number, offset: number][]
): Promise<DeleteRecordsResponseTopics['partitions']> {
  const partitions = offsets.map(([partitionIndex, offset]) => ({ partitionIndex, offset }));
  const topics = [{ name: 'orders', partitions }];
  const response = await harness.request(deleteRecordsApi, version, { topics, timeoutMs: 1000 });
  expect(response.topics).toMatchObject([{ name: 'orders' }]);
  return response.topics[0]!.partitions;
}

const refusal = (errorCode: ErrorCode, partitionIndex = 0) => ({ partitionIndex, lowWatermark: -1, errorCode });
const startOf = ({ broker }: BrokerHarness): number =>
  broker.findPartition(broker.topics.topic('orders'), 0)!.log.logStartOffset;

describe.each(versionsOf(deleteRecordsApi))('DeleteRecords version %i', (version) => {
  it('raises the start of the log', async () => {
    const harness = await openWithRecords();
    const done = (lowWatermark: number) => [{ partitionIndex: 0, lowWatermark, errorCode: ErrorCode.NONE }];
    expect(await deleteBefore(harness, version, [0, 3])).toEqual(done(3));
    // It never goes back.
    expect(await deleteBefore(harness, version, [0, 1])).toEqual(done(3));
    expect(await deleteBefore(harness, version, [0, -1])).toEqual(done(4));
    expect(startOf(harness)).toBe(4);
  });

  it('refuses offsets that are not there', async () => {
    const harness = await openWithRecords();
    for (const offset of [5, -2, 2 ** 62]) {
      expect(await deleteBefore(harness, version, [0, offset])).toEqual([refusal(ErrorCode.OFFSET_OUT_OF_RANGE)]);
    }
    expect(startOf(harness)).toBe(0);
  });

  it('refuses partitions that are not there', async () => {
    const harness = await openWithRecords();
    expect(await deleteBefore(harness, version, [1, 0], [-1, 0])).toEqual([
      refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 1),
      refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1),
    ]);
    const topics = [{ name: '__cluster_metadata', partitions: [{ partitionIndex: 0, offset: -1 }] }];
    const response = await harness.request(deleteRecordsApi, version, { topics });
    expect(response.topics).toMatchObject([{ partitions: [refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)] }]);
  });
});

test('goes by the last offset where a partition stands twice', async () => {
  const harness = await openWithRecords();
  const answers = await deleteBefore(harness, 2, [0, 9], [0, 1]);
  expect(answers).toEqual([{ partitionIndex: 0, lowWatermark: 1, errorCode: ErrorCode.NONE }]);
});

test.each([
  ['compact', ErrorCode.POLICY_VIOLATION],
  ['compact,delete', ErrorCode.NONE],
  ['', ErrorCode.NONE],
])('with cleanup.policy=%s answers %i', async (policy, errorCode) => {
  const harness = await openWithRecords({ 'cleanup.policy': policy });
  expect(await deleteBefore(harness, 2, [0, 1])).toMatchObject([{ errorCode }]);
  expect(startOf(harness)).toBe(errorCode === ErrorCode.NONE ? 1 : 0);
});

test('deletes nothing that consumers cannot read yet', async () => {
  const harness = await openWithRecords();
  harness.store.held = [];
  const { log } = harness.broker.findPartition(harness.broker.topics.topic('orders'), 0)!;
  log.append(batchOf(['e']), { durability: 'synced', origin: 'client' }, () => {});
  expect(await deleteBefore(harness, 2, [0, 5])).toEqual([refusal(ErrorCode.OFFSET_OUT_OF_RANGE)]);
  expect(await deleteBefore(harness, 2, [0, -1])).toMatchObject([{ lowWatermark: 4 }]);
});

test('never touches topics of coordinators', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('__consumer_offsets');
  const topics = [{ name: '__consumer_offsets', partitions: [{ partitionIndex: 0, offset: -1 }] }];
  const response = await harness.request(deleteRecordsApi, 2, { topics });
  expect(response.topics).toMatchObject([{ partitions: [refusal(ErrorCode.INVALID_TOPIC_EXCEPTION)] }]);
});
