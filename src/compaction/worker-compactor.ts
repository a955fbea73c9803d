/**
 * The real compactor: a worker thread for each compaction, in a piscina pool that lives as long as that, so that nothing
 * of it stays in memory, and none of it ever keeps a write waiting. I/O thread. What a step does stands in `compaction.ts`.
 */

import type { Piscina } from 'piscina';
import { EnvironmentError, type EnvironmentErrorCode } from '../base/environment-error.ts';
import type { Offset } from '../base/numbers.ts';
import type {
  CleanedSegment,
  CompactionPlan,
  CompactionRun,
  CompactionSettings,
  Compactor,
  SourceSegment,
} from '../storage/compactor.ts';
import type { CompactionFailure, CompactionTaskInput, CompactionTaskResult } from './compaction-task.ts';

export class WorkerCompactor implements Compactor {
  readonly #workerUrl: URL;

  /** `workerUrl` leads to the compiled task. */
  constructor(workerUrl: URL) {
    this.#workerUrl = workerUrl;
  }

  async begin(plan: CompactionPlan, settings: CompactionSettings): Promise<CompactionRun> {
    const { Piscina: Pool } = await import('piscina');
    const pool = new Pool<CompactionTaskInput, CompactionTaskResult>({
      filename: this.#workerUrl.href,
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      recordTiming: false,
    });
    // What fails before a task runs, such as loading it, reaches both the task's promise and this event, which must have
    // somebody who listens.
    pool.on('error', ignoreHere);
    const run = new WorkerRun(pool);
    try {
      await run.step({ step: 'begin', plan, settings });
    } catch (error) {
      await run.end();
      throw error;
    }
    return run;
  }
}

class WorkerRun implements CompactionRun {
  readonly #pool: Piscina<CompactionTaskInput, CompactionTaskResult>;
  #ending: Promise<void> | null = null;

  constructor(pool: Piscina<CompactionTaskInput, CompactionTaskResult>) {
    this.#pool = pool;
  }

  readKeys(): Promise<Offset> {
    return this.step({ step: 'keys' }) as Promise<Offset>;
  }

  clean(group: readonly SourceSegment[]): Promise<CleanedSegment> {
    return this.step({ step: 'clean', group }) as Promise<CleanedSegment>;
  }

  async step(input: CompactionTaskInput): Promise<Offset | CleanedSegment | null> {
    const result = await this.#pool.run(input);
    if ('failure' in result) throw errorOf(result.failure);
    return result.done;
  }

  /** Terminates the worker, whatever it does: a call of the disk that is under way ends first. */
  end(): Promise<void> {
    this.#ending ??= this.#pool.destroy();
    return this.#ending;
  }
}

function errorOf({ message, code, isExplained }: CompactionFailure): Error {
  if (isExplained) return new EnvironmentError(code as EnvironmentErrorCode, message);
  return Object.assign(new Error(message), { code });
}

/** The tasks' promises tell. */
function ignoreHere(): void {}
