/** Results as people read them: lines on a terminal, and tables in Markdown, in which each case is a row. */

import {
  type FigureName,
  figureFormats,
  type Figures,
  type FigureSpreads,
  plain,
  type Spread,
} from '../load/figures.ts';
import { type FloorVerdict, floorMarks } from '../load/floor-verdict.ts';
import { hardwareSentence, type MachineFacts } from '../load/machine.ts';
import { latenciesForP99 } from '../load/measured-load.ts';
import type { CaseResult } from './verdict.ts';

/** A result and what it was measured on. */
export interface KeptResult extends CaseResult {
  readonly machine: MachineFacts;
  /** Of everything that took part, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Cases that belong together, under a heading. */
export interface Chapter {
  readonly title: string;
  readonly names: readonly string[];
}

const shown: readonly FigureName[] = [
  'recordsPerSecond',
  'singlesPerSecond',
  'rateKept',
  'requestsPerSecond',
  'bytesPerSecond',
  'turns',
  'brokerCpuSecondsPerGb',
  'brokerCpuMicrosecondsPerRequest',
  'clientCpuSecondsPerGb',
  'clientCpuMicrosecondsPerRequest',
  'p50Ms',
  'p90Ms',
  'p99Ms',
  'readyMs',
  'firstAckMs',
  'rateReached',
  'rssMiB',
  'peakRssMb',
];

const stateWords = { met: 'met   ', missed: 'MISSED', open: 'open  ' } as const;

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
    ...verdicts.map((verdict) => `  ${stateWords[verdict.state]}  ${verdictText(verdict)}`),
    ...(disturbedCount(result) === 0 ? [] : [`  ${disturbedText(result)}`]),
  ].join('\n');
}

/**
 * All results as tables of Markdown, chapter by chapter, with what they were measured on behind them. Each table has the
 * cases whose figures are the same; a cell has Millrace's median, its rival's, and their ratio.
 */
export function markdownTables(results: readonly KeptResult[], chapters: readonly Chapter[]): string {
  const tables = chapters.flatMap(({ title, names }) => {
    const own = results.filter(({ name }) => names.includes(name));
    return own.length === 0 ? [] : [`### ${title}`, '', ...alikeOf(own).flatMap((alike) => [tableOf(alike), ''])];
  });
  const machines = [...new Set(results.map(({ machine }) => hardwareSentence(machine)))];
  const dates = results.map(({ machine }) => machine.date.slice(0, 10)).toSorted();
  const days = [...new Set([dates[0], dates.at(-1)])].join(' to ');
  const versions = [...new Set(results.map((result) => versionText(result)))];
  return [
    ...tables,
    `Measured on a machine that others use as well, ${days}:`,
    '',
    ...machines.map((machine) => `- ${machine}`),
    '',
    `With ${versions.join('; ')}.`,
  ].join('\n');
}

/** Results that follow one another and have the same columns. */
function alikeOf(results: readonly KeptResult[]): KeptResult[][] {
  const groups: KeptResult[][] = [];
  for (const result of results) {
    const last = groups.at(-1);
    if (last !== undefined && columnsOf(last[0]!).join() === columnsOf(result).join()) last.push(result);
    else groups.push([result]);
  }
  return groups;
}

/** Bytes say nothing that records do not, and requests neither where there are records. */
const saidByRecords: ReadonlySet<FigureName> = new Set([
  'bytesPerSecond',
  'requestsPerSecond',
  'brokerCpuMicrosecondsPerRequest',
  'clientCpuMicrosecondsPerRequest',
]);

/** The columns of a case: all its floors, and what is shown of either side. */
export function columnsOf({ medians, verdicts }: Pick<CaseResult, 'medians' | 'verdicts'>): FigureName[] {
  const isJudged = (figure: FigureName): boolean => verdicts.some((verdict) => verdict.figure === figure);
  const has = (figure: FigureName): boolean =>
    medians.millrace[figure] !== undefined || medians.peer[figure] !== undefined;
  const isSaid = (figure: FigureName): boolean => has('recordsPerSecond') && saidByRecords.has(figure);
  return shown.filter((figure) => isJudged(figure) || (has(figure) && !isSaid(figure)));
}

