/**
 * Prepares batches as the worker does, in the one thread of a simulation: one after the other, each after a while, so that
 * whatever may happen meanwhile does in some run. Single thread, under the scheduler.
 */

import { ErrorCode } from '../../src/base/error-code.ts';
import type { BatchPreparation } from '../../src/preparation/batch-preparation.ts';
import { refuse } from '../../src/storage/batch-check.ts';
import {
  refusedBatch,
  type BatchPreparer,
  type PreparationTask,
  type PreparedBatch,
} from '../../src/storage/batch-preparer.ts';

export interface SimulatedPreparerOptions {
  readonly preparation: BatchPreparation;
  /** Resolves when the next batch is done; never where the process ends before. */
  readonly turn: () => Promise<void>;
  /** A batch was prepared, or refused because nobody waits for it any more. */
  readonly counted: (what: string) => void;
}

export class SimulatedPreparer implements BatchPreparer {
  /** Batches are small here: whatever is to be compressed again takes long. */
  readonly bounds = { inflatedBytes: Infinity, compressionMs: -1 };
  readonly #options: SimulatedPreparerOptions;
  #last: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: SimulatedPreparerOptions) {
    this.#options = options;
  }

  prepare(task: PreparationTask, isWanted: () => boolean): Promise<PreparedBatch> {
    const { preparation, turn, counted } = this.#options;
    const prepared = this.#last.then(turn).then(() => {
      if (this.#isClosed) return refusedBatch(refuse(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'closed'));
      counted(isWanted() ? 'batches prepared' : 'batches not prepared any more');
      if (!isWanted()) return refusedBatch(refuse(ErrorCode.REQUEST_TIMED_OUT, 'not wanted'));
      return preparation.prepare(task);
    });
    this.#last = prepared.then(() => {});
    return prepared;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }
}
