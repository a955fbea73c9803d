import { describe, expect, it } from 'vitest';
import type { Result } from '../../bench/benchmark.ts';
import { functionReport, verdictOf } from '../../bench/function-report.ts';

const machine = {
  processor: 'a processor',
  cores: 2,
  memoryBytes: 2 ** 30,
  system: 'Linux 1',
  node: '20.0.0',
  commit: 'abc',
  date: '2026-01-01T00:00:00.000Z',
};
const ours: Result = { contender: 'core', unitsPerSecond: 2e6, bytesPerSecond: 8e9, ratio: null, floor: null };

function rival(median: number, atLeast: number | null): Result {
  return {
    contender: 'a | rival',
    unitsPerSecond: 1e6,
    bytesPerSecond: 4e9,
    ratio: { median, low: median - 0.5, high: median + 0.5 },
    floor: atLeast === null ? null : { atLeast, isMet: median >= atLeast },
  };
}

describe('a run of benchmarks as a part of the README', () => {
  it('has a line for each, with its ratios and what its floors come to', () => {
    const results = [ours, rival(2, 1.5), rival(1, 1.5), rival(3, null)];
    const report = functionReport([{ name: 'CRC, 4 KiB', unit: 'calls', results }], machine, 5);
    expect(report.split('\n')[2]).toBe(
      '| **CRC, 4 KiB**<br><sub>core</sub> | 2.00 M calls | 8.00 G | ' +
        'a \\| rival: **2.00×** (1.50–2.50); ✓ ≥ 1.50×<br>' +
        'a \\| rival: **1.00×** (0.50–1.50); ✗ **missed: ≥ 1.50×**<br>' +
        'a \\| rival: **3.00×** (2.50–3.50) |',
    );
    expect(report).toContain('Floors: 1 met, 1 missed, 0 open.');
    expect(report).toContain('commit abc, 2026-01-01');
  });

  it('leaves a floor open that few rounds reach, or that files reach which no commit has', () => {
    expect(verdictOf(rival(2, 1.5), 'abc', 5)!.state).toBe('met');
    expect(verdictOf(rival(2, 1.5), 'abc', 4)).toMatchObject({ state: 'open', remark: 'only 4 of 5 rounds' });
    expect(verdictOf(rival(2, 1.5), 'abc+', 5)!.state).toBe('open');
    expect(verdictOf(rival(1, 1.5), null, 1)!.state).toBe('missed');
    expect(verdictOf(rival(1, null), 'abc', 5)).toBeNull();
  });
});
