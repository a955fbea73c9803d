import { expect, it } from 'vitest';
import { fullSizes, rateMsOf, samplesForHighest } from '../../bench/load/scenario.ts';

it('has a fixed rate last as long as its percentiles need', () => {
  expect(rateMsOf(fullSizes, 20_000)).toBe(fullSizes.rateMs);
  expect(rateMsOf(fullSizes, 1000)).toBe(10_200);
  expect(rateMsOf({ ...fullSizes, rateSamples: samplesForHighest }, 1000)).toBe(102_000);
});
