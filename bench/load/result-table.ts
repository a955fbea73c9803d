/** Results as a table: bold heads on a terminal, plain where it is piped, or Markdown. */

import { figureFormats, type FigureName, type ResultRow } from './figures.ts';
import { verdictLines } from './row-floors.ts';

/** A figure whose rounds differ by more than this share of the median has its range beside it. */
const widthWorthSaying = 0.1;
/** Beside rows that something else disturbed in some round, however often it was done. */
const disturbedMark = '†';

/** Rows of one scenario, with the columns that any of them has. */
export function resultTable(rows: readonly ResultRow[], isTerminal: boolean): string {
  const [head, ...lines] = cellsOf(rows);
  const widths = head!.map((title, i) => Math.max(title.length, ...lines.map((line) => line[i]!.length)));
  const layOut = (cells: readonly string[]): string =>
    cells.map((text, i) => (i < 2 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join('  ');
  const bold = (text: string): string => (isTerminal ? `\u001B[1m${text}\u001B[22m` : text);
  return [bold(layOut(head!)), ...lines.map(layOut), ...remarks(rows)].map((line) => line.trimEnd()).join('\n');
}

/** The same as a table of Markdown. */
export function markdownTable(rows: readonly ResultRow[]): string {
  const [head, ...lines] = cellsOf(rows);
  const layOut = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const marks = head!.map((_, i) => (i < 2 ? '---' : '--:'));
  const said = remarks(rows).flatMap((remark) => ['', remark]);
  return [layOut(head!), layOut(marks), ...lines.map(layOut), ...said].join('\n');
}

/** The head, and a line for each row. */
function cellsOf(rows: readonly ResultRow[]): string[][] {
  const names = (Object.keys(figureFormats) as FigureName[]).filter((name) =>
    rows.some(({ figures }) => figures[name]),
  );
  const head = ['', '', ...names.map((name) => figureFormats[name].title)];
  return [head, ...rows.map((row) => [row.what, whoOf(row), ...names.map((name) => cell(row, name))])];
}

function whoOf({ who, disturbed }: ResultRow): string {
  return disturbed === 0 ? who : `${who} ${disturbedMark}`;
}

function cell({ figures, each }: ResultRow, name: FigureName): string {
  const spread = figures[name];
  if (spread === undefined) return '';
  const { format } = figureFormats[name];
  const { median, low, high } = spread;
  if (each.length < 2 || high - low <= widthWorthSaying * median) return format(median);
  return `${format(median)} (${format(low)}–${format(high)})`;
}

function remarks(rows: readonly ResultRow[]): string[] {
  const repeated = rows.reduce((sum, row) => sum + row.repeated, 0);
  const marked = rows.filter(({ disturbed }) => disturbed > 0);
  const disturbed = marked.reduce((sum, row) => sum + row.disturbed, 0);
  const all = marked.reduce((sum, row) => sum + row.each.length, 0);
  return [
    ...rows.flatMap(verdictLines),
    ...(repeated === 0 ? [] : [`Done again because something else used the processor: ${repeated} rounds.`]),
    ...(disturbed === 0 ? [] : [`${disturbedMark} Disturbed even so: ${disturbed} of ${all} rounds of these rows.`]),
  ];
}
