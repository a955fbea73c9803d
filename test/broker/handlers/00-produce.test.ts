import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { noOffset } from '../../../src/base/numbers.ts';
import { parseUuid, zeroUuid } from '../../../src/base/uuid.ts';
import type { TopicImage } from '../../../src/broker/metadata-image.ts';
import {
  produceApi,
  type ProduceRequest,
  type ProduceResponseResponsesPartitionResponses,
} from '../../../src/protocol/generated/index.ts';
import { BatchBuilder } from '../../../src/records/batch-builder.ts';
import { writeInt32 } from '../../../src/records/big-endian.ts';
import { crc32c } from '../../../src/records/crc32c.ts';
import { batchField, Compression } from '../../../src/records/record-batch.ts';
import type { AppendResult } from '../../../src/storage/partition-log.ts';
import { batchOf, BrokerHarness, versionsOf } from '../broker-harness.ts';
import type { MemoryLog } from '../memory-log-store.ts';

const firstVersionWithIds = 13;
const latest = produceApi.stableVersion;
const unknownId = parseUuid('BBBBBBBBBBBBBBBBBBBBBA')!;

type Records = [index: number, records: Uint8Array | null];

function requestOf(topic: TopicImage, version: number, acks: number, ...partitions: Records[]): ProduceRequest {
  const partitionData = partitions.map(([index, records]) => ({ index, records }));
  const named =
    version >= firstVersionWithIds ? { name: '', topicId: topic.id } : { name: topic.name, topicId: zeroUuid };
  return { transactionalId: null, acks, timeoutMs: 1000, topicData: [{ ...named, partitionData }] };
}

async function produce(
  harness: BrokerHarness,
  version: number,
  fields: Partial<ProduceRequest>,
): Promise<ProduceResponseResponsesPartitionResponses[]> {
  const { responses } = await harness.request(produceApi, version, fields);
  return responses.flatMap(({ partitionResponses }) => partitionResponses);
}

const logOf = ({ broker }: BrokerHarness, topic: TopicImage, partition = 0) =>
  broker.findPartition(topic, partition)!.log as MemoryLog;
const refusal = (errorCode: ErrorCode) => ({ errorCode, baseOffset: -1, logAppendTimeMs: -1 });

describe.each(versionsOf(produceApi))('Produce version %i', (version) => {
  it.each([1, -1])('appends a batch per partition with acks=%i and says where', async (acks) => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('orders', 2);
    const fields = requestOf(topic, version, acks, [1, batchOf(['a', 'b'])], [0, batchOf(['c'])]);
    const logStartOffset = version >= 5 ? 0 : -1;
    const at = (index: number, baseOffset: number) => ({ index, errorCode: 0, baseOffset, logStartOffset });
    const { responses } = await harness.request(produceApi, version, fields);
    const { name, topicId } = fields.topicData[0]!;
    expect(responses).toMatchObject([{ name, topicId, partitionResponses: [at(1, 0), at(0, 0)] }]);
    expect(await produce(harness, version, fields)).toMatchObject([at(1, 2), at(0, 1)]);
    expect(logOf(harness, topic, 1).highWatermark).toBe(4);
    const options = { durability: acks === 1 ? 'written' : 'synced', origin: 'client' };
    expect(harness.store.appended.filter((append) => append.topic === 'orders')).toEqual(
      Array.from({ length: 4 }, () => ({ topic: 'orders', options })),
    );
  });

  it('answers nothing with acks=0', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('orders');
    await harness.send(produceApi, version, requestOf(topic, version, 0, [0, batchOf(['a'])]));
    expect(logOf(harness, topic).highWatermark).toBe(1);
    expect(harness.store.appended.at(-1)?.options).toEqual({ durability: 'none', origin: 'client' });
  });

  it('refuses one partition and appends to the others', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('orders');
    const batch = batchOf(['a']);
    expect(await produce(harness, version, requestOf(topic, version, 1, [7, batch], [0, batch]))).toMatchObject([
      { index: 7, ...refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) },
      { index: 0, errorCode: ErrorCode.NONE },
    ]);
  });

  it('refuses topics that are not there', async () => {
    const harness = await BrokerHarness.open();
    const gone = { name: 'none', id: unknownId, partitionCount: 1, configs: new Map<string, string>() };
    const errorCode =
      version >= firstVersionWithIds ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    expect(await produce(harness, version, requestOf(gone, version, 1, [0, batchOf(['a'])]))).toMatchObject([
      refusal(errorCode),
    ]);
  });

  it.each([2, -2, 32_767])('refuses acks=%i', async (acks) => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('orders');
    const answers = await produce(harness, version, requestOf(topic, version, acks, [0, batchOf(['a'])]));
    expect(answers).toMatchObject([refusal(ErrorCode.INVALID_REQUIRED_ACKS)]);
    expect(logOf(harness, topic).endOffset).toBe(0);
  });

  it('takes zstd from version 7 on', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('orders');
    const builder = new BatchBuilder(crc32c);
    builder.append({ key: null, value: Buffer.from('a'), timestampMs: 0 });
    const batch = builder.sealCompressed(Compression.ZSTD, builder.body);
    const errorCode = version >= 7 ? ErrorCode.NONE : ErrorCode.UNSUPPORTED_COMPRESSION_TYPE;
    expect(await produce(harness, version, requestOf(topic, version, 1, [0, batch]))).toMatchObject([{ errorCode }]);
  });
});

