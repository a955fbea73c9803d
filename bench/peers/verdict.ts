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
  readonly disturbed: CaseRounds['disturbed'];
  readonly replaced: number;
  readonly medians: { readonly millrace: FigureSpreads; readonly peer: FigureSpreads; readonly probe: FigureSpreads };
  readonly ratios: Ratios;
  readonly verdicts: readonly FloorVerdict[];
}

/** What a floor is held against: the medians of all rounds, or what one round gave. */
interface Held {
  readonly millrace: Figures;
  readonly peer: Figures;
  readonly probe: Figures;
}

/** What a floor says of `Held`; `isMet` is null where a figure is lacking. */
type Outcome = Pick<Judged, 'value' | 'isMet' | 'asRatio' | 'remark'>;

/** What of a side that missed its rate in any round is still a figure of all of them. */
const withoutRate: ReadonlySet<FigureName> = new Set(['rateReached', 'rssMiB', 'peakRssMb']);

/** More or less of them says nothing of who is better. */
const notCompared: ReadonlySet<FigureName> = new Set(['rateReached', 'turns', 'latencies']);

/** `commit` is what was measured. */
export function resultOf(
  one: PeerCase,
  measured: CaseRounds,
  millraceName: string,
  peerName: string,
  commit: string | null,
): CaseResult {
  const { millrace, peer, probe, repeated, disturbed, replaced } = measured;
  const rounds = { millrace, peer, probe };
  const medians = { millrace: mediansOf(millrace), peer: mediansOf(peer), probe: spreadsOf(probe) };
  const ratios = ratiosOf(millrace, peer, medians.millrace, medians.peer);
  const evidence = {
    rounds: Math.min(millrace.length, peer.length),
    commit,
    disturbed: { [millraceName]: disturbed.millrace.length, [peerName]: disturbed.peer.length },
  };
  return {
    name: one.name,
    title: one.title,
    client: one.client,
    sides: { millrace: millraceName, peer: peerName, ...(one.probe === undefined ? {} : { probe: one.probe.name }) },
    rounds,
    repeated,
    disturbed,
    replaced,
    medians,
    ratios,
    verdicts: one.floors.map((floor) => settled(judged(floor, rounds, medians), evidence)),
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
    if (notCompared.has(name)) continue;
    const each = millrace.map((figures, round) => (figures[name] ?? Number.NaN) / (peer[round]?.[name] ?? Number.NaN));
    const real = each.filter((ratio) => Number.isFinite(ratio));
    const ours = millraceMedians[name];
    const theirs = peerMedians[name];
    if (real.length === 0 || ours === undefined || theirs === undefined) continue;
    ratios[name] = { ...spreadOf(real), median: ours.median / theirs.median };
  }
  return ratios;
}

function judged(floor: Floor, rounds: CaseResult['rounds'], medians: CaseResult['medians']): Judged {
  const { figure } = floor;
  const typical = { millrace: plainOf(medians.millrace), peer: plainOf(medians.peer), probe: plainOf(medians.probe) };
  const bound = boundOf(floor, typical.probe);
  const noFigure = { figure, bound, value: null };
  const missesOf = (side: readonly Figures[]): string =>
    `misses the rate in ${missedRounds(side)} of ${side.length} rounds`;
  if (missedRounds(rounds.millrace) > 0) {
    return { ...noFigure, isMet: false, remark: `Millrace ${missesOf(rounds.millrace)}` };
  }
  // Whoever keeps up has not thereby so small a latency or cost as the floor asks for.
  if (missedRounds(rounds.peer) > 0) {
    return { ...noFigure, isMet: null, remark: `no figure: the rival ${missesOf(rounds.peer)}` };
  }
  const outcome = outcomeOf(floor, typical);
  const split = splitOf(floor, rounds);
  const remarks = [outcome.remark, split].filter((remark) => remark !== undefined);
  return { figure, bound, ...outcome, ...(remarks.length === 0 ? {} : { remark: remarks.join(', ') }) };
}

/** A spread that crosses the floor is said, whichever side of it the median lies on. */
function splitOf(floor: Floor, { millrace, peer, probe }: CaseResult['rounds']): string | undefined {
  const outcomes = millrace.map(
    (ours, round) => outcomeOf(floor, { millrace: ours, peer: peer[round] ?? {}, probe: probe[round] ?? {} }).isMet,
  );
  const judgedRounds = outcomes.filter((isMet) => isMet !== null);
  const metRounds = judgedRounds.filter(Boolean).length;
  if (metRounds === 0 || metRounds === judgedRounds.length) return undefined;
  return `reached in ${metRounds} of ${judgedRounds.length} rounds`;
}

function boundOf(floor: Floor, probes: Figures): string {
  if ('atLeast' in floor) return `≥ ${floor.atLeast}×`;
  if ('atLeastAbsolute' in floor) return `≥ ${floor.atLeastAbsolute}`;
  const probe = floor.plusProbe === true ? probes[floor.figure] : undefined;
  if ('atMost' in floor) return `≤ ${floor.atMost}×${probe === undefined ? '' : ' + fdatasync'}`;
  return `≤ ${floor.atMostAbsolute}${probe === undefined ? '' : ` + ${plain(probe)}`}`;
}

function outcomeOf(floor: Floor, held: Held): Outcome {
  const value = held.millrace[floor.figure];
  if (value === undefined) return { value: null, isMet: null, remark: 'not measured' };
  if ('atLeastAbsolute' in floor) return { value, isMet: value >= floor.atLeastAbsolute };
  const theirs = held.peer[floor.figure];
  if ('atMostAbsolute' in floor) {
    const allowed = floor.atMostAbsolute + (floor.plusProbe === true ? (held.probe[floor.figure] ?? 0) : 0);
    return { value, isMet: value <= allowed, ...(theirs ? { asRatio: allowed / theirs } : {}) };
  }
  const ratio = value / (theirs ?? Number.NaN);
  if (!Number.isFinite(ratio)) return { value: null, isMet: null, remark: 'too little to be measured' };
  return 'atLeast' in floor ? outcomeAtLeast(floor, ratio, held) : outcomeAtMost(floor, ratio, held);
}

function outcomeAtLeast(
  { atLeast, orOfProbe }: Extract<Floor, { atLeast: number }>,
  value: number,
  { millrace, probe }: Held,
): Outcome {
  const plainly = { value, asRatio: atLeast };
  if (value >= atLeast || orOfProbe === undefined || probe.bytesPerSecond === undefined) {
    return { ...plainly, isMet: value >= atLeast };
  }
  const ofProbe = millrace.bytesPerSecond! / probe.bytesPerSecond;
  const remark = `${ofProbe.toFixed(2)}× of the disk itself, ${orOfProbe}× would do`;
  return { ...plainly, isMet: ofProbe >= orOfProbe, remark };
}

function outcomeAtMost(
  { figure, atMost, plusProbe }: Extract<Floor, { atMost: number }>,
  value: number,
  { millrace, peer, probe: probes }: Held,
): Outcome {
  const probe = probes[figure];
  if (plusProbe !== true || probe === undefined) return { value, asRatio: atMost, isMet: value <= atMost };
  const theirs = peer[figure]!;
  const allowed = atMost * theirs + probe;
  const remark = `fdatasync itself ${probe.toFixed(2)} ms`;
  return { value, asRatio: allowed / theirs, isMet: millrace[figure]! <= allowed, remark };
}

function plainOf(spreads: FigureSpreads): Figures {
  return Object.fromEntries(Object.entries(spreads).map(([name, { median }]) => [name, median]));
}
