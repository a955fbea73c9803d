/**
 * Rounds that are still to be done: a whole run takes longer than a shared machine is quiet at a time, so it can be done in
 * slices, each of one round of some cases. What a slice gives is added to what earlier ones gave at the same commit on the
 * same hardware. Where all have their rounds, and something else disturbed too many of a side, further ones stand for those,
 * whatever either gave, as often as there are rounds at most. It measures nothing.
 */

import { disturbedForDoubt } from '../load/floor-verdict.ts';
import { hardwareSentence, type MachineFacts } from '../load/machine.ts';
import type { PeerCase } from './peer-case.ts';
import type { CaseRounds } from './peer-rounds.ts';
import type { KeptResult } from './peer-report.ts';

export type KeptRounds = Pick<KeptResult, 'name' | 'machine' | 'rounds' | 'repeated' | 'disturbed' | 'replaced'>;

/** The kept rounds of the case of the commit and the hardware of `machine`; null where there are none. */
export function keptAt(kept: readonly KeptRounds[], { name }: PeerCase, machine: MachineFacts): KeptRounds | null {
  const isHere = (other: MachineFacts): boolean =>
    other.commit === machine.commit && hardwareSentence(other) === hardwareSentence(machine);
  return kept.find((result) => result.name === name && isHere(result.machine)) ?? null;
}

/** How many rounds of the case were done at the commit on the hardware of `machine`, with those that others stand for. */
export function roundsDoneAt(kept: readonly KeptRounds[], one: PeerCase, machine: MachineFacts): number {
  const before = keptAt(kept, one, machine);
  return before === null ? 0 : before.rounds.millrace.length + before.replaced;
}

/**
 * The cases of the next slice: those that have the fewest rounds of the commit on this hardware, below `rounds`, or else too
 * many disturbed ones; they can share their servers, and are `atMost`. Empty where none is lacking.
 */
export function nextSlice(
  cases: readonly PeerCase[],
  kept: readonly KeptRounds[],
  machine: MachineFacts,
  rounds: number,
  atMost: number,
): PeerCase[] {
  const counts = new Map(cases.map((one) => [one, keptAt(kept, one, machine)?.rounds.millrace.length ?? 0]));
  const least = Math.min(...counts.values());
  const lacking =
    least < rounds
      ? cases.filter((one) => counts.get(one) === least)
      : cases.filter((one) => isDoubtful(keptAt(kept, one, machine)!, rounds));
  const [first] = lacking;
  if (first === undefined) return [];
  if (first.isAlone) return [first];
  return lacking.filter((one) => !one.isAlone && one.rival === first.rival).slice(0, atMost);
}

function isDoubtful({ disturbed: { millrace, peer }, replaced }: KeptRounds, rounds: number): boolean {
  return replaced < rounds && Math.max(millrace.length, peer.length) >= disturbedForDoubt;
}

/** `more` behind what was kept; where that had all its rounds already, each stands for one that something disturbed. */
export function added(before: KeptRounds | null, more: CaseRounds, rounds: number): CaseRounds {
  if (before === null) return more;
  const { length } = before.rounds.millrace;
  const moved = (places: readonly number[]): number[] => places.map((place) => place + length);
  let all: CaseRounds = {
    millrace: [...before.rounds.millrace, ...more.millrace],
    peer: [...before.rounds.peer, ...more.peer],
    probe: [...before.rounds.probe, ...more.probe],
    repeated: before.repeated + more.repeated,
    disturbed: {
      millrace: [...before.disturbed.millrace, ...moved(more.disturbed.millrace)],
      peer: [...before.disturbed.peer, ...moved(more.disturbed.peer)],
    },
    replaced: before.replaced + more.replaced,
  };
  for (let surplus = all.millrace.length - rounds; surplus > 0; surplus--) {
    const place = mostDisturbedOf(all.disturbed);
    if (place === undefined) break;
    all = without(place, all);
  }
  return all;
}

/** The first round in which both sides were disturbed, else the first of the side that was so more often. */
function mostDisturbedOf({ millrace, peer }: CaseRounds['disturbed']): number | undefined {
  return millrace.find((place) => peer.includes(place)) ?? (millrace.length > peer.length ? millrace : peer)[0];
}

function without(place: number, { millrace, peer, probe, repeated, disturbed, replaced }: CaseRounds): CaseRounds {
  const shorter = (places: readonly number[]): number[] =>
    places.filter((each) => each !== place).map((each) => (each > place ? each - 1 : each));
  return {
    millrace: millrace.toSpliced(place, 1),
    peer: peer.toSpliced(place, 1),
    probe: probe.toSpliced(place, 1),
    repeated,
    disturbed: { millrace: shorter(disturbed.millrace), peer: shorter(disturbed.peer) },
    replaced: replaced + 1,
  };
}
