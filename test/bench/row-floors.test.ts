import { describe, expect, it } from 'vitest';
import { type Figures, type ResultRow, spreadsOf } from '../../bench/load/figures.ts';
import { ratioOf, type RowFloor, verdictLines, withFloors } from '../../bench/load/row-floors.ts';
import { resultTable } from '../../bench/load/result-table.ts';

function rowOf(each: readonly Figures[], figures = spreadsOf(each)): ResultRow {
  return { scenario: 's', what: 'a load', who: 'Millrace', each, figures, repeated: 0, disturbed: 0 };
}

const five = (bytesPerSecond: number) => Array.from({ length: 5 }, () => ({ bytesPerSecond }));

describe('a floor of a row', () => {
  const floor: RowFloor = { figure: 'bytesPerSecond', atLeast: 100 };

  it.each([
    [five(100), 'abc', 'met'],
    [five(99), 'abc', 'missed'],
    [five(100).slice(1), 'abc', 'open'],
    [five(100), 'abc+', 'open'],
    [five(100), null, 'open'],
  ] as const)('%#: is %s of %s: %s', (each, commit, state) => {
    expect(withFloors(rowOf(each), [floor], commit).verdicts).toMatchObject([
      { value: each[0]!.bytesPerSecond, state },
    ]);
  });

  it('is told under the table, and loudly where it is missed', () => {
    const missed = withFloors(rowOf(five(50)), [floor, { figure: 'ratio', atMost: 2 }], 'abc');
    expect(verdictLines(missed)).toEqual([
      '✗ MISSED: a load, Millrace, bytesPerSecond ≥ 100: 50.0',
      '○ open: a load, Millrace, ratio ≤ 2.00×: ',
    ]);
    expect(resultTable([missed], false)).toContain('✗ MISSED');
  });
});

it('has the ratio of the medians, and its range by rounds that took turns', () => {
  const result = (...values: number[]) => {
    const each = values.map((bytesPerSecond) => ({ bytesPerSecond }));
    return { name: '', each, figures: spreadsOf(each), repeated: 0, disturbed: 0 };
  };
  expect(ratioOf(result(10, 30, 20), result(10, 10, 20), 'bytesPerSecond')).toEqual({ median: 2, low: 1, high: 3 });
});

it('marks rows that something else disturbed', () => {
  const table = resultTable([{ ...rowOf(five(1)), disturbed: 2 }], false);
  expect(table).toContain('Millrace †');
  expect(table).toContain('† Disturbed even so: 2 of 5 rounds');
});
