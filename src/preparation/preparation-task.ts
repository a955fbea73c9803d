/**
 * What the preparing worker runs: a task is a batch. Preparing thread. What it works in is made with its first batch, and
 * goes with the thread.
 */

import { constants, getPriority, setPriority } from 'node:os';
import { systemErrorCode } from '../base/environment-error.ts';
import type { PreparationOutcome, PreparationTask } from '../storage/batch-preparer.ts';
import { BatchPreparation, type PreparationOptions } from './batch-preparation.ts';

export interface PreparationTaskInput extends PreparationTask {
  readonly options: PreparationOptions;
}

let preparation: BatchPreparation | null = null;

/** Prepares a batch. Rejects for defects only. */
export default function runPreparationTask({ options, ...task }: PreparationTaskInput): PreparationOutcome {
  preparation ??= begin(options);
  return preparation.prepare(task);
}

function begin(options: PreparationOptions): BatchPreparation {
  // Only on Linux the priority is this thread's alone.
  if (process.platform === 'linux') stepBack();
  return new BatchPreparation(options);
}

/** Who waits for batches to be compressed leaves the processors to the others, as far as the system lets it. */
function stepBack(): void {
  const { PRIORITY_BELOW_NORMAL } = constants.priority;
  try {
    // The larger, the less it gets. A process that stands back further already may not come forward.
    if (getPriority() < PRIORITY_BELOW_NORMAL) setPriority(PRIORITY_BELOW_NORMAL);
  } catch (error) {
    // It is a courtesy, and no batch depends on it.
    if (systemErrorCode(error) === null) throw error;
  }
}
