/** How often connections may come from an address: which limit fits, how long one that comes too early waits. */

import { expect, test } from 'vitest';
import { alterClientQuotasApi } from '../../../src/protocol/generated/index.ts';
import { BrokerHarness } from '../broker-harness.ts';

async function limit(harness: BrokerHarness, address: string | null, value: number | null): Promise<void> {
  const entity = [{ entityType: 'ip', entityName: address }];
  const ops = [{ key: 'connection_creation_rate', value: value ?? 0, remove: value === null }];
  const entries = [{ entity, ops }];
  const { entries: answers } = await harness.request(alterClientQuotasApi, 1, { entries, validateOnly: false });
  expect(answers[0]!.errorCode).toBe(0);
}

/** How many connections in a row come in from the address. */
function admitted({ broker: { connectionRates } }: BrokerHarness, address: string, most = 1000): number {
  let count = 0;
  while (count < most && connectionRates.throttleMs(address) === 0) count++;
  return count;
}

test('who has no limit is never held up', async () => {
  const harness = await BrokerHarness.open();
  expect(admitted(harness, '192.0.2.1')).toBe(1000);
  await limit(harness, '192.0.2.2', 1);
  expect(admitted(harness, '192.0.2.1')).toBe(1000);
});

test('a burst of all windows but the current comes in, and what is above waits until the rate is within the limit', async () => {
  const harness = await BrokerHarness.open();
  await limit(harness, '192.0.2.1', 5);
  const { connectionRates } = harness.broker;
  expect(admitted(harness, '192.0.2.1')).toBe(50);
  expect(connectionRates.throttleMs('192.0.2.1')).toBe(200);
  // Those that were held up do not count.
  expect(connectionRates.throttleMs('192.0.2.1')).toBe(200);
  harness.clock.advance(11_000);
  expect(admitted(harness, '192.0.2.1')).toBe(50);
});

test('nobody is held up for longer than a window', async () => {
  const harness = await BrokerHarness.open({ config: { 'quota.window.num': '2' } });
  await limit(harness, null, 1);
  const { connectionRates } = harness.broker;
  expect(connectionRates.throttleMs('192.0.2.1')).toBe(0);
  expect(connectionRates.throttleMs('192.0.2.1')).toBe(1000);
});

test('an address has its own limit, however it is written, and else the default', async () => {
  const harness = await BrokerHarness.open();
  await limit(harness, null, 1);
  await limit(harness, '2001:0DB8:0:0:0:0:0:1', 3);
  expect(admitted(harness, '2001:db8::1')).toBe(30);
  expect(admitted(harness, '2001:db8::2')).toBe(10);
  await limit(harness, '2001:0DB8:0:0:0:0:0:1', null);
  await limit(harness, null, null);
  expect(admitted(harness, '2001:db8::2')).toBe(1000);
});

test('connections to the broker wait while there are more in a second than its setting says', async () => {
  const config = { 'quota.window.num': '3', 'max.connection.creation.rate': '10' };
  const harness = await BrokerHarness.open({ config });
  const { connectionRates } = harness.broker;
  const waits = Array.from({ length: 22 }, () => connectionRates.waitMs());
  // Two windows are full from the start; those above are let in all the same, later and later.
  expect(waits).toEqual([...Array.from({ length: 20 }, () => 0), 100, 200]);
  harness.clock.advance(5000);
  expect(connectionRates.waitMs()).toBe(0);
  const unlimited = await BrokerHarness.open();
  for (let i = 0; i < 1000; i++) expect(unlimited.broker.connectionRates.waitMs()).toBe(0);
});
