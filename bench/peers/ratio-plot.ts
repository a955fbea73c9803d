/**
 * All ratios as one SVG: how many times better Millrace is than its rival in what a case is about, on a logarithmic axis.
 *
 *   ┌ How many times as much, or as fast, as its rival ┐
 *   │                  ½   1   2   4   8               │
 *   │  produce-100-1p      ├──|▇▇▇     1.15× records/s │   ▇  from equal to the median
 *   │  tail-1k             ├──────|▇▇  4.3× shorter p99│   ── from the lowest to the highest round
 *   │  nats-one-1k     ▇▇▇▇┤|  0.7× records/s ✗ p99    │   |  the floor of what the bar shows
 *   │  tail-20k            │   misses the rate         │   red: a floor of the case is missed, and behind ✗ of what
 *   └──────────────────────────────────────────────────┘
 */

import { type FigureName, figureFormats, plain, type Spread } from '../load/figures.ts';
import { type FloorVerdict, floorMarks } from '../load/floor-verdict.ts';
import { escaped, plotStyle, svgText, tenths } from '../load/svg-parts.ts';
import type { Chapter, KeptResult } from './peer-report.ts';

/** What a case is about: the first of these that has a ratio. Of the others less is better. */
const wanted: readonly FigureName[] = ['recordsPerSecond', 'requestsPerSecond', 'p99Ms', 'readyMs'];
const moreIsBetter: ReadonlySet<FigureName> = new Set(['recordsPerSecond', 'requestsPerSecond']);

const width = 960;
const top = 64;
const rowHeight = 17;
const chapterHeight = 30;
const plotLeft = 190;
const plotRight = 690;
const barHeight = 9;
/** Where the axis begins, and the most that it ends at. */
const lowest = 0.5;
const highest = 128;

/** How many times better, and where the floor of that lies; null where there is none that can be drawn. */
interface Bar {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly floor: number | null;
}

interface Row {
  readonly name: string;
  readonly isNats: boolean;
  /** Null where a side has no figure. */
  readonly bar: Bar | null;
  /** What stands behind the bar. */
  readonly label: string;
  /** Any floor of the case, whether it is the bar's or not. */
  readonly isMissed: boolean;
}

const style = `
  .chapter { font-weight: 600 } .small { font-size: 11px } .missed { fill: #c62839; stroke: #c62839 } .floor { stroke-width: 2 }
  .met { stroke: #3b3f46 } .one { stroke: #8b919b }
  @media (prefers-color-scheme: dark) { .missed { fill: #ff7685; stroke: #ff7685 } .met { stroke: #c3c8d0 } .one { stroke: #7d8490 } }
  text.missed { stroke: none }`;

/** The whole file. Cases without a ratio of what they are about have no bar, and say why. */
export function ratioPlot(results: readonly KeptResult[], chapters: readonly Chapter[]): string {
  const parts: string[] = [];
  let y = top;
  const scaleEnd = Math.min(
    highest,
    2 ** Math.ceil(Math.log2(Math.max(2, ...results.map((one) => rowOf(one).bar?.high ?? 1)))),
  );
  const x = (ratio: number): number => {
    const share = Math.log2(Math.min(Math.max(ratio, lowest), scaleEnd) / lowest) / Math.log2(scaleEnd / lowest);
    return plotLeft + share * (plotRight - plotLeft);
  };
  for (const { title, names } of chapters) {
    const rows = results.filter(({ name }) => names.includes(name)).map(rowOf);
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
  ${svgText(16, height - 10, 'Bars: medians. Thin lines: lowest to highest round. Upright lines: the floor. Red: a floor of the case is missed (✗, of what). ○: not shown yet.', 'class="small"')}
</svg>
`;
}

function rowOf({ name, sides, ratios, verdicts }: KeptResult): Row {
  const figure = wanted.find((one) => ratios[one] !== undefined);
  const missed = verdicts.filter(({ state }) => state === 'missed');
  const open = verdicts.find(({ state }) => state === 'open');
  const row = { name, isNats: sides.peer.startsWith('NATS'), isMissed: missed.length > 0 };
  if (figure === undefined) {
    const why = verdicts.find(({ remark }) => remark !== undefined)?.remark ?? 'no figure of both';
    const mark = missed.length > 0 ? floorMarks.missed : floorMarks.open;
    return { ...row, bar: null, label: `${why} ${mark}` };
  }
  const bar = barOf(ratios[figure]!, figure, verdicts);
  const missedWords = missed.map((one) => figureFormats[one.figure].title).join(', ');
  const mark =
    missed.length > 0 ? ` ${floorMarks.missed} ${missedWords}` : open === undefined ? '' : ` ${floorMarks.open}`;
  return { ...row, bar, label: `${plain(bar.median)}× ${betterWords(figure)}${mark}` };
}

function barOf({ median, low, high }: Spread, figure: FigureName, verdicts: readonly FloorVerdict[]): Bar {
  const floor = verdicts.find((one) => one.figure === figure)?.asRatio ?? null;
  if (moreIsBetter.has(figure)) return { median, low, high, floor };
  return { median: 1 / median, low: 1 / high, high: 1 / low, floor: floor === null ? null : 1 / floor };
}

function betterWords(figure: FigureName): string {
  if (moreIsBetter.has(figure)) return figureFormats[figure].title;
  return `shorter ${figure === 'p99Ms' ? 'p99' : 'start'}`;
}

function rowParts({ name, isNats, bar, label, isMissed }: Row, y: number, x: (ratio: number) => number): string[] {
  const middle = y + rowHeight / 2;
  return [
    svgText(plotLeft - 12, middle + 4, name, 'text-anchor="end"'),
    ...(bar === null ? [] : barParts(bar, middle, x, isNats ? 's1' : 's0', isMissed)),
    svgText(plotRight + 14, middle + 4, label, `class="${isMissed ? 'missed' : 'small'}"`),
  ];
}

function barParts(
  { median, low, high, floor }: Bar,
  middle: number,
  x: (ratio: number) => number,
  series: string,
  isMissed: boolean,
): string[] {
  const [from, to] = [x(Math.min(1, median)), x(Math.max(1, median))];
  const [top, barWidth] = [tenths(middle - barHeight / 2), tenths(Math.max(to - from, 1))];
  const upright = (at: number): string =>
    `<line class="floor ${isMissed ? 'missed' : 'met'}" x1="${tenths(at)}" x2="${tenths(at)}" y1="${tenths(middle - 7)}" y2="${tenths(middle + 7)}"/>`;
  return [
    `<rect class="${series}" x="${tenths(from)}" y="${top}" width="${barWidth}" height="${barHeight}" rx="1.5"/>`,
    `<line class="met" x1="${tenths(x(low))}" x2="${tenths(x(high))}" y1="${tenths(middle)}" y2="${tenths(middle)}"/>`,
    ...(floor === null ? [] : [upright(x(floor))]),
  ];
}
