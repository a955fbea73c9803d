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
import { escaped, plotStyle, svgText, tenths } from './svg-parts.ts';

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
    const at = tenths(scale.y(i * step));
    return `<line class="grid" x1="${margin.left}" x2="${size.width - margin.right}" y1="${at}" y2="${at}"/>
  ${svgText(margin.left - 8, at + 4, short(i * step), 'text-anchor="end"')}`;
  });
  const labels = places.map((place, i) =>
    svgText(scale.x(i), size.height - margin.bottom + 20, place, 'text-anchor="middle"'),
  );
  const marks = series.map((each, i) =>
    isOrdered ? lineOf(each, i, scale) : barsOf(each, i, series.length, slotWidth, scale),
  );
  const heading = `${unit.charAt(0).toUpperCase()}${unit.slice(1)}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escaped(`${heading} by ${title}`)}">
  <style>${plotStyle}
  </style>
  <rect class="page" width="${size.width}" height="${size.height}"/>
  <text class="title" x="16" y="24">${escaped(heading)}<tspan font-weight="400"> by ${escaped(title)}</tspan></text>
  ${[...grid, ...labels, ...marks, ...namesOf(series, isOrdered, scale)].join('\n  ')}
</svg>
`;
}

function lineOf({ values }: PlotSeries, i: number, { x, y }: Scale): string {
  const points = values.flatMap((value, place) =>
    value === null ? [] : [[tenths(x(place)), tenths(y(value))] as const],
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
    const height = tenths(margin.top + plotHeight - top);
    return [
      `<rect class="s${i % seriesCount}" x="${tenths(left + 1)}" y="${tenths(top)}" width="${tenths(width - 2)}" height="${height}" rx="2"/>`,
      svgText(left + width / 2, top - 5, short(value), 'class="value" text-anchor="middle"'),
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
    svgText(size.width - margin.right + 10, at + 4, name, `class="s${i % seriesCount}"`),
  );
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
