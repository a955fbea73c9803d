import { expect, it } from 'vitest';
import { boundedHeapGrowth } from '../../src/program/heap-growth.ts';

it('bounds the growth of heaps once there are many logs', () => {
  const flags: string[] = [];
  const tell = boundedHeapGrowth((flag) => flags.push(flag));
  for (const logs of [0, 64, 1999]) tell(logs);
  expect(flags).toEqual([]);
  for (const logs of [2000, 10, 5000]) tell(logs);
  expect(flags).toEqual(['--heap-growing-percent=40']);
});
