import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blankCompletion,
  blankSubmission,
  CompletionKind,
  FlushFailure,
  type Submission,
  SubmissionFlag,
  SubmissionKind,
} from '../../src/memory/flush-messages.ts';
import { FlushQueue, flushQueueSizeBytes } from '../../src/memory/flush-queue.ts';

const capacity = 8;

function queuePair(counter = 0): FlushQueue {
  const buffer = new SharedArrayBuffer(64 + flushQueueSizeBytes(capacity));
  // All four counters may stand anywhere, also just before they wrap.
  const counters = new Int32Array(buffer, 64, 64);
  for (const index of [0, 16, 32, 48]) counters[index] = counter;
  return new FlushQueue(buffer, 64, capacity);
}

const anySubmission: fc.Arbitrary<Submission> = fc.record({
  kind: fc.constantFrom(...Object.values(SubmissionKind)),
  slot: fc.nat(),
  generation: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  flags: fc.nat(1023),
  ringPosition: fc.maxSafeNat(),
  sizeBytes: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  indexRelativeOffset: fc.nat(),
  baseOffset: fc.maxSafeNat(),
  endOffset: fc.maxSafeNat(),
  filePosition: fc.maxSafeNat(),
  timeIndexTimestamp: fc.maxSafeInteger(),
  timeIndexRelativeOffset: fc.nat(),
  indexSizeBytes: fc.nat(),
  timeIndexSizeBytes: fc.nat(),
  transactionIndexSizeBytes: fc.nat(),
  ringEndPosition: fc.maxSafeNat(),
  failure: fc.constantFrom(...Object.values(FlushFailure)),
});

describe('FlushQueue', () => {
  it('hands submissions over whole and in order, also where its counters wrap', () => {
    fc.assert(
      fc.property(fc.array(anySubmission, { maxLength: 40 }), fc.integer({ min: -60, max: 0 }), (all, start) => {
        const queue = queuePair(start);
        const seen: Submission[] = [];
        let pushed = 0;
        while (seen.length < all.length) {
          const count = Math.min(queue.freeSubmissions, all.length - pushed, 3);
          for (let i = 0; i < count; i++) queue.push(all[pushed + i]!, i);
          pushed += count;
          queue.publish(count);
          const taken = Math.min(queue.waitingSubmissions, 2);
          for (let i = 0; i < taken; i++) {
            const into = blankSubmission();
            queue.readSubmission(i, into);
            seen.push(into);
          }
          queue.publishCompletions(taken, 0);
        }
        expect(seen).toEqual(all);
        expect(queue.freeSubmissions).toBe(capacity);
        expect(queue.submissionHead).toBe((start + all.length) >>> 0);
      }),
    );
  });

  it('shows nothing before it is published, and frees a slot only once it was dealt with', () => {
    const queue = queuePair();
    for (let i = 0; i < capacity; i++) queue.push({ ...blankSubmission(), slot: i }, i);
    expect(queue.waitingSubmissions).toBe(0);
    queue.publish(capacity);
    expect(queue.waitingSubmissions).toBe(capacity);
    expect(queue.freeSubmissions).toBe(0);
    const into = blankSubmission();
    queue.readSubmission(0, into);
    expect(queue.freeSubmissions).toBe(0);
    queue.publishCompletions(1, 0);
    expect(queue.freeSubmissions).toBe(1);
  });

  it.each([
    ['nothing of a sync', null, 0, FlushFailure.NONE],
    ['that it was synced', FlushFailure.NONE, SubmissionFlag.SYNCED, FlushFailure.NONE],
    ['that a sync failed', FlushFailure.IO, SubmissionFlag.SYNC_FAILED, FlushFailure.IO],
  ] as const)('says of what is written already, and of the last of it %s', (_, sync, flag, failure) => {
    const queue = queuePair(-1);
    for (let i = 0; i < 3; i++) queue.push({ ...blankSubmission(), slot: i, flags: SubmissionFlag.SYNC }, i);
    queue.publishWritten(3, sync);
    const told = [0, 1, 2].map((i) => {
      const into = blankSubmission();
      queue.readSubmission(i, into);
      return [into.flags & ~SubmissionFlag.SYNC, into.failure];
    });
    const written = [SubmissionFlag.WRITTEN, FlushFailure.NONE];
    expect(told).toEqual([written, written, [SubmissionFlag.WRITTEN | flag, failure]]);
  });

  it('carries completions back, twice as many as submissions', () => {
    const queue = queuePair(-5);
    const sent = Array.from({ length: capacity * 2 }, (_, i) => ({
      kind: CompletionKind.WRITE_FAILED,
      slot: i,
      generation: 2 ** 32 - 1 - i,
      failure: FlushFailure.NO_SPACE,
      endOffset: 2 ** 52 + i,
      filePosition: 2 ** 40 + i,
      segmentBaseOffset: i * 3,
      log: i - 1,
      logsLeft: 2 ** 32 - 1 - i,
      roomEndPosition: 2 ** 31 + i,
      durationMs: i / 7,
    }));
    sent.forEach((fields, i) => queue.pushCompletion(fields, i));
    queue.publishCompletions(0, sent.length);
    expect(queue.freeCompletions).toBe(0);
    const received = sent.map((_, i) => {
      const into = blankCompletion();
      queue.readCompletion(i, into);
      return into;
    });
    expect(received).toEqual(sent);
    queue.releaseCompletions(sent.length);
    expect(queue.freeCompletions).toBe(capacity * 2);
    expect(queue.waitingCompletions).toBe(0);
  });

  it('wakes who waits on either side, and does not let anybody wait where something is there', async () => {
    const queue = queuePair();
    const submissions = queue.waitForSubmissions();
    const completions = queue.waitForCompletions();
    expect(submissions).not.toBeNull();
    expect(completions).not.toBeNull();
    queue.push(blankSubmission(), 0);
    queue.publish(1);
    await submissions;
    queue.pushCompletion(blankCompletion(), 0);
    queue.publishCompletions(1, 1);
    await completions;
    expect(queue.waitForCompletions()).toBeNull();
    queue.push(blankSubmission(), 0);
    queue.publish(1);
    expect(queue.waitForSubmissions()).toBeNull();
  });
});
