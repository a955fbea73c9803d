/** Medians, ratios with their spread, and whether floors are met. It measures nothing. */

import {
  type FigureName,
  figureFormats,
  type Figures,
  type FigureSpreads,
  plain,
  type Spread,
  spreadOf,
  spreadsOf,
} from '../load/figures.ts';
import { type FloorVerdict, type Judged, settled } from '../load/floor-verdict.ts';
import type { Floor, PeerCase } from './peer-case.ts';
import type { CaseRounds } from './peer-rounds.ts';

/** A figure of Millrace over the rival's: of the medians, and from the lowest to the highest round. */
export type Ratios = Partial<Record<FigureName, Spread>>;

export interface CaseResult {
  readonly name: string;
  readonly title: string;
  readonly client: string;
  readonly sides: { readonly millrace: string; readonly peer: string; readonly probe?: string };
  readonly rounds: { readonly millrace: Figures[]; readonly peer: Figures[]; readonly probe: Figures[] };
  readonly repeated: number;
  readonly disturbed: number;
  readonly medians: { readonly millrace: FigureSpreads; readonly peer: FigureSpreads; readonly probe: FigureSpreads };
  readonly ratios: Ratios;
  readonly verdicts: readonly FloorVerdict[];
}

/** What the floors of a case are held against. */
type Found = Pick<CaseResult, 'rounds' | 'medians' | 'ratios'>;

/** What of a side that missed its rate in any round is still a figure of all of them. */
const withoutRate: ReadonlySet<FigureName> = new Set(['rateReached', 'rssMiB', 'peakRssMb']);
/** Of a side that does not keep up they grow without an end, so that whoever keeps up has less. */
const latencies: ReadonlySet<FigureName> = new Set(['p50Ms', 'p99Ms']);

/** `commit` is what was measured. */
export function resultOf(
  one: PeerCase,
  measured: CaseRounds,
  millraceName: string,
  peerName: string,
  commit: string | null,
): CaseResult {
  const { millrace, peer, probe, repeated, disturbed } = measured;
  const rounds = { millrace, peer, probe };
  const medians = { millrace: mediansOf(millrace), peer: mediansOf(peer), probe: spreadsOf(probe) };
  const ratios = ratiosOf(millrace, peer, medians.millrace, medians.peer);
  const evidence = { rounds: Math.min(millrace.length, peer.length), commit };
  return {
    name: one.name,
    title: one.title,
    client: one.client,
    sides: { millrace: millraceName, peer: peerName, ...(one.probe === undefined ? {} : { probe: one.probe.name }) },
    rounds,
    repeated,
    disturbed,
    medians,
    ratios,
    verdicts: one.floors.map((floor) => settled(judged(floor, { rounds, medians, ratios }), evidence)),
  };
}

/** A side that missed the rate in a round has no latencies and no cost: those of the others would be its better rounds'. */
function mediansOf(rounds: readonly Figures[]): FigureSpreads {
  const all = spreadsOf(rounds);
  if (missedRounds(rounds) === 0) return all;
  return Object.fromEntries(Object.entries(all).filter(([name]) => withoutRate.has(name as FigureName)));
}

function missedRounds(rounds: readonly Figures[]): number {
  return rounds.filter(({ rateReached }) => rateReached !== undefined).length;
}

function ratiosOf(
  millrace: readonly Figures[],
  peer: readonly Figures[],
  millraceMedians: FigureSpreads,
  peerMedians: FigureSpreads,
): Ratios {
  const ratios: Ratios = {};
  for (const name of Object.keys(figureFormats) as FigureName[]) {
    if (name === 'rateReached') continue;
    const each = millrace.map((figures, round) => (figures[name] ?? Number.NaN) / (peer[round]?.[name] ?? Number.NaN));
    const real = each.filter((ratio) => Number.isFinite(ratio));
    const ours = millraceMedians[name];
    const theirs = peerMedians[name];
    if (real.length === 0 || ours === undefined || theirs === undefined) continue;
    ratios[name] = { ...spreadOf(real), median: ours.median / theirs.median };
  }
  return ratios;
}

