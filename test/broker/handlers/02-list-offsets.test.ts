import { describe, expect, it, test, vi } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { listOffsetsApi, type ListOffsetsResponseTopicsPartitions } from '../../../src/protocol/generated/index.ts';
import { batchOf, BrokerHarness, versionsOf } from '../broker-harness.ts';

const startMs = Date.UTC(2026, 0, 1);
const epoch = 3;

/** A topic with offsets 0 and 1 at `startMs`, 2 a second and 3 half a second later. */
async function openWithRecords(): Promise<BrokerHarness> {
  const harness = await BrokerHarness.open();
  append(harness, await harness.createTopic('orders'), ['a', 'b'], startMs);
  append(harness, harness.broker.topics.topic('orders')!, ['c'], startMs + 1000);
  append(harness, harness.broker.topics.topic('orders')!, ['d'], startMs + 500);
  return harness;
}

function append(
  { broker }: BrokerHarness,
  topic: Parameters<BrokerHarness['broker']['findPartition']>[0],
  texts: readonly string[],
  timestampMs: number,
): void {
  const { log } = broker.findPartition(topic, 0)!;
  log.append(batchOf(texts, timestampMs), { durability: 'written', origin: 'client' }, () => {});
}

async function ask(
  harness: BrokerHarness,
  version: number,
  timestamp: number,
  more: { partitionIndex?: number; currentLeaderEpoch?: number; topic?: string; isolationLevel?: number } = {},
): Promise<ListOffsetsResponseTopicsPartitions> {
  const { partitionIndex = 0, currentLeaderEpoch = -1, topic = 'orders', isolationLevel = 0 } = more;
  const partitions = [{ partitionIndex, currentLeaderEpoch, timestamp }];
  const response = await harness.request(listOffsetsApi, version, {
    replicaId: -1,
    isolationLevel,
    topics: [{ name: topic, partitions }],
  });
  expect(response.topics).toHaveLength(1);
  expect(response.topics[0]).toMatchObject({ name: topic, partitions: [{ partitionIndex }] });
  return response.topics[0]!.partitions[0]!;
}

const found = (version: number, timestamp: number, offset: number) => ({
  errorCode: ErrorCode.NONE,
  timestamp,
  offset,
  leaderEpoch: version >= 4 ? epoch : -1,
});
const nothing = { timestamp: -1, offset: -1, leaderEpoch: -1 };

describe.each(versionsOf(listOffsetsApi))('ListOffsets version %i', (version) => {
  it('finds offsets by name and by time', async () => {
    const harness = await openWithRecords();
    expect(await ask(harness, version, -1)).toMatchObject(found(version, -1, 4));
    expect(await ask(harness, version, -2)).toMatchObject(found(version, -1, 0));
    expect(await ask(harness, version, startMs)).toMatchObject(found(version, startMs, 0));
    expect(await ask(harness, version, startMs + 1)).toMatchObject(found(version, startMs + 1000, 2));
    expect(await ask(harness, version, startMs + 2000)).toMatchObject({ errorCode: ErrorCode.NONE, ...nothing });
  });

  it('knows each name from the version on that brought it', async () => {
    const harness = await openWithRecords();
    const answers: [timestamp: number, firstVersion: number, answer: object][] = [
      [-3, 7, found(version, startMs + 1000, 2)],
      [-4, 8, found(version, -1, 0)],
      [-5, 9, { errorCode: ErrorCode.NONE, ...nothing }],
      [-6, 11, { errorCode: ErrorCode.NONE, ...nothing }],
      [-7, Infinity, {}],
    ];
    for (const [timestamp, firstVersion, answer] of answers) {
      const refusal = { errorCode: ErrorCode.UNSUPPORTED_VERSION, ...nothing };
      expect(await ask(harness, version, timestamp)).toMatchObject(version >= firstVersion ? answer : refusal);
    }
  });

  it('refuses what is not there', async () => {
    const harness = await openWithRecords();
    const missing = { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ...nothing };
    expect(await ask(harness, version, -1, { partitionIndex: 1 })).toMatchObject(missing);
    expect(await ask(harness, version, -1, { partitionIndex: -1 })).toMatchObject(missing);
    expect(await ask(harness, version, -1, { topic: 'none' })).toMatchObject(missing);
    expect(await ask(harness, version, -1, { topic: '__cluster_metadata' })).toMatchObject(missing);
  });

  it('answers a partition once that is named twice, with an error', async () => {
    const harness = await openWithRecords();
    const partition = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 };
    const topics = [{ name: 'orders', partitions: [partition, partition, { ...partition, partitionIndex: 7 }] }];
    const response = await harness.request(listOffsetsApi, version, { replicaId: -1, topics });
    expect(response.topics[0]?.partitions).toMatchObject([
      { partitionIndex: 0, errorCode: ErrorCode.INVALID_REQUEST, ...nothing },
      { partitionIndex: 7, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
    ]);
  });

  it('does so as well where the topic is named twice', async () => {
    const harness = await openWithRecords();
    const topic = { name: 'orders', partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }] };
    const response = await harness.request(listOffsetsApi, version, { replicaId: -1, topics: [topic, topic] });
    expect(response.topics).toMatchObject([
      { name: 'orders', partitions: [{ partitionIndex: 0, errorCode: ErrorCode.INVALID_REQUEST, ...nothing }] },
    ]);
  });
});

