/**
 * The pool of flush workers: a piscina pool with a thread for each of the arena's flush queues, each of which runs one
 * task as long as the pool lives. A pool of its own, so that no other work can ever keep a write waiting. I/O thread.
 * It starts and stops workers and says when one failed; what they do goes through the queues alone.
 */

import { setTimeout } from 'node:timers/promises';
import type { Piscina } from 'piscina';
import type { Arena } from '../memory/arena.ts';
import { blankSubmission, SubmissionKind } from '../memory/flush-messages.ts';
import { FlushQueue } from '../memory/flush-queue.ts';
import type { FlushTaskInput } from './flush-task.ts';
import type { DirectWriting } from './way-of-writing.ts';

/**
 * A worker's garbage is what one round makes, and little of it lives longer: a third of V8's own bound is enough, and what lies
 * in it stays in memory for good.
 */
const maxYoungGenerationSizeMb = 12;

export interface FlushPoolOptions {
  readonly arena: Arena;
  readonly directWriting: DirectWriting;
  /** Hears of a worker that ended by a defect; its partitions will never be answered again. At most once a worker. */
  readonly onFailure: (error: Error, workerIndex: number) => void;
  /** The compiled task; by default the one of this build. */
  readonly workerUrl?: URL;
}

/** How long `stop` waits before it looks again for room in a full queue. */
const fullQueuePauseMs = 1;

export class FlushPool {
  readonly #arena: Arena;
  readonly #directWriting: DirectWriting;
  readonly #pool: Piscina<FlushTaskInput, void>;
  readonly #tasks: Promise<void>[];
  readonly #ended = new Set<number>();
  #stopping: Promise<void> | null = null;

  private constructor(options: FlushPoolOptions, Pool: typeof Piscina) {
    this.#arena = options.arena;
    this.#directWriting = options.directWriting;
    const count = options.arena.layout.flushWorkerCount;
    this.#pool = new Pool<FlushTaskInput, void>({
      filename: (options.workerUrl ?? defaultWorkerUrl()).href,
      minThreads: count,
      maxThreads: count,
      concurrentTasksPerWorker: 1,
      resourceLimits: { maxYoungGenerationSizeMb },
      // The task itself sleeps on its queue; piscina's own blocking would only stand between.
      atomics: 'disabled',
      recordTiming: false,
    });
    // What fails before a task runs, such as loading it, reaches both the task's promise and this event, which must have
    // somebody who listens.
    this.#pool.on('error', ignoreHere);
    this.#tasks = Array.from({ length: count }, (_, workerIndex) => this.#run(workerIndex, options.onFailure));
  }

  /** Loads piscina and starts the workers. What is submitted before they run waits in the queues. */
  static async start(options: FlushPoolOptions): Promise<FlushPool> {
    const { Piscina } = await import('piscina');
    return new FlushPool(options, Piscina);
  }

  /**
   * Ends the workers once they have dealt with all that was submitted; afterwards no thread and no handle is left.
   * Whoever reads completions goes on reading until this resolves. What was neither synced nor closed is not synced.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #run(workerIndex: number, onFailure: FlushPoolOptions['onFailure']): Promise<void> {
    try {
      await this.#pool.run({ ticket: this.#arena.ticket, directWriting: this.#directWriting, workerIndex });
    } catch (error) {
      onFailure(error instanceof Error ? error : new Error(String(error)), workerIndex);
    } finally {
      this.#ended.add(workerIndex);
    }
  }

  async #stop(): Promise<void> {
    const { layout, memory } = this.#arena;
    for (const [workerIndex, address] of layout.queueAddresses.entries()) {
      const queue = new FlushQueue(memory.buffer, address, layout.queueCapacity);
      while (queue.freeSubmissions === 0 && !this.#ended.has(workerIndex)) await setTimeout(fullQueuePauseMs);
      if (this.#ended.has(workerIndex)) continue;
      queue.push({ ...blankSubmission(), kind: SubmissionKind.STOP }, 0);
      queue.publish(1);
    }
    await Promise.all(this.#tasks);
    await this.#pool.destroy();
  }
}

/** The tasks' promises tell. */
function ignoreHere(): void {}

/** A worker runs compiled code, also where this file is run from its source (tests do that). */
function defaultWorkerUrl(): URL {
  const fromSource = import.meta.url.endsWith('.ts');
  return new URL(fromSource ? '../../dist/flush/flush-task.js' : './flush-task.js', import.meta.url);
}
