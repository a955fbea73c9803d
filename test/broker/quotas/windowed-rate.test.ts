import { expect, test } from 'vitest';
import { TokenBucket } from '../../../src/broker/quotas/token-bucket.ts';
import { WindowedRate } from '../../../src/broker/quotas/windowed-rate.ts';

test('a burst at the beginning is spread over all windows but the current', () => {
  const rate = new WindowedRate(11, 1000);
  rate.record(20_000, 5000);
  expect(rate.coveredMs(5000)).toBe(10_000);
  expect(rate.perSecond(5000)).toBe(2000);
  expect(rate.perSecond(5999)).toBeCloseTo(20_000 / 10.999);
});

test('what lies further back than all windows is forgotten, window by window', () => {
  const rate = new WindowedRate(3, 1000);
  rate.record(100, 0);
  rate.record(10, 1000);
  rate.record(1, 2500);
  expect(rate.perSecond(2500)).toBeCloseTo(111 / 2.5);
  // The first window has left; two of one second each and what has passed of the third are looked at.
  expect(rate.perSecond(3000)).toBeCloseTo(11 / 2);
  expect(rate.isIdle(4000)).toBe(false);
  expect(rate.isIdle(5500)).toBe(true);
  expect(rate.perSecond(5500)).toBe(0);
});

test('what was counted can be taken back', () => {
  const rate = new WindowedRate(11, 1000);
  rate.record(500, 0);
  rate.record(-500, 10);
  expect(rate.perSecond(10)).toBe(0);
});

test('the rate is that of a simple count over the same time', () => {
  const rate = new WindowedRate(11, 1000);
  const events: [atMs: number, amount: number][] = [];
  for (let i = 0; i < 500; i++) {
    const atMs = i * 97;
    const amount = (i * 7919) % 100;
    events.push([atMs, amount]);
    rate.record(amount, atMs);
    const perSecond = rate.perSecond(atMs);
    const covered = rate.coveredMs(atMs);
    const sum = events.filter(([at]) => at > atMs - covered + 1000).reduce((total, [, amount]) => total + amount, 0);
    const atMost = events.filter(([at]) => at > atMs - covered - 1000).reduce((total, [, amount]) => total + amount, 0);
    const counted = perSecond * (covered / 1000);
    expect(counted).toBeGreaterThanOrEqual(sum - 1e-6);
    expect(counted).toBeLessThanOrEqual(atMost + 1e-6);
  }
});

test('a bucket gives its burst, goes below empty once, and fills at its rate', () => {
  const bucket = new TokenBucket();
  expect(bucket.tokens(2, 22, 1000)).toBe(22);
  bucket.take(24);
  expect(bucket.tokens(2, 22, 1000)).toBe(-2);
  expect(bucket.tokens(2, 22, 2500)).toBe(1);
  expect(bucket.tokens(2, 22, 1_000_000)).toBe(22);
});
