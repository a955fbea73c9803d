/** Results as a table: bold heads on a terminal, plain where it is piped, or Markdown. */

import { figureFormats, type FigureName, type ResultRow } from './figures.ts';

/** A figure whose rounds differ by more than this share of the median has its range beside it. */
const widthWorthSaying = 0.1;

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
  return [head, ...rows.map((row) => [row.what, row.who, ...names.map((name) => cell(row, name))])];
}

function cell({ figures, rounds }: ResultRow, name: FigureName): string {
  const spread = figures[name];
  if (spread === undefined) return '';
  const { format } = figureFormats[name];
  const { median, low, high } = spread;
  if (rounds < 2 || high - low <= widthWorthSaying * median) return format(median);
  return `${format(median)} (${format(low)}–${format(high)})`;
}

function remarks(rows: readonly ResultRow[]): string[] {
  const repeated = rows.reduce((sum, row) => sum + row.repeated, 0);
  return repeated === 0 ? [] : [`${repeated} rounds were done again, because something else used the processor.`];
}
