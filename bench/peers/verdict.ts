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
import type { Floor, PeerCase } from './peer-case.ts';
import type { CaseRounds } from './peer-rounds.ts';

/** A figure of Millrace over the rival's: of the medians, and from the lowest to the highest round. */
export type Ratios = Partial<Record<FigureName, Spread>>;

export interface FloorVerdict {
  readonly figure: FigureName;
  /** As `≥ 1.1×`. */
  readonly bound: string;
  /** What is held against it; null where there is no such figure. */
  readonly value: number | null;
  readonly isMet: boolean;
  /** What else has to be known. */
  readonly remark?: string;
}

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

export function resultOf(one: PeerCase, rounds: CaseRounds, millraceName: string, peerName: string): CaseResult {
  const { millrace, peer, probe, repeated, disturbed } = rounds;
  const medians = { millrace: spreadsOf(millrace), peer: spreadsOf(peer), probe: spreadsOf(probe) };
  const ratios = ratiosOf(millrace, peer, medians.millrace, medians.peer);
  return {
    name: one.name,
    title: one.title,
    client: one.client,
    sides: { millrace: millraceName, peer: peerName, ...(one.probe === undefined ? {} : { probe: one.probe.name }) },
    rounds: { millrace, peer, probe },
    repeated,
    disturbed,
    medians,
    ratios,
    verdicts: one.floors.map((floor) => verdictOf(floor, medians, ratios)),
  };
}

function ratiosOf(
  millrace: readonly Figures[],
  peer: readonly Figures[],
  millraceMedians: FigureSpreads,
  peerMedians: FigureSpreads,
): Ratios {
  const ratios: Ratios = {};
  for (const name of Object.keys(figureFormats) as FigureName[]) {
    const each = millrace.map((figures, round) => (figures[name] ?? Number.NaN) / (peer[round]?.[name] ?? Number.NaN));
    const real = each.filter((ratio) => Number.isFinite(ratio));
    const ours = millraceMedians[name];
    const theirs = peerMedians[name];
    if (real.length === 0 || ours === undefined || theirs === undefined) continue;
    ratios[name] = { ...spreadOf(real), median: ours.median / theirs.median };
  }
  return ratios;
}

function verdictOf(floor: Floor, medians: CaseResult['medians'], ratios: Ratios): FloorVerdict {
  const { figure } = floor;
  const ours = medians.millrace[figure]?.median;
  const theirs = medians.peer[figure]?.median;
  const probe = medians.probe[figure]?.median;
  if ('atMostAbsolute' in floor) {
    const value = ours ?? Infinity;
    const more = floor.plusProbe === true ? (probe ?? 0) : 0;
    const bound = `≤ ${floor.atMostAbsolute}${more > 0 ? ` + ${plain(more)}` : ''}`;
    return { figure, bound, value, isMet: value <= floor.atMostAbsolute + more };
  }
  const bound = 'atLeast' in floor ? `≥ ${floor.atLeast}×` : `≤ ${floor.atMost}×`;
  if (ours === undefined) return { figure, bound, value: null, isMet: false, remark: 'Millrace misses the rate' };
  if (theirs === undefined) return { figure, bound, value: null, isMet: true, remark: 'the rival misses the rate' };
  const value = ratios[figure]?.median;
  if (value === undefined) return { figure, bound, value: null, isMet: false, remark: 'too little to be measured' };
  if ('atLeast' in floor) {
    const { orOfProbe } = floor;
    if (value >= floor.atLeast || orOfProbe === undefined) {
      return { figure, bound, value, isMet: value >= floor.atLeast };
    }
    const ofProbe = medians.millrace.bytesPerSecond!.median / medians.probe.bytesPerSecond!.median;
    const remark = `${ofProbe.toFixed(2)}× of the disk itself, ${orOfProbe}× would do`;
    return { figure, bound, value, isMet: ofProbe >= orOfProbe, remark };
  }
  if (floor.plusProbe === true && probe !== undefined) {
    const allowed = floor.atMost * theirs + probe;
    const remark = `fdatasync itself ${probe.toFixed(2)} ms`;
    return { figure, bound: `${bound} + fdatasync`, value, isMet: ours <= allowed, remark };
  }
  return { figure, bound, value, isMet: value <= floor.atMost };
}
