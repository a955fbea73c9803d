/** Telemetry of clients through the dispatcher, with pushes encoded here as OpenTelemetry's protocol has them. */

import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { zeroUuid, type Uuid } from '../../../src/base/uuid.ts';
import { MalformedMetrics, readMetrics } from '../../../src/broker/telemetry/otlp-metrics.ts';
import { telemetryText } from '../../../src/broker/telemetry/telemetry-text.ts';
import {
  getTelemetrySubscriptionsApi,
  incrementalAlterConfigsApi,
  pushTelemetryApi,
  type GetTelemetrySubscriptionsResponse,
} from '../../../src/protocol/generated/index.ts';
import { BrokerHarness } from '../broker-harness.ts';

const me = 'BBBBBBBBBBBBBBBBBBBBBA' as Uuid;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}

function field(number: number, body: Uint8Array | number[] | string): Buffer {
  const bytes = Buffer.from(body as string);
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
}

function fixed64(number: number, write: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = number * 8 + 1;
  write(bytes);
  return bytes;
}

const double = (number: number, value: number) => fixed64(number, (bytes) => bytes.writeDoubleLE(value, 1));
const integer = (number: number, value: bigint) => fixed64(number, (bytes) => bytes.writeBigInt64LE(value, 1));
const attribute = (name: string, value: string) => field(7, Buffer.concat([field(1, name), field(2, field(1, value))]));
const gauge = (name: string, ...points: Buffer[]) =>
  field(2, Buffer.concat([field(1, name), field(5, Buffer.concat(points.map((point) => field(1, point))))]));
const sum = (name: string, temporality: number, ...points: Buffer[]) => {
  const data = [...points.map((point) => field(1, point)), Buffer.from([2 * 8, temporality, 3 * 8, 1])];
  return field(2, Buffer.concat([field(7, Buffer.concat(data)), field(1, name)]));
};
const pushOf = (...metrics: Buffer[]) => field(1, Buffer.concat([field(1, []), field(2, Buffer.concat(metrics))]));

async function subscribed(configs: Record<string, string>): Promise<BrokerHarness> {
  const harness = await BrokerHarness.open();
  await setSubscription(harness, 'all', configs);
  return harness;
}

async function setSubscription(harness: BrokerHarness, name: string, configs: Record<string, string>): Promise<void> {
  const changes = Object.entries(configs).map(([key, value]) => ({ name: key, configOperation: 0, value }));
  const resources = [{ resourceType: 16, resourceName: name, configs: changes }];
  const { responses } = await harness.request(incrementalAlterConfigsApi, 1, { resources });
  expect(responses[0]?.errorCode).toBe(ErrorCode.NONE);
}

const ask = (harness: BrokerHarness, clientInstanceId: Uuid = me): Promise<GetTelemetrySubscriptionsResponse> =>
  harness.request(getTelemetrySubscriptionsApi, 0, { clientInstanceId });

async function push(
  harness: BrokerHarness,
  subscriptionId: number,
  metrics: Uint8Array,
  more: { clientInstanceId?: Uuid; compressionType?: number; terminating?: boolean } = {},
): Promise<number> {
  const fields = { clientInstanceId: me, subscriptionId, compressionType: 0, terminating: false, metrics, ...more };
  return (await harness.request(pushTelemetryApi, 0, fields)).errorCode;
}

const text = (harness: BrokerHarness) => telemetryText(harness.broker.telemetry.clients());

test('a client is asked for nothing where there is no subscription, and given an id where it has none', async () => {
  const harness = await BrokerHarness.open();
  const first = await ask(harness, zeroUuid);
  expect(first).toMatchObject({
    errorCode: 0,
    acceptedCompressionTypes: [4, 3, 1, 2],
    pushIntervalMs: 300_000,
    telemetryMaxBytes: 1_048_576,
    deltaTemporality: true,
    requestedMetrics: [],
  });
  expect(first.clientInstanceId).not.toBe(zeroUuid);
  expect((await ask(harness, zeroUuid)).clientInstanceId).not.toBe(first.clientInstanceId);
});

test('subscriptions that match are joined, and a change is told at once', async () => {
  const harness = await subscribed({ metrics: 'a.,b.', 'interval.ms': '5000', match: 'client_id=te.t' });
  await setSubscription(harness, 'other', { metrics: 'c.', match: 'client_id=another' });
  await setSubscription(harness, 'too', { metrics: 'b.,d.', 'interval.ms': '7000' });
  const first = await ask(harness);
  expect(first.requestedMetrics.toSorted()).toEqual(['a.', 'b.', 'd.']);
  expect(first.pushIntervalMs).toBe(5000);
  expect((await ask(harness)).errorCode).toBe(ErrorCode.THROTTLING_QUOTA_EXCEEDED);
  await setSubscription(harness, 'too', { metrics: '*' });
  const second = await ask(harness);
  expect(second).toMatchObject({ errorCode: 0, requestedMetrics: ['*'] });
  expect(second.subscriptionId).not.toBe(first.subscriptionId);
  harness.clock.advance(5000);
  expect(await ask(harness)).toMatchObject({ errorCode: 0, subscriptionId: second.subscriptionId });
});

