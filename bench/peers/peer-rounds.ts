/**
 * Rounds of several cases that share their servers. Main thread.
 *
 *   round:  Millrace starts ─ warm-up ─ rehearsal, case, rehearsal, case … ─ discard      the other goes first in every
 *           rival    starts ─ warm-up ─ rehearsal, case, rehearsal, case … ─ discard      second round
 *           probes of the disk and of a bare socket
 *
 * Figures differ more from process to process than within one, so every round has new ones, on an empty directory. A
 * measurement during which something else took the processor is done again, twice at most, and that is counted. After each, the
 * ends of the logs are held against what was acknowledged, on both sides, and the case's topics are deleted: what one leaves
 * behind, on the disk and in the server, is not there when the next is measured.
 */

import type { Figures } from '../load/figures.ts';
import { leastDisturbed } from '../load/least-disturbed.ts';
import { settleMachine } from '../load/page-cache.ts';
import type { ServerKind } from '../load/server-under-test.ts';
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
  /** Rounds, by their places, that something else disturbed however often they were done; the least disturbed counts. */
  readonly disturbed: { readonly millrace: number[]; readonly peer: number[] };
  /** Disturbed rounds that a later one stands for. */
  readonly replaced: number;
}

const repeatsAtMost = 2;

export async function peerRounds(
  cases: readonly PeerCase[],
  millrace: ServerKind,
  rival: ServerKind,
  options: PeerRoundsOptions,
): Promise<Map<PeerCase, CaseRounds>> {
  const results = new Map(cases.map((one) => [one, noRounds()]));
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
      if (probe !== undefined) figures.push(await probe.measure(options.dataParent, options.sizes));
    }
    settleMachine();
  }
  return results;
}

function noRounds(): CaseRounds {
  return { millrace: [], peer: [], probe: [], repeated: 0, disturbed: { millrace: [], peer: [] }, replaced: 0 };
}

async function oneSide(
  side: 'millrace' | 'peer',
  kind: ServerKind,
  results: ReadonlyMap<PeerCase, CaseRounds>,
  { sizes, clients, dataParent, onNote }: PeerRoundsOptions,
): Promise<void> {
  const isRival = side === 'peer';
  const isWarm = ![...results.keys()].some(
    ({ isCold, isColdHere }) => isCold === true || (isColdHere === true && !isRival),
  );
  await using bench = await PeerBench.start(kind, { isRival, isWarm, sizes, clients, dataParent });
  for (const [one, result] of results) {
    // What is there after the last one goes with the server.
    await bench.dropTopics();
    if (isWarm && !sizes.isQuick && !one.isUnrehearsed) await bench.rehearse((small) => checked(one[side], small));
    await bench.settle();
    // A start can be measured once on a server: what it is about is on the disk then.
    const isOnce = sizes.isQuick || one.isCold === true;
    const { value, repeated, isDisturbed } = await leastDisturbed(() => checked(one[side], bench), {
      name: one.name,
      repeatsAtMost: isOnce ? 0 : repeatsAtMost,
      onNote,
    });
    if (isDisturbed) result.disturbed[side].push(result[side].length);
    result[side].push(value);
    result.repeated += repeated;
  }
}

/** Throws where the server's logs hold something else than what was acknowledged to the clients. */
async function checked(measure: Measure, bench: PeerBench): Promise<Figures> {
  const figures = await measure(bench);
  await bench.checkAcknowledged();
  return figures;
}
