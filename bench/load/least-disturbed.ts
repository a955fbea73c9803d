/**
 * A measurement that something else may disturb. Main thread.
 *
 *   other  = user time of the whole machine − that of this process, its children, and those it waited for
 *
 * One during which others took more than a few percent of all cores' time is done again. What counts is the one that was
 * disturbed least, and where that one was disturbed as well, it is said. Each begins on a machine that has settled (`page-cache.ts`).
 */

import { cpus } from 'node:os';
import { settleMachine } from './page-cache.ts';
import { cpuTimeOf, machineUserTime } from './process-usage.ts';

export interface Attempted<Value> {
  /** Of the measurement that was disturbed least. */
  readonly value: Value;
  /** Measurements that were done again. */
  readonly repeated: number;
  readonly isDisturbed: boolean;
}

export interface AttemptOptions {
  readonly name: string;
  /** 0 takes the first, however disturbed. */
  readonly repeatsAtMost: number;
  readonly onNote: (note: string) => void;
  /** Begins to watch; what it returns tells the share of all cores' time that others took since. Default: from /proc. */
  readonly watch?: () => () => number;
}

/** Of all cores' time. */
const disturbedFrom = 0.05;
/** Below, the kernel's ticks of 10 ms are most of what is seen. */
const leastSeconds = 0.1;

export async function leastDisturbed<Value>(
  measure: () => Promise<Value>,
  { name, repeatsAtMost, onNote, watch = watchOthers }: AttemptOptions,
): Promise<Attempted<Value>> {
  let best: { readonly value: Value; readonly share: number } | null = null;
  for (let repeated = 0; ; repeated++) {
    settleMachine();
    const shareOfOthers = watch();
    const value = await measure();
    const share = shareOfOthers();
    if (best === null || share < best.share) best = { value, share };
    const isDisturbed = best.share > disturbedFrom;
    const isAgain = isDisturbed && repeated < repeatsAtMost;
    if (share > disturbedFrom) {
      onNote(`${name}: others took ${Math.round(share * 100)} % of the processor${isAgain ? '; once more' : ''}`);
    }
    if (!isAgain) return { value: best.value, repeated, isDisturbed };
  }
}

function watchOthers(): () => number {
  const startedMs = performance.now();
  const machine = machineUserTime();
  const own = cpuTimeOf(process.pid).user;
  return () => {
    const seconds = machineUserTime() - machine - (cpuTimeOf(process.pid).user - own);
    if (seconds < leastSeconds) return 0;
    return seconds / (((performance.now() - startedMs) / 1000) * cpus().length);
  };
}
