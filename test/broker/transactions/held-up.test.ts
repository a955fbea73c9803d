/** Transactions whose time is up while the broker's thread is held up. */

import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { BrokerHarness } from '../broker-harness.ts';
import { settle, TestProducer } from './test-producer.ts';

describe.each([true, false])('with transactions V2: %s', (isV2) => {
  test('its end that came in while the broker was held up comes before the end of its time', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const producer = new TestProducer(harness, 'id', isV2);
    await producer.init(15_000);
    if (!isV2) await producer.add(topic, 0);
    await producer.write(topic);
    let errorCode = -1;
    // A sweep is due at 20 s; it finds the time up while nothing was lost that would count.
    harness.clock.advance(19_950);
    await harness.clock.stall(90, async () => ({ errorCode } = await producer.end(true)));
    await settle();
    expect(errorCode).toBe(ErrorCode.NONE);
    expect(await producer.describe()).toMatchObject({ transactionState: 'CompleteCommit' });
  });

  test.each([
    ['over a sweep', 5000, 40_000],
    ['between two sweeps that are in time', 11_000, 7000],
  ])('its time stands while the broker is held up %s', async (_, beforeMs, heldUpMs) => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const producer = new TestProducer(harness, 'id', isV2);
    await producer.init(35_000);
    if (!isV2) await producer.add(topic, 0);
    await producer.write(topic);
    harness.clock.advance(beforeMs);
    await harness.clock.stall(heldUpMs);
    harness.clock.advance(35_000 - beforeMs);
    await settle();
    expect(await producer.describe()).toMatchObject({ transactionState: 'Ongoing' });
    harness.clock.advance(10_001);
    await settle();
    expect(await producer.describe()).toMatchObject({ transactionState: 'CompleteAbort' });
  });
});