const changed = (change: (batch: Uint8Array) => void): Uint8Array => {
  const batch = batchOf(['a']);
  change(batch);
  return batch;
};
const transactional = new BatchBuilder(crc32c, { transactional: true, producerId: 1, producerEpoch: 0 });
transactional.append({ key: null, value: null, timestampMs: 0 });

test.each<[what: string, errorCode: ErrorCode, records: Uint8Array | null]>([
  ['no records', ErrorCode.INVALID_RECORD, null],
  ['empty records', ErrorCode.INVALID_RECORD, new Uint8Array()],
  ['a few bytes', ErrorCode.CORRUPT_MESSAGE, new Uint8Array(16)],
  ['an old format', ErrorCode.INVALID_RECORD, changed((batch) => (batch[batchField.magic] = 1))],
  ['a future format', ErrorCode.CORRUPT_MESSAGE, changed((batch) => (batch[batchField.magic] = 3))],
  ['a batch cut short', ErrorCode.INVALID_RECORD, batchOf(['a']).subarray(0, 66)],
  ['less than a prefix', ErrorCode.INVALID_RECORD, batchOf(['a']).subarray(0, 11)],
  ['no more than a prefix', ErrorCode.INVALID_RECORD, batchOf(['a']).subarray(0, 12)],
  [
    'a length short of a batch',
    ErrorCode.CORRUPT_MESSAGE,
    changed((batch) => writeInt32(batch, batchField.length, 48)),
  ],
  ['a length below the header', ErrorCode.CORRUPT_MESSAGE, changed((batch) => writeInt32(batch, batchField.length, 9))],
  ['a negative length', ErrorCode.CORRUPT_MESSAGE, changed((batch) => writeInt32(batch, batchField.length, -1))],
  ['two batches', ErrorCode.INVALID_RECORD, new Uint8Array(Buffer.concat([batchOf(['a']), batchOf(['b'])]))],
  ['a transaction of nobody', ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, transactional.seal()],
])('refuses %s', async (_what, errorCode, records) => {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('orders');
  const answers = await produce(harness, latest, requestOf(topic, latest, -1, [0, records]));
  expect(answers).toMatchObject([{ ...refusal(errorCode), errorMessage: expect.any(String) }]);
  expect(logOf(harness, topic).endOffset).toBe(0);
  // Without a response only the end of the connection tells the producer.
  const silent = harness.send(produceApi, latest, requestOf(topic, latest, 0, [0, records]));
  await expect(silent).rejects.toThrow('acks=0');
});

test('lets nobody write to topics and logs of coordinators', async () => {
  const harness = await BrokerHarness.open();
  const offsets = await harness.createTopic('__consumer_offsets');
  const records = batchOf(['a']);
  const answers = await produce(harness, 12, requestOf(offsets, 12, 1, [0, records]));
  expect(answers).toMatchObject([refusal(ErrorCode.INVALID_TOPIC_EXCEPTION)]);
  const log = { ...offsets, name: '__cluster_metadata' };
  const more = await produce(harness, 12, requestOf(log, 12, 1, [0, records]));
  expect(more).toMatchObject([refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]);
});

