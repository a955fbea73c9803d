/**
 * A preparer in the thread of the test, which has each batch wait until the test lets it go: what another thread would be
 * busy with. What it does is what the worker does.
 */

import { ErrorCode } from '../../src/base/error-code.ts';
import { BatchPreparation } from '../../src/preparation/batch-preparation.ts';
import { refuse } from '../../src/storage/batch-check.ts';
import {
  refusedBatch,
  type BatchPreparer,
  type PreparationTask,
  type PreparedBatch,
} from '../../src/storage/batch-preparer.ts';
import type { InlineBounds } from '../../src/storage/inline-bounds.ts';

interface Held {
  readonly task: PreparationTask;
  readonly isWanted: () => boolean;
  readonly done: (prepared: PreparedBatch) => void;
}

/** Everything that is compressed, or is to be, takes long. */
export const everythingTakesLong: InlineBounds = { inflatedBytes: 0, compressionMs: 0 };

export class HeldPreparer implements BatchPreparer {
  readonly bounds: InlineBounds;
  /** Those that wait, the oldest first. */
  held: Held[] = [];
  /** How many came in all. */
  count = 0;
  /** Whether a batch is let go at once. */
  isQuick: boolean;
  readonly #preparation = new BatchPreparation({
    scratchSizeBytes: 8 * 1024 * 1024,
    ringSizeBytes: 32 * 1024 * 1024,
  });

  constructor(bounds = everythingTakesLong, isQuick = false) {
    this.bounds = bounds;
    this.isQuick = isQuick;
  }

  prepare(task: PreparationTask, isWanted: () => boolean): Promise<PreparedBatch> {
    this.count++;
    return new Promise((done) => {
      this.held.push({ task, isWanted, done });
      if (this.isQuick) this.letGo();
    });
  }

  /** Prepares the oldest that waits. */
  letGo(): void {
    const { task, isWanted, done } = this.held.shift()!;
    if (isWanted()) done(this.#preparation.prepare(task));
    else done(refusedBatch(refuse(ErrorCode.REQUEST_TIMED_OUT, 'Nobody waits for the batch any more.')));
  }

  close(): Promise<void> {
    const closed = refusedBatch(refuse(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'The partition is being closed.'));
    for (const { done } of this.held.splice(0)) done(closed);
    return Promise.resolve();
  }
}
