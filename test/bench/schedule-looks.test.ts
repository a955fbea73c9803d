import { expect, it } from 'vitest';
import { ScheduleLooks } from '../../bench/load/schedule-looks.ts';

const count = 3000;

/** What is reached of 1,000 requests a second for 3 s, each of which is answered when `answeredMs` says, by when it is due. */
function reached(answeredMs: (dueMs: number) => number): number {
  const looks = new ScheduleLooks(0, count, 1);
  for (let i = 0; i < count; i++) looks.answered(answeredMs(i));
  return looks.rateReached();
}

/** Nothing is answered from `fromMs` on for `forMs`. */
function stall(fromMs: number, forMs: number) {
  return (dueMs: number): number => (dueMs >= fromMs ? Math.max(dueMs + 0.5, fromMs + forMs) : dueMs + 0.5);
}

it('is the rate of who answers at once, and of who answers late but all the time as late', () => {
  expect(reached((dueMs) => dueMs + 0.5)).toBeCloseTo(1, 2);
  expect(reached((dueMs) => dueMs + 200)).toBeCloseTo(1, 2);
});

it.each([0.3, 0.9, 0.97])('is what a server of %d of the rate does', (capacity) => {
  expect(reached((dueMs) => dueMs / capacity)).toBeCloseTo(capacity, 2);
});

it.each([0, 600, 1450, 2200, 2900])('is the rate of who stalls for 200 ms from %d ms on, the end too', (fromMs) => {
  expect(reached(stall(fromMs, 200))).toBeGreaterThanOrEqual(0.98);
});

it('is not that of who falls behind from the middle on, or does nothing for as long as a half', () => {
  expect(reached((dueMs) => (dueMs < 1500 ? dueMs : 1500 + (dueMs - 1500) / 0.8))).toBeLessThan(0.98);
  expect(reached(stall(1400, 1700))).toBeLessThan(0.5);
});

it('is the rate of who was slow to begin and has caught up', () => {
  expect(reached((dueMs) => Math.max(dueMs, 700))).toBeGreaterThanOrEqual(0.98);
});
