import { describe, expect, it } from 'vitest';
import { CompletionKind, FlushFailure, noSlot, SubmissionFlag, SubmissionKind } from '../../src/memory/flush-queue.ts';
import { systemError } from './fake-file-system.ts';
import { directory, logOf, RoundHarness } from './round-harness.ts';

describe('writing', () => {
  it('writes all of a partition in one call and reports the end once', () => {
    const harness = new RoundHarness();
    harness.open();
    harness.write('abc', 0, 0);
    harness.write('de', 3, 3);
    harness.step();
    expect(harness.textOf(logOf(0))).toBe('abcde');
    expect(harness.files.writeCalls).toBe(1);
    expect(harness.completions()).toMatchObject([{ kind: CompletionKind.WRITTEN, endOffset: 5, filePosition: 5 }]);
    expect(harness.queue.submissionHead).toBe(3);
  });

  it('goes on after a short write', () => {
    const harness = new RoundHarness();
    harness.files.onWrite = (_path, sizeBytes) => Math.min(sizeBytes, 2);
    harness.open();
    harness.write('abc', 0, 0);
    harness.write('defg', 3, 3);
    harness.step();
    expect(harness.textOf(logOf(0))).toBe('abcdefg');
    expect(harness.completions()).toMatchObject([{ kind: CompletionKind.WRITTEN, endOffset: 7 }]);
  });

  it('keeps whole batches of a failed write and takes no more of its generation', () => {
    const harness = new RoundHarness();
    let room = 4;
    harness.files.onWrite = (_path, sizeBytes) => {
      if (room === 0) throw systemError('ENOSPC');
      const size = Math.min(room, sizeBytes);
      room -= size;
      return size;
    };
    harness.open();
    harness.write('abc', 0, 0);
    harness.write('def', 3, 3);
    harness.step();
    expect(harness.completions()).toMatchObject([
      { kind: CompletionKind.WRITE_FAILED, failure: FlushFailure.NO_SPACE, endOffset: 3, filePosition: 3 },
    ]);
    room = 100;
    harness.write('ghi', 6, 6);
    harness.step();
    expect(harness.completions()).toMatchObject([{ kind: CompletionKind.PROGRESS, slot: noSlot }]);
    expect(harness.textOf(logOf(0))).toBe('abcd');

    harness.submit({ kind: SubmissionKind.RESUME, generation: 1, filePosition: 3 });
    harness.write('xyz', 3, 3, { generation: 1 });
    harness.step();
    expect(harness.textOf(logOf(0))).toBe('abcxyz');
    expect(harness.completions()).toMatchObject([
      { kind: CompletionKind.RESUMED, generation: 1 },
      { kind: CompletionKind.WRITTEN, endOffset: 6, generation: 1 },
    ]);
  });

  it('rolls, and stays with the old segment where the new one cannot be made', async () => {
    const harness = new RoundHarness();
    harness.open();
    harness.write('abc', 0, 0, { flags: SubmissionFlag.OFFSET_INDEX_ENTRY, indexRelativeOffset: 2 });
    harness.submit({ kind: SubmissionKind.ROLL, baseOffset: 3 });
    harness.write('de', 3, 0);
    harness.step();
    expect(harness.textOf(logOf(0))).toBe('abc');
    expect(harness.textOf(logOf(3))).toBe('de');
    expect([...harness.files.contents.get(`${directory}/${'0'.repeat(20)}.index`)!]).toEqual([0, 0, 0, 2, 0, 0, 0, 0]);
    expect(harness.completions()).toMatchObject([{ endOffset: 5, filePosition: 2, segmentBaseOffset: 3 }]);

    harness.files.onOpen = () => {
      throw systemError('EMFILE');
    };
    harness.submit({ kind: SubmissionKind.ROLL, baseOffset: 5 });
    harness.step();
    expect(harness.completions()).toMatchObject([
      { kind: CompletionKind.WRITE_FAILED, failure: FlushFailure.OTHER, segmentBaseOffset: 3, filePosition: 2 },
    ]);
  });
});

describe('syncing', () => {
  it('syncs the file and the directories of a new segment before it says so', async () => {
    const harness = new RoundHarness();
    harness.open();
    harness.write('abc', 0, 0, { flags: SubmissionFlag.SYNC });
    await harness.settle();
    expect(harness.files.synced.toSorted()).toEqual(['/data', directory, logOf(0)]);
    expect(harness.completions()).toMatchObject([
      { kind: CompletionKind.WRITTEN, endOffset: 3 },
      { kind: CompletionKind.SYNCED, endOffset: 3 },
    ]);
  });

  it('covers only what was written before it began, and writes go on meanwhile', async () => {
    const harness = new RoundHarness();
    const waiting: (() => void)[] = [];
    harness.files.onSync = () => new Promise((resolve) => waiting.push(resolve));
    harness.open();
    harness.write('abc', 0, 0, { flags: SubmissionFlag.SYNC });
    harness.step();
    expect(harness.round.startSync()).toBe(true);
    harness.write('de', 3, 3, { flags: SubmissionFlag.SYNC });
    harness.step();
    expect(harness.round.startSync()).toBe(false);
    while (harness.round.syncUnderWay !== null) {
      waiting.shift()?.();
      await Promise.resolve();
    }
    harness.round.publish();
    expect(harness.completions().map(({ kind, endOffset }) => [kind, endOffset])).toEqual([
      [CompletionKind.WRITTEN, 3],
      [CompletionKind.WRITTEN, 5],
      [CompletionKind.SYNCED, 3],
    ]);
    expect(harness.round.startSync()).toBe(true);
  });

  it('never syncs a partition again whose sync failed', async () => {
    const harness = new RoundHarness();
    harness.files.onSync = () => Promise.reject(systemError('EIO'));
    harness.open();
    harness.write('abc', 0, 0, { flags: SubmissionFlag.SYNC });
    await harness.settle();
    expect(harness.completions()).toMatchObject([
      { kind: CompletionKind.WRITTEN },
      { kind: CompletionKind.SYNC_FAILED, failure: FlushFailure.IO },
    ]);
    const before = harness.files.synced.length;
    harness.files.onSync = () => Promise.resolve();
    harness.write('de', 3, 3, { flags: SubmissionFlag.SYNC });
    harness.submit({ kind: SubmissionKind.SYNC });
    await harness.settle();
    expect(harness.files.synced.length).toBe(before);
    expect(harness.textOf(logOf(0))).toBe('abc');
    expect(harness.completions()).toMatchObject([
      { kind: CompletionKind.PROGRESS },
      { kind: CompletionKind.SYNC_FAILED, failure: FlushFailure.IO },
    ]);
  });

  it('closes every descriptor after a CLOSE, synced or discarded', async () => {
    for (const flags of [0, SubmissionFlag.DISCARD]) {
      const harness = new RoundHarness();
      harness.open();
      harness.write('abc', 0, 0);
      harness.submit({ kind: SubmissionKind.ROLL, baseOffset: 3 });
      harness.submit({ kind: SubmissionKind.CLOSE, flags });
      await harness.settle();
      expect(harness.files.opened.size).toBe(0);
      expect(harness.completions().at(-1)).toMatchObject({ kind: CompletionKind.CLOSED, endOffset: 3 });
      expect(harness.files.synced.length > 0).toBe(flags === 0);
    }
  });
});
