/**
 * Runs flush rounds under the scheduler: each step of a round is an event of its own, so that anything (a produce, a
 * fetch, a crash) may come between two. Single thread, in place of `flush/flush-pool.ts`.
 *
 *   submissions wait ─► take ─► write ─► publish ─► startSync ─ ─ (the simulated disk) ─ ─► publish …
 *                                           └──► completions: the I/O thread is rung
 *
 * Between rounds, with no sync under way, the files are left, and the I/O thread may write in place, and sync. What it wrote
 * so does not wake a worker, unless a sync failed; now and then one wakes all the same.
 *
 * Once the process has died `end` is called, and no step happens any more.
 */

import { assert, present } from '../../src/base/assert.ts';
import { FlushRound } from '../../src/flush/flush-round.ts';
import { WayOfWriting } from '../../src/flush/way-of-writing.ts';
import type { Arena } from '../../src/memory/arena.ts';
import { blankSubmission, SubmissionFlag, SubmissionKind } from '../../src/memory/flush-messages.ts';
import { FlushQueue } from '../../src/memory/flush-queue.ts';
import type { FileSystem } from '../../src/storage/file-system.ts';
import type { FlushExecutor } from '../../src/storage/flush-executor.ts';
import type { Scheduler } from './scheduler.ts';

export interface SimulatedFlushExecutorOptions {
  readonly scheduler: Scheduler;
  readonly arena: Arena;
  readonly fileSystem: FileSystem;
  /** The longest that one step waits, in virtual milliseconds. */
  readonly maxStepMs: number;
  /** Between a worker and its end of a queue; a planted bug sits here. */
  wrapQueue(inner: FlushQueue): FlushQueue;
  /** Groups from so many bytes on are written past the page cache. */
  readonly directFromBytes: number;
}

type Step = 'take' | 'write' | 'publish' | 'startSync';

const nextStep: Readonly<Record<Step, Step | null>> = {
  take: 'write',
  write: 'publish',
  publish: 'startSync',
  startSync: null,
};

export class SimulatedFlushExecutor implements FlushExecutor {
  readonly #options: SimulatedFlushExecutorOptions;
  readonly #workers: Worker[] = [];
  #stopWatching: (() => void) | null = null;

  constructor(options: SimulatedFlushExecutorOptions) {
    this.#options = options;
  }

