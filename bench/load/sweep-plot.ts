/**
 * A sweep as a small SVG, readable on light and on dark pages.
 *
 *   ┌ Bytes/s by partitions         ┐        ┌ Bytes/s by acks               ┐
 *   │ 800 M ┤      ●──●  acks=1     │        │ 800 M ┤ 760 M ▇               │
 *   │ 400 M ┤  ●──●                 │        │ 400 M ┤       ▇   ▇ 410 M     │
 *   │     0 └──┴──┴──┴              │        │     0 └───────┴───┴───        │
 *   └─────────1──12──1000───────────┘        └───────────acks=0──all─────────┘
 *
 * Places that are sizes or counts are joined by a line for each series, whose name stands at its end; others, which have
 * no order, have bars with their values. The value axis begins at 0.
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
const largestBarWidth = 56;

const style = `
  text { font: 12px system-ui, sans-serif; fill: #3b3f46 }
  .title { font-size: 14px; font-weight: 600; fill: #16181c }
  .grid { stroke: #d9dce1 } path { fill: none; stroke-width: 2 } circle { stroke: none }
  .s0 { stroke: #1f6fd0; fill: #1f6fd0 } .s1 { stroke: #c2570c; fill: #c2570c } .s2 { stroke: #1c8050; fill: #1c8050 }
  .s3 { stroke: #8a3ab9; fill: #8a3ab9 } .s4 { stroke: #a3741a; fill: #a3741a } .s5 { stroke: #b8325e; fill: #b8325e }
  path[class] { fill: none } text[class^="s"], rect { stroke: none } .value { font-size: 11px }
  .page { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    .page { fill: #16181c }
    text { fill: #c3c8d0 } .title { fill: #f0f2f5 } .grid { stroke: #363b44 }
    .s0 { stroke: #6cadff; fill: #6cadff } .s1 { stroke: #ff9d57; fill: #ff9d57 } .s2 { stroke: #5fcf97; fill: #5fcf97 }
    .s3 { stroke: #cf94f5; fill: #cf94f5 } .s4 { stroke: #e0b458; fill: #e0b458 } .s5 { stroke: #f788ab; fill: #f788ab }
    path[class] { fill: none }
  }`;

/** Where things are: the places along the bottom, and values above them. */
interface Scale {
  x(place: number): number;
  y(value: number): number;
}

/** The whole file. Six series at most are told apart by their colours. */
export function sweepPlot({ title, unit, places, series }: Plot): string {
  const step = niceStep(Math.max(...series.flatMap(({ values }) => values.map((value) => value ?? 0)), 1e-9));
  const isOrdered = places.length > 1 && places.every((place) => /^\d/.test(place));
  const slotWidth = plotWidth / places.length;
  const scale: Scale = {
    x: (place) =>
      isOrdered ? margin.left + (place * plotWidth) / (places.length - 1) : margin.left + (place + 0.5) * slotWidth,
    y: (value) => margin.top + plotHeight * (1 - value / (step * 4)),
  };
  const grid = [0, 1, 2, 3, 4].map((i) => {
    const at = rounded(scale.y(i * step));
    return `<line class="grid" x1="${margin.left}" x2="${size.width - margin.right}" y1="${at}" y2="${at}"/>
  ${text(margin.left - 8, at + 4, short(i * step), 'text-anchor="end"')}`;
  });
  const labels = places.map((place, i) =>
    text(scale.x(i), size.height - margin.bottom + 20, place, 'text-anchor="middle"'),
  );
  const marks = series.map((each, i) =>
    isOrdered ? lineOf(each, i, scale) : barsOf(each, i, series.length, slotWidth, scale),
  );
  const heading = `${unit.charAt(0).toUpperCase()}${unit.slice(1)}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escaped(`${heading} by ${title}`)}">
  <style>${style}
  </style>
  <rect class="page" width="${size.width}" height="${size.height}"/>
  <text class="title" x="16" y="24">${escaped(heading)}<tspan font-weight="400"> by ${escaped(title)}</tspan></text>
  ${[...grid, ...labels, ...marks, ...namesOf(series, isOrdered, scale)].join('\n  ')}
</svg>
`;
}

function lineOf({ values }: PlotSeries, i: number, { x, y }: Scale): string {
  const points = values.flatMap((value, place) =>
    value === null ? [] : [[rounded(x(place)), rounded(y(value))] as const],
  );
  const path = points.map(([px, py], k) => `${k === 0 ? 'M' : 'L'}${px} ${py}`).join('');
  const dots = points.map(([px, py]) => `<circle class="s${i % seriesCount}" cx="${px}" cy="${py}" r="3.5"/>`);
  return `<path class="s${i % seriesCount}" d="${path}"/>${dots.join('')}`;
}

function barsOf({ values }: PlotSeries, i: number, count: number, slotWidth: number, { x, y }: Scale): string {
  const width = Math.min((slotWidth * 0.7) / count, largestBarWidth);
  const bars = values.flatMap((value, place) => {
    if (value === null) return [];
    const left = x(place) + (i - count / 2) * width;
    const top = y(value);
    const height = rounded(margin.top + plotHeight - top);
    return [
      `<rect class="s${i % seriesCount}" x="${rounded(left + 1)}" y="${rounded(top)}" width="${rounded(width - 2)}" height="${height}" rx="2"/>`,
      text(left + width / 2, top - 5, short(value), 'class="value" text-anchor="middle"'),
    ];
  });
  return bars.join('');
}

/** Names at the ends of lines, kept apart from each other; of bars below one another. */
function namesOf(series: readonly PlotSeries[], isOrdered: boolean, { y }: Scale): string[] {
  const wanted = series.map(({ name, values }, i) => ({
    name,
    i,
    at: isOrdered ? y(values.findLast((value) => value !== null) ?? 0) : margin.top,
  }));
  return apart(wanted).map(({ name, i, at }) =>
    text(size.width - margin.right + 10, at + 4, name, `class="s${i % seriesCount}"`),
  );
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${rounded(x)}" y="${rounded(y)}" ${attributes}>${escaped(content)}</text>`;
}

/** As `scaled`, without digits that say nothing. */
function short(value: number): string {
  return scaled(value)
    .replace(/(\.\d*?)0+(?=$| )/, '$1')
    .replace(/\.(?=$| )/, '');
}

/** A quarter of the axis: 1, 2, 2.5 or 5 times a power of ten. */
function niceStep(largest: number): number {
  const power = 10 ** Math.floor(Math.log10(largest / 4));
  return [1, 2, 2.5, 5, 10].find((factor) => factor * power * 4 >= largest)! * power;
}

/** Moves names down that would stand on the one above, and all up again that would leave the plot. */
function apart<Label extends { readonly at: number }>(labels: readonly Label[]): Label[] {
  const sorted = labels.toSorted((a, b) => a.at - b.at);
  const places: number[] = [];
  for (const { at } of sorted) places.push(Math.max(at, (places.at(-1) ?? -Infinity) + labelHeight));
  let highest = margin.top + plotHeight;
  for (let i = places.length - 1; i >= 0; i--) {
    places[i] = Math.min(places[i]!, highest);
    highest = places[i]! - labelHeight;
  }
  return sorted.map((label, i) => ({ ...label, at: places[i]! }));
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
