/**
 * Undoes what was appended to a log and never came to its file: producers, offsets, segments, indexes and epochs are as the
 * file is. I/O thread. Who waits for it is told by `log-flusher.ts`.
 */

import { present } from '../base/assert.ts';
import type { Offset } from '../base/numbers.ts';
import type { Completion } from '../memory/flush-messages.ts';
import type { LogState } from './log-state.ts';
import type { PendingBatches } from './pending-batches.ts';

/** Takes `log` back to where `completion` says that its file ends; `pending` are the batches that were on their way. */
export function rollBackLog(log: LogState, pending: PendingBatches, completion: Completion): void {
  const endOffset = completion.endOffset as Offset;
  log.settleProducers(endOffset);
  log.rollBackProducers(endOffset);
  log.recent.cut(endOffset);
  log.segments.dropAfter(completion.segmentBaseOffset as Offset);
  pending.settleUpTo(endOffset);
  pending.rollBackTo(endOffset);
  const active = present(log.segments.active, 'a log that was written has a segment');
  log.context.indexes.keep(active);
  active.sizeBytes = completion.filePosition;
  active.index?.cut(active.offsetIndexSizeBytes, active.timeIndexSizeBytes);
  active.transactions?.cut(active.transactionIndexSizeBytes);
  if (log.epochs.truncateFromEnd(endOffset)) log.epochsChanged = true;
}
