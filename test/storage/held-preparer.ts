/**
 * A preparer in the thread of the test, which has each batch wait until the test lets it go: what another thread would be
 * busy with. What it does is what the worker does.
 */

import { present } from '../../src/base/assert.ts';
import { BatchPreparation } from '../../src/preparation/batch-preparation.ts';
import type { BatchPreparer, PreparationOutcome, PreparationTask } from '../../src/storage/batch-preparer.ts';
import type { InlineBounds } from '../../src/storage/inline-bounds.ts';

interface Held {
  readonly task: PreparationTask;
  readonly done: (outcome: PreparationOutcome) => void;
}

/** Everything that is compressed, or is to be, takes long. */
export const everythingTakesLong: InlineBounds = { inflatedBytes: 0, compressionMs: 0 };

export class HeldPreparer implements BatchPreparer {
  readonly bounds: InlineBounds;
  /** The one that waits; null where none does. */
  held: Held | null = null;
  /** How many came in all. */
  count = 0;
  /** Whether a batch is let go at once. */
  isQuick: boolean;
  isClosed = false;
  readonly #preparation = new BatchPreparation({
    scratchSizeBytes: 8 * 1024 * 1024,
    ringSizeBytes: 32 * 1024 * 1024,
  });

  constructor(bounds = everythingTakesLong, isQuick = false) {
    this.bounds = bounds;
    this.isQuick = isQuick;
  }

  prepare(task: PreparationTask): Promise<PreparationOutcome> {
    if (this.held !== null) throw new Error('a batch is asked for while another is prepared');
    this.count++;
    return new Promise((done) => {
      this.held = { task, done };
      if (this.isQuick) this.letGo();
    });
  }

  /** Prepares the one that waits. */
  letGo(): void {
    const { task, done } = present(this.held, 'a batch is prepared');
    this.held = null;
    done(this.#preparation.prepare(task));
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}
