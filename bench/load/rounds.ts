/**
 * Rounds of whoever is compared, in turn, so that a machine that slows down slows all of them. Main thread.
 *
 *   other  = user time of the whole machine − that of this process, its children, and those it waited for
 *
 * A round during which others took more than a few percent of one core is done again, a few times, and that is said.
 */

import { cpus } from 'node:os';
import { type Figures, type FigureSpreads, spreadsOf } from './figures.ts';
import { cpuTimeOf, machineUserTime } from './process-usage.ts';

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
  readonly rounds: number;
  readonly repeated: number;
}

/** Of all cores' time. */
const disturbedFrom = 0.05;
/** Below, the kernel's ticks of 10 ms are most of what is seen. */
const leastSeconds = 0.1;
const repeatsAtMost = 3;

export async function alternate(
  contenders: readonly Contender[],
  { rounds, isStrict, onNote = () => {} }: RoundsOptions,
): Promise<RoundsResult[]> {
  const results = contenders.map(({ name }) => ({ name, rounds: [] as Figures[], repeated: 0 }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      const result = results[i]!;
      for (;;) {
        const watch = new DisturbanceWatch();
        const figures = await contender.round();
        const share = watch.share();
        const again = isStrict && share > disturbedFrom && result.repeated < repeatsAtMost;
        if (share > disturbedFrom) {
          const percent = Math.round(share * 100);
          onNote(`${contender.name}: others took ${percent} % of the processor${again ? '; once more' : ''}`);
        }
        if (!again) {
          result.rounds.push(figures);
          break;
        }
        result.repeated++;
      }
    }
  }
  return results.map(({ name, rounds: each, repeated }) => ({
    name,
    figures: spreadsOf(each),
    rounds: each.length,
    repeated,
  }));
}

export class DisturbanceWatch {
  readonly #startedMs = performance.now();
  readonly #machine = machineUserTime();
  readonly #own = cpuTimeOf(process.pid).user;

  /** What others took of all cores' time since this was made. */
  share(): number {
    const seconds = machineUserTime() - this.#machine - (cpuTimeOf(process.pid).user - this.#own);
    if (seconds < leastSeconds) return 0;
    return seconds / (((performance.now() - this.#startedMs) / 1000) * cpus().length);
  }
}
