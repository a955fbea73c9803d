import { expect, it } from 'vitest';
import { isOpen, type Schedule } from '../../bench/load/produce-run.ts';

const schedule: Schedule = { next: 0, count: 100, startedMs: 0, endMs: 1000, intervalMs: null, looks: null };

it('a closed loop ends with its requests or its time', () => {
  expect(isOpen({ ...schedule, next: 99 }, 999)).toBe(true);
  expect(isOpen({ ...schedule, next: 100 }, 0)).toBe(false);
  expect(isOpen({ ...schedule, next: 5 }, 1000)).toBe(false);
});

it('one that has a least count goes on until that is reached, or for as long as it may', () => {
  const least = { count: 20, endMs: 5000 };
  expect(isOpen({ ...schedule, least, next: 19 }, 4999)).toBe(true);
  expect(isOpen({ ...schedule, least, next: 20 }, 1000)).toBe(false);
  expect(isOpen({ ...schedule, least, next: 20 }, 999)).toBe(true);
  expect(isOpen({ ...schedule, least, next: 19 }, 5000)).toBe(false);
});
