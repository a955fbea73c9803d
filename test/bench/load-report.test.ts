import { expect, it } from 'vitest';
import type { ResultRow } from '../../bench/load/figures.ts';
import { loadReport } from '../../bench/load/load-report.ts';

const machine = {
  processor: 'a processor',
  cores: 2,
  memoryBytes: 2 ** 30,
  system: 'Linux 1',
  node: '20.0.0',
  commit: 'abc',
  date: '2026-01-01T00:00:00.000Z',
};
const row = (scenario: string, low: number, high: number): ResultRow => ({
  scenario,
  what: `what ${scenario} did`,
  who: 'Millrace',
  figures: { bytesPerSecond: { median: (low + high) / 2, low, high } },
  each: [{ bytesPerSecond: low }, { bytesPerSecond: high }],
  repeated: scenario === 'second' ? 1 : 0,
  disturbed: 0,
});

it('has a table for each scenario that ran, but those that are written elsewhere, plots and the machine', () => {
  const scenarios = ['first', 'second', 'stages', 'not run'].map((name) => ({ name, title: `about ${name}` }));
  const rows = [row('first', 100, 101), row('second', 100, 300), row('stages', 1, 1)];
  const report = loadReport(scenarios, { machine, rows }, [
    'load-all.json',
    'load-all-acks-bytes-s.svg',
    'load-all-acks-rss-mib.svg',
  ]);
  expect(report).toContain(
    '**first**: about first\n\n|  |  | bytes/s |\n| --- | --- | --: |\n| what first did | Millrace | 101 |',
  );
  expect(report).toContain(
    '| what second did | Millrace | 200 (100–300) |\n\nDone again because something else used the processor: 1 rounds.',
  );
  expect(report).not.toMatch(/stages|not run/);
  expect(report.match(/<img[^>]*>/g)).toEqual([
    '<img src="results/load-all-acks-bytes-s.svg" width="49%" alt="load-all-acks-bytes-s">',
  ]);
  expect(report.endsWith('Node 20.0.0, commit abc, 2026-01-01T00:00:00.000Z')).toBe(true);
});
