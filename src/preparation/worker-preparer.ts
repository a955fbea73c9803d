/**
 * The real preparer: one worker thread in a piscina pool, which begins with the first batch that takes long and ends once
 * none has come for a while, so that neither a start nor an idle broker knows of it. I/O thread. Which batch comes when says
 * `storage/preparation-queue.ts`.
 */

import { setTimeout } from 'node:timers/promises';
import type { Piscina } from 'piscina';
import type { Logger } from '../base/logger.ts';
import { ErrorCode } from '../base/error-code.ts';
import { refuse, type Refusal } from '../storage/batch-check.ts';
import {
  refusedBatch,
  type BatchPreparer,
  type PreparationOutcome,
  type PreparationTask,
} from '../storage/batch-preparer.ts';
import { defaultInlineBounds } from '../storage/inline-bounds.ts';
import type { PreparationOptions } from './batch-preparation.ts';
import type { PreparationTaskInput } from './preparation-task.ts';

/** The worker, and what it has touched of its memory, go after so long without a batch. */
const idleTimeout = 10_000;
/** How long a stop waits for the worker's end. A thread ends between two instructions of ours, but within no call of a native codec. */
const endsWithinMs = 1000;

type PreparingPool = Piscina<PreparationTaskInput, PreparationOutcome>;

export class WorkerPreparer implements BatchPreparer {
  readonly bounds = defaultInlineBounds;
  readonly #workerUrl: URL;
  readonly #options: PreparationOptions;
  readonly #logger: Logger;
  #pool: Promise<PreparingPool> | null = null;
  /** Gives the batch up that is with the worker. */
  #giveUp: (error: Error) => void = () => {};
  #closing: Promise<void> | null = null;

  /** `workerUrl` leads to the compiled task. */
  constructor(workerUrl: URL, { scratchSizeBytes, ringSizeBytes }: PreparationOptions, logger: Logger) {
    this.#workerUrl = workerUrl;
    this.#options = { scratchSizeBytes, ringSizeBytes };
    this.#logger = logger;
  }

  async prepare(task: PreparationTask): Promise<PreparationOutcome> {
    try {
      if (this.#closing !== null) return refusedBatch(closed);
      this.#pool ??= this.#open();
      const pool = await this.#pool;
      return await new Promise<PreparationOutcome>((resolve, reject) => {
        this.#giveUp = reject;
        pool.run({ ...task, options: this.#options }).then(resolve, reject);
      });
    } catch (error) {
      // The end of the pool ends what it runs.
      if (this.#closing !== null) return refusedBatch(closed);
      this.#logger.error({ error }, 'A batch could not be checked and compressed, by a defect.');
      return refusedBatch(failed);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #open(): Promise<PreparingPool> {
    const { Piscina: Pool } = await import('piscina');
    const pool = new Pool<PreparationTaskInput, PreparationOutcome>({
      filename: this.#workerUrl.href,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      recordTiming: false,
    });
    // A worker that does not load ends without its task: the pool would have that wait for ever.
    pool.on('error', (error: Error) => {
      this.#pool = null;
      this.#giveUp(error);
      void pool.destroy();
    });
    return pool;
  }

  async #close(): Promise<void> {
    const pool = await this.#pool?.catch(() => null);
    if (pool === undefined || pool === null) return;
    const stop = new AbortController();
    const hasEnded = await Promise.race([
      pool.destroy().then(() => true),
      setTimeout(endsWithinMs, false, { signal: stop.signal }),
    ]);
    stop.abort();
    if (!hasEnded) this.#logger.warn({}, 'A thread that compresses a batch ends later, once it is done with it.');
  }
}

const closed: Refusal = refuse(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'The partition is being closed.');
const failed: Refusal = refuse(
  ErrorCode.UNKNOWN_SERVER_ERROR,
  "The batch could not be checked and compressed; see the broker's log.",
);
