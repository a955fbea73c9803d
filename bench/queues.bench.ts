/** What passes a produced batch on: room in the ingest ring, and a descriptor through the flush queue and back. */

import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { asAddress } from '../src/base/numbers.ts';
import { blankCompletion, blankSubmission, SubmissionKind } from '../src/memory/flush-messages.ts';
import { FlushQueue } from '../src/memory/flush-queue.ts';
import { IngestRing } from '../src/memory/ingest-ring.ts';
import { type Benchmark, repeated } from './benchmark.ts';
import { arena } from './material.ts';

const batchBytes = 16 * 1024;
const ringSizeBytes = 4 * 1024 * 1024;
const reservations = 256;
const descriptors = 64;

export function queueBenchmarks(): Benchmark[] {
  return [ringBenchmark(), flushQueueBenchmark()];
}

function ringBenchmark(): Benchmark {
  const ring = new IngestRing(asAddress(65_536), ringSizeBytes);
  return {
    name: 'room for a batch of 16 KiB',
    unit: 'calls',
    unitsPerRun: reservations,
    bytesPerRun: 0,
    contenders: [
      {
        name: 'ring: reserve, release',
        run: repeated(reservations, () => {
          const position = ring.reserve(batchBytes);
          ring.releaseUpTo(ring.head);
          return position === null ? 0 : batchBytes;
        }),
      },
      { name: 'Buffer.allocUnsafe', run: repeated(reservations, () => Buffer.allocUnsafe(batchBytes).length) },
    ],
  };
}

function flushQueueBenchmark(): Benchmark {
  const { layout, memory } = arena;
  const queue = new FlushQueue(memory.buffer, layout.queueAddresses[0]!, layout.queueCapacity);
  const fields = { ...blankSubmission(), kind: SubmissionKind.WRITE, sizeBytes: batchBytes };
  const submission = blankSubmission();
  const completion = blankCompletion();
  const { port1, port2 } = new MessageChannel();
  // Open ports would keep the process alive.
  port1.unref();
  port2.unref();
  return {
    name: `${descriptors} descriptors to another thread and one answer`,
    unit: 'calls',
    unitsPerRun: descriptors,
    bytesPerRun: 0,
    contenders: [
      {
        name: 'flush queue: push, publish, read, complete',
        run: () => {
          for (let i = 0; i < descriptors; i++) queue.push(fields, i);
          queue.publish(descriptors);
          let sizeBytes = 0;
          for (let i = 0; i < descriptors; i++) {
            queue.readSubmission(i, submission);
            sizeBytes += submission.sizeBytes;
          }
          queue.pushCompletion(completion, 0);
          queue.publishCompletions(descriptors, 1);
          queue.readCompletion(0, completion);
          queue.releaseCompletions(1);
          return sizeBytes;
        },
      },
      {
        name: 'MessagePort: one message each way',
        run: () => {
          port1.postMessage(Array.from({ length: descriptors }, () => fields));
          const received = receiveMessageOnPort(port2)?.message as { sizeBytes: number }[];
          let sizeBytes = 0;
          for (const one of received) sizeBytes += one.sizeBytes;
          port2.postMessage(completion);
          receiveMessageOnPort(port1);
          return sizeBytes;
        },
      },
    ],
  };
}
