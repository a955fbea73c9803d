import { expect, it } from 'vitest';
import { type Figures, type ResultRow, spreadsOf } from '../../bench/load/figures.ts';
import { accountsOf } from '../../bench/load/stages-scenario.ts';
import { stages } from '../../bench/load/stages.ts';

function rowOf(figures: Figures): ResultRow {
  return {
    scenario: 'stages',
    what: '',
    who: '',
    each: [figures],
    figures: spreadsOf([figures]),
    repeated: 0,
    disturbed: 0,
  };
}

it('takes the stages of a thread off what the thread took, each stage once', () => {
  const cpu: Partial<Record<keyof typeof stages, number>> = {
    received: 100,
    copied: 30,
    checked: 90,
    written: 400,
    staged: 40,
    writtenDirectly: 60,
    bareSmall: 3,
    read: 50,
    sent: 200,
    fetched: 300,
  };
  const threads: Partial<Record<keyof typeof stages, Figures>> = {
    served: { ioMicroseconds: 5, workerMicroseconds: 2 },
    cached: { ioMicroseconds: 250, workerMicroseconds: 450 },
    direct: { ioMicroseconds: 250, workerMicroseconds: 150 },
    small: { ioMicroseconds: 12, workerMicroseconds: 4 },
  };
  const rows = Object.fromEntries(
    (Object.keys(stages) as (keyof typeof stages)[]).map((name) => {
      const own = cpu[name];
      return [
        name,
        rowOf({ ...(own === undefined ? {} : { brokerCpuMicrosecondsPerRequest: own }), ...threads[name] }),
      ];
    }),
  ) as Parameters<typeof accountsOf>[0];
  const sums = accountsOf(rows).map(({ title, measured, parts }) => {
    const sum = parts.reduce((total, { microseconds }) => total + microseconds, 0);
    return [title, sum, measured];
  });
  expect(sums).toEqual([
    // The copy and the check are 90 together.
    ['a batch of 1 MiB through the page cache, I/O thread', 195, 250],
    ['a batch of 1 MiB through the page cache, flush worker', 402, 450],
    ['a batch of 1 MiB past the page cache, I/O thread', 195, 250],
    ['a batch of 1 MiB past the page cache, flush worker', 102, 150],
    ['a request of one record of 1 KiB, I/O thread', 8, 12],
    ['a request of one record of 1 KiB, flush worker', 2, 4],
    ['a fetch of 1 MiB, all threads', 250, 300],
  ]);
});