test('what a client pushes is shown: the last of gauges, the sum of deltas, totals as they are', async () => {
  const harness = await subscribed({ metrics: '*', 'interval.ms': '1000' });
  const { subscriptionId } = await ask(harness);
  const metrics = (value: number) =>
    pushOf(
      gauge(
        'org.apache.kafka.producer.node.request.latency.avg',
        Buffer.concat([attribute('node_id', 'a"b'), double(4, value)]),
      ),
      sum('sent.total', 1, integer(6, BigInt(value))),
      sum('since.start', 2, integer(6, -BigInt(value))),
      // A histogram, which is stepped over.
      field(2, Buffer.concat([field(1, 'h'), field(9, field(1, []))])),
    );
  expect(await push(harness, subscriptionId, metrics(7))).toBe(ErrorCode.NONE);
  harness.clock.advance(1000);
  expect(await push(harness, subscriptionId, gzipSync(metrics(5)), { compressionType: 1 })).toBe(ErrorCode.NONE);
  const labels = `client_id="test",client_instance_id="${me}",client_software_name="unknown",client_software_version="unknown"`;
  expect(text(harness)).toBe(
    [
      '# HELP org_apache_kafka_producer_node_request_latency_avg Told by clients (KIP-714).',
      '# TYPE org_apache_kafka_producer_node_request_latency_avg gauge',
      `org_apache_kafka_producer_node_request_latency_avg{${labels},node_id="a\\"b"} 5`,
      '# HELP sent_total Told by clients (KIP-714).',
      '# TYPE sent_total counter',
      `sent_total{${labels}} 12`,
      '# HELP since_start Told by clients (KIP-714).',
      '# TYPE since_start counter',
      `since_start{${labels}} -5`,
      '',
    ].join('\n'),
  );
  harness.clock.advance(3001);
  expect(text(harness)).toBe('');
});

test('pushes come in their interval, and the last may come at any time', async () => {
  const harness = await subscribed({ metrics: '*', 'interval.ms': '1000' });
  const { subscriptionId } = await ask(harness);
  const nothing = new Uint8Array(0);
  expect(await push(harness, subscriptionId, nothing)).toBe(ErrorCode.NONE);
  harness.clock.advance(999);
  expect(await push(harness, subscriptionId, nothing)).toBe(ErrorCode.THROTTLING_QUOTA_EXCEEDED);
  harness.clock.advance(1);
  expect(await push(harness, subscriptionId, nothing)).toBe(ErrorCode.NONE);
  expect(await push(harness, subscriptionId, pushOf(gauge('g', double(4, 1))), { terminating: true })).toBe(
    ErrorCode.NONE,
  );
  harness.clock.advance(1000);
  expect(await push(harness, subscriptionId, nothing)).toBe(ErrorCode.INVALID_REQUEST);
});

test('whoever pushed for a subscription that is over asks again at once, whoever pushed too early does not', async () => {
  const harness = await subscribed({ metrics: '*', 'interval.ms': '1000' });
  const { subscriptionId } = await ask(harness);
  const nothing = new Uint8Array(0);
  harness.clock.advance(1);
  expect(await push(harness, subscriptionId + 1, nothing)).toBe(ErrorCode.UNKNOWN_SUBSCRIPTION_ID);
  harness.clock.advance(1);
  expect(await ask(harness)).toMatchObject({ errorCode: ErrorCode.NONE, subscriptionId });
  harness.clock.advance(998);
  expect(await push(harness, subscriptionId, nothing)).toBe(ErrorCode.THROTTLING_QUOTA_EXCEEDED);
  harness.clock.advance(1);
  expect(await push(harness, subscriptionId, nothing)).toBe(ErrorCode.NONE);
  expect(await push(harness, subscriptionId, nothing)).toBe(ErrorCode.THROTTLING_QUOTA_EXCEEDED);
  expect((await ask(harness)).errorCode).toBe(ErrorCode.THROTTLING_QUOTA_EXCEEDED);
});

