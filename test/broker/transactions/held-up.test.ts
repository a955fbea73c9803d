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
    await harness.clock.stall(18_000, async () => ({ errorCode } = await producer.end(true)));
    await settle();
    expect(errorCode).toBe(ErrorCode.NONE);
    expect(await producer.describe()).toMatchObject({ transactionState: 'CompleteCommit' });
  });

  test('what timed out while the broker was held up is spared by the sweep that is late, and aborted by the next', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const producer = new TestProducer(harness, 'id', isV2);
    await producer.init(35_000);
    if (!isV2) await producer.add(topic, 0);
    await producer.write(topic);
    await harness.clock.stall(40_000);
    await settle();
    expect(await producer.describe()).toMatchObject({ transactionState: 'Ongoing' });
    harness.clock.advance(10_000);
    await settle();
    expect(await producer.describe()).toMatchObject({ transactionState: 'CompleteAbort' });
  });
});
