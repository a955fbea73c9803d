/**
 * A compactor in the thread of the store, in steps between which the event loop turns. For file systems in memory, where
 * nothing ever waits; on a disk it would hold everybody up. I/O thread.
 */

import { setImmediate } from 'node:timers/promises';
import type { Offset } from '../base/numbers.ts';
import type { RandomSource } from '../base/random.ts';
import type {
  CleanedSegment,
  CompactionPlan,
  CompactionRun,
  CompactionSettings,
  Compactor,
  SourceSegment,
} from '../storage/compactor.ts';
import type { FileSystem } from '../storage/file-system.ts';
import { Compaction } from './compaction.ts';

export class InThreadCompactor implements Compactor {
  readonly #fileSystem: FileSystem;
  readonly #random: RandomSource;
  readonly #turn: () => Promise<void>;

  /** `turn` resolves when the next step may be taken. */
  constructor(fileSystem: FileSystem, random: RandomSource, turn: () => Promise<void> = setImmediate) {
    this.#fileSystem = fileSystem;
    this.#random = random;
    this.#turn = turn;
  }

  begin(plan: CompactionPlan, settings: CompactionSettings): Promise<CompactionRun> {
    return Promise.resolve(new InThreadRun(new Compaction(this.#fileSystem, this.#random, plan, settings), this.#turn));
  }
}

class InThreadRun implements CompactionRun {
  readonly #compaction: Compaction;
  readonly #turn: () => Promise<void>;
  #ended = false;
  #underWay: Promise<unknown> = Promise.resolve();

  constructor(compaction: Compaction, turn: () => Promise<void>) {
    this.#compaction = compaction;
    this.#turn = turn;
  }

  readKeys(): Promise<Offset> {
    return this.#run(this.#compaction.readKeys());
  }

  clean(group: readonly SourceSegment[]): Promise<CleanedSegment> {
    return this.#run(this.#compaction.clean(group));
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#underWay;
  }

  #run<T>(steps: Generator<number, T>): Promise<T> {
    const result = this.#steps(steps);
    this.#underWay = result.catch(ignoreHere);
    return result;
  }

  async #steps<T>(steps: Generator<number, T>): Promise<T> {
    for (;;) {
      if (this.#ended) {
        // What it has open is closed.
        steps.return(undefined as T);
        throw new Error('The compaction was ended.');
      }
      const step = steps.next();
      if (step.done === true) return step.value;
      await this.#turn();
    }
  }
}

/** Whoever asked hears of the failure; who only waits for the end does not. */
function ignoreHere(): void {}
