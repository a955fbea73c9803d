import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blankCompletion, blankSubmission, CompletionKind, SubmissionKind } from '../../src/memory/flush-messages.ts';
import { FlushQueue, flushQueueSizeBytes } from '../../src/memory/flush-queue.ts';
import { FlushChannel } from '../../src/storage/flush-channel.ts';

const capacity = 8;

function setUp(): { channel: FlushChannel; worker: FlushQueue } {
  const buffer = new SharedArrayBuffer(flushQueueSizeBytes(capacity));
  return {
    channel: new FlushChannel({ queue: new FlushQueue(buffer, 0, capacity) }),
    worker: new FlushQueue(buffer, 0, capacity),
  };
}

/** Deals with up to `limit` submissions as a worker would, and returns their end offsets. */
function work(worker: FlushQueue, limit: number): number[] {
  const submission = blankSubmission();
  const completion = blankCompletion();
  const count = Math.min(limit, worker.waitingSubmissions);
  const seen: number[] = [];
  for (let i = 0; i < count; i++) {
    worker.readSubmission(i, submission);
    seen.push(submission.endOffset);
    completion.kind = CompletionKind.WRITTEN;
    completion.slot = submission.slot;
    completion.endOffset = submission.endOffset;
    worker.pushCompletion(completion, i);
  }
  worker.publishCompletions(count, count);
  return seen;
}

describe('FlushChannel', () => {
  it('shows the worker what one tick submitted at its end, in order', async () => {
    const { channel, worker } = setUp();
    for (let i = 1; i <= 3; i++) channel.submit({ ...blankSubmission(), endOffset: i }, i * 10);
    expect(worker.waitingSubmissions).toBe(0);
    await Promise.resolve();
    expect(work(worker, 8)).toEqual([1, 2, 3]);
  });

  it('hands completions to their slot and drops those of a slot that was unbound', () => {
    const { channel, worker } = setUp();
    const got: string[] = [];
    channel.bind(1, { completed: (completion) => got.push(`one:${completion.endOffset}`) });
    channel.bind(2, { completed: (completion) => got.push(`two:${completion.endOffset}`) });
    channel.submit({ ...blankSubmission(), kind: SubmissionKind.WRITE, slot: 2, endOffset: 5 }, 0);
    channel.submit({ ...blankSubmission(), kind: SubmissionKind.WRITE, slot: 1, endOffset: 7 }, 0);
    channel.publish();
    work(worker, 8);
    channel.unbind(2);
    expect(channel.drain()).toBe(2);
    expect(got).toEqual(['one:7']);
    expect(channel.busy).toBe(false);
  });

  it('knows the oldest ring byte in use though the worker has made places free that it has not heard of', () => {
    const { channel, worker } = setUp();
    const submit = (from: number, count: number): void => {
      for (let i = from; i < from + count; i++) channel.submit({ ...blankSubmission(), endOffset: i }, i * 10);
      channel.publish();
    };
    submit(1, capacity);
    work(worker, capacity - 2);
    submit(capacity + 1, 4);
    expect(channel.oldestRingPosition).toBe(10);
    channel.drain();
    expect(channel.oldestRingPosition).toBe((capacity - 1) * 10);
    channel.publish();
    expect(work(worker, 100)).toEqual([7, 8, 9, 10, 11, 12]);
    channel.drain();
    expect(channel.oldestRingPosition).toBe(Infinity);
  });

  it('keeps order, loses nothing and knows the oldest ring byte in use, however full the queue gets', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ submit: fc.nat(12), work: fc.nat(12) }), { maxLength: 60 }), (rounds) => {
        const { channel, worker } = setUp();
        const delivered: number[] = [];
        channel.bind(0, { completed: (completion) => delivered.push(completion.endOffset) });
        let next = 0;
        for (const round of [...rounds, { submit: 0, work: 1_000 }]) {
          for (let i = 0; i < round.submit; i++) {
            channel.submit({ ...blankSubmission(), endOffset: next }, next);
            next++;
          }
          for (let left = round.work; left > 0; left -= capacity) {
            channel.publish();
            work(worker, Math.min(left, capacity));
            channel.drain();
            channel.publish();
          }
          expect(channel.oldestRingPosition).toBe(delivered.length === next ? Infinity : delivered.length);
          expect(channel.busy).toBe(delivered.length !== next);
        }
        expect(delivered).toEqual(Array.from({ length: next }, (_, i) => i));
      }),
    );
  });
});