describe('a push is refused', () => {
  test.each<[string, number, number, Uint8Array, object]>([
    ['of nobody', ErrorCode.INVALID_REQUEST, 0, new Uint8Array(0), { clientInstanceId: zeroUuid }],
    ['for another subscription', ErrorCode.UNKNOWN_SUBSCRIPTION_ID, 1, new Uint8Array(0), {}],
    ['in an unknown codec', ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, 0, new Uint8Array(0), { compressionType: 5 }],
    ['that is too large', ErrorCode.TELEMETRY_TOO_LARGE, 0, new Uint8Array(1_048_577), {}],
    ['that does not inflate', ErrorCode.INVALID_RECORD, 0, new Uint8Array(10), { compressionType: 1 }],
    [
      'that inflates to too much',
      ErrorCode.INVALID_RECORD,
      0,
      gzipSync(Buffer.alloc(17 << 20)),
      { compressionType: 1 },
    ],
    ['that is no message', ErrorCode.INVALID_RECORD, 0, Buffer.from([0x0a, 0xff]), {}],
  ])('%s', async (_what, errorCode, other, metrics, more) => {
    const harness = await subscribed({ metrics: '*' });
    const { subscriptionId } = await ask(harness);
    expect(await push(harness, subscriptionId + other, metrics, more)).toBe(errorCode);
    expect(text(harness)).toBe('');
  });
});

test('many clients and many series are bounded', async () => {
  const harness = await subscribed({ metrics: '*' });
  const points = Array.from({ length: 5000 }, (_, i) => gauge(`g${i}`, double(4, i)));
  const { subscriptionId } = await ask(harness);
  expect(await push(harness, subscriptionId, pushOf(...points))).toBe(ErrorCode.NONE);
  expect([...harness.broker.telemetry.clients()][0]?.series).toHaveLength(2000);
  for (let i = 0; i < 5000; i++) await ask(harness, zeroUuid);
  expect([...harness.broker.telemetry.clients()]).toEqual([]);
});

test('series with long texts stay within what all clients may take together', async () => {
  const harness = await subscribed({ metrics: '*', match: '' });
  const long = Array.from({ length: 16 }, (_, i) => attribute(`${i}`.padEnd(1000, 'n'), 'v'.repeat(1000)));
  const points = (from: number): Buffer[] =>
    Array.from({ length: 400 }, (_, i) =>
      Buffer.concat([...long.slice(1), attribute('i', `${from + i}`), double(4, 1)]),
    );
  let pushed = 0;
  for (let i = 0; i < 3; i++) {
    const { clientInstanceId, subscriptionId } = await ask(harness, zeroUuid);
    const metrics = gzipSync(pushOf(gauge('g', ...points(i * 400))));
    expect(await push(harness, subscriptionId, metrics, { clientInstanceId, compressionType: 1 })).toBe(0);
    pushed += 400;
  }
  let kept = 0;
  for (const { series } of harness.broker.telemetry.clients()) kept += series.length;
  expect(kept).toBeGreaterThan(400);
  expect(kept).toBeLessThan(pushed);
});

const times = (count: number, part: Buffer) => Buffer.alloc(count * part.length, part);

test.each([
  ['metrics', () => pushOf(times(4_000_000, field(2, [])))],
  ['data of one metric', () => pushOf(field(2, times(4_000_000, field(5, []))))],
  ['names of one metric', () => pushOf(field(2, times(4_000_000, field(1, []))))],
  ['points', () => pushOf(gauge('g', ...Array.from({ length: 20_001 }, () => double(4, 1))))],
  ['values of one point', () => pushOf(gauge('g', times(4_000_000, Buffer.from([3 * 8, 0]))))],
  ['values of one attribute', () => pushOf(gauge('g', field(7, times(4_000_000, field(2, [])))))],
])('a push that is a bomb of %s is refused, however small it was', async (_, message) => {
  const harness = await subscribed({ metrics: '*' });
  const { subscriptionId } = await ask(harness);
  const metrics = gzipSync(message());
  expect(metrics.length).toBeLessThan(64 * 1024);
  expect(await push(harness, subscriptionId, metrics, { compressionType: 1 })).toBe(ErrorCode.INVALID_RECORD);
  expect(text(harness)).toBe('');
});

test('damaged messages are refused, whatever is wrong with them', () => {
  const good = pushOf(gauge('g', Buffer.concat([attribute('a', 'b'), double(4, 1)])), sum('s', 1, integer(6, 1n)));
  expect(readMetrics(good)).toHaveLength(2);
  const damaged = fc.record({
    cutAt: fc.nat({ max: good.length }),
    flips: fc.array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(damaged, ({ cutAt, flips }) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of flips) bytes[at] = value;
      try {
        for (const { value } of readMetrics(bytes.subarray(0, cutAt))) expect(typeof value).toBe('number');
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedMetrics);
      }
    }),
    { numRuns: 2000 },
  );
});
