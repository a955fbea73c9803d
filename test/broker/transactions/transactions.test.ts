import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import {
  describeTransactionsApi,
  deleteTopicsApi,
  listTransactionsApi,
} from '../../../src/protocol/generated/index.ts';
import { attributesAt, isControl, producerEpochAt } from '../../../src/records/record-batch.ts';
import { BrokerHarness } from '../broker-harness.ts';
import type { MemoryLog } from '../memory-log-store.ts';
import { offsetOf, settle, TestProducer } from './test-producer.ts';

function markersIn(harness: BrokerHarness, name: string, partition = 0): number[] {
  const log = harness.broker.topics.partition(harness.broker.topics.topic(name)!, partition) as MemoryLog;
  return log.batches.filter((batch) => isControl(attributesAt(batch, 0))).map((batch) => producerEpochAt(batch, 0));
}

describe.each([true, false])('with transactions V2: %s', (isV2) => {
  test('a transaction begins with its first partition and ends with a marker in each', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 3);
    const producer = new TestProducer(harness, 'id', isV2);
    expect(await producer.init()).toMatchObject({ errorCode: ErrorCode.NONE, producerEpoch: 0 });
    if (!isV2) expect(await producer.add(topic, 0, 2)).toBe(ErrorCode.NONE);
    expect(await producer.write(topic, 0)).toBe(ErrorCode.NONE);
    expect(await producer.write(topic, 2)).toBe(ErrorCode.NONE);
    const ongoing = await producer.describe();
    expect(ongoing).toMatchObject({ transactionState: 'Ongoing', transactionStartTimeMs: harness.clock.nowMs() });
    expect(ongoing.topics).toEqual([{ topic: 'topic', partitions: [0, 2] }]);
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    expect(await producer.describe()).toMatchObject({ transactionState: 'CompleteCommit', topics: [] });
    expect(producer.producerEpoch).toBe(isV2 ? 1 : 0);
    for (const partition of [0, 2]) expect(markersIn(harness, 'topic', partition)).toEqual([isV2 ? 1 : 0]);
    expect(markersIn(harness, 'topic', 1)).toEqual([]);
  });

  test('offsets become valid with the transaction, or never', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const producer = new TestProducer(harness, 'id', isV2);
    await producer.init();
    for (const [offset, committed] of [
      [5, false],
      [7, true],
      [9, false],
    ] as const) {
      if (!isV2) expect(await producer.addOffsets('group')).toBe(ErrorCode.NONE);
      const before = await offsetOf(harness, 'group', topic);
      expect(await producer.commitOffset('group', topic, offset)).toBe(ErrorCode.NONE);
      expect(await offsetOf(harness, 'group', topic)).toEqual(before);
      expect(await offsetOf(harness, 'group', topic, true)).toEqual([-1, ErrorCode.UNSTABLE_OFFSET_COMMIT]);
      expect((await producer.end(committed)).errorCode).toBe(ErrorCode.NONE);
      await settle();
      const after = committed ? [offset, ErrorCode.NONE] : before;
      expect(await offsetOf(harness, 'group', topic, true)).toEqual(after);
    }
  });

  test.each([true, false])(
    'an offset that is on its way when the transaction ends goes with it, commit: %s',
    async (committed) => {
      const harness = await BrokerHarness.open();
      const topic = await harness.createTopic('topic');
      const producer = new TestProducer(harness, 'id', isV2);
      await producer.init();
      if (!isV2) await producer.addOffsets('group');
      const rooms: (() => void)[] = [];
      harness.store.waitingForRoom = rooms;
      const given = producer.commitOffset('group', topic, 7);
      await settle();
      if (isV2) {
        // The group is added to the transaction.
        rooms.shift()!();
        await settle();
      }
      const append = rooms.shift()!;
      // Its client does not wait for it any more.
      const ended = producer.end(committed);
      await settle();
      rooms.shift()!();
      expect((await ended).errorCode).toBe(ErrorCode.NONE);
      await settle();
      harness.store.waitingForRoom = null;
      append();
      expect(await given).toBe(ErrorCode.NONE);
      await settle();
      expect(await producer.describe()).toMatchObject({
        transactionState: committed ? 'CompleteCommit' : 'CompleteAbort',
      });
      expect(await offsetOf(harness, 'group', topic, true)).toEqual([committed ? 7 : -1, ErrorCode.NONE]);
    },
  );

  test('another producer of the id aborts what is ongoing and fences it', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const old = new TestProducer(harness, 'id', isV2);
    await old.init();
    if (!isV2) await old.add(topic, 0);
    await old.write(topic);
    const next = new TestProducer(harness, 'id', isV2);
    expect((await next.init()).errorCode).toBe(ErrorCode.CONCURRENT_TRANSACTIONS);
    await settle();
    expect(await next.describe()).toMatchObject({ transactionState: 'CompleteAbort' });
    expect(await old.write(topic)).toBe(ErrorCode.INVALID_PRODUCER_EPOCH);
    expect(await next.init()).toMatchObject({ errorCode: ErrorCode.NONE, producerEpoch: 2 });
    expect((await old.end(true)).errorCode).toBe(ErrorCode.PRODUCER_FENCED);
    expect((await old.end(false)).errorCode).toBe(ErrorCode.PRODUCER_FENCED);
    expect(await old.write(topic)).toBe(ErrorCode.INVALID_PRODUCER_EPOCH);
    expect((await old.init(60_000, true)).errorCode).toBe(ErrorCode.PRODUCER_FENCED);
  });

  test('time that is up aborts a transaction, whose producer cannot commit any more', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const producer = new TestProducer(harness, 'id', isV2);
    await producer.init(15_000);
    if (!isV2) await producer.add(topic, 0);
    await producer.write(topic);
    harness.clock.advance(10_000);
    await settle();
    expect(await producer.describe()).toMatchObject({ transactionState: 'Ongoing' });
    harness.clock.advance(10_000);
    await settle();
    expect(await producer.describe()).toMatchObject({ transactionState: 'CompleteAbort', producerEpoch: 1 });
    expect(markersIn(harness, 'topic')).toEqual([1]);
    const { errorCode } = await producer.end(true);
    expect(errorCode).toBe(isV2 ? ErrorCode.INVALID_TXN_STATE : ErrorCode.PRODUCER_FENCED);
  });

  test('a start completes what was decided, and goes on with what was open', async () => {
    const before = await BrokerHarness.open();
    const topic = await before.createTopic('topic');
    const decided = new TestProducer(before, 'decided', isV2);
    const open = new TestProducer(before, 'open', isV2);
    for (const producer of [decided, open]) {
      await producer.init();
      if (!isV2) {
        await producer.add(topic, 0);
        await producer.addOffsets(producer.transactionalId);
      }
      await producer.write(topic);
      await producer.commitOffset(producer.transactionalId, topic, 4);
    }
    before.store.waitingForRoom = [];
    const asked = decided.end(true);
    // Only the decision reaches the log: the markers wait for room that never comes.
    before.store.waitingForRoom.shift()!();
    expect((await asked).errorCode).toBe(ErrorCode.NONE);
    expect(await decided.describe()).toMatchObject({ transactionState: 'PrepareCommit' });
    before.store.waitingForRoom = null;
    const after = await BrokerHarness.open({ store: before.store });
    await settle();
    decided.harness = open.harness = after;
    expect(await decided.describe()).toMatchObject({ transactionState: 'CompleteCommit' });
    expect(markersIn(after, 'topic')).toEqual([isV2 ? 1 : 0]);
    expect(await offsetOf(after, 'decided', topic, true)).toEqual([4, ErrorCode.NONE]);
    expect(await open.describe()).toMatchObject({ transactionState: 'Ongoing' });
    expect(await offsetOf(after, 'open', topic, true)).toEqual([-1, ErrorCode.UNSTABLE_OFFSET_COMMIT]);
    expect((await open.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    expect(await offsetOf(after, 'open', topic, true)).toEqual([4, ErrorCode.NONE]);
  });

  test('a write with acks=0 whose transaction has to begin first is no failure, and is stored then', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const producer = new TestProducer(harness, 'id', isV2);
    await producer.init();
    if (!isV2) await producer.add(topic, 0);
    harness.store.held = [];
    await producer.writeUnasked(topic);
    harness.store.finishHeld();
    await settle();
    expect(harness.connection.open).toBe(true);
    expect((harness.broker.topics.partition(topic, 0) as MemoryLog).batches).toHaveLength(1);
  });

  test('a write with acks=0 that its transaction does not take ends the connection, also where that is late', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const producer = new TestProducer(harness, 'id', isV2);
    await producer.init();
    harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
    if (isV2) {
      await producer.writeUnasked(topic);
      await settle();
      expect(harness.connection.open).toBe(false);
    } else await expect(producer.writeUnasked(topic)).rejects.toThrow('acks=0 failed');
    expect((harness.broker.topics.partition(topic, 0) as MemoryLog).batches).toHaveLength(0);
  });

  test('a topic that was deleted meanwhile does not hold up the end', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const kept = await harness.createTopic('kept');
    const producer = new TestProducer(harness, 'id', isV2);
    await producer.init();
    if (!isV2) {
      await producer.add(topic, 0);
      await producer.add(kept, 0);
    }
    await producer.write(topic);
    await producer.write(kept);
    await harness.request(deleteTopicsApi, 5, { topicNames: ['topic'], timeoutMs: 1000 });
    await harness.createTopic('topic');
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    expect(await producer.describe()).toMatchObject({ transactionState: 'CompleteCommit' });
    expect(markersIn(harness, 'topic')).toEqual([]);
    expect(markersIn(harness, 'kept')).toHaveLength(1);
  });

  test('markers that cannot be written are tried again', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const producer = new TestProducer(harness, 'id', isV2);
    await producer.init();
    if (!isV2) await producer.add(topic, 0);
    await producer.write(topic);
    harness.store.waitingForRoom = [];
    const asked = producer.end(true);
    harness.store.waitingForRoom.shift()!();
    expect((await asked).errorCode).toBe(ErrorCode.NONE);
    harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
    harness.store.waitingForRoom.shift()!();
    await settle();
    harness.store.waitingForRoom = null;
    expect(await producer.describe()).toMatchObject({ transactionState: 'PrepareCommit' });
    harness.clock.advance(100);
    await settle();
    expect(await producer.describe()).toMatchObject({ transactionState: 'PrepareCommit' });
    harness.store.failAppends = ErrorCode.NONE;
    harness.clock.advance(200);
    await settle();
    expect(await producer.describe()).toMatchObject({ transactionState: 'CompleteCommit' });
  });

  test('a step that is not durable has not been taken', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const producer = new TestProducer(harness, 'id', isV2);
    harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
    // The id of the producer could be had; the record of it could not be written.
    const failed = await producer.init();
    expect([ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]).toContain(failed.errorCode);
    expect((await producer.describe()).errorCode).toBe(ErrorCode.TRANSACTIONAL_ID_NOT_FOUND);
    harness.store.failAppends = ErrorCode.NONE;
    await producer.init();
    if (!isV2) await producer.add(topic, 0);
    await producer.write(topic);
    harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NOT_COORDINATOR);
    expect(await producer.describe()).toMatchObject({ transactionState: 'Ongoing', producerEpoch: 0 });
    harness.store.failAppends = ErrorCode.NONE;
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
  });

  test('an id whose epochs are used up has another producer id', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const producer = new TestProducer(harness, 'id', isV2);
    await producer.init();
    const first = producer.producerId;
    const { image } = harness.broker.transactions.find('id')!;
    harness.broker.transactions.find('id')!.image = { ...image, producerEpoch: 32_766 };
    producer.producerEpoch = 32_766;
    if (isV2) {
      await producer.write(topic);
      const before = producer.identity;
      const ended = await producer.end(true);
      expect(ended).toMatchObject({ errorCode: ErrorCode.NONE, producerEpoch: 0 });
      expect(ended.producerId).not.toBe(first);
      await settle();
      expect(markersIn(harness, 'topic')).toEqual([32_767]);
      expect(await producer.end(true, before)).toMatchObject({
        errorCode: ErrorCode.NONE,
        producerId: ended.producerId,
      });
      expect(await producer.describe()).toMatchObject({ producerId: ended.producerId, producerEpoch: 0 });
      expect(await producer.write(topic)).toBe(ErrorCode.NONE);
    } else {
      expect(await producer.init()).toMatchObject({ errorCode: ErrorCode.NONE, producerEpoch: 0 });
      expect(producer.producerId).not.toBe(first);
    }
  });
});

