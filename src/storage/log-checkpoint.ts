/**
 * Moves one partition's recovery point: makes the log durable up to now, with the producers and leader epochs that hold
 * there. I/O thread. A start after a crash trusts what lies before the point and looks only at what lies behind it.
 *
 *   remember the producers as of the end ─► CHECKPOINT at the worker ─► epochs file ─► snapshot file ─► the point
 */

import { FlushFailure } from '../memory/flush-queue.ts';
import { replaceFileLater, writeCheckpointLinesLater } from './checkpoint-file.ts';
import type { LogFlusher } from './log-flusher.ts';
import type { LogState } from './log-state.ts';
import { partitionMetadataName, partitionMetadataText } from './partition-metadata.ts';
import { encodeProducers, producerPaths, writeProducersLater, type ProducerFiles } from './producer-files.ts';

export const leaderEpochsName = 'leader-epoch-checkpoint';

/**
 * Moves the recovery point of `log` in memory; the store writes it down. Resolves with whether it moved. Rejects with
 * the file system's error where a file could not be written, and then nothing has changed.
 */
export async function checkpointLog(log: LogState, flusher: LogFlusher): Promise<boolean> {
  const endOffset = log.progress.end;
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
  if (flusher.wasOpened) log.indexPoint = endOffset;
  return true;
}

/** Writes what a closed log's files need beside them: all is settled, and nothing is appended any more. */
export async function writeFinalFiles(log: LogState, flusher: LogFlusher): Promise<void> {
  const snapshot = log.producersChanged ? encodeProducers(log.producers, log.named) : null;
  await writeSideFiles(log, snapshot, log.progress.end);
  log.producersChanged = false;
  log.recoveryPoint = log.progress.end;
  if (flusher.wasOpened) log.indexPoint = log.progress.end;
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
