/** A whole run of the benchmarks of single functions, as a part of `bench/README.md`: a line for each, and what floors come to. */

import type { Result } from './benchmark.ts';
import { plain, scaled } from './load/figures.ts';
import { floorMarks, type FloorVerdict, settled } from './load/floor-verdict.ts';
import { type MachineFacts, machineSentence } from './load/machine.ts';

export interface MeasuredBenchmark {
  readonly name: string;
  readonly unit: string;
  readonly results: readonly Result[];
}

/** `rounds` are those of each contender. */
export function functionReport(
  benchmarks: readonly MeasuredBenchmark[],
  machine: MachineFacts,
  rounds: number,
): string {
  const verdicts = benchmarks.flatMap(({ results }) =>
    results.flatMap((result) => verdictOf(result, machine.commit, rounds) ?? []),
  );
  const count = (state: FloorVerdict['state']): number => verdicts.filter((verdict) => verdict.state === state).length;
  return [
    '| | Millrace, a second | bytes/s | its speed over that of rivals |',
    '| --- | --: | --: | --- |',
    ...benchmarks.map((benchmark) => lineOf(benchmark, machine.commit, rounds)),
    '',
    `Floors: ${count('met')} met, ${count('missed')} missed, ${count('open')} open. Above 1×, Millrace is faster. Medians of ${rounds} rounds in turn, with the ratios of single rounds. Measured on: ${machineSentence(machine)}`,
  ].join('\n');
}

/** What the floor of a rival comes to; null where it has none. */
export function verdictOf({ floor, ratio }: Result, commit: string | null, rounds: number): FloorVerdict | null {
  if (floor === null || ratio === null) return null;
  const bound = `≥ ${plain(floor.atLeast)}×`;
  return settled({ figure: 'ratio', bound, value: ratio.median, isMet: floor.isMet }, { rounds, commit });
}

function lineOf({ name, unit, results }: MeasuredBenchmark, commit: string | null, rounds: number): string {
  const [ours, ...rivals] = results;
  const { contender, unitsPerSecond, bytesPerSecond } = ours!;
  const ratios = rivals.map((rival) => {
    const { median, low, high } = rival.ratio!;
    const verdict = verdictOf(rival, commit, rounds);
    const word = verdict === null ? '' : `; ${floorMarks[verdict.state]} ${wordsOf(verdict)}`;
    return `${cell(rival.contender)}: **${plain(median)}×** (${plain(low)}–${plain(high)})${word}`;
  });
  const bytes = bytesPerSecond === null ? '' : scaled(bytesPerSecond);
  return `| **${cell(name)}**<br><sub>${cell(contender)}</sub> | ${scaled(unitsPerSecond)} ${unit} | ${bytes} | ${ratios.join('<br>')} |`;
}

function wordsOf({ state, bound, remark }: FloorVerdict): string {
  const words = remark === undefined ? bound : `${bound}, ${remark}`;
  return state === 'missed' ? `**missed: ${words}**` : words;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
