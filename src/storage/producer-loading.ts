/**
 * Loads the producers of a log that was not recovered, when they are first needed: after a clean stop a start opens
 * nothing. I/O thread, synchronous. Where the snapshot cannot be used the partition refuses writes, because a retry
 * could no longer be told from a new batch.
 */

import { assert } from '../base/assert.ts';
import type { LogState } from './log-state.ts';
import { decodeProducers, producerPaths, readProducers, type FoundProducers } from './producer-files.ts';

/** Whether there is something to be loaded. */
export function hasProducersToLoad({ producerSnapshot, tail, isDamaged, context }: LogState): boolean {
  // One that takes no writes has no use for them, and its snapshot may be gone with the rest.
  if (isDamaged || context.refusal !== null) return false;
  return producerSnapshot !== null || (tail?.tail.producers ?? null) !== null;
}

/** Loads what `log.producerSnapshot` names, or what waits to be written. Failures are in the log's `refusal`. */
export function loadProducers(log: LogState): void {
  const tail = log.tail?.tail ?? null;
  if (tail !== null && tail.producers !== null) {
    const found = decodeProducers(tail.producers, log.directory, tail.endOffset);
    assert(found.damage === null, 'what was encoded in this process can be decoded');
    take(log, found);
    log.hasNamedFile = tail.hadNamedFile;
    // With the next checkpoint comes a snapshot, whatever becomes of the one that waits.
    log.producersChanged = true;
    return;
  }
  const offset = log.producerSnapshot;
  if (offset === null) return;
  const { fileSystem, logger } = log.context;
  let path = producerPaths(log.directory, offset).snapshot;
  let reason = 'it cannot be read';
  try {
    const found = readProducers(fileSystem, log.directory, offset);
    if (found.damage === null) {
      take(log, found);
      log.hasNamedFile = found.named.length > 0;
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

function take(log: LogState, { entries, named }: Extract<FoundProducers, { damage: null }>): void {
  log.producers.load(entries);
  if (named.length > 0) log.named.load(named);
}
