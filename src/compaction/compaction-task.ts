/**
 * One compaction as the tasks of a worker thread, which runs nothing else: the first brings the plan, each of the others
 * asks for a step of `Compaction`. Compaction thread. It keeps to the bytes a second that it may read and write.
 */

import { setTimeout } from 'node:timers/promises';
import { assert, present } from '../base/assert.ts';
import { EnvironmentError, systemErrorCode } from '../base/environment-error.ts';
import type { Offset } from '../base/numbers.ts';
import { systemRandom } from '../base/random.ts';
import type { CleanedSegment, CompactionPlan, CompactionSettings, SourceSegment } from '../storage/compactor.ts';
import { nodeFileSystem } from '../storage/node-file-system.ts';
import { Compaction } from './compaction.ts';

export type CompactionTaskInput =
  | { readonly step: 'begin'; readonly plan: CompactionPlan; readonly settings: CompactionSettings }
  | { readonly step: 'keys' }
  | { readonly step: 'clean'; readonly group: readonly SourceSegment[] };

/** Errors lose their class and code on the way between threads, so those that are no defects are answers. */
export interface CompactionFailure {
  readonly message: string;
  readonly code: string;
  /** Whether it is an `EnvironmentError`; else the system's. */
  readonly isExplained: boolean;
}

export type CompactionTaskResult =
  | { readonly done: Offset | CleanedSegment | null }
  | { readonly failure: CompactionFailure };

/** Pauses are not shorter, because timers are not. */
const shortestPauseMs = 2;

let compaction: Compaction | null = null;
let maxBytesPerSecond = Infinity;

/** Runs a step. Rejects for defects only. */
export default async function runCompactionTask(input: CompactionTaskInput): Promise<CompactionTaskResult> {
  try {
    if (input.step === 'begin') {
      assert(compaction === null, 'a worker runs one compaction');
      ({ maxBytesPerSecond } = input.settings);
      compaction = new Compaction(nodeFileSystem, systemRandom, input.plan, input.settings);
      return { done: null };
    }
    const begun = present(compaction, 'a compaction was begun');
    return {
      done: await slowed<Offset | CleanedSegment>(input.step === 'keys' ? begun.readKeys() : begun.clean(input.group)),
    };
  } catch (error) {
    const code = error instanceof EnvironmentError ? error.code : systemErrorCode(error);
    if (code === null) throw error;
    return { failure: { message: (error as Error).message, code, isExplained: error instanceof EnvironmentError } };
  }
}

async function slowed<T>(steps: Generator<number, T>): Promise<T> {
  let freeAtMs = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    const nowMs = performance.now();
    freeAtMs = Math.max(freeAtMs, nowMs - 1000) + (step.value / maxBytesPerSecond) * 1000;
    if (freeAtMs - nowMs >= shortestPauseMs) await setTimeout(freeAtMs - nowMs);
  }
}