function judged(floor: Floor, found: Found): Judged {
  const { figure } = floor;
  const bound = boundOf(floor, found);
  const nothing = { figure, bound, value: null };
  const missed = (side: 'millrace' | 'peer'): number => missedRounds(found.rounds[side]);
  const inRounds = (side: 'millrace' | 'peer'): string => `in ${missed(side)} of ${found.rounds[side].length} rounds`;
  if (missed('millrace') > 0) {
    return { ...nothing, isMet: false, remark: `Millrace misses the rate ${inRounds('millrace')}` };
  }
  if (missed('peer') > 0) {
    const remark = `the rival misses the rate ${inRounds('peer')}`;
    // A latency is bounded where there is a rate at all, unless the rival misses it by chance.
    const isBeaten = latencies.has(figure) && missed('peer') * 2 > found.rounds.peer.length;
    return { ...nothing, isMet: isBeaten ? true : null, remark };
  }
  if (found.medians.millrace[figure] === undefined) return { ...nothing, isMet: null, remark: 'not measured' };
  if ('atMostAbsolute' in floor) return judgedAbsolute(floor, bound, found);
  if ('atLeastAbsolute' in floor) {
    const { median } = found.medians.millrace[figure];
    return { figure, bound, value: median, isMet: median >= floor.atLeastAbsolute };
  }
  const value = found.ratios[figure]?.median;
  if (value === undefined) return { ...nothing, isMet: null, remark: 'too little to be measured' };
  return 'atLeast' in floor ? judgedAtLeast(floor, bound, value, found) : judgedAtMost(floor, bound, value, found);
}

function boundOf(floor: Floor, { medians }: Found): string {
  if ('atLeast' in floor) return `≥ ${floor.atLeast}×`;
  if ('atLeastAbsolute' in floor) return `≥ ${floor.atLeastAbsolute}`;
  const probe = floor.plusProbe === true ? medians.probe[floor.figure] : undefined;
  if ('atMost' in floor) return `≤ ${floor.atMost}×${probe === undefined ? '' : ' + fdatasync'}`;
  return `≤ ${floor.atMostAbsolute}${probe === undefined ? '' : ` + ${plain(probe.median)}`}`;
}

function judgedAbsolute(
  { figure, atMostAbsolute, plusProbe }: Extract<Floor, { atMostAbsolute: number }>,
  bound: string,
  { medians }: Found,
): Judged {
  const value = medians.millrace[figure]!.median;
  const allowed = atMostAbsolute + (plusProbe === true ? (medians.probe[figure]?.median ?? 0) : 0);
  const theirs = medians.peer[figure]?.median;
  return { figure, bound, value, isMet: value <= allowed, ...(theirs ? { asRatio: allowed / theirs } : {}) };
}

function judgedAtLeast(
  { figure, atLeast, orOfProbe }: Extract<Floor, { atLeast: number }>,
  bound: string,
  value: number,
  { medians }: Found,
): Judged {
  const plainly = { figure, bound, value, asRatio: atLeast };
  const probe = medians.probe.bytesPerSecond;
  if (value >= atLeast || orOfProbe === undefined || probe === undefined) {
    return { ...plainly, isMet: value >= atLeast };
  }
  const ofProbe = medians.millrace.bytesPerSecond!.median / probe.median;
  const remark = `${ofProbe.toFixed(2)}× of the disk itself, ${orOfProbe}× would do`;
  return { ...plainly, isMet: ofProbe >= orOfProbe, remark };
}

function judgedAtMost(
  { figure, atMost, plusProbe }: Extract<Floor, { atMost: number }>,
  bound: string,
  value: number,
  { medians }: Found,
): Judged {
  const probe = medians.probe[figure]?.median;
  if (plusProbe !== true || probe === undefined) {
    return { figure, bound, value, asRatio: atMost, isMet: value <= atMost };
  }
  const theirs = medians.peer[figure]!.median;
  const allowed = atMost * theirs + probe;
  const isMet = medians.millrace[figure]!.median <= allowed;
  return { figure, bound, value, asRatio: allowed / theirs, isMet, remark: `fdatasync itself ${probe.toFixed(2)} ms` };
}
