/**
 * Moves one partition's recovery point: makes the log durable up to now, with the producers and leader epochs that hold
 * there. I/O thread. A start after a crash trusts what lies before the point and looks only at what lies behind it.
 *
 *   remember the producers as of the end ─► CHECKPOINT at the worker ─► epochs file ─► snapshot file ─► the point
 */

import { FlushFailure } from '../memory/flush-messages.ts';
import { abortedCountsOf } from './aborted-counts.ts';
import { replaceFileLater, writeCheckpointLinesLater } from './checkpoint-file.ts';
import type { LogFlusher } from './log-flusher.ts';
import type { LogState } from './log-state.ts';
import { partitionMetadataName, partitionMetadataText } from './partition-metadata.ts';
import { encodeProducers, producerPaths, writeProducersLater, type ProducerFiles } from './producer-files.ts';
import { settleTail, takeReplaced, takeUnused, type TailProgress } from './unsettled-tail.ts';

export const leaderEpochsName = 'leader-epoch-checkpoint';

/**
 * Moves the recovery point of `log` in memory; the store writes it down. Resolves with whether it moved. Rejects with
 * the file system's error where a file could not be written, and then nothing has changed.
 */
export async function checkpointLog(log: LogState, flusher: LogFlusher): Promise<boolean> {
  await settleLog(log, flusher);
  const endOffset = log.progress.end;
  const abortedCounts = abortedCountsOf(log.segments.all());
  const snapshot = log.producersChanged ? encodeProducers(log.producers, log.named) : null;
  log.producersChanged = false;
  try {
    const failure = await (flusher.checkpoint() ?? FlushFailure.OTHER);
    if (failure !== FlushFailure.NONE || log.progress.synced < endOffset) {
      if (snapshot !== null) log.producersChanged = true;
      return false;
    }
    await writeSideFiles(log, snapshot, endOffset);
  } catch (error) {
    if (snapshot !== null) log.producersChanged = true;
    throw error;
  }
  log.recoveryPoint = endOffset;
  log.abortedCounts = abortedCounts;
  if (flusher.wasOpened) log.indexPoint = endOffset;
  return true;
}

/** Writes what a closed log's files need beside them: all is written, and nothing is appended any more. */
export async function writeFinalFiles(log: LogState, flusher: LogFlusher): Promise<void> {
  await settleLog(log, flusher);
  const snapshot = log.producersChanged ? encodeProducers(log.producers, log.named) : null;
  await writeSideFiles(log, snapshot, log.progress.end);
  log.producersChanged = false;
  log.recoveryPoint = log.progress.end;
  log.abortedCounts = abortedCountsOf(log.segments.all());
  if (flusher.wasOpened) log.indexPoint = log.progress.end;
}

/**
 * Settles what the log had at the start, where nothing was appended since: no worker has the file open then. Else a worker
 * wrote that again, and what makes the rest durable makes it so, too. Rejects with the file system's error.
 */
async function settleLog(log: LogState, flusher: LogFlusher): Promise<void> {
  const progress = log.tail;
  if (progress === null) return;
  const { tail } = progress;
  if (progress.failure !== null) {
    flusher.syncFailed(progress.failure);
    throw new Error(progress.failure);
  }
  if (progress.stage !== 'settled') {
    if (log.progress.end > tail.endOffset) return;
    try {
      await settleTail(log.context.fileSystem, log.context.tails.journalPath, progress);
    } catch (error) {
      if (progress.failure !== null) flusher.syncFailed(progress.failure);
      throw error;
    }
  }
  tailSettled(log, progress);
}

/** The log's tail is settled, by whomever: what holds then is taken over, unless that is done or the log is further. */
export function tailSettled(log: LogState, progress: TailProgress): void {
  const { tail } = progress;
  if (log.tail !== progress) {
    // A sync of what was appended meanwhile was quicker, and nobody will ask for this snapshot.
    if (log.producerSnapshot !== tail.endOffset) {
      log.staleSnapshots = [...log.staleSnapshots, ...takeUnused(progress)];
    }
    return;
  }
  log.tail = null;
  log.recoveryPoint = tail.endOffset;
  if (tail.producers === null) return;
  log.staleSnapshots = [...log.staleSnapshots, ...takeReplaced(progress, log.producerSnapshot)];
  log.producerSnapshot = tail.endOffset;
  log.hasNamedFile = tail.producers.named !== null;
}

async function writeSideFiles(
  log: LogState,
  snapshot: ProducerFiles | null,
  endOffset: LogState['recoveryPoint'],
): Promise<void> {
  const { context, directory } = log;
  if (log.needsMetadata) {
    const bytes = new TextEncoder().encode(partitionMetadataText(log.topicId));
    await replaceFileLater(context.fileSystem, `${directory}/${partitionMetadataName}`, bytes);
    log.needsMetadata = false;
  }
  if (log.epochsChanged) {
    log.epochsChanged = false;
    try {
      await writeCheckpointLinesLater(context.fileSystem, `${directory}/${leaderEpochsName}`, log.epochs.lines());
    } catch (error) {
      log.epochsChanged = true;
      throw error;
    }
  }
  if (snapshot === null) return;
  const before = log.producerSnapshot;
  await writeProducersLater(context.fileSystem, directory, endOffset, snapshot);
  log.producerSnapshot = endOffset;
  const hadNamed = log.hasNamedFile;
  log.hasNamedFile = snapshot.named !== null;
  if (before === null) return;
  // The recovery points on disk still name the old one, so it goes only when they were written again.
  const paths = producerPaths(directory, before);
  const stale: string[] = [];
  if (before !== endOffset) stale.push(paths.snapshot);
  if (hadNamed && (before !== endOffset || snapshot.named === null)) stale.push(paths.named);
  log.staleSnapshots = [...log.staleSnapshots, ...stale];
}
