/**
 * What cases came to: a line for each on stdout, and `bench/results/doors.json` with a table in `bench/README.md`, where a
 * case that is measured again replaces what was there. Main thread.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spreadOf } from '../load/figures.ts';
import { projectRoot } from '../load/project-root.ts';
import { writeReadmePart } from '../load/readme-part.ts';
import { perSecond, type Pair } from './door-case.ts';
import type { HeldResult } from './memory-case.ts';

export interface CaseResult {
  readonly name: string;
  readonly rival: string;
  /** Medians, in records a second. */
  readonly rivalPerSecond: number;
  readonly millracePerSecond: number;
  /** Of what the rival does, by pairs: the median, the least, the most. */
  readonly ratio: number;
  readonly least: number;
  readonly most: number;
  /** Millrace's processor time a record, all threads, over the rival's: the median of pairs. */
  readonly cpuRatio: number;
  readonly floor: number;
  readonly pairs: number;
  readonly disturbedPairs: number;
  /** The machine, its software and the commit. */
  readonly machine: string;
}

const folder = join(projectRoot, 'bench', 'results');
const file = join(folder, 'doors.json');
const heldFile = join(folder, 'doors-held.json');

export function resultOf(
  name: string,
  rival: string,
  floor: number,
  pairs: readonly Pair[],
  machine: string,
): CaseResult {
  const ratios = pairs.map((pair) => pair.millrace.recordsPerSecond / pair.rival.recordsPerSecond);
  return {
    name,
    rival,
    rivalPerSecond: medianOf(pairs.map((pair) => pair.rival.recordsPerSecond)),
    millracePerSecond: medianOf(pairs.map((pair) => pair.millrace.recordsPerSecond)),
    ratio: medianOf(ratios),
    least: Math.min(...ratios),
    most: Math.max(...ratios),
    cpuRatio: medianOf(pairs.map((pair) => pair.millrace.cpuMicrosPerRecord / pair.rival.cpuMicrosPerRecord)),
    floor,
    pairs: pairs.length,
    disturbedPairs: pairs.filter(({ isDisturbed }) => isDisturbed).length,
    machine,
  };
}

export function isMissed({ ratio, floor }: CaseResult): boolean {
  return ratio < floor;
}

export function lineOf(result: CaseResult): string {
  const { name, rival, rivalPerSecond, millracePerSecond, ratio, least, most, cpuRatio, floor } = result;
  return (
    `${name.padEnd(20)} ${rival} ${perSecond(rivalPerSecond)}, Millrace ${perSecond(millracePerSecond)}: ` +
    `${ratio.toFixed(2)}× (${least.toFixed(2)}–${most.toFixed(2)}), ${cpuRatio.toFixed(2)}× the processor time a record; ` +
    `floor ${floor}×: ${isMissed(result) ? 'MISSED' : 'reached'}${disturbance(result)}`
  );
}

export function isHeldMissed({ moreBytes, mostBytes }: HeldResult): boolean {
  return moreBytes > mostBytes;
}

export function heldLineOf(held: HeldResult): string {
  const { path, connections, moreBytes, mostBytes } = held;
  const verdict = isHeldMissed(held) ? 'MISSED' : 'reached';
  return `held ${path}: ${connections} WebSockets take ${mebibytes(moreBytes)} MiB, at most ${mebibytes(mostBytes)}: ${verdict}`;
}

/** Keeps `results` and `held`; `order` has the names of all cases, as the table has them. */
export function keepDoorResults(
  results: readonly CaseResult[],
  order: readonly string[],
  held: readonly HeldResult[],
): void {
  mkdirSync(folder, { recursive: true });
  const kept = keptWith(file, results, ({ name }) => name);
  const all = order.flatMap((name) => kept.get(name) ?? []);
  const allHeld = [...keptWith(heldFile, held, ({ path }) => path).values()];
  writeFileSync(file, `${JSON.stringify(all, null, 1)}\n`);
  writeFileSync(heldFile, `${JSON.stringify(allHeld, null, 1)}\n`);
  writeReadmePart('doors', markdownTable(all, allHeld));
}

/** What the file has, with what is new in the place of what it had of the same name. */
function keptWith<Result>(path: string, results: readonly Result[], nameOf: (result: Result) => string) {
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Result[]) : [];
  return new Map([...before, ...results].map((result) => [nameOf(result), result]));
}

function mebibytes(sizeBytes: number): string {
  return (sizeBytes / 2 ** 20).toFixed(0);
}

function markdownTable(results: readonly CaseResult[], held: readonly HeldResult[]): string {
  const rows = results.map((result) => {
    const { name, rival, rivalPerSecond, millracePerSecond, ratio, least, most, cpuRatio, floor } = result;
    const verdict = isMissed(result) ? '**missed**' : 'met';
    return (
      `| ${name} | ${perSecond(millracePerSecond)} | ${rival}: ${perSecond(rivalPerSecond)} ` +
      `| ${ratio.toFixed(2)}× (${least.toFixed(2)}–${most.toFixed(2)}) | ${cpuRatio.toFixed(2)}× ` +
      `| ${verdict}: ≥ ${floor}×${disturbance(result)} |`
    );
  });
  const heldRows = held.map((each) => {
    const { path, connections, moreBytes, mostBytes } = each;
    const verdict = isHeldMissed(each) ? '**missed**' : 'met';
    return (
      `| ${connections.toLocaleString('en')} WebSockets held at ${path} | ${mebibytes(moreBytes)} MiB more | | | ` +
      `| ${verdict}: ≤ ${mebibytes(mostBytes)} MiB |`
    );
  });
  const machines = [...new Set([...results, ...held].map(({ machine }) => machine))];
  return [
    '| case | Millrace | rival | ratio, by pairs | processor time a record | floor |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    ...heldRows,
    '',
    'Measured on:',
    '',
    ...machines.map((machine) => `- ${machine}`),
  ].join('\n');
}

function medianOf(values: readonly number[]): number {
  return spreadOf(values).median;
}

function disturbance({ pairs, disturbedPairs }: CaseResult): string {
  return disturbedPairs === 0 ? '' : `; something else used the processor during ${disturbedPairs} of ${pairs} pairs`;
}
