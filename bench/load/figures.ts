/** The figures that rounds give, their medians and spread, and how a person reads them. */

import type { FloorVerdict } from './floor-verdict.ts';

/** Each figure that there is, with its unit in its name. */
export const figureFormats = {
  recordsPerSecond: { title: 'records/s', format: scaled },
  requestsPerSecond: { title: 'requests/s', format: scaled },
  /** Of the rate that was asked for; beside another server only of a round that missed it, which has no latencies then. */
  rateReached: { title: 'of the rate', format: plain },
  /** Of the records a second without what is beside it. */
  rateKept: { title: 'of those alone', format: plain },
  /** Against which of the rival's ways `recordsPerSecond` is not: one message a request. */
  singlesPerSecond: { title: 'against single messages, records/s', format: scaled },
  bytesPerSecond: { title: 'bytes/s', format: scaled },
  /** How often each partition was written to, where that is what ends a load. */
  turns: { title: 'turns', format: plain },
  brokerCpuSecondsPerGb: { title: 'broker CPU s/GB', format: plain },
  clientCpuSecondsPerGb: { title: 'client CPU s/GB', format: plain },
  brokerCpuMicrosecondsPerRequest: { title: 'broker µs/request', format: plain },
  clientCpuMicrosecondsPerRequest: { title: 'client µs/request', format: plain },
  ioMicroseconds: { title: 'I/O thread', format: plain },
  workerMicroseconds: { title: 'flush worker', format: plain },
  otherMicroseconds: { title: 'other threads', format: plain },
  directFiles: { title: 'O_DIRECT files', format: String },
  rssMiB: { title: 'RSS MiB', format: plain },
  peakRssMb: { title: 'peak RSS MB', format: plain },
  /** The peak beyond what it had before. */
  addedRssMb: { title: 'RSS added MB', format: plain },
  p50Ms: { title: 'p50 ms', format: plain },
  p90Ms: { title: 'p90', format: plain },
  p99Ms: { title: 'p99', format: plain },
  p999Ms: { title: 'p99.9', format: plain },
  p9999Ms: { title: 'p99.99', format: plain },
  maxMs: { title: 'max', format: plain },
  /** How many of them there are, where others counted them. */
  latencies: { title: 'latencies', format: scaled },
  readyMs: { title: 'ready ms', format: plain },
  firstAckMs: { title: 'first ack ms', format: plain },
  descriptors: { title: 'descriptors', format: String },
  handles: { title: 'handles', format: String },
  ratio: { title: 'ratio', format: plain },
} as const;

export type FigureName = keyof typeof figureFormats;
/** What one round gave; a figure that has no meaning there is left out. */
export type Figures = Partial<Record<FigureName, number>> & {
  /** In which of several ways, where one was chosen in the round. */
  readonly how?: string;
};

export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export type FigureSpreads = Partial<Record<FigureName, Spread>>;

/** One line of a table. */
export interface ResultRow {
  readonly scenario: string;
  /** What was done, in words. */
  readonly what: string;
  /** Who did it: a server's name, or what it is compared with. */
  readonly who: string;
  readonly figures: FigureSpreads;
  /** What each round gave. */
  readonly each: readonly Figures[];
  /** Measurements that were done again because something else used the processor. */
  readonly repeated: number;
  /** Rounds that were disturbed all the same; of each the least disturbed measurement counts. */
  readonly disturbed: number;
  /** Where one may be put on a plot of a sweep: the place, the line, and the plot's title. */
  readonly sweep?: Sweep;
  /** What the floors of the row come to, where it has some. */
  readonly verdicts?: readonly FloorVerdict[];
}

export interface Sweep {
  readonly title: string;
  readonly at: string;
  readonly line: string;
  /** What is drawn; absent: throughput, processor time and memory. */
  readonly figures?: readonly FigureName[];
}

const latencies: ReadonlySet<FigureName> = new Set(['p50Ms', 'p90Ms', 'p99Ms', 'p999Ms', 'p9999Ms', 'maxMs']);

/** Of latencies only those that every round has. */
export function spreadsOf(rounds: readonly Figures[]): FigureSpreads {
  const spreads: FigureSpreads = {};
  for (const name of Object.keys(figureFormats) as FigureName[]) {
    const values = rounds.map((round) => round[name]).filter((value) => value !== undefined);
    // Rounds with enough values for a high percentile are the faster ones, and those that kept up with a rate as well.
    if (latencies.has(name) && values.length < rounds.length) continue;
    if (values.length > 0) spreads[name] = spreadOf(values);
  }
  return spreads;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, low: sorted[0]!, high: sorted.at(-1)! };
}

/** Three digits and a unit prefix. */
export function scaled(value: number): string {
  if (value === 0) return '0';
  const power = Math.min(Math.max(Math.floor(Math.log10(value) / 3), 0), 3);
  return `${threeDigits(value / 1000 ** power)} ${['', 'k', 'M', 'G'][power]!}`.trimEnd();
}

export function plain(value: number): string {
  return threeDigits(value);
}

/** At least three significant digits, and no exponent. */
function threeDigits(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(value >= 0.1 || value === 0 ? 2 : 4);
}