function tableOf(results: readonly KeptResult[]): string {
  const columns = columnsOf(results[0]!);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const heads = ['case', ...columns.map((figure) => figureFormats[figure].title)];
  const rows = results.map((result) =>
    line([caseCell(result), ...columns.map((figure) => figureCell(result, figure))]),
  );
  return [line(heads), line(heads.map(() => '---')), ...rows].join('\n');
}

function caseCell({ name, title, client, sides, machine, ...result }: KeptResult): string {
  const rounds = result.rounds.millrace.length;
  const facts = [
    `\`${name}\``,
    `beside ${sides.peer}`,
    client,
    `${rounds} ${rounds === 1 ? 'round' : 'rounds'}`,
    machine.commit ?? 'unknown commit',
    ...howsOf([...result.rounds.millrace, ...result.rounds.peer]),
    ...fewLatencies(result.medians),
    ...(result.replaced === 0 ? [] : [`${result.replaced} disturbed and done anew`]),
    ...(disturbedCount(result) === 0 ? [] : [`${disturbedCount(result)} of ${2 * rounds} disturbed`]),
  ];
  return `**${title}**<br><sub>${facts.join(' · ')}</sub>`;
}

/** Where a round has too few latencies for a p99: how many it has. */
function fewLatencies({ millrace, peer }: CaseResult['medians']): string[] {
  const [ours, theirs] = [millrace.latencies?.median, peer.latencies?.median];
  if (ours === undefined || theirs === undefined || Math.min(ours, theirs) >= latenciesForP99) return [];
  const count = ours === theirs ? plain(ours) : `${plain(ours)} : ${plain(theirs)}`;
  return [`${count} latencies a round, too few for a p99`];
}

function disturbedCount({ disturbed: { millrace, peer } }: Pick<CaseResult, 'disturbed'>): number {
  return millrace.length + peer.length;
}

/** The ways that a side's rounds chose, each with how many did. */
function howsOf(rounds: readonly Figures[]): string[] {
  const counts = new Map<string, number>();
  for (const { how } of rounds) if (how !== undefined) counts.set(how, (counts.get(how) ?? 0) + 1);
  return [...counts].map(([how, count]) => (counts.size === 1 ? how : `${how} in ${count}`));
}

/** As `1.74 M : 1.20 M<br>**1.45×** (1.30–1.60)<br>✓ ≥ 1.1×`. */
function figureCell({ medians, ratios, verdicts, sides }: CaseResult, figure: FigureName): string {
  const { format } = figureFormats[figure];
  const valueOf = (spreads: FigureSpreads): string => (spreads[figure] ? format(spreads[figure].median) : '–');
  const probe = medians.probe[figure];
  const ratio = ratios[figure];
  return [
    `${valueOf(medians.millrace)} : ${valueOf(medians.peer)}`,
    ...(ratio === undefined ? [] : [ratioCell(ratio)]),
    ...verdicts.filter((verdict) => verdict.figure === figure).map(verdictCell),
    ...(probe === undefined || sides.probe === undefined ? [] : [`${sides.probe}: ${format(probe.median)}`]),
  ].join('<br>');
}

function ratioCell({ median, low, high }: Spread): string {
  return `**${plain(median)}×**${low === high ? '' : ` (${plain(low)}–${plain(high)})`}`;
}

function verdictCell({ bound, state, remark }: FloorVerdict): string {
  const text = `${floorMarks[state]} ${bound}`;
  return `${state === 'missed' ? `**${text}**` : text}${remark === undefined ? '' : ` (${remark})`}`;
}

function versionText({ versions }: KeptResult): string {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}

function figureTexts(figures: FigureSpreads): string[] {
  return shown
    .filter((figure) => figures[figure])
    .map((figure) => `${figureFormats[figure].title} ${figureFormats[figure].format(figures[figure]!.median)}`);
}

function ratioText({ median, low, high }: Spread): string {
  return `${plain(median)}× (${plain(low)}–${plain(high)})`;
}

function verdictText({ figure, bound, value, remark }: FloorVerdict): string {
  const values = [...(value === null ? [] : [plain(value)]), ...(remark === undefined ? [] : [remark])];
  return `${figureFormats[figure].title} ${bound}: ${values.join(', ')}`;
}

function disturbedText(result: Pick<CaseResult, 'disturbed' | 'rounds'>): string {
  const count = result.rounds.millrace.length + result.rounds.peer.length;
  return `something else used the processor during ${disturbedCount(result)} of ${count} measurements`;
}
