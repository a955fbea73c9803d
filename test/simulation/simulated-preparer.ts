/**
 * Prepares batches as the worker does, in the one thread of a simulation: each after a while, so that whatever may happen
 * meanwhile does in some run. Single thread, under the scheduler.
 */

import type { BatchPreparation } from '../../src/preparation/batch-preparation.ts';
import type { BatchPreparer, PreparationOutcome, PreparationTask } from '../../src/storage/batch-preparer.ts';
import type { InlineBounds } from '../../src/storage/inline-bounds.ts';

export interface SimulatedPreparerOptions {
  readonly preparation: BatchPreparation;
  /** What compressing a batch may take, by `compressionMs`, before it takes long. */
  readonly inlineMs: number;
  /** Resolves when the next batch is done; never where the process ends before. */
  readonly turn: () => Promise<void>;
  /** A batch was prepared, perhaps for nobody any more; again where settings changed since. */
  readonly counted: (what: string) => void;
}

export class SimulatedPreparer implements BatchPreparer {
  readonly bounds: InlineBounds;
  readonly #options: SimulatedPreparerOptions;
  readonly #seen = new WeakSet<Uint8Array>();

  constructor(options: SimulatedPreparerOptions) {
    this.#options = options;
    this.bounds = { inflatedBytes: Infinity, compressionMs: options.inlineMs };
  }

  async prepare(task: PreparationTask): Promise<PreparationOutcome> {
    const { preparation, turn, counted } = this.#options;
    await turn();
    counted(this.#seen.has(task.batch) ? 'batches prepared again' : 'batches prepared');
    this.#seen.add(task.batch);
    return preparation.prepare(task);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
