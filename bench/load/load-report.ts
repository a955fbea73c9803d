/** A run of everything as a part of `bench/README.md`: a table for each scenario, and the plots of the sweeps. */

import { machineSentence } from './machine.ts';
import type { RunResults } from './result-file.ts';
import { markdownTable } from './result-table.ts';
import type { Scenario } from './scenario.ts';

/** What has a table of its own, written by itself. */
const elsewhere: ReadonlySet<string> = new Set(['stages']);

/** Of the plots of a sweep, those that say most. */
const drawn = [
  '-bytes-s.svg',
  '-broker-cpu-s-gb.svg',
  '-requests-s.svg',
  '-p50-ms.svg',
  '-p99.svg',
  '-ready-ms.svg',
] as const;

/** `files` are what was kept of the run, in `bench/results/`. */
export function loadReport(
  scenarios: readonly Pick<Scenario, 'name' | 'title'>[],
  { machine, rows }: RunResults,
  files: readonly string[],
): string {
  const parts = scenarios.flatMap(({ name, title }) => {
    const own = rows.filter(({ scenario }) => scenario === name);
    return own.length === 0 || elsewhere.has(name) ? [] : [`**${name}**: ${title}`, '', markdownTable(own), ''];
  });
  const plots = files
    .filter((file) => drawn.some((end) => file.endsWith(end)))
    .map((file) => `<img src="results/${file}" width="49%" alt="${file.replace('.svg', '')}">`);
  return [...parts, ...plots, '', `Measured on: ${machineSentence(machine)}`].join('\n');
}
