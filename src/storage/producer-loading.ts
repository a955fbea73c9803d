/**
 * Loads the producers of a log that was not recovered, when they are first needed: after a clean stop a start opens
 * nothing. I/O thread, synchronous. Where the snapshot cannot be used the partition refuses writes, because a retry
 * could no longer be told from a new batch.
 */

import type { LogState } from './log-state.ts';
import { producerPaths, readProducers } from './producer-files.ts';

/** Loads what `log.producerSnapshot` names. Failures are in the log's `refusal`. */
export function loadProducers(log: LogState): void {
  const offset = log.producerSnapshot;
  if (offset === null) return;
  const { fileSystem, logger } = log.context;
  let path = producerPaths(log.directory, offset).snapshot;
  let reason = 'it cannot be read';
  try {
    const found = readProducers(fileSystem, log.directory, offset);
    if (found.damage === null) {
      log.producers.load(found.entries);
      log.hasNamedFile = found.named.length > 0;
      if (log.hasNamedFile) log.named.load(found.named);
      return;
    }
    path = found.path;
    reason = found.damage;
  } catch (error) {
    logger.error({ path, error }, 'A producer snapshot could not be read.');
  }
  log.isDamaged = true;
  log.refusal =
    `Partition ${log.partition} of ${log.topic} takes no writes: of its producer snapshot ${path}, ${reason}. ` +
    'Restore it from a copy, or let `millrace verify --repair` make it again from the log.';
}
