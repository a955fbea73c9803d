/**
 * All ratios as one SVG: how many times better Millrace is than its rival in what a case is about, on a logarithmic axis.
 *
 *   ┌ How many times as much, or as fast, as its rival ┐
 *   │                  ½   1   2   4   8               │
 *   │  produce-100-1p      ├──|▇▇▇     1.15× records/s │   ▇  from equal to the median
 *   │  tail-1k             ├──────|▇▇  4.3× shorter p99│   ── from the lowest to the highest round
 *   │  nats-one-1k     ▇▇▇▇┤|          0.7× records/s  │   |  the floor, red where it is missed
 *   └──────────────────────────────────────────────────┘
 */

import { type FigureName, figureFormats, plain } from '../load/figures.ts';
import { escaped, plotStyle, svgText, tenths } from '../load/svg-parts.ts';
import type { Chapter, KeptResult } from './peer-report.ts';
import type { FloorVerdict } from './verdict.ts';

/** What a case is about: the first of these that has a ratio. Of the others less is better. */
const wanted: readonly FigureName[] = ['recordsPerSecond', 'requestsPerSecond', 'p99Ms', 'readyMs'];
const moreIsBetter: ReadonlySet<FigureName> = new Set(['recordsPerSecond', 'requestsPerSecond']);

const width = 860;
const top = 64;
const rowHeight = 17;
const chapterHeight = 30;
const plotLeft = 190;
const plotRight = 690;
const barHeight = 9;
/** Where the axis begins, and the most that it ends at. */
const lowest = 0.5;
const highest = 128;

interface Row {
  readonly name: string;
  readonly isNats: boolean;
  readonly figure: FigureName;
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** As a ratio of the same kind; null where the floor is none. */
  readonly floor: number | null;
  readonly isMissed: boolean;
  readonly rounds: number;
}

const style = `
  .chapter { font-weight: 600 } .small { font-size: 11px } .missed { fill: #c62839; stroke: #c62839 } .floor { stroke-width: 2 }
  .met { stroke: #3b3f46 } .one { stroke: #8b919b }
  @media (prefers-color-scheme: dark) { .missed { fill: #ff7685; stroke: #ff7685 } .met { stroke: #c3c8d0 } .one { stroke: #7d8490 } }
  text.missed { stroke: none }`;

/** The whole file. Cases without a ratio of what they are about are left out. */
export function ratioPlot(results: readonly KeptResult[], chapters: readonly Chapter[]): string {
  const parts: string[] = [];
  let y = top;
  const scaleEnd = Math.min(
    highest,
    2 ** Math.ceil(Math.log2(Math.max(2, ...results.map((one) => rowOf(one)?.high ?? 1)))),
  );
  const x = (ratio: number): number => {
    const share = Math.log2(Math.min(Math.max(ratio, lowest), scaleEnd) / lowest) / Math.log2(scaleEnd / lowest);
    return plotLeft + share * (plotRight - plotLeft);
  };
  for (const { title, names } of chapters) {
    const rows = results.filter(({ name }) => names.includes(name)).flatMap((result) => rowOf(result) ?? []);
    if (rows.length === 0) continue;
    y += chapterHeight;
    parts.push(svgText(16, y - 10, title, 'class="chapter"'));
    for (const row of rows) {
      parts.push(...rowParts(row, y, x));
      y += rowHeight;
    }
  }
  const height = y + 28;
  const ticks: number[] = [];
  for (let tick = lowest; tick <= scaleEnd; tick *= 2) ticks.push(tick);
  const axis = ticks.flatMap((tick) => [
    `<line class="${tick === 1 ? 'one' : 'grid'}" x1="${tenths(x(tick))}" x2="${tenths(x(tick))}" y1="${top}" y2="${y}"/>`,
    svgText(x(tick), top - 6, `${tick === lowest ? '½' : tick}×`, 'class="small" text-anchor="middle"'),
  ]);
  const title = 'How many times as much, or as fast, as its rival';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">
  <style>${plotStyle}${style}
  </style>
  <rect class="page" width="${width}" height="${height}"/>
  <text class="title" x="16" y="24">${escaped(title)}</text>
  <rect class="s0" x="${plotRight - 210}" y="15" width="10" height="10"/>${svgText(plotRight - 195, 24, 'Apache Kafka', '')}
  <rect class="s1" x="${plotRight - 95}" y="15" width="10" height="10"/>${svgText(plotRight - 80, 24, 'NATS JetStream', '')}
  ${[...axis, ...parts].join('\n  ')}
  ${svgText(16, height - 10, 'Bars: medians. Thin lines: lowest to highest round. Upright lines: the floor, red where it is missed.', 'class="small"')}
</svg>
`;
}

function rowOf({ name, sides, ratios, verdicts, rounds }: KeptResult): Row | null {
  const figure = wanted.find((one) => ratios[one] !== undefined);
  if (figure === undefined) return null;
  const { median, low, high } = ratios[figure]!;
  const verdict = verdicts.find((one) => one.figure === figure);
  const isMore = moreIsBetter.has(figure);
  return {
    name,
    isNats: sides.peer.startsWith('NATS'),
    figure,
    ...(isMore ? { median, low, high } : { median: 1 / median, low: 1 / high, high: 1 / low }),
    floor: verdict === undefined ? null : floorOf(verdict, isMore),
    isMissed: verdict !== undefined && !verdict.isMet,
    rounds: rounds.millrace.length,
  };
}

/** Of a bound like `≥ 1.1×`; one that is no ratio has no place on the axis. */
function floorOf({ bound }: FloorVerdict, isMore: boolean): number | null {
  const found = /^[≥≤] ([\d.]+)×$/.exec(bound);
  if (found === null) return null;
  return isMore ? Number(found[1]) : 1 / Number(found[1]);
}

function rowParts(row: Row, y: number, x: (ratio: number) => number): string[] {
  const middle = y + rowHeight / 2;
  const [from, to] = [x(Math.min(1, row.median)), x(Math.max(1, row.median))];
  const series = row.isNats ? 's1' : 's0';
  const unit = figureFormats[row.figure].title;
  const what = moreIsBetter.has(row.figure) ? unit : `shorter ${row.figure === 'p99Ms' ? 'p99' : 'start'}`;
  return [
    svgText(plotLeft - 12, middle + 4, row.name, 'text-anchor="end"'),
    `<rect class="${series}" x="${tenths(from)}" y="${tenths(middle - barHeight / 2)}" width="${tenths(Math.max(to - from, 1))}" height="${barHeight}" rx="1.5"/>`,
    `<line class="met" x1="${tenths(x(row.low))}" x2="${tenths(x(row.high))}" y1="${tenths(middle)}" y2="${tenths(middle)}"/>`,
    ...(row.floor === null
      ? []
      : [
          `<line class="floor ${row.isMissed ? 'missed' : 'met'}" x1="${tenths(x(row.floor))}" x2="${tenths(x(row.floor))}" y1="${tenths(middle - 7)}" y2="${tenths(middle + 7)}"/>`,
        ]),
    svgText(
      plotRight + 14,
      middle + 4,
      `${plain(row.median)}× ${what}`,
      `class="${row.isMissed ? 'missed' : 'small'}"`,
    ),
  ];
}