  start(completionsWait: (workerIndex: number) => void, failed: (error: Error, workerIndex: number) => void): void {
    assert(this.#workers.length === 0, 'an executor is started once');
    for (let index = 0; index < this.#options.arena.layout.flushWorkerCount; index++) {
      this.#workers.push(new Worker(this.#options, index, completionsWait, failed));
    }
    this.#stopWatching = this.#options.scheduler.onSettled(() => {
      for (const worker of this.#workers) worker.wake();
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    this.end();
  }

  /** The process is gone. */
  end(): void {
    this.#stopWatching?.();
    for (const worker of this.#workers) worker.end();
  }
}

/** The chance that a worker wakes up for what is written already, at each event of the run. */
const wakesByItself = 0.05;
/** So few that partitions' files are closed and opened again all the time. */
const maxOpenFiles = 16;
/** So little that groups of everyday size are written in parts. */
const stagingBytes = 8192;

class Worker {
  readonly #options: SimulatedFlushExecutorOptions;
  readonly #index: number;
  readonly #completionsWait: (workerIndex: number) => void;
  readonly #failed: (error: Error, workerIndex: number) => void;
  readonly #queue: FlushQueue;
  readonly #round: FlushRound;
  #isAwake = false;
  #hasFiles = false;
  #isRung = false;
  #hasEnded = false;
  #stopWanted = false;
  #stopped: (() => void) | null = null;

  constructor(
    options: SimulatedFlushExecutorOptions,
    index: number,
    completionsWait: (workerIndex: number) => void,
    failed: (error: Error, workerIndex: number) => void,
  ) {
    const { bytes, memory, layout } = options.arena;
    this.#options = options;
    this.#index = index;
    this.#completionsWait = completionsWait;
    this.#failed = failed;
    const address = present(layout.queueAddresses[index], 'each worker has a queue');
    this.#queue = options.wrapQueue(new FlushQueue(memory.buffer, address, layout.queueCapacity));
    this.#round = new FlushRound({
      queue: this.#queue,
      bytes,
      ringAddress: layout.ringAddress,
      ringSizeBytes: layout.ringSizeBytes,
      fileSystem: options.fileSystem,
      maxOpenFiles,
      direct: {
        // A disk without time has no quicker way, so all groups that are large enough go the same.
        way: new WayOfWriting('always', () => 0, options.directFromBytes),
        staging: {
          bytes,
          address: present(layout.stagingAddresses[index], 'each worker has a staging'),
          sizeBytes: stagingBytes,
          copy: (target, source, sizeBytes) => options.arena.core.copyBytes(target, source, sizeBytes),
        },
      },
    });
  }

  /** Goes to work where there is some and it is not at it yet. */
  wake(): void {
    if (this.#hasEnded) return;
    this.#ring();
    if (this.#stopWanted && this.#queue.freeSubmissions > 0) {
      this.#stopWanted = false;
      this.#queue.push({ ...blankSubmission(), kind: SubmissionKind.STOP }, 0);
      this.#queue.publish(1);
    }
    const round = this.#round;
    if (round.finished && this.#queue.waitingCompletions === 0 && this.#stopped !== null) {
      round.closeFiles();
      this.#hasEnded = true;
      this.#options.scheduler.schedule(`flush ${this.#index} ends`, 0, this.#stopped);
      return;
    }
    if (this.#isAwake) return;
    const hasWork = this.#isCalled || round.unpublished > 0 || (round.syncUnderWay === null && !round.nothingLeft);
    if (hasWork) {
      if (!this.#hasFiles) this.#queue.files.take();
      this.#hasFiles = true;
      this.#isAwake = true;
      this.#schedule('take');
    } else if (this.#hasFiles && round.syncUnderWay === null) {
      this.#hasFiles = false;
      this.#queue.files.leave();
    }
  }

  /** Whether submissions wait for which a worker that sleeps would be woken, or not all of them are such. */
  get #isCalled(): boolean {
    const count = this.#queue.waitingSubmissions;
    const submission = blankSubmission();
    for (let i = 0; i < count; i++) {
      this.#queue.readSubmission(i, submission);
      if ((submission.flags & SubmissionFlag.WRITTEN) === 0) return true;
      if ((submission.flags & SubmissionFlag.SYNC_FAILED) !== 0) return true;
    }
    return count > 0 && this.#options.scheduler.random.chance(wakesByItself);
  }

  stop(): Promise<void> {
    this.#stopWanted = true;
    return new Promise((resolve) => {
      this.#stopped = resolve;
    });
  }

  end(): void {
    this.#hasEnded = true;
  }

  #schedule(step: Step): void {
    const { scheduler, maxStepMs } = this.#options;
    const delayMs = scheduler.random.below(maxStepMs * 2 + 1) / 2;
    scheduler.schedule(`flush ${this.#index} ${step}`, delayMs, () => {
      if (!this.#hasEnded) this.#run(step);
    });
  }

  #run(step: Step): void {
    try {
      // The real worker does it at once where the disk was quick.
      if (step === 'startSync') this.#round.startSync(this.#options.scheduler.random.below(2) === 0);
      else this.#round[step]();
    } catch (error) {
      // Whoever ended the process while a call was under way knows why it did not return.
      if (this.#hasEnded) return;
      this.#hasEnded = true;
      this.#failed(error instanceof Error ? error : new Error(String(error)), this.#index);
      return;
    }
    const next = nextStep[step];
    if (next === null) this.#isAwake = false;
    else this.#schedule(next);
  }

  #ring(): void {
    if (this.#isRung || this.#queue.waitingCompletions === 0) return;
    this.#isRung = true;
    const { scheduler, maxStepMs } = this.#options;
    scheduler.schedule(`completions ${this.#index}`, scheduler.random.below(maxStepMs * 2 + 1) / 2, () => {
      this.#isRung = false;
      if (!this.#hasEnded) this.#completionsWait(this.#index);
    });
  }
}
