import { describe, expect, it } from 'vitest';
import { benchmarks } from '../bench/all.ts';
import { leastEffort, measure } from '../bench/benchmark.ts';

// That they run, and that contenders agree about what they did (`measure` sees to that); nothing here is timed.
describe.each((await benchmarks()).map((benchmark) => [benchmark.name, benchmark] as const))('%s', (_, benchmark) => {
  it('runs', async () => {
    const results = await measure(benchmark, leastEffort);
    expect(results.map(({ contender }) => contender)).toEqual(benchmark.contenders.map(({ name }) => name));
    for (const { unitsPerSecond } of results) expect(unitsPerSecond).toBeGreaterThan(0);
  });
});

it('tells contenders that do other work than each other', async () => {
  const contenders = [
    { name: 'one', run: () => 1 },
    { name: 'another', run: () => 2 },
  ];
  const benchmark = { name: 'odd', unit: 'calls', unitsPerRun: 1, bytesPerRun: 0, contenders } as const;
  await expect(measure(benchmark, leastEffort)).rejects.toThrow('odd: contenders disagree, [1,2]');
});
