/**
 * `npm run bench [-- PART] [--json] [--quick]`: times the hot functions beside their rivals and prints what came out,
 * only benchmarks whose name contains PART where it is given. Results of a whole run are kept in bench/results as well.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchmarks } from './all.ts';
import { type Benchmark, fullEffort, measure, type Result } from './benchmark.ts';
import { machineFacts, machineSentence } from './load/machine.ts';
import { projectRoot } from './load/project-root.ts';

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const part = (positionals[0] ?? '').toLowerCase();
const effort = values.quick ? { timeMs: 20, rounds: 2 } : fullEffort;
const chosen = benchmarks().filter(({ name }) => name.toLowerCase().includes(part));
if (chosen.length === 0) {
  console.error(
    `No benchmark's name contains "${part}". They are:\n${benchmarks()
      .map(({ name }) => `  ${name}`)
      .join('\n')}`,
  );
  process.exit(1);
}

const columns = [46, 12, 12, 8] as const;
const machine = machineFacts();

if (!values.json) {
  console.log(`${machineSentence(machine)}\n`);
  printRow(['', 'per second', 'bytes/s', 'ratio']);
}
const all: { name: string; unit: string; results: Result[] }[] = [];
for (const benchmark of chosen) {
  const results = await measure(benchmark, effort);
  all.push({ name: benchmark.name, unit: benchmark.unit, results });
  if (!values.json) print(benchmark, results);
}
const text = JSON.stringify({ machine, benchmarks: all }, null, 2);
if (part === '' && !values.quick) writeFileSync(join(projectRoot, 'bench/results/functions.json'), `${text}\n`);
if (values.json) console.log(text);
else console.log("\nA rival's ratio is Millrace's speed over its own: above 1, Millrace is faster.");

function print({ name, unit }: Benchmark, results: readonly Result[]): void {
  console.log(`${name} (${unit})`);
  for (const { contender, unitsPerSecond, bytesPerSecond, ratio } of results) {
    const bytes = bytesPerSecond === null ? '' : scaled(bytesPerSecond);
    printRow([`  ${contender}`, scaled(unitsPerSecond), bytes, ratio === null ? '' : `${ratio.toFixed(2)}x`]);
  }
}

function printRow(cells: readonly string[]): void {
  console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(columns[0]) : cell.padStart(columns[i]!))).join(''));
}

/** Three digits and a unit prefix. */
function scaled(value: number): string {
  const power = Math.min(Math.max(Math.floor(Math.log10(value) / 3), 0), 3);
  return `${(value / 1000 ** power).toPrecision(3)} ${['', 'k', 'M', 'G'][power]!}`.trimEnd();
}
