/** Keeps results: one JSON file a run, and an SVG for each sweep in it. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FigureName, figureFormats, type ResultRow } from './figures.ts';
import type { MachineFacts } from './machine.ts';
import { sweepPlot } from './sweep-plot.ts';

export interface RunResults {
  readonly machine: MachineFacts;
  readonly rows: readonly ResultRow[];
}

/** Of a sweep that does not say what. */
const plotted: readonly FigureName[] = ['recordsPerSecond', 'bytesPerSecond', 'brokerCpuSecondsPerGb', 'rssMiB'];

/** Writes `name`.json and `name`-SWEEP-FIGURE.svg into `folder`; returns the files' names. */
export function keepResults(folder: string, name: string, results: RunResults): string[] {
  mkdirSync(folder, { recursive: true });
  const files = new Map([[`${name}.json`, `${JSON.stringify(results, null, 2)}\n`]]);
  const swept = results.rows.filter(({ sweep }) => sweep !== undefined);
  for (const title of new Set(swept.map(({ sweep }) => sweep!.title))) {
    const rows = swept.filter(({ sweep }) => sweep!.title === title);
    for (const figure of rows[0]!.sweep!.figures ?? plotted) {
      if (!rows.some(({ figures }) => figures[figure])) continue;
      files.set(`${name}-${slug(title)}-${slug(figureFormats[figure].title)}.svg`, plotOf(title, figure, rows));
    }
  }
  for (const [file, text] of files) writeFileSync(join(folder, file), text);
  return [...files.keys()];
}

function plotOf(title: string, figure: FigureName, rows: readonly ResultRow[]): string {
  const places = [...new Set(rows.map(({ sweep }) => sweep!.at))];
  const lines = [...new Set(rows.map(({ sweep }) => sweep!.line))];
  const series = lines.map((name) => ({
    name,
    values: places.map((place) => {
      const row = rows.find(({ sweep }) => sweep!.at === place && sweep!.line === name);
      return row?.figures[figure]?.median ?? null;
    }),
  }));
  return sweepPlot({ title, unit: figureFormats[figure].title, places, series });
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}
