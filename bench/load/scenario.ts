/** What a scenario is, and the sizes that all share. */

import type { ResultRow } from './figures.ts';
import { roundsForFloors } from './floor-verdict.ts';
import type { MachineFacts } from './machine.ts';
import type { ServerKind } from './server-under-test.ts';

/** How long and how large things are; the small ones only show that everything runs. */
export interface Sizes {
  readonly isQuick: boolean;
  readonly rounds: number;
  /** Of what a floor is held against. */
  readonly judgedRounds: number;
  /** Of each measured load, and of the load before it that is not measured. */
  readonly loadMs: number;
  readonly warmUpMs: number;
  /**
   * The same of loads in bulk, whose rate is the disk's as well: longer, so that what the kernel takes before it makes who
   * writes wait is not most of it, and V8's compilers are done.
   */
  readonly bulkMs: number;
  readonly bulkWarmUpMs: number;
  /** Of a load at a fixed rate that has enough samples for the highest percentile then; else see `rateMsOf`. */
  readonly rateMs: number;
  /** What a load at a fixed rate has at least. */
  readonly rateSamples: number;
  /** At most so many requests in a closed loop. */
  readonly requests: number;
  readonly crowds: readonly number[];
  readonly manyPartitions: readonly number[];
  /** Of starts; those with ten thousand are `bench:peers`'s. */
  readonly startPartitions: number;
  /** Of records, in bytes: those that most scenarios have, and those of the sweep over sizes. */
  readonly recordBytes: readonly number[];
  readonly sweptRecordBytes: readonly number[];
  /** Records a second at fixed rates. */
  readonly rates: readonly number[];
  /** What is produced before it is read. */
  readonly catchUpBytes: number;
  /** What goes through a soak. */
  readonly soakBytes: number;
  /** What is compacted, and how large its segments are. */
  readonly compactedBytes: number;
  readonly compactedSegmentBytes: number;
}

/** Ten above p99.99, and ten above p99.9. */
export const samplesForHighest = 100_000;
const samplesForHigh = 10_000;

export const fullSizes: Sizes = {
  isQuick: false,
  rounds: 3,
  judgedRounds: roundsForFloors,
  loadMs: 1000,
  warmUpMs: 500,
  bulkMs: 3000,
  bulkWarmUpMs: 1500,
  rateMs: 5200,
  rateSamples: samplesForHigh,
  requests: 1e9,
  crowds: [10, 100, 1000],
  manyPartitions: [1, 12, 1000, 10_000],
  startPartitions: 1000,
  recordBytes: [100, 1024],
  sweptRecordBytes: [100, 1024, 10_240, 100_000],
  rates: [1000, 20_000],
  catchUpBytes: 1e9,
  soakBytes: 2e9,
  compactedBytes: 256e6,
  compactedSegmentBytes: 32 * 2 ** 20,
};

export const quickSizes: Sizes = {
  isQuick: true,
  rounds: 1,
  judgedRounds: 1,
  loadMs: 60,
  warmUpMs: 0,
  bulkMs: 60,
  bulkWarmUpMs: 0,
  rateMs: 60,
  rateSamples: 0,
  requests: 20,
  crowds: [2, 20],
  manyPartitions: [1, 50],
  startPartitions: 50,
  recordBytes: [100],
  sweptRecordBytes: [100, 100_000],
  rates: [500],
  catchUpBytes: 4e6,
  soakBytes: 16e6,
  compactedBytes: 4e6,
  compactedSegmentBytes: 2 ** 20,
};

export interface ScenarioContext {
  readonly sizes: Sizes;
  /** Millrace as it is to be measured. */
  millrace(settings?: Readonly<Record<string, string>>): ServerKind;
  /** Where servers keep their data, on the disk to be measured. */
  readonly dataParent: string;
  /** Whether this is a whole run, whose results are kept with the project. */
  readonly keepsResults: boolean;
  readonly machine: MachineFacts;
  /** Whether a case is wanted whose name this is. */
  includes(what: string): boolean;
  /** A line about how it goes, not a result. */
  note(text: string): void;
}

export interface Scenario {
  readonly name: string;
  /** What it measures, in a line. */
  readonly title: string;
  run(context: ScenarioContext): Promise<ResultRow[]>;
}

/**
 * How long a load of so many requests a second is measured: for p99.99 where `rateMs` is enough for it, else for
 * `rateSamples`, with some more for what comes late.
 */
export function rateMsOf({ isQuick, rateMs, rateSamples }: Sizes, requestsPerSecond: number): number {
  if (isQuick || (requestsPerSecond * rateMs) / 1000 >= samplesForHighest) return rateMs;
  return (1.02 * rateSamples * 1000) / requestsPerSecond;
}

/** The same for loads in bulk. */
export function inBulk(context: ScenarioContext): ScenarioContext {
  const { sizes } = context;
  const { loadMs, warmUpMs, bulkMs, bulkWarmUpMs } = sizes;
  const longer = { loadMs: Math.max(loadMs, bulkMs), warmUpMs: Math.max(warmUpMs, bulkWarmUpMs) };
  return { ...context, sizes: { ...sizes, ...longer } };
}

/** A value and its batch as tables name them. */
export function sizeName(bytes: number): string {
  if (bytes >= 2 ** 20 && bytes % 2 ** 20 === 0) return `${bytes / 2 ** 20} MiB`;
  if (bytes >= 1024 && bytes % 1024 === 0) return `${bytes / 1024} KiB`;
  return bytes >= 1000 && bytes % 1000 === 0 ? `${bytes / 1000} KB` : `${bytes} B`;
}

export function acksName(acks: -1 | 0 | 1): string {
  return acks === -1 ? 'acks=all' : `acks=${acks}`;
}
