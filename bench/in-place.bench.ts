/** Small groups that the I/O thread writes itself, and the zeros that small synced groups get behind them; the disk takes no time. */

import { systemClock } from '../src/base/clock.ts';
import { RoomAhead } from '../src/flush/room-ahead.ts';
import { Arena } from '../src/memory/arena.ts';
import {
  blankCompletion,
  blankSubmission,
  CompletionKind,
  SubmissionFlag,
  SubmissionKind,
} from '../src/memory/flush-messages.ts';
import { FlushQueue } from '../src/memory/flush-queue.ts';
import type { FileDescriptor, FileSystem } from '../src/storage/file-system.ts';
import { InPlaceWriter } from '../src/storage/in-place-writer.ts';
import type { Benchmark } from './benchmark.ts';

const groupsPerRun = 64;
const groupBytes = 1200;
const pageBytes = 4096;
const largestRoomBytes = 256 * 1024;
const log: FileDescriptor = 1;
/** A disk is trusted once so many of its syncs were quick. */
const quickSyncs = 4;

export function inPlaceBenchmarks(): Benchmark[] {
  return [inPlace(false), inPlace(true), roomAhead()];
}

function written(parts: readonly Uint8Array[]): number {
  let sizeBytes = 0;
  for (const { length } of parts) sizeBytes += length;
  return sizeBytes;
}

/** No more of a file system is used. */
const files = { write: (_, parts) => written(parts), sync: () => {} } as Pick<
  FileSystem,
  'write' | 'sync'
> as FileSystem;
/** Costs what a clock costs, and never tells that a write was slow, after which the worker would do the next ones. */
const clock = { ...systemClock, monotonicMs: () => Math.min(systemClock.monotonicMs(), 0) };

/** Groups of one batch each, one after the other, written where they lie in the ring. */
function inPlace(isSynced: boolean): Benchmark {
  const arena = Arena.create({
    flushWorkerCount: 1,
    queueCapacity: 64,
    ringSizeBytes: 2 ** 20,
    scratchSizeBytes: 8 * 2 ** 20,
    heapSizeBytes: 2 ** 16,
  });
  const { layout, memory, bytes } = arena;
  const { ringAddress, ringSizeBytes } = layout;
  const queue = new FlushQueue(memory.buffer, layout.queueAddresses[0]!, layout.queueCapacity);
  const writer = new InPlaceWriter({
    queue,
    bytes,
    ringAddress,
    ringSizeBytes,
    fileSystem: files,
    clock,
    mayWait: () => true,
  });
  const told = { ...blankCompletion(), slot: 0, generation: 0, log, logsLeft: queue.files.logsLeft };
  writer.told({ ...told, kind: CompletionKind.WRITTEN });
  for (let i = 0; i < quickSyncs; i++) {
    writer.told({ ...told, kind: CompletionKind.SYNCED, roomEndPosition: Number.MAX_SAFE_INTEGER, durationMs: 0 });
  }
  const submission = { ...blankSubmission(), kind: SubmissionKind.WRITE, sizeBytes: groupBytes };
  if (isSynced) submission.flags = SubmissionFlag.SYNC;
  let position = 0;
  let rivalPosition = 0;
  return {
    name: `groups of ${groupBytes} B written in the I/O thread${isSynced ? ', and synced' : ''}`,
    unit: 'calls',
    unitsPerRun: groupsPerRun,
    bytesPerRun: groupsPerRun * groupBytes,
    contenders: [
      {
        name: 'InPlaceWriter',
        run() {
          const before = position;
          for (let i = 0; i < groupsPerRun; i++) {
            submission.ringPosition = (i * groupBytes) % (ringSizeBytes - groupBytes);
            submission.filePosition = position;
            position += groupBytes;
            submission.endOffset = position;
            queue.push(submission, 0);
            writer.add(submission);
            const answers = writer.write(true);
            if (answers?.length !== (isSynced ? 2 : 1)) throw new Error('A group was not written in place.');
            // What the flush worker does about it once it wakes up is not this thread's.
            queue.publishCompletions(1, 0);
          }
          return position - before;
        },
      },
      {
        name: 'a copy, and a write of it',
        run() {
          const before = rivalPosition;
          for (let i = 0; i < groupsPerRun; i++) {
            const start = ringAddress + ((i * groupBytes) % (ringSizeBytes - groupBytes));
            const copy = bytes.slice(start, start + groupBytes);
            rivalPosition += files.write(log, [copy], rivalPosition);
            if (isSynced) files.sync(log);
          }
          return rivalPosition - before;
        },
      },
    ],
  };
}

/** How many zeros a file gets behind small synced groups. */
function roomAhead(): Benchmark {
  return {
    name: `room ahead for ${groupsPerRun} small groups that are synced`,
    unit: 'calls',
    unitsPerRun: groupsPerRun,
    bytesPerRun: 0,
    contenders: [
      {
        name: 'RoomAhead',
        run() {
          const room = new RoomAhead();
          let position = 0;
          let zeroBytes = 0;
          for (let i = 0; i < groupsPerRun; i++) {
            const zeros = room.zerosBehind(position, groupBytes, true);
            position += groupBytes;
            if (zeros === null) continue;
            zeroBytes += zeros.length;
            room.reached(position + zeros.length);
          }
          return zeroBytes;
        },
      },
      {
        name: 'a Buffer of zeros each time',
        run() {
          let [position, end, smallBytes, zeroBytes] = [0, 0, 0, 0];
          for (let i = 0; i < groupsPerRun; i++) {
            position += groupBytes;
            smallBytes += groupBytes;
            if (position <= end || smallBytes < pageBytes) continue;
            const wanted = Math.ceil((position + Math.min(smallBytes, largestRoomBytes)) / pageBytes) * pageBytes;
            zeroBytes += Buffer.alloc(wanted - position).length;
            end = wanted;
          }
          return zeroBytes;
        },
      },
    ],
  };
}
