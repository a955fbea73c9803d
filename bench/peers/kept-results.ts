/**
 * Keeps results in `bench/results/peers.json`, where a case that is measured again replaces what was there, and writes what
 * is made of them: tables in `bench/README.md` between two marks, and a plot beside the JSON. Main thread.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Figures } from '../load/figures.ts';
import { projectRoot } from '../load/project-root.ts';
import { writeReadmePart } from '../load/readme-part.ts';
import type { PeerCase } from './peer-case.ts';
import { type KeptResult, markdownTables } from './peer-report.ts';
import { ratioPlot } from './ratio-plot.ts';
import { resultOf } from './verdict.ts';

/** Cases under a heading, in the order of tables. */
export interface CaseChapter {
  readonly title: string;
  readonly cases: readonly PeerCase[];
}

const folder = join(projectRoot, 'bench', 'results');
const file = join(folder, 'peers.json');

/** Adds `results` to what is kept, and writes tables and plot. */
export function keepPeerResults(results: readonly KeptResult[], chapters: readonly CaseChapter[]): void {
  const kept = new Map(keptPeerResults().map((result) => [result.name, result]));
  for (const result of results) kept.set(result.name, result);
  const all = chapters.flatMap(({ cases }) =>
    cases.flatMap((one) => (kept.has(one.name) ? [judgedAgain(one, kept.get(one.name)!)] : [])),
  );
  const named = chapters.map(({ title, cases }) => ({ title, names: cases.map(({ name }) => name) }));
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify(all, null, 1)}\n`);
  writeFileSync(join(folder, 'peers.svg'), ratioPlot(all, named));
  writeReadmePart('peers', markdownTables(all, named));
}

/** What is kept, of all cases. */
export function keptPeerResults(): KeptResult[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as KeptResult[]).map(withSides) : [];
}

/** Once only the number of disturbed measurements was kept: they may all have been of one side, and are taken so. */
function withSides(result: KeptResult): KeptResult {
  const disturbed = result.disturbed as KeptResult['disturbed'] | number;
  if (typeof disturbed !== 'number') return result;
  const rounds = result.rounds.peer.length;
  const places = (count: number): number[] => Array.from({ length: count }, (_, place) => place);
  const sides = { millrace: places(Math.max(disturbed - rounds, 0)), peer: places(Math.min(disturbed, rounds)) };
  return { ...result, disturbed: sides, replaced: 0 };
}

/** A kept result as the case has it today, whose floors or words may have changed since it was measured. */
function judgedAgain(
  one: PeerCase,
  { rounds, repeated, disturbed, replaced, sides, machine, versions, client }: KeptResult,
): KeptResult {
  const [ours, theirs] = [rounds.millrace, rounds.peer].map((side) => side.map((round) => atRate(round, one.rate)));
  const measured = { millrace: ours!, peer: theirs!, probe: rounds.probe, repeated, disturbed, replaced };
  return { ...resultOf(one, measured, sides.millrace, sides.peer, machine.commit), client, machine, versions };
}

/** Rounds that missed their rate were once kept with what a request cost then, which says nothing. */
function atRate(figures: Figures, rate: number | undefined): Figures {
  const { requestsPerSecond, brokerCpuMicrosecondsPerRequest: _, ...rest } = figures;
  const isMissed = rate !== undefined && figures.p50Ms === undefined && requestsPerSecond !== undefined;
  return isMissed ? { ...rest, rateReached: requestsPerSecond / rate } : figures;
}
