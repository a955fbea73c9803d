/**
 * Loads the producers of a log that was not recovered, when they are first needed: after a clean stop a start opens
 * nothing. I/O thread, synchronous. Where the snapshot cannot be used the partition refuses writes, because a retry
 * could no longer be told from a new batch.
 */

import type { LogState } from './log-state.ts';
import { readProducerSnapshot } from './producer-recovery.ts';
import { segmentFileName } from './segment-name.ts';

/** Loads what `log.producerSnapshot` names. Failures are in the log's `refusal`. */
export function loadProducers(log: LogState): void {
  const offset = log.producerSnapshot;
  if (offset === null) return;
  const name = `${log.directory}/${segmentFileName(offset, 'snapshot')}`;
  let reason = 'it is missing or damaged';
  try {
    const entries = readProducerSnapshot(log.context.fileSystem, log.directory, offset);
    if (entries !== null) {
      log.producers.load(entries);
      return;
    }
  } catch (error) {
    log.context.logger.error({ path: name, error }, 'A producer snapshot could not be read.');
    reason = 'it cannot be read';
  }
  log.isDamaged = true;
  log.refusal =
    `Partition ${log.partition} of ${log.topic} takes no writes: of its producer snapshot ${name}, ${reason}. ` +
    'Restore it from a copy, or let `millrace verify --repair` make it again from the log.';
}
