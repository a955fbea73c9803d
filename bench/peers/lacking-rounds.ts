/**
 * Rounds that are still to be done: a whole run takes longer than a shared machine is quiet at a time, so it can be done in
 * slices, each of one round of some cases. What a slice gives is added to what earlier ones gave at the same commit on the
 * same hardware. It measures nothing.
 */

import { hardwareSentence, type MachineFacts } from '../load/machine.ts';
import type { PeerCase } from './peer-case.ts';
import type { CaseRounds } from './peer-rounds.ts';
import type { KeptResult } from './peer-report.ts';

export type KeptRounds = Pick<KeptResult, 'name' | 'machine' | 'rounds' | 'repeated' | 'disturbed'>;

/** The kept rounds of the case of the commit and the hardware of `machine`; null where there are none. */
export function keptAt(kept: readonly KeptRounds[], { name }: PeerCase, machine: MachineFacts): KeptRounds | null {
  const isHere = (other: MachineFacts): boolean =>
    other.commit === machine.commit && hardwareSentence(other) === hardwareSentence(machine);
  return kept.find((result) => result.name === name && isHere(result.machine)) ?? null;
}

/** How many rounds of the case are kept of the commit and the hardware of `machine`. */
export function roundsAt(kept: readonly KeptRounds[], one: PeerCase, machine: MachineFacts): number {
  return keptAt(kept, one, machine)?.rounds.millrace.length ?? 0;
}

/**
 * The cases of the next slice: those that have the fewest rounds of the commit on this hardware, below `rounds`, can share
 * their servers, and are `atMost`. Empty where none is lacking.
 */
export function nextSlice(
  cases: readonly PeerCase[],
  kept: readonly KeptRounds[],
  machine: MachineFacts,
  rounds: number,
  atMost: number,
): PeerCase[] {
  const counts = new Map(cases.map((one) => [one, roundsAt(kept, one, machine)]));
  const least = Math.min(...counts.values());
  if (least >= rounds) return [];
  const lacking = cases.filter((one) => counts.get(one) === least);
  const [first] = lacking;
  if (first!.isAlone) return [first!];
  return lacking.filter((one) => !one.isAlone && one.rival === first!.rival).slice(0, atMost);
}

/** `more` behind what was kept. */
export function added(before: KeptRounds | null, more: CaseRounds): CaseRounds {
  if (before === null) return more;
  return {
    millrace: [...before.rounds.millrace, ...more.millrace],
    peer: [...before.rounds.peer, ...more.peer],
    probe: [...before.rounds.probe, ...more.probe],
    repeated: before.repeated + more.repeated,
    disturbed: before.disturbed + more.disturbed,
  };
}
