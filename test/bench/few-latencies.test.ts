import { expect, it } from 'vitest';
import { latencyFigures } from '../../bench/load/measured-load.ts';
import { provenLatencies } from '../../bench/peers/outside-client.ts';

const percentiles = { p50: 1, p90: 2, p99: 3, p999: 4, p9999: 5, max: 6 };

it.each([
  [5, { p50Ms: 1 }],
  [99, { p50Ms: 1 }],
  [100, { p50Ms: 1, p90Ms: 2 }],
  [999, { p50Ms: 1, p90Ms: 2 }],
  [1000, { p50Ms: 1, p90Ms: 2, p99Ms: 3 }],
])('of %d latencies no percentile is told above which fewer than ten lie', (count, told) => {
  expect(latencyFigures({ ...percentiles, count })).toEqual({ ...told, maxMs: 6 });
  expect(provenLatencies({ latencies: count, p50Ms: 1, p90Ms: 2, p99Ms: 3 })).toEqual({ ...told, latencies: count });
});

it('tells the higher ones where there are enough', () => {
  expect(latencyFigures({ ...percentiles, count: 10_000 })).toMatchObject({ p999Ms: 4 });
  expect(latencyFigures({ ...percentiles, count: 10_000 })).not.toHaveProperty('p9999Ms');
  expect(latencyFigures({ ...percentiles, count: 100_000 })).toMatchObject({ p9999Ms: 5 });
});

it('tells nothing of a client that told none', () => {
  expect(provenLatencies({})).toEqual({});
});
