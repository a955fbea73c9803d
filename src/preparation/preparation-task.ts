/**
 * What the preparing worker runs: a task is a batch. Preparing thread. What it works in is made with its first batch, and
 * goes with the thread.
 */

import { constants, setPriority } from 'node:os';
import type { PreparationTask, PreparedBatch } from '../storage/batch-preparer.ts';
import { BatchPreparation, type PreparationOptions } from './batch-preparation.ts';

export interface PreparationTaskInput extends PreparationTask {
  readonly options: PreparationOptions;
}

let preparation: BatchPreparation | null = null;

/** Prepares a batch. Rejects for defects only. */
export default function runPreparationTask({ options, ...task }: PreparationTaskInput): PreparedBatch {
  preparation ??= begin(options);
  return preparation.prepare(task);
}

function begin(options: PreparationOptions): BatchPreparation {
  // On Linux that is this thread's alone. Who waits for batches to be compressed leaves the processors to the others.
  if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  return new BatchPreparation(options);
}
