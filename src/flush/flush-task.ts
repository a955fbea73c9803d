/**
 * The flush worker: one long-running piscina task per flush thread that runs rounds until STOP came through its queue.
 * Flush thread.
 *
 *   round ──► submissions wait? ──yes──► next round (after a turn of the event loop while a sync is under way)
 *                    └─no──► sync under way? ──no──► leave the files, and block on the queue's counter: costs nothing
 *                                    └─yes─► wait for whichever comes first, a submission or the sync's end
 *
 * Where nothing waits and the disk is quick, a sync of one file is done at once, rather than by another thread: two
 * wake-ups less, which are a good part of what a small synced write takes (`bench:load -- stages`).
 *
 * It makes no decisions of its own; see `flush-round.ts`.
 */

import { setImmediate, setTimeout } from 'node:timers/promises';
import { present } from '../base/assert.ts';
import { Arena, flushStagingBytes, type ArenaTicket } from '../memory/arena.ts';
import { FlushQueue } from '../memory/flush-queue.ts';
import { nodeFileSystem } from '../storage/node-file-system.ts';
import { FlushRound } from './flush-round.ts';
import { SyncsInPlace } from './syncs-in-place.ts';
import { WayOfWriting, type DirectWriting } from './way-of-writing.ts';

export interface FlushTaskInput {
  readonly ticket: ArenaTicket;
  readonly directWriting: DirectWriting;
  /** Which of the arena's queues is this worker's. */
  readonly workerIndex: number;
}

/** How long a worker waits before it looks again whether the I/O thread has read completions. */
const fullQueuePauseMs = 1;

/**
 * Runs until STOP; resolves once what was asked for is on disk and all descriptors are closed. Rejects for defects
 * only: failures of the disk are completions.
 */
export default async function runFlushTask({ ticket, directWriting, workerIndex }: FlushTaskInput): Promise<void> {
  const { memory, layout, bytes, core } = Arena.attach(ticket);
  const address = present(layout.queueAddresses[workerIndex], 'each worker has a queue');
  const queue = new FlushQueue(memory.buffer, address, layout.queueCapacity);
  const way = new WayOfWriting(directWriting, () => performance.now());
  const round = new FlushRound({
    queue,
    bytes,
    ringAddress: layout.ringAddress,
    ringSizeBytes: layout.ringSizeBytes,
    fileSystem: nodeFileSystem,
    nowMs: () => performance.now(),
    direct: {
      way,
      staging: {
        bytes,
        address: present(layout.stagingAddresses[workerIndex], 'each worker has a staging'),
        sizeBytes: flushStagingBytes,
        copy: (target, source, sizeBytes) => core.copyBytes(target, source, sizeBytes),
      },
    },
  });

  // One promise at most waits on the counter; it stays until a submission resolves it, over as many syncs as it takes.
  let submissions: Promise<void> | null = null;
  const syncs = new SyncsInPlace();
  let cameMeanwhile = false;
  queue.files.take();
  while (!round.finished) {
    way.syncsInPlace = syncs.areAllowed;
    if (round.take() > 0) cameMeanwhile = true;
    round.write();
    round.publish();
    const startedMs = performance.now();
    if (round.startSync(syncs.areAllowed && queue.waitingSubmissions === 0)) {
      cameMeanwhile = false;
      const measure = (): void => {
        syncs.took(performance.now() - startedMs, !cameMeanwhile && queue.waitingSubmissions === 0);
      };
      if (round.syncUnderWay === null) {
        way.syncTook(performance.now() - startedMs);
        measure();
      } else void round.syncUnderWay.then(measure);
    }
    if (round.unpublished > 0) {
      // Either `startSync` had an answer at once, or the I/O thread is behind; it always reads on.
      round.publish();
      if (round.unpublished > 0) await setTimeout(fullQueuePauseMs);
      continue;
    }
    const sync = round.syncUnderWay;
    if (sync === null) {
      if (!round.finished) {
        queue.files.leave();
        queue.sleepUntilSubmissions(Infinity);
        queue.files.take();
      }
      continue;
    }
    if (round.stopped || round.isHeld) {
      await sync;
      continue;
    }
    if (submissions === null) {
      const wait = queue.waitForSubmissions();
      submissions = wait === null ? null : wait.then(() => void (submissions = null));
    }
    // Under constant load nothing ever waits, and the sync's end is only seen when the event loop turns.
    await (submissions === null ? setImmediate() : Promise.race([submissions, sync]));
  }
  round.closeFiles();
  queue.files.leave();
}