test('refuses what the ring could never take', async () => {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('orders');
  const large = new Uint8Array(harness.store.maxRequestBytes + 1);
  const answers = await produce(harness, latest, requestOf(topic, latest, 1, [0, large]));
  expect(answers).toMatchObject([refusal(ErrorCode.MESSAGE_TOO_LARGE)]);
});

test('passes on what the log says', async () => {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('orders');
  const result: AppendResult = {
    errorCode: ErrorCode.INVALID_TIMESTAMP,
    baseOffset: -1 as AppendResult['baseOffset'],
    logAppendTimeMs: 5,
    logStartOffset: 2 as AppendResult['logStartOffset'],
    errorMessage: 'Too old.',
    recordErrors: [{ index: 3, message: 'This one.' }],
  };
  logOf(harness, topic).append = (_batch, _options, listener) => listener(result);
  expect(await produce(harness, latest, requestOf(topic, latest, 1, [0, batchOf(['a'])]))).toMatchObject([
    {
      errorCode: ErrorCode.INVALID_TIMESTAMP,
      logAppendTimeMs: 5,
      logStartOffset: 2,
      errorMessage: 'Too old.',
      recordErrors: [{ batchIndex: 3, batchIndexErrorMessage: 'This one.' }],
    },
  ]);
});

test('answers once all partitions are as durable as asked', async () => {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('orders', 2);
  harness.store.held = [];
  let answered = false;
  const answer = produce(
    harness,
    latest,
    requestOf(topic, latest, -1, [0, batchOf(['a'])], [1, batchOf(['b'])]),
  ).finally(() => (answered = true));
  const [first, second] = harness.store.held;
  first!();
  await new Promise(setImmediate);
  expect(answered).toBe(false);
  second!();
  expect(await answer).toMatchObject([{ errorCode: ErrorCode.NONE }, { errorCode: ErrorCode.NONE }]);
  // What waited for time to run out does so no more.
  const waiting = harness.broker.produceDeadlines.count;
  harness.clock.advance(1000);
  expect(harness.broker.produceDeadlines.count).toBe(waiting);
});

test('says after its time which partitions it still waits for, and their records count all the same', async () => {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('orders', 2);
  harness.store.held = [];
  const fields = requestOf(topic, latest, -1, [0, batchOf(['a'])], [1, batchOf(['b'])]);
  const answer = produce(harness, latest, fields);
  const [first] = harness.store.held.splice(0, 1);
  first!();
  harness.clock.advance(1000);
  expect(await answer).toMatchObject([
    { index: 0, errorCode: ErrorCode.NONE, baseOffset: 0 },
    { index: 1, ...refusal(ErrorCode.REQUEST_TIMED_OUT) },
  ]);
  harness.store.finishHeld();
  expect(logOf(harness, topic, 1).highWatermark).toBe(1);
});

/** What waits for its time: timers, but for those that lists of deadlines keep for what comes next, and deadlines. */
function timersOf({ clock, broker }: BrokerHarness): number {
  return clock.pendingCount - broker.produceDeadlines.listCount + broker.produceDeadlines.count;
}