test('logs are searched one after the other, and no longer than somebody waits', async () => {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('orders', 5);
  let searching = 0;
  let searched = 0;
  const leaving = harness.connect();
  let leavesAfter = Infinity;
  for (let partition = 0; partition < topic.partitionCount; partition++) {
    vi.spyOn(harness.broker.findPartition(topic, partition)!.log, 'offsetForTimestamp').mockImplementation(async () => {
      expect(++searching).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      searching--;
      if (++searched === leavesAfter) leaving.close();
      return null;
    });
  }
  const partitions = [0, 1, 2, 3, 4].map((partitionIndex) => ({
    partitionIndex,
    currentLeaderEpoch: -1,
    timestamp: startMs,
  }));
  const request = { replicaId: -1, topics: [{ name: 'orders', partitions }] };
  const { topics } = await harness.request(listOffsetsApi, 1, request);
  expect(topics[0]!.partitions.map(({ offset }) => offset)).toEqual([-1, -1, -1, -1, -1]);
  searched = 0;
  leavesAfter = 3;
  await harness.request(listOffsetsApi, 1, request, leaving);
  expect(searched).toBe(3);
});

test.each(versionsOf(listOffsetsApi).filter((version) => version >= 4))(
  'holds the leader epoch against its own in version %i',
  async (version) => {
    const harness = await openWithRecords();
    expect(await ask(harness, version, -1, { currentLeaderEpoch: epoch })).toMatchObject(found(version, -1, 4));
    const older = { currentLeaderEpoch: epoch - 1 };
    expect(await ask(harness, version, -1, older)).toMatchObject({ errorCode: ErrorCode.FENCED_LEADER_EPOCH });
    const newer = { currentLeaderEpoch: epoch + 1 };
    expect(await ask(harness, version, -1, newer)).toMatchObject({ errorCode: ErrorCode.UNKNOWN_LEADER_EPOCH });
  },
);

test('gives the epoch of this run for the start of an empty log', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('orders');
  expect(await ask(harness, 4, -2)).toMatchObject(found(4, -1, 0));
  expect(await ask(harness, 4, -1)).toMatchObject(found(4, -1, 0));
});

test('gives no offset past the high watermark', async () => {
  const harness = await openWithRecords();
  harness.store.held = [];
  append(harness, harness.broker.topics.topic('orders')!, ['e'], startMs + 9000);
  expect(await ask(harness, 11, -1)).toMatchObject({ offset: 4 });
  expect(await ask(harness, 11, startMs + 9000)).toMatchObject(nothing);
  expect(await ask(harness, 11, -3)).toMatchObject(nothing);
  harness.store.finishHeld();
  expect(await ask(harness, 11, startMs + 9000)).toMatchObject({ offset: 4, timestamp: startMs + 9000 });
});

test.each([0, 1])('knows isolation level %i', async (isolationLevel) => {
  expect(await ask(await openWithRecords(), 2, -1, { isolationLevel })).toMatchObject({ offset: 4 });
});

test('refuses isolation levels that it does not know', async () => {
  const answer = await ask(await openWithRecords(), 2, -1, { isolationLevel: 2 });
  expect(answer).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST, ...nothing });
});
