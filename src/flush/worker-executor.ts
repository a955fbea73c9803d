/**
 * The real flush executor: worker threads (flush-pool.ts), and for each of their queues a loop that waits for
 * completions and has the store read them. I/O thread.
 *
 *   start ──► something is submitted, or a moment has passed: load the pool, start its workers
 *   each queue:  completions wait? ──yes──► a turn of the event loop ─────────┐
 *                     └─no──► one pending wait on the queue's counter ────────┴──► completionsWait ──► again
 *
 * The pool is loaded later because that holds this thread up for a while, and a broker can open its doors and answer the first
 * requests without any worker; what is submitted meanwhile waits in the queues. It does not know what completions say.
 */

import { setImmediate } from 'node:timers/promises';
import { assert } from '../base/assert.ts';
import type { Arena } from '../memory/arena.ts';
import { FlushQueue } from '../memory/flush-queue.ts';
import type { FlushExecutor } from '../storage/flush-executor.ts';
import { FlushPool } from './flush-pool.ts';
import type { DirectWriting } from './way-of-writing.ts';

export interface WorkerExecutorOptions {
  readonly arena: Arena;
  /** Whether large groups are written past the page cache; by default where that is quicker. */
  readonly directWriting?: DirectWriting;
  /** The compiled flush task; by default the one of this build. */
  readonly workerUrl?: URL;
}

/** So long the first clients may have the thread; who writes would wait for the worker otherwise. */
const loadAfterMs = 50;
/** A wait on shared memory does not keep the process alive; this timer does, while a stop needs its completions read. */
const stayAliveMs = 1000;

export class WorkerExecutor implements FlushExecutor {
  readonly #options: WorkerExecutorOptions;
  readonly #queues: readonly FlushQueue[];
  readonly #loops: Promise<void>[] = [];
  /** Of workers that ended by a defect: nothing comes from them any more. */
  readonly #failed = new Set<number>();
  #completionsWait: (workerIndex: number) => void = () => {};
  #pool: Promise<FlushPool | null> = Promise.resolve(null);
  /** Ends the wait before the pool is loaded, while there is one. */
  #hurry: (() => void) | null = null;
  #started = false;
  #stopping: Promise<void> | null = null;
  #stopped = false;

  constructor(options: WorkerExecutorOptions) {
    this.#options = options;
    const { layout, memory } = options.arena;
    this.#queues = layout.queueAddresses.map((address) => new FlushQueue(memory.buffer, address, layout.queueCapacity));
  }

  start(completionsWait: (workerIndex: number) => void, failed: (error: Error, workerIndex: number) => void): void {
    assert(!this.#started, 'an executor is started once');
    this.#started = true;
    this.#completionsWait = completionsWait;
    this.#pool = this.#startPool((error, workerIndex) => {
      // What it had done before it failed counts.
      completionsWait(workerIndex);
      this.#failed.add(workerIndex);
      this.#queues[workerIndex]!.wakeBoth();
      failed(error, workerIndex);
    });
    for (const workerIndex of this.#queues.keys()) this.#loops.push(this.#watch(workerIndex));
  }

  submitted(): void {
    this.#hurry?.();
  }

  stop(): Promise<void> {
    this.#hurry?.();
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #startPool(failed: (error: Error, workerIndex: number) => void): Promise<FlushPool | null> {
    await this.#moment();
    const { arena, directWriting = 'auto', workerUrl } = this.#options;
    try {
      return await FlushPool.start({
        arena,
        directWriting,
        onFailure: failed,
        ...(workerUrl === undefined ? {} : { workerUrl }),
      });
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      for (const workerIndex of this.#queues.keys()) failed(reason, workerIndex);
      return null;
    }
  }

  #moment(): Promise<void> {
    return new Promise((resolve) => {
      const begin = (): void => {
        clearTimeout(timer);
        this.#hurry = null;
        resolve();
      };
      const timer = setTimeout(begin, loadAfterMs);
      this.#hurry = begin;
    });
  }

  /** One promise at most waits on the counter, however long nothing happens. */
  async #watch(workerIndex: number): Promise<void> {
    const queue = this.#queues[workerIndex]!;
    while (!this.#stopped && !this.#failed.has(workerIndex)) {
      // Under constant load there is always more; sockets and timers have their turn before it is read.
      await (queue.waitForCompletions() ?? setImmediate());
      if (!this.#failed.has(workerIndex)) this.#completionsWait(workerIndex);
    }
  }

  async #stop(): Promise<void> {
    const alive = setInterval(() => {}, stayAliveMs);
    try {
      await (await this.#pool)?.stop();
      this.#stopped = true;
      for (const queue of this.#queues) queue.wakeBoth();
      // Each loop reads once more what came last.
      await Promise.all(this.#loops);
    } finally {
      clearInterval(alive);
    }
  }
}
