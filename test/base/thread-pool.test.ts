import { expect, it } from 'vitest';
import { syncsAtOnce, threadPoolSize } from '../../src/base/thread-pool.ts';

it('leaves a part of the threads to reads', () => {
  expect(syncsAtOnce(undefined)).toBe(3);
  expect(syncsAtOnce(String(threadPoolSize))).toBe(12);
  expect(syncsAtOnce('1')).toBe(1);
  expect(syncsAtOnce('nonsense')).toBe(3);
  expect(syncsAtOnce('1000000')).toBe(768);
});
