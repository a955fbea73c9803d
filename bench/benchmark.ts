/**
 * What a benchmark is, and how it is timed: the project's way and its rivals do the same work beside each other.
 * Every run returns a number that says what it did; contenders of one benchmark return the same.
 */

import { Bench } from 'tinybench';
import { type Spread, spreadOf } from './load/figures.ts';

export interface Contender {
  readonly name: string;
  run(): number | Promise<number>;
  /** Of a rival: the least that the project's speed is to be of its own. */
  readonly atLeast?: number;
}

export interface Benchmark {
  readonly name: string;
  /** What a run handles. */
  readonly unit: 'records' | 'calls';
  readonly unitsPerRun: number;
  /** 0 where bytes say nothing. */
  readonly bytesPerRun: number;
  /** The project's first. */
  readonly contenders: readonly Contender[];
}

/** How long each contender runs in each round, in milliseconds; 0 runs it a few times and times nothing of worth. */
export interface Effort {
  readonly timeMs: number;
  readonly rounds: number;
  /** How long each runs before the first round, so that no round has what the compiler has not seen yet. */
  readonly settleMs: number;
}

export const fullEffort: Effort = { timeMs: 150, rounds: 5, settleMs: 300 };
export const leastEffort: Effort = { timeMs: 0, rounds: 1, settleMs: 0 };

export interface Result {
  readonly contender: string;
  readonly unitsPerSecond: number;
  /** Null where bytes say nothing. */
  readonly bytesPerSecond: number | null;
  /** The project's speed over this one's: of the medians, and from the lowest to the highest round; null for its own. */
  readonly ratio: Spread | null;
  /** Null where there is no floor. */
  readonly floor: { readonly atLeast: number; readonly isMet: boolean } | null;
}

/** Calls `run` `count` times: a run is to take some microseconds, or the clock is what is measured. */
export function repeated(count: number, run: (i: number) => number): () => number {
  return () => {
    let last = 0;
    for (let i = 0; i < count; i++) last = run(i);
    return last;
  };
}

/**
 * Times the contenders in turn, several rounds of each; each round counts by its median, and what is said is the median of
 * the rounds. Throws where contenders disagree about what they did.
 */
export async function measure(benchmark: Benchmark, { timeMs, rounds, settleMs }: Effort): Promise<Result[]> {
  const { contenders } = benchmark;
  const answers: number[] = [];
  const isLater: boolean[] = [];
  for (const contender of contenders) {
    const answer = contender.run();
    isLater.push(answer instanceof Promise);
    answers.push(await answer);
  }
  if (new Set(answers).size !== 1) {
    throw new Error(`${benchmark.name}: contenders disagree, ${JSON.stringify(answers)}`);
  }
  for (const contender of contenders) {
    for (const startedMs = performance.now(); performance.now() - startedMs < settleMs;) await contender.run();
  }
  const roundsMs: number[][] = contenders.map(() => []);
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({ time: timeMs, iterations: 3, warmup: timeMs > 0, warmupTime: timeMs / 3, throws: true });
    for (const [i, contender] of contenders.entries()) {
      if (isLater[i]) bench.add(contender.name, async () => void (await contender.run()));
      else bench.add(contender.name, () => void contender.run());
    }
    const tasks = await bench.run();
    tasks.forEach(({ result }, i) => {
      if (result.state !== 'completed') throw new Error(`${benchmark.name}: a contender ended as ${result.state}`);
      roundsMs[i]!.push(result.latency.p50);
    });
  }
  const [ours] = roundsMs;
  return contenders.map(({ name, atLeast }, i) => {
    const own = roundsMs[i]!;
    const runsPerSecond = 1000 / spreadOf(own).median;
    const ratios = spreadOf(own.map((ms, round) => ms / ours![round]!));
    const ratio = i === 0 ? null : { ...ratios, median: spreadOf(own).median / spreadOf(ours!).median };
    return {
      contender: name,
      unitsPerSecond: benchmark.unitsPerRun * runsPerSecond,
      bytesPerSecond: benchmark.bytesPerRun === 0 ? null : benchmark.bytesPerRun * runsPerSecond,
      ratio,
      floor: atLeast === undefined || ratio === null ? null : { atLeast, isMet: ratio.median >= atLeast },
    };
  });
}
