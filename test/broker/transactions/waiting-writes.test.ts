/** Writes and ends that come while the transaction before theirs is being completed. */

import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { BrokerHarness } from '../broker-harness.ts';
import type { MemoryLog } from '../memory-log-store.ts';
import { settle, TestProducer } from './test-producer.ts';

async function begun() {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('topic');
  const producer = new TestProducer(harness, 'id');
  await producer.init();
  return { harness, topic, producer };
}

test('a write behind the end of the last transaction waits for its markers, in order', async () => {
  const { harness, topic, producer } = await begun();
  await producer.write(topic);
  harness.store.waitingForRoom = [];
  const ended = producer.end(true);
  harness.store.waitingForRoom.shift()!();
  await ended;
  const rooms = harness.store.waitingForRoom;
  harness.store.waitingForRoom = null;
  const writes = [producer.write(topic, 0, 'one'), producer.write(topic, 0, 'two'), producer.write(topic, 0, 'three')];
  const log = harness.broker.topics.partition(topic, 0) as MemoryLog;
  await settle();
  expect(log.batches).toHaveLength(1);
  for (const proceed of rooms) proceed();
  expect(await Promise.all(writes)).toEqual([ErrorCode.NONE, ErrorCode.NONE, ErrorCode.NONE]);
  const texts = log.batches.map((batch) => /one|two|three|a record/.exec(Buffer.from(batch).toString('latin1'))?.[0]);
  expect(texts).toEqual(['a record', undefined, 'one', 'two', 'three']);
});

test('a write goes on once the last transaction is complete, at whatever step of it it came', async () => {
  const { harness, topic, producer } = await begun();
  let written = 0;
  // The clock stands: what misses that the transaction has become complete waits for ever.
  for (let steps = 0; steps < 60; steps++) {
    expect(await producer.write(topic)).toBe(ErrorCode.NONE);
    const ending = producer.end(true);
    for (let i = 0; i < steps; i++) await Promise.resolve();
    const next = new TestProducer(harness, 'id');
    Object.assign(next, { producerId: producer.producerId, producerEpoch: steps * 2 + 1 });
    const errorCode = await next.write(topic);
    expect((await ending).errorCode).toBe(ErrorCode.NONE);
    // Before the end is durable nobody has the next epoch.
    if (errorCode === ErrorCode.NONE) written++;
    else expect(errorCode).toBe(ErrorCode.INVALID_PRODUCER_EPOCH);
    await settle();
    await next.end(false);
    await settle();
    Object.assign(producer, next.identity);
  }
  expect(written).toBeGreaterThan(0);
});

test('an end right behind the last one is to come again until the markers are written, and its client is not fenced', async () => {
  const { harness, topic, producer } = await begun();
  await producer.write(topic);
  harness.store.waitingForRoom = [];
  const ended = producer.end(true);
  harness.store.waitingForRoom.shift()!();
  expect((await ended).errorCode).toBe(ErrorCode.NONE);
  const rooms = harness.store.waitingForRoom;
  harness.store.waitingForRoom = null;
  for (const committed of [false, true]) {
    expect((await producer.end(committed)).errorCode).toBe(ErrorCode.CONCURRENT_TRANSACTIONS);
  }
  const zombie = { ...producer.identity, producerEpoch: producer.producerEpoch - 2 };
  expect((await producer.end(false, zombie)).errorCode).toBe(ErrorCode.PRODUCER_FENCED);
  for (const proceed of rooms) proceed();
  await settle();
  expect(await producer.describe()).toMatchObject({ transactionState: 'CompleteCommit' });
  expect((await producer.end(false)).errorCode).toBe(ErrorCode.NONE);
  expect(await producer.write(topic)).toBe(ErrorCode.NONE);
});

test('a write that waits too long for the last transaction hears of it', async () => {
  const { harness, topic, producer } = await begun();
  await producer.write(topic);
  harness.store.waitingForRoom = [];
  const ended = producer.end(true);
  harness.store.waitingForRoom.shift()!();
  await ended;
  const write = producer.write(topic);
  await settle();
  harness.clock.advance(100);
  expect(await write).toBe(ErrorCode.CONCURRENT_TRANSACTIONS);
});
