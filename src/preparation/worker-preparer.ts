/**
 * The real preparer: one worker thread in a piscina pool, which begins with the first batch that takes long and ends once
 * none has come for a while, so that neither a start nor an idle broker knows of it. I/O thread.
 *
 *   prepare ─► queue ─► the worker, one batch at a time ─► answer
 *
 * A client has one batch here at a time, because whoever appends waits for it before the next: so the queue is fair, and
 * no longer than there are clients. What their batches take is bounded by whoever keeps them.
 */

import type { Piscina } from 'piscina';
import type { Logger } from '../base/logger.ts';
import { ErrorCode } from '../base/error-code.ts';
import { refuse, type Refusal } from '../storage/batch-check.ts';
import {
  refusedBatch,
  type BatchPreparer,
  type PreparationTask,
  type PreparedBatch,
} from '../storage/batch-preparer.ts';
import { defaultInlineBounds } from '../storage/inline-bounds.ts';
import type { PreparationOptions } from './batch-preparation.ts';
import type { PreparationTaskInput } from './preparation-task.ts';

/** The worker, and what it has touched of its memory, go after so long without a batch. */
const idleTimeout = 10_000;

interface Waiting {
  readonly task: PreparationTask;
  readonly isWanted: () => boolean;
  readonly done: (prepared: PreparedBatch) => void;
}

export class WorkerPreparer implements BatchPreparer {
  readonly bounds = defaultInlineBounds;
  readonly #workerUrl: URL;
  readonly #options: PreparationOptions;
  readonly #logger: Logger;
  #pool: Promise<Piscina<PreparationTaskInput, PreparedBatch>> | null = null;
  #queue: Waiting[] = [];
  /** Whether somebody works on the queue. */
  #works = false;
  /** Gives the batch up that is with the worker. */
  #giveUp: (error: Error) => void = () => {};
  #closing: Promise<void> | null = null;

  /** `workerUrl` leads to the compiled task. */
  constructor(workerUrl: URL, { scratchSizeBytes, ringSizeBytes }: PreparationOptions, logger: Logger) {
    this.#workerUrl = workerUrl;
    this.#options = { scratchSizeBytes, ringSizeBytes };
    this.#logger = logger;
  }

  prepare(task: PreparationTask, isWanted: () => boolean): Promise<PreparedBatch> {
    return new Promise((done) => {
      this.#queue.push({ task, isWanted, done });
      if (!this.#works) void this.#work();
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #work(): Promise<void> {
    this.#works = true;
    while (this.#queue.length > 0) {
      const waiting = this.#queue;
      this.#queue = [];
      // Those who come meanwhile come behind.
      for (const { task, isWanted, done } of waiting) done(await this.#prepared(task, isWanted));
    }
    this.#works = false;
  }

  async #prepared(task: PreparationTask, isWanted: () => boolean): Promise<PreparedBatch> {
    if (this.#closing !== null) return refusedBatch(closed);
    if (!isWanted()) return refusedBatch(unwanted);
    try {
      this.#pool ??= this.#open();
      const pool = await this.#pool;
      return await new Promise((resolve, reject) => {
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

  async #open(): Promise<Piscina<PreparationTaskInput, PreparedBatch>> {
    const { Piscina: Pool } = await import('piscina');
    const pool = new Pool<PreparationTaskInput, PreparedBatch>({
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
    await (await this.#pool?.catch(() => null))?.destroy();
  }
}

const closed: Refusal = refuse(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'The partition is being closed.');
const unwanted: Refusal = refuse(ErrorCode.REQUEST_TIMED_OUT, 'Nobody waits for the batch any more.');
const failed: Refusal = refuse(
  ErrorCode.UNKNOWN_SERVER_ERROR,
  "The batch could not be checked and compressed; see the broker's log.",
);
