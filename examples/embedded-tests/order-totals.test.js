/** Tests of an application on a broker of their own: it starts in milliseconds, and each test begins with nothing. */

import { json, startBroker, text } from 'millrace';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { startOrderTotals } from './order-totals.js';

/** @type {import('millrace').RunningBroker} */
let broker;
/** @type {() => Promise<void>} */
let stopApplication;

beforeAll(async () => {
  // Any free port, so that test files run beside one another.
  broker = await startBroker({ storage: 'memory', http: false });
});
afterAll(() => broker.close());

beforeEach(async () => {
  await broker.createTopic('orders', { partitions: 3 });
  await broker.createTopic('totals');
  stopApplication = await startOrderTotals(`127.0.0.1:${broker.kafka?.port}`);
});
afterEach(async () => {
  await stopApplication();
  await broker.reset();
});

/** @type {import('millrace').Serializer<{ total: number }>} */
const total = json();

it('adds up what a customer orders', async () => {
  await broker.produce('orders', [
    { key: 'ada', value: '{"amount":30}' },
    { key: 'ada', value: '{"amount":12}' },
  ]);
  const totals = broker.consume('totals', { key: text, value: total });
  expect((await totals.next()).value).toMatchObject({ key: 'ada', value: { total: 30 } });
  expect((await totals.next()).value).toMatchObject({ key: 'ada', value: { total: 42 } });
  await totals.return?.();
});

it('keeps customers apart, and knows nothing of the test before', async () => {
  await broker.produce('orders', [
    { key: 'ada', value: '{"amount":1}' },
    { key: 'grace', value: '{"amount":2}' },
  ]);
  /** @type {Map<string | null, number | undefined>} */
  const seen = new Map();
  for await (const { key, value } of broker.consume('totals', { key: text, value: total })) {
    seen.set(key, value?.total);
    if (seen.size === 2) break;
  }
  expect(Object.fromEntries(seen)).toEqual({ ada: 1, grace: 2 });
});
