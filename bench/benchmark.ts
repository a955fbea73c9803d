/**
 * What a benchmark is, and how it is timed: the project's way and its rivals do the same work beside each other.
 * Every run returns a number that says what it did; contenders of one benchmark return the same.
 */

import { Bench } from 'tinybench';

export interface Contender {
  readonly name: string;
  run(): number;
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
}

export const fullEffort: Effort = { timeMs: 150, rounds: 5 };
export const leastEffort: Effort = { timeMs: 0, rounds: 1 };

export interface Result {
  readonly contender: string;
  readonly unitsPerSecond: number;
  /** Null where bytes say nothing. */
  readonly bytesPerSecond: number | null;
  /** The project's speed over this one's; null for the project's own. */
  readonly ratio: number | null;
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
 * Times the contenders in turn, several rounds of each, and takes each one's fastest round: what else the machine does
 * only ever makes a round slower. A round counts by its median. Throws where contenders disagree about what they did.
 */
export async function measure(benchmark: Benchmark, { timeMs, rounds }: Effort): Promise<Result[]> {
  const { contenders } = benchmark;
  const answers = contenders.map((contender) => contender.run());
  if (new Set(answers).size !== 1) {
    throw new Error(`${benchmark.name}: contenders disagree, ${JSON.stringify(answers)}`);
  }
  const fastestMs = contenders.map(() => Infinity);
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({ time: timeMs, iterations: 3, warmup: timeMs > 0, warmupTime: timeMs / 3, throws: true });
    for (const contender of contenders) bench.add(contender.name, () => void contender.run());
    const tasks = await bench.run();
    tasks.forEach(({ result }, i) => {
      if (result.state !== 'completed') throw new Error(`${benchmark.name}: a contender ended as ${result.state}`);
      fastestMs[i] = Math.min(fastestMs[i]!, result.latency.p50);
    });
  }
  return contenders.map(({ name }, i) => {
    const runsPerSecond = 1000 / fastestMs[i]!;
    return {
      contender: name,
      unitsPerSecond: benchmark.unitsPerRun * runsPerSecond,
      bytesPerSecond: benchmark.bytesPerRun === 0 ? null : benchmark.bytesPerRun * runsPerSecond,
      ratio: i === 0 ? null : fastestMs[i]! / fastestMs[0]!,
    };
  });
}