describe('batches that take long to check', () => {
  const batches = (...indexes: number[]): Records[] => indexes.map((index) => [index, batchOf([`to ${index}`])]);
  const turnMs = 100;

  /** A broker on whose clock each append to `slow` takes longer than a turn. */
  async function openSlow() {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('slow', 4);
    const order: number[] = [];
    for (let partition = 0; partition < 4; partition++) {
      const log = logOf(harness, topic, partition);
      const append = log.append.bind(log);
      log.append = (...args) => {
        order.push(partition);
        if (partition === 0) harness.clock.advance(turnMs + 1);
        append(...args);
      };
    }
    return { harness, topic, order };
  }

  it('go on in the next turn of the loop, in their order, while nothing else of the connection is served', async () => {
    const { harness, topic, order } = await openSlow();
    const answer = produce(harness, latest, requestOf(topic, latest, 1, ...batches(0, 1, 0, 2, 3)));
    expect(order).toEqual([0]);
    expect(harness.connection.muted).toBe(1);
    harness.clock.advance(1);
    expect(order).toEqual([0, 1, 0]);
    expect(harness.connection.muted).toBe(1);
    harness.clock.advance(2 * turnMs);
    expect(order).toEqual([0, 1, 0, 2, 3]);
    expect(harness.connection.muted).toBe(0);
    const codes = (await answer).map(({ index, errorCode, baseOffset }) => [index, errorCode, baseOffset]);
    const first = (index: number) => [index, ErrorCode.NONE, 0];
    expect(codes).toEqual([first(0), first(1), [0, ErrorCode.NONE, 1], first(2), first(3)]);
    expect(harness.broker.produceTurns.heldBytes).toBe(0);
  });

  it('wait for room of their own', async () => {
    const { harness, topic, order } = await openSlow();
    harness.store.waitingForRoom = [];
    const answer = produce(harness, latest, requestOf(topic, latest, 1, ...batches(0, 1, 2)));
    harness.clock.advance(1);
    expect(order).toEqual([0]);
    harness.store.waitingForRoom.shift()!();
    harness.clock.advance(1);
    harness.store.waitingForRoom.shift()!();
    harness.clock.advance(1);
    expect(order).toEqual([0, 1, 2]);
    expect((await answer).map(({ errorCode }) => errorCode)).toEqual([0, 0, 0]);
    expect(harness.connection.muted).toBe(0);
  });

  it('are dropped with their connection, and nothing is kept for them then', async () => {
    const { harness, topic, order } = await openSlow();
    const before = timersOf(harness);
    const request = { ...requestOf(topic, latest, 1, ...batches(0, 1, 2)), timeoutMs: 2 ** 31 - 1 };
    const answer = produce(harness, latest, request);
    harness.connection.close();
    harness.clock.advance(1);
    expect(order).toEqual([0]);
    expect(harness.broker.produceTurns.heldBytes).toBe(0);
    // Nor does the request wait for its time to be up.
    expect(timersOf(harness)).toBe(before);
    expect((await answer).map(({ errorCode }) => errorCode)).toEqual([
      ErrorCode.NONE,
      ErrorCode.REQUEST_TIMED_OUT,
      ErrorCode.REQUEST_TIMED_OUT,
    ]);
  });

  it.each(['at once', 'once there is room'])(
    'end their connection where one meets a defect %s, and nothing is kept for them then',
    async (when) => {
      const { harness, topic, order } = await openSlow();
      const before = timersOf(harness);
      logOf(harness, topic, 1).append = () => {
        throw new Error('a defect that a test plants');
      };
      const answer = produce(harness, latest, requestOf(topic, latest, 1, ...batches(0, 1, 2)));
      if (when === 'once there is room') harness.store.waitingForRoom = [];
      harness.clock.advance(1);
      harness.store.waitingForRoom?.shift()!();
      expect(order).toEqual([0]);
      expect(harness.connection.open).toBe(false);
      expect(harness.connection.muted).toBe(0);
      expect(harness.broker.produceTurns.heldBytes).toBe(0);
      expect(timersOf(harness)).toBe(before);
      expect((await answer).map(({ errorCode }) => errorCode)).toEqual([
        ErrorCode.NONE,
        ErrorCode.REQUEST_TIMED_OUT,
        ErrorCode.REQUEST_TIMED_OUT,
      ]);
    },
  );

  it('close the connection of a request with acks=0 where one of them is refused', async () => {
    const { harness, topic } = await openSlow();
    logOf(harness, topic, 1).append = (_batch, _options, listener) =>
      listener({
        errorCode: ErrorCode.CORRUPT_MESSAGE,
        baseOffset: noOffset,
        logAppendTimeMs: -1,
        logStartOffset: noOffset,
        errorMessage: null,
        recordErrors: [],
      });
    await harness.send(produceApi, latest, requestOf(topic, latest, 0, [0, batchOf(['a'])], [1, batchOf(['b'])]));
    expect(harness.connection.open).toBe(true);
    harness.clock.advance(1);
    expect(harness.connection.open).toBe(false);
  });
});

test('appends in the order of requests, without waiting for the earlier to be durable', async () => {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('orders');
  harness.store.held = [];
  const answers = ['a', 'b', 'c'].map((text) =>
    produce(harness, latest, requestOf(topic, latest, -1, [0, batchOf([text])])),
  );
  harness.store.finishHeld();
  const offsets = (await Promise.all(answers)).map(([answer]) => answer?.baseOffset);
  expect(offsets).toEqual([0, 1, 2]);
});

test('answers a request without topics', async () => {
  const harness = await BrokerHarness.open();
  expect(await produce(harness, latest, { acks: 1, topicData: [] })).toEqual([]);
});
