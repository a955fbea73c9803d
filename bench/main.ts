/**
 * `npm run bench [-- PART] [--json] [--quick]`: times the hot functions beside their rivals and prints what came out,
 * only benchmarks whose name contains PART where it is given. Results of a whole run are kept in bench/results and in
 * bench/README.md as well, but not those of files that no commit has. Floors are held against medians of rounds.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCommandLine } from '../scripts/command-line.mjs';
import { benchmarks } from './all.ts';
import { type Benchmark, fullEffort, measure, type Result } from './benchmark.ts';
import { functionReport, type MeasuredBenchmark, verdictOf } from './function-report.ts';
import { plain, scaled } from './load/figures.ts';
import { floorMarks, isDirty } from './load/floor-verdict.ts';
import { machineFacts, machineSentence } from './load/machine.ts';
import { projectRoot } from './load/project-root.ts';
import { writeReadmePart } from './load/readme-part.ts';

const { values, positionals } = readCommandLine({
  usage: 'npm run bench -- [PART] [--json] [--quick]',
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
  takesNames: true,
});
const part = (positionals[0] ?? '').toLowerCase();
const effort = values.quick ? { timeMs: 20, rounds: 2, settleMs: 0 } : fullEffort;
const every = await benchmarks();
const chosen = every.filter(({ name }) => name.toLowerCase().includes(part));
if (chosen.length === 0) {
  console.error(
    `No benchmark's name contains "${part}". They are:\n${every.map(({ name }) => `  ${name}`).join('\n')}`,
  );
  process.exit(1);
}

const columns = [46, 12, 12, 8, 0] as const;
const machine = machineFacts();

if (!values.json) {
  console.log(`${machineSentence(machine)}\n`);
  printRow(['', 'per second', 'bytes/s', 'ratio']);
}
const all: MeasuredBenchmark[] = [];
for (const benchmark of chosen) {
  const results = await measure(benchmark, effort);
  all.push({ name: benchmark.name, unit: benchmark.unit, results });
  if (!values.json) print(benchmark, results);
}
const text = JSON.stringify({ machine, benchmarks: all }, null, 2);
if (part === '' && !values.quick && !isDirty(machine.commit)) {
  writeFileSync(join(projectRoot, 'bench/results/functions.json'), `${text}\n`);
  writeReadmePart('functions', functionReport(all, machine, effort.rounds));
}
if (values.json) console.log(text);
else console.log("\nA rival's ratio is Millrace's speed over its own: above 1, Millrace is faster.");

function print({ name, unit }: Benchmark, results: readonly Result[]): void {
  console.log(`${name} (${unit})`);
  for (const result of results) {
    const { contender, unitsPerSecond, bytesPerSecond, ratio } = result;
    const bytes = bytesPerSecond === null ? '' : scaled(bytesPerSecond);
    const times = ratio === null ? '' : `${plain(ratio.median)}x`;
    const verdict = verdictOf(result, machine.commit, effort.rounds);
    const remark = verdict?.remark === undefined ? '' : ` (${verdict.remark})`;
    const word =
      verdict === null
        ? ''
        : `  ${floorMarks[verdict.state]} ${verdict.state.toUpperCase()}: ${verdict.bound}${remark}`;
    printRow([`  ${contender}`, scaled(unitsPerSecond), bytes, times, word]);
  }
}

function printRow(cells: readonly string[]): void {
  console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(columns[0]) : cell.padStart(columns[i]!))).join(''));
}
