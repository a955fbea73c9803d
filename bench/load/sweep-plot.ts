/**
 * A sweep as a small SVG: places along the bottom, one line for each series, readable on light and on dark pages.
 *
 *   ┌ title                         ┐
 *   │ 800 M ┤      ●──●  1 KiB      │   the value axis begins at 0; names stand at the ends of their lines,
 *   │ 400 M ┤  ●──●                 │   kept apart from each other
 *   │     0 └──┴──┴──┴              │
 *   └─────────1──12──1000───────────┘
 */

import { scaled } from './figures.ts';

export interface PlotSeries {
  readonly name: string;
  /** One for each place; null where there is none. */
  readonly values: readonly (number | null)[];
}

export interface Plot {
  readonly title: string;
  readonly unit: string;
  readonly places: readonly string[];
  readonly series: readonly PlotSeries[];
}

const size = { width: 640, height: 320 } as const;
const margin = { left: 64, right: 150, top: 44, bottom: 36 } as const;
const plotWidth = size.width - margin.left - margin.right;
const plotHeight = size.height - margin.top - margin.bottom;
const labelHeight = 15;
const seriesCount = 6;

const style = `
  text { font: 12px system-ui, sans-serif; fill: #3b3f46 }
  .title { font-size: 14px; font-weight: 600; fill: #16181c }
  .grid { stroke: #d9dce1 } path { fill: none; stroke-width: 2 } circle { stroke: none }
  .s0 { stroke: #1f6fd0; fill: #1f6fd0 } .s1 { stroke: #c2570c; fill: #c2570c } .s2 { stroke: #1c8050; fill: #1c8050 }
  .s3 { stroke: #8a3ab9; fill: #8a3ab9 } .s4 { stroke: #a3741a; fill: #a3741a } .s5 { stroke: #b8325e; fill: #b8325e }
  path[class] { fill: none } text[class^="s"] { stroke: none }
  .page { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    .page { fill: #16181c }
    text { fill: #c3c8d0 } .title { fill: #f0f2f5 } .grid { stroke: #363b44 }
    .s0 { stroke: #6cadff; fill: #6cadff } .s1 { stroke: #ff9d57; fill: #ff9d57 } .s2 { stroke: #5fcf97; fill: #5fcf97 }
    .s3 { stroke: #cf94f5; fill: #cf94f5 } .s4 { stroke: #e0b458; fill: #e0b458 } .s5 { stroke: #f788ab; fill: #f788ab }
    path[class] { fill: none }
  }`;

/** The whole file. Six series at most are told apart by their colours. */
export function sweepPlot({ title, unit, places, series }: Plot): string {
  const step = niceStep(Math.max(...series.flatMap(({ values }) => values.map((value) => value ?? 0)), 1e-9));
  const top = step * 4;
  const x = (place: number): number =>
    margin.left + (places.length === 1 ? plotWidth / 2 : (place * plotWidth) / (places.length - 1));
  const y = (value: number): number => margin.top + plotHeight * (1 - value / top);
  const grid = [0, 1, 2, 3, 4].map((i) => {
    const at = rounded(y(i * step));
    return `<line class="grid" x1="${margin.left}" x2="${size.width - margin.right}" y1="${at}" y2="${at}"/>
  <text x="${margin.left - 8}" y="${at + 4}" text-anchor="end">${escaped(scaled(i * step))}</text>`;
  });
  const labels = places.map(
    (place, i) =>
      `<text x="${rounded(x(i))}" y="${size.height - margin.bottom + 20}" text-anchor="middle">${escaped(place)}</text>`,
  );
  const lines = series.map(({ values }, i) => {
    const points = values.flatMap((value, place) =>
      value === null ? [] : [[rounded(x(place)), rounded(y(value))] as const],
    );
    const path = points.map(([px, py], k) => `${k === 0 ? 'M' : 'L'}${px} ${py}`).join('');
    const dots = points.map(([px, py]) => `<circle class="s${i % seriesCount}" cx="${px}" cy="${py}" r="3.5"/>`);
    return `<path class="s${i % seriesCount}" d="${path}"/>${dots.join('')}`;
  });
  const names = apart(
    series.map(({ name, values }, i) => ({ name, i, at: y(values.findLast((value) => value !== null) ?? 0) })),
  ).map(
    ({ name, i, at }) =>
      `<text class="s${i % seriesCount}" x="${size.width - margin.right + 10}" y="${rounded(at + 4)}">${escaped(name)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escaped(title)}">
  <style>${style}
  </style>
  <rect class="page" width="${size.width}" height="${size.height}"/>
  <text class="title" x="16" y="24">${escaped(title)}<tspan font-weight="400">, ${escaped(unit)}</tspan></text>
  ${[...grid, ...labels, ...lines, ...names].join('\n  ')}
</svg>
`;
}

/** A quarter of the axis: 1, 2, 2.5 or 5 times a power of ten. */
function niceStep(largest: number): number {
  const power = 10 ** Math.floor(Math.log10(largest / 4));
  return [1, 2, 2.5, 5, 10].find((factor) => factor * power * 4 >= largest)! * power;
}

/** Moves names down that would stand on the one above. */
function apart<Label extends { readonly at: number }>(labels: readonly Label[]): Label[] {
  let lowest = -Infinity;
  return labels
    .toSorted((a, b) => a.at - b.at)
    .map((label) => {
      lowest = Math.max(label.at, lowest + labelHeight);
      return { ...label, at: lowest };
    });
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
