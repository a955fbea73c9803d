/** Transactions that end and begin while others are aborted, and ids that nobody used for long. */

import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { BrokerHarness } from '../broker-harness.ts';
import { settle, TestProducer } from './test-producer.ts';

/** What becomes of `step` where the disk takes one append after the other. */
async function onDisk<Result>(held: (() => void)[], step: Promise<Result>): Promise<Result> {
  let isOver = false;
  const end = (): void => void (isOver = true);
  step.then(end, end);
  while (!isOver) {
    held.shift()?.();
    await settle();
  }
  return step;
}

test('who ends a transaction whose time is up, and begins the next, before its turn to be aborted has come goes on', async () => {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('topic');
  const producers = Array.from({ length: 30 }, (_, i) => new TestProducer(harness, `id ${i}`));
  for (const producer of producers) {
    await producer.init(15_000);
    expect(await producer.write(topic)).toBe(ErrorCode.NONE);
  }
  const last = producers.at(-1)!;
  // A sweep before their time is up, which is over before the next.
  harness.clock.advance(10_000);
  await settle();
  const held: (() => void)[] = [];
  harness.store.held = held;
  harness.clock.advance(10_000);
  expect(await onDisk(held, last.end(true))).toMatchObject({ errorCode: ErrorCode.NONE });
  while ((await last.describe()).transactionState !== 'CompleteCommit') {
    held.shift()?.();
    await settle();
  }
  expect(await onDisk(held, last.write(topic))).toBe(ErrorCode.NONE);
  // Others still wait for their turn.
  expect(await producers.at(-2)!.describe()).toMatchObject({ transactionState: 'Ongoing' });
  harness.store.finishHeld();
  await settle();
  for (const producer of producers.slice(0, -1)) {
    expect(await producer.describe()).toMatchObject({ transactionState: 'CompleteAbort' });
  }
  expect(await last.describe()).toMatchObject({ transactionState: 'Ongoing' });
  expect(await last.end(true)).toMatchObject({ errorCode: ErrorCode.NONE });
});

test('ids are forgotten also where all of them are more than one batch may hold', async () => {
  const harness = await BrokerHarness.open({ config: { 'transactional.id.expiration.ms': '60000' } });
  const { transactions } = harness.broker;
  const idOf = (i: number): string => `${i}`.padEnd(32_000, 'x');
  for (let i = 0; i < 300; i++) {
    expect(await transactions.initProducer(idOf(i), 15_000, null)).toMatchObject({ errorCode: ErrorCode.NONE });
  }
  harness.clock.advance(60 * 60_000);
  await settle();
  expect([...transactions.all()]).toHaveLength(0);
});
