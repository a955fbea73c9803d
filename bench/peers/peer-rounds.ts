/**
 * Rounds of several cases that share their servers. Main thread.
 *
 *   round:  Millrace starts ─ warm-up ─ case, sync, case, sync … ─ discard     the other goes first in every second round
 *           rival    starts ─ warm-up ─ case, sync, case, sync … ─ discard
 *           probes of the disk
 *
 * Figures differ more from process to process than within one, so every round has new ones, on an empty directory. A
 * measurement during which something else took the processor is done again, some times, and that is counted.
 */

import type { Figures } from '../load/figures.ts';
import { DisturbanceWatch } from '../load/rounds.ts';
import { syncDisks, type ServerKind } from '../load/server-under-test.ts';
import { PeerBench } from './peer-bench.ts';
import type { Clients, Measure, PeerCase, PeerSizes } from './peer-case.ts';

export interface PeerRoundsOptions {
  readonly rounds: number;
  /** How many there were before: who goes first changes from round to round. */
  readonly roundsBefore: number;
  readonly sizes: PeerSizes;
  readonly clients: Clients;
  readonly dataParent: string;
  onNote(note: string): void;
}

/** What each round gave; places in the lists are rounds. */
export interface CaseRounds {
  readonly millrace: Figures[];
  readonly peer: Figures[];
  readonly probe: Figures[];
  /** Measurements that were done again. */
  repeated: number;
  /** Measurements that something else disturbed however often they were done; the least disturbed counts. */
  disturbed: number;
}

/** Of all cores' time. */
const disturbedFrom = 0.05;
const repeatsAtMost = 1;

export async function peerRounds(
  cases: readonly PeerCase[],
  millrace: ServerKind,
  rival: ServerKind,
  options: PeerRoundsOptions,
): Promise<Map<PeerCase, CaseRounds>> {
  const results = new Map(
    cases.map((one) => [
      one,
      { millrace: [], peer: [], probe: [], repeated: 0, disturbed: 0 } satisfies CaseRounds as CaseRounds,
    ]),
  );
  for (let round = 0; round < options.rounds; round++) {
    const sides = [
      { side: 'millrace', kind: millrace },
      { side: 'peer', kind: rival },
    ] as const;
    for (const { side, kind } of (options.roundsBefore + round) % 2 === 0 ? sides : sides.toReversed()) {
      options.onNote(`round ${round + 1} of ${options.rounds}: ${kind.name}`);
      await oneSide(side, kind, results, options);
    }
    for (const [{ probe }, { probe: figures }] of results) {
      if (probe !== undefined) figures.push(probe.measure(options.dataParent, options.sizes));
    }
    syncDisks();
  }
  return results;
}

async function oneSide(
  side: 'millrace' | 'peer',
  kind: ServerKind,
  results: ReadonlyMap<PeerCase, CaseRounds>,
  { sizes, clients, dataParent, onNote }: PeerRoundsOptions,
): Promise<void> {
  const isWarm = ![...results.keys()].some(({ isCold }) => isCold);
  const isRival = side === 'peer';
  await using bench = await PeerBench.start(kind, { isRival, isWarm, sizes, clients, dataParent });
  for (const [one, result] of results) {
    result[side].push(await undisturbed(one[side], bench, one, result, onNote));
    syncDisks();
  }
}

async function undisturbed(
  measure: Measure,
  bench: PeerBench,
  { name, isCold }: PeerCase,
  result: CaseRounds,
  onNote: (note: string) => void,
): Promise<Figures> {
  let best: Figures | null = null;
  let leastShare = Infinity;
  for (let tries = 0; ; tries++) {
    const watch = new DisturbanceWatch();
    const figures = await measure(bench);
    const share = watch.share();
    if (share < leastShare) {
      leastShare = share;
      best = figures;
    }
    // A start can be measured once on a server: what it is about is on the disk then.
    if (bench.sizes.isQuick || isCold || leastShare <= disturbedFrom || tries === repeatsAtMost) break;
    onNote(`${name}: others took ${percent(share)} of the processor; once more`);
    result.repeated++;
    syncDisks();
  }
  if (leastShare > disturbedFrom) {
    onNote(`${name}: others took ${percent(leastShare)} of the processor`);
    result.disturbed++;
  }
  return best!;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
