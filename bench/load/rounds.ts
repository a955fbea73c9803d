/**
 * Rounds of whoever is compared, in turn, so that a machine that slows down slows all of them; who goes first changes from
 * round to round. Main thread.
 */

import { type Figures, type FigureSpreads, spreadsOf } from './figures.ts';
import { leastDisturbed } from './least-disturbed.ts';

export interface Contender {
  readonly name: string;
  /** Prepares, measures and cleans up. */
  round(): Promise<Figures>;
}

export interface RoundsOptions {
  readonly rounds: number;
  /** Whether disturbed rounds are done again. */
  readonly isStrict: boolean;
  readonly onNote?: (note: string) => void;
}

export interface RoundsResult {
  readonly name: string;
  readonly figures: FigureSpreads;
  /** What each round gave. */
  readonly each: readonly Figures[];
  /** Measurements that were done again. */
  readonly repeated: number;
  /** Rounds of which even the least disturbed measurement was disturbed. */
  readonly disturbed: number;
}

/** Of one round. */
const repeatsAtMost = 2;

export async function alternate(contenders: readonly Contender[], options: RoundsOptions): Promise<RoundsResult[]> {
  const tallies = contenders.map(({ name }) => new Tally(name));
  const inOrder = contenders.map((contender, i) => ({ contender, tally: tallies[i]! }));
  for (let round = 0; round < options.rounds; round++) {
    for (const { contender, tally } of round % 2 === 0 ? inOrder : inOrder.toReversed()) {
      tally.add(await oneRound(contender.name, async () => [await contender.round()], options), 0);
    }
  }
  return tallies.map((tally) => tally.result());
}

/** Rounds of which each gives the figures of several that ran beside each other, as many as there are `names`. */
export async function together(
  names: readonly string[],
  round: () => Promise<readonly Figures[]>,
  options: RoundsOptions,
): Promise<RoundsResult[]> {
  const tallies = names.map((name) => new Tally(name));
  for (let count = 0; count < options.rounds; count++) {
    const attempted = await oneRound(names.join(', '), round, options);
    for (const [i, tally] of tallies.entries()) tally.add(attempted, i);
  }
  return tallies.map((tally) => tally.result());
}

type AttemptedRound = Awaited<ReturnType<typeof oneRound>>;

function oneRound(
  name: string,
  round: () => Promise<readonly Figures[]>,
  { isStrict, onNote = () => {} }: RoundsOptions,
) {
  return leastDisturbed(round, { name, repeatsAtMost: isStrict ? repeatsAtMost : 0, onNote });
}

class Tally {
  readonly #name: string;
  readonly #each: Figures[] = [];
  #repeated = 0;
  #disturbed = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** `place` of its figures among those of the round. */
  add({ value, repeated, isDisturbed }: AttemptedRound, place: number): void {
    this.#each.push(value[place]!);
    this.#repeated += repeated;
    this.#disturbed += isDisturbed ? 1 : 0;
  }

  result(): RoundsResult {
    const each = this.#each;
    return {
      name: this.#name,
      figures: spreadsOf(each),
      each,
      repeated: this.#repeated,
      disturbed: this.#disturbed,
    };
  }
}
