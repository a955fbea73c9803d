/**
 * A flush executor without threads: rounds run in the thread of the store, a turn of the event loop after something was
 * submitted. For file systems in memory, where nothing ever waits; on a disk it would hold everybody up. I/O thread.
 */

import type { Arena } from '../memory/arena.ts';
import { blankSubmission, SubmissionKind } from '../memory/flush-messages.ts';
import { FlushQueue } from '../memory/flush-queue.ts';
import type { FileSystem } from '../storage/file-system.ts';
import type { FlushExecutor } from '../storage/flush-executor.ts';
import { FlushRound } from './flush-round.ts';

export class InThreadExecutor implements FlushExecutor {
  readonly #queues: readonly FlushQueue[];
  readonly #rounds: readonly FlushRound[];
  #completionsWait: (workerIndex: number) => void = () => {};
  #failed: (error: Error, workerIndex: number) => void = () => {};
  #scheduled = false;
  #stopping: Promise<void> | null = null;
  /** Of a stop: called once all is done. */
  #finished: (() => void) | null = null;
  #broken = false;

  constructor(arena: Arena, fileSystem: FileSystem) {
    const { layout, memory, bytes } = arena;
    const { ringAddress, ringSizeBytes } = layout;
    this.#queues = layout.queueAddresses.map((address) => new FlushQueue(memory.buffer, address, layout.queueCapacity));
    // For good: whoever wrote in place would save no wake-up, and not wake these rounds.
    for (const queue of this.#queues) queue.files.take();
    this.#rounds = this.#queues.map(
      (queue) => new FlushRound({ queue, bytes, ringAddress, ringSizeBytes, fileSystem }),
    );
  }

  start(completionsWait: (workerIndex: number) => void, failed: (error: Error, workerIndex: number) => void): void {
    this.#completionsWait = completionsWait;
    this.#failed = failed;
    this.submitted();
  }

  submitted(): void {
    if (this.#scheduled || this.#broken) return;
    this.#scheduled = true;
    // A turn later, so that sockets and timers have theirs between rounds; and it keeps the process alive until then.
    setImmediate(() => {
      this.#scheduled = false;
      this.#runRounds();
    });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    if (this.#broken) return;
    for (const queue of this.#queues) {
      queue.push({ ...blankSubmission(), kind: SubmissionKind.STOP }, 0);
      queue.publish(1);
    }
    const finished = new Promise<void>((resolve) => (this.#finished = resolve));
    this.submitted();
    await finished;
  }

  #runRounds(): void {
    for (const [workerIndex, round] of this.#rounds.entries()) {
      if (this.#broken) return;
      try {
        this.#run(round, workerIndex);
      } catch (error) {
        this.#broken = true;
        this.#failed(error instanceof Error ? error : new Error(String(error)), workerIndex);
        this.#finished?.();
      }
    }
    if (this.#finished === null || !this.#rounds.every((round) => round.finished)) return;
    for (const round of this.#rounds) round.closeFiles();
    this.#finished();
    this.#finished = null;
  }

  #run(round: FlushRound, workerIndex: number): void {
    if (round.finished) return;
    round.take();
    round.write();
    round.publish();
    round.startSync(true);
    round.publish();
    this.#completionsWait(workerIndex);
    const sync = round.syncUnderWay;
    if (sync !== null) void sync.then(() => this.submitted());
    else if (!round.idle && !round.finished) this.submitted();
  }
}