test('ids that nobody uses are forgotten, and what is open is not', async () => {
  const harness = await BrokerHarness.open({ config: { 'transactional.id.expiration.ms': '7200000' } });
  const topic = await harness.createTopic('topic');
  const idle = new TestProducer(harness, 'idle');
  await idle.init();
  const open = new TestProducer(harness, 'open');
  await open.init(900_000);
  await open.write(topic);
  harness.broker.transactions.find('open')!.image = {
    ...harness.broker.transactions.find('open')!.image,
    timeoutMs: 1_000_000_000,
  };
  const listed = async (): Promise<string[]> => {
    const { transactionStates } = await harness.request(listTransactionsApi, 1, {});
    return transactionStates.map(({ transactionalId }) => transactionalId);
  };
  harness.clock.advance(3_600_000);
  await settle();
  expect(await listed()).toEqual(['idle', 'open']);
  harness.clock.advance(3_600_000);
  await settle();
  expect(await listed()).toEqual(['open']);
  expect((await idle.end(false)).errorCode).toBe(ErrorCode.INVALID_PRODUCER_ID_MAPPING);
});

test('ids are listed by a pattern that they match as a whole, as RE2 understands it', async () => {
  const harness = await BrokerHarness.open();
  for (const id of ['copy-1', 'copy-2', 'copies', 'other']) await new TestProducer(harness, id).init();
  const listed = async (transactionalIdPattern: string | null, more = {}): Promise<readonly string[] | number> => {
    const answer = await harness.request(listTransactionsApi, 2, { transactionalIdPattern, ...more });
    return answer.errorCode || answer.transactionStates.map(({ transactionalId }) => transactionalId);
  };
  expect(await listed(null)).toEqual(['copy-1', 'copy-2', 'copies', 'other']);
  expect(await listed('')).toHaveLength(4);
  expect(await listed('copy')).toEqual([]);
  expect(await listed('copy-.*')).toEqual(['copy-1', 'copy-2']);
  expect(await listed('(?i)COPY-1|o.her')).toEqual(['copy-1', 'other']);
  expect(await listed('copy-.*', { stateFilters: ['Ongoing'] })).toEqual([]);
  for (const wrong of ['(', '[a', 'a{2,1}', '(?=a)', String.raw`\1`, 'a'.repeat(2049)]) {
    expect(await listed(wrong), wrong).toBe(ErrorCode.INVALID_REGULAR_EXPRESSION);
  }
});

