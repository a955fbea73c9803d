/** Writes of transactions that take longer than a turn, and defects that come up in what was let in late. */

import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import type { TopicImage } from '../../../src/broker/metadata-image.ts';
import { BrokerHarness } from '../broker-harness.ts';
import type { MemoryLog } from '../memory-log-store.ts';
import { settle, TestProducer } from './test-producer.ts';

/** Longer than the batches of one request may take the thread at a time. */
const longMs = 101;

const logOf = ({ broker }: BrokerHarness, topic: TopicImage, partition: number) =>
  broker.topics.partition(topic, partition) as MemoryLog;

/** A producer, and a broker on whose clock each of its batches in partition 0 takes longer than a turn. */
async function opened(isV2: boolean) {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('topic', 3);
  const order: number[] = [];
  for (const partition of [0, 1, 2]) {
    const log = logOf(harness, topic, partition);
    const append = log.append.bind(log);
    log.append = (...args) => {
      if (args[1].origin === 'client') {
        order.push(partition);
        if (partition === 0) harness.clock.advance(longMs);
      }
      append(...args);
    };
  }
  const producer = new TestProducer(harness, 'id', isV2);
  await producer.init();
  if (!isV2) for (const partition of [0, 1, 2]) expect(await producer.add(topic, partition)).toBe(ErrorCode.NONE);
  return { harness, topic, producer, order };
}

function expectNothingKept({ broker, connection }: BrokerHarness): void {
  expect(connection.muted).toBe(0);
  expect(broker.produceTurns.heldBytes).toBe(0);
  expect(broker.transactions.admission.heldBytes).toBe(0);
}

describe('transactional batches that take long to check', () => {
  it.each([
    ['classic', false],
    ['second', true],
  ])('let others come between them, in the %s generation', async (_generation, isV2) => {
    const { harness, topic, producer, order } = await opened(isV2);
    const answer = producer.writeAll(topic, [0, 1, 0, 2]);
    await settle();
    expect(order).toEqual([0]);
    expect(harness.connection.muted).toBeGreaterThan(0);
    harness.clock.advance(1);
    expect(order).toEqual([0, 1, 0]);
    expect(harness.connection.muted).toBeGreaterThan(0);
    harness.clock.advance(2 * longMs);
    expect(order).toEqual([0, 1, 0, 2]);
    expect(await answer).toEqual([ErrorCode.NONE, ErrorCode.NONE, ErrorCode.NONE, ErrorCode.NONE]);
    expectNothingKept(harness);
  });

  it('are refused behind the end of their transaction by the coordinator, where no epoch tells', async () => {
    const { harness, topic, producer, order } = await opened(false);
    const answer = producer.writeAll(topic, [0, 1, 2]);
    await settle();
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    harness.clock.advance(1);
    expect(order).toEqual([0]);
    const { TRANSACTION_ABORTABLE } = ErrorCode;
    expect(await answer).toEqual([ErrorCode.NONE, TRANSACTION_ABORTABLE, TRANSACTION_ABORTABLE]);
    expectNothingKept(harness);
  });

  it('are dropped with their connection, whether they wait for a turn or to be let in', async () => {
    const { harness, topic, producer, order } = await opened(true);
    const { clock, broker } = harness;
    // The lists of deadlines keep a timer for what comes next.
    const timers = (): number => clock.pendingCount - broker.produceDeadlines.listCount;
    const before = timers();
    const first = producer.writeAll(topic, [0, 1]);
    await settle();
    const second = producer.writeAll(topic, [0, 2]);
    harness.connection.close();
    harness.clock.advance(1);
    await settle();
    expect(await first).toEqual([ErrorCode.NONE, ErrorCode.REQUEST_TIMED_OUT]);
    expect(await second).toEqual([ErrorCode.REQUEST_TIMED_OUT, ErrorCode.REQUEST_TIMED_OUT]);
    expect(order).toEqual([0]);
    expect([timers(), broker.produceDeadlines.count]).toEqual([before, 0]);
    expectNothingKept(harness);
  });
});

test('a write that was let in late and meets a defect ends its connection alone', async () => {
  const { harness, topic, producer } = await opened(true);
  logOf(harness, topic, 1).append = () => {
    throw new Error('a defect that a test plants');
  };
  const other = harness.connect();
  const beside = new TestProducer(
    {
      request: (api, version, fields) => harness.request(api, version, fields, other),
      send: () => {
        throw new Error('every write is answered');
      },
    },
    'id',
  );
  Object.assign(beside, { producerId: producer.producerId, producerEpoch: producer.producerEpoch });
  const failed = producer.write(topic, 1);
  const next = beside.write(topic, 2);
  expect(await failed).toBe(ErrorCode.REQUEST_TIMED_OUT);
  expect(harness.connection.open).toBe(false);
  expect(await next).toBe(ErrorCode.NONE);
  expect(other.open).toBe(true);
  expectNothingKept(harness);
});

test('a commit of offsets that was let in late and meets a defect ends its connection alone', async () => {
  const { harness, topic, producer } = await opened(true);
  const { commits } = harness.broker.groups;
  const commit = commits.commit.bind(commits);
  let isFirst = true;
  commits.commit = (...args) => {
    if (!isFirst) return commit(...args);
    isFirst = false;
    throw new Error('a defect that a test plants');
  };
  const failed = producer.commitOffset('group', topic, 1);
  const next = producer.commitOffset('group', topic, 2);
  await expect(failed).rejects.toThrow('a defect that a test plants');
  expect(await next).toBe(ErrorCode.NONE);
});
