/** Results as people read them: lines on a terminal, tables in Markdown. */

import { type FigureName, figureFormats, type FigureSpreads, plain, type Spread } from '../load/figures.ts';
import { hardwareSentence, type MachineFacts } from '../load/machine.ts';
import type { CaseResult, FloorVerdict } from './verdict.ts';

/** A result and what it was measured on. */
export interface KeptResult extends CaseResult {
  readonly machine: MachineFacts;
  /** Of everything that took part, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

const shown: readonly FigureName[] = [
  'recordsPerSecond',
  'requestsPerSecond',
  'bytesPerSecond',
  'brokerCpuSecondsPerGb',
  'brokerCpuMicrosecondsPerRequest',
  'clientCpuSecondsPerGb',
  'p50Ms',
  'p99Ms',
  'readyMs',
  'firstAckMs',
  'rssMiB',
];

/** One case for a terminal. */
export function terminalText({ name, title, client, sides, medians, ratios, verdicts, ...result }: CaseResult): string {
  const width = Math.max(...Object.values(sides).map((side) => side.length));
  const side = (label: string, figures: FigureSpreads): string =>
    `  ${label.padEnd(width)}  ${figureTexts(figures).join('   ')}`;
  return [
    `${name}: ${title} (${client})`,
    side(sides.millrace, medians.millrace),
    side(sides.peer, medians.peer),
    ...(sides.probe === undefined ? [] : [side(sides.probe, medians.probe)]),
    `  ${'ratio'.padEnd(width)}  ${shown
      .filter((figure) => ratios[figure])
      .map((figure) => `${figureFormats[figure].title} ${ratioText(ratios[figure]!)}`)
      .join('   ')}`,
    ...verdicts.map((verdict) => `  ${verdict.isMet ? 'met   ' : 'MISSED'}  ${verdictText(verdict)}`),
    ...(result.disturbed === 0 ? [] : [`  ${disturbedText(result)}`]),
  ].join('\n');
}

/** All cases as a table of Markdown, with what it was measured on behind it. */
export function markdownTable(results: readonly KeptResult[]): string {
  const head = ['case', 'Millrace', 'rival', 'ratio (lowest–highest round)', 'floor'];
  const rows = results.map((result) => [
    `\`${result.name}\`: ${result.title}; ${result.client}; rounds: ${result.rounds.millrace.length}; commit ${result.machine.commit ?? 'unknown'}`,
    figureTexts(result.medians.millrace).join('<br>'),
    [`**${result.sides.peer}**`, ...figureTexts(result.medians.peer), ...probeTexts(result)].join('<br>'),
    shown
      .filter((figure) => result.ratios[figure])
      .map((figure) => `${figureFormats[figure].title} ${ratioText(result.ratios[figure]!)}`)
      .join('<br>'),
    [
      ...result.verdicts.map((verdict) => `${verdict.isMet ? 'met' : '**missed**'}: ${verdictText(verdict)}`),
      ...(result.disturbed === 0 ? [] : [disturbedText(result)]),
    ].join('<br>'),
  ]);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const machines = [...new Set(results.map(({ machine }) => hardwareSentence(machine)))];
  const dates = results.map(({ machine }) => machine.date.slice(0, 10)).toSorted();
  const days = [...new Set([dates[0], dates.at(-1)])].join(' to ');
  const versions = [...new Set(results.map((result) => versionText(result)))];
  return [
    line(head),
    line(head.map(() => '---')),
    ...rows.map(line),
    '',
    `Measured on a machine that others use as well, ${days}:`,
    '',
    ...machines.map((machine) => `- ${machine}`),
    '',
    `With ${versions.join('; ')}.`,
  ].join('\n');
}

function versionText({ versions }: KeptResult): string {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}

function probeTexts({ sides, medians }: CaseResult): string[] {
  return sides.probe === undefined ? [] : [`**${sides.probe}**`, ...figureTexts(medians.probe)];
}

function figureTexts(figures: FigureSpreads): string[] {
  return shown
    .filter((figure) => figures[figure])
    .map((figure) => `${figureFormats[figure].title} ${figureFormats[figure].format(figures[figure]!.median)}`);
}

function ratioText({ median, low, high }: Spread): string {
  return `${plain(median)}× (${plain(low)}–${plain(high)})`;
}

function verdictText({ floor, value, remark }: FloorVerdict): string {
  const values = [...(value === null ? [] : [plain(value)]), ...(remark === undefined ? [] : [remark])];
  return `${floor}: ${values.join(', ')}`;
}

function disturbedText({ disturbed, rounds }: Pick<CaseResult, 'disturbed' | 'rounds'>): string {
  const count = rounds.millrace.length + rounds.peer.length;
  return `something else used the processor during ${disturbed} of ${count} measurements`;
}