describe('too much', () => {
  test('of partitions in one transaction has to be aborted', async () => {
    const harness = await BrokerHarness.open();
    const topics = [];
    for (let i = 0; i < 6; i++) topics.push(await harness.createTopic(`topic-${i}`, 10_000));
    const producer = new TestProducer(harness, 'id');
    await producer.init();
    const all = Array.from({ length: 10_000 }, (_, i) => i);
    for (const topic of topics.slice(0, 5)) expect(await producer.add(topic, ...all)).toBe(ErrorCode.NONE);
    expect(await producer.add(topics[5]!, 0)).toBe(ErrorCode.TRANSACTION_ABORTABLE);
    const ids = Array.from({ length: 10 }, () => 'id');
    const { transactionStates } = await harness.request(describeTransactionsApi, 0, { transactionalIds: ids });
    expect(transactionStates.map(({ errorCode }) => errorCode)).toEqual([
      ...Array.from({ length: 5 }, () => ErrorCode.NONE),
      ...Array.from({ length: 5 }, () => ErrorCode.INVALID_REQUEST),
    ]);
    expect((await producer.end(false)).errorCode).toBe(ErrorCode.NONE);
  });

  test('of what waits for the last transaction is refused, and the rest goes on', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 1, { 'max.message.bytes': '33554432' });
    const producer = new TestProducer(harness, 'id');
    await producer.init();
    await producer.write(topic);
    harness.store.waitingForRoom = [];
    const ended = producer.end(true);
    harness.store.waitingForRoom.shift()!();
    await ended;
    const rooms = harness.store.waitingForRoom;
    harness.store.waitingForRoom = null;
    const large = 'x'.repeat(25 * 1024 * 1024);
    const writes = [large, large, large, 'small'].map((text) => producer.write(topic, 0, text));
    await settle();
    for (const proceed of rooms) proceed();
    expect(await Promise.all(writes)).toEqual([
      ErrorCode.NONE,
      ErrorCode.NONE,
      ErrorCode.NOT_ENOUGH_REPLICAS,
      ErrorCode.NONE,
    ]);
    expect(harness.broker.transactions.admission.heldBytes).toBe(0);
  });
});
