/** What is remembered of an append until it is in its file and on disk: its segment before it, and who waits for it. */

import { asOffset } from '../src/base/numbers.ts';
import { AppendProgress } from '../src/storage/append-progress.ts';
import { PendingBatches } from '../src/storage/pending-batches.ts';
import type { Segment } from '../src/storage/segment.ts';
import type { Benchmark } from './benchmark.ts';

const batchesPerRun = 64;
const recordsPerBatch = 10;

export function appendBenchmarks(): Benchmark[] {
  return [pendingBenchmark(), progressBenchmark()];
}

function pendingBenchmark(): Benchmark {
  // What is remembered of a segment.
  const before = {
    largestTimestampMs: 1_700_000_000_000,
    offsetOfLargestTimestamp: 0,
    firstTimestampMs: 1_700_000_000_000,
    offsetIndexSizeBytes: 0,
    timeIndexSizeBytes: 0,
    transactionIndexSizeBytes: 0,
    bytesSinceIndexEntry: 0,
  };
  const segment = { ...before } as Segment;
  const pending = new PendingBatches();
  let endOffset = 0;
  let endByHand = 0;
  return {
    name: `${batchesPerRun} batches on their way to the file, and there`,
    unit: 'calls',
    unitsPerRun: batchesPerRun,
    bytesPerRun: 0,
    contenders: [
      {
        name: 'PendingBatches',
        run() {
          for (let i = 0; i < batchesPerRun; i++) {
            pending.add(asOffset((endOffset += recordsPerBatch)), segment);
            segment.bytesSinceIndexEntry = i;
          }
          pending.settleUpTo(asOffset(endOffset));
          return segment.bytesSinceIndexEntry;
        },
      },
      {
        name: 'copies in an array',
        run() {
          const copies: { endOffset: number; segment: Segment; before: typeof before }[] = [];
          for (let i = 0; i < batchesPerRun; i++) {
            const { largestTimestampMs, offsetOfLargestTimestamp, firstTimestampMs, ...sizes } = segment;
            copies.push({
              endOffset: (endByHand += recordsPerBatch),
              segment,
              before: { largestTimestampMs, offsetOfLargestTimestamp, firstTimestampMs, ...sizes },
            });
            segment.bytesSinceIndexEntry = i;
          }
          while (copies.length > 0 && copies[0]!.endOffset <= endByHand) copies.shift();
          return segment.bytesSinceIndexEntry;
        },
      },
    ],
  };
}

/** Each is waited for until it is synced, as acks=all is. */
function progressBenchmark(): Benchmark {
  const progress = new AppendProgress(asOffset(0));
  let reached = 0;
  const listener = (isReached: boolean): void => void (reached += isReached ? 1 : 0);
  return {
    name: `${batchesPerRun} appends waited for until they are synced`,
    unit: 'calls',
    unitsPerRun: batchesPerRun,
    bytesPerRun: 0,
    contenders: [
      {
        name: 'AppendProgress',
        run() {
          reached = 0;
          for (let i = 0; i < batchesPerRun; i++) {
            const endOffset = asOffset(progress.end + recordsPerBatch);
            progress.assigned(endOffset, true);
            progress.await(endOffset, 'synced', listener);
          }
          progress.reachedWritten(progress.end);
          progress.reachedSynced(progress.end);
          return reached;
        },
      },
      {
        name: 'a promise each',
        async run() {
          let count = 0;
          const synced: (() => void)[] = [];
          const waiting = Array.from({ length: batchesPerRun }, async () => {
            await new Promise<void>((resolve) => synced.push(resolve));
            count++;
          });
          for (const resolve of synced) resolve();
          await Promise.all(waiting);
          return count;
        },
      },
    ],
  };
}
