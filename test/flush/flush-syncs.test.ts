/** When a flush round syncs, what of, and what it says of that. */

import { describe, expect, it } from 'vitest';
import {
  type Completion,
  CompletionKind,
  FlushFailure,
  noLog,
  SubmissionFlag,
  SubmissionKind,
} from '../../src/memory/flush-messages.ts';
import { systemError } from './fake-file-system.ts';
import { directory, logOf, metadata, RoundHarness } from './round-harness.ts';

describe('syncing', () => {
  it('syncs the file and the directories of a new segment before it says so', async () => {
    const harness = new RoundHarness();
    harness.open();
    harness.write('abc', 0, 0, { flags: SubmissionFlag.SYNC });
    await harness.settle();
    expect(harness.files.synced.toSorted()).toEqual(['/data', directory, logOf(0), metadata]);
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

  it('syncs a single file in place where it may, and not what needs more', async () => {
    const harness = new RoundHarness();
    harness.open();
    harness.write('abc', 0, 0, { flags: SubmissionFlag.SYNC });
    harness.step();
    // The first sync of a new file has its directories beside it.
    expect(harness.round.startSync(true)).toBe(true);
    expect(harness.round.syncUnderWay).not.toBeNull();
    await harness.settle();
    harness.completions();
    harness.write('de', 3, 3, { flags: SubmissionFlag.SYNC });
    harness.step();
    expect(harness.round.startSync(true)).toBe(true);
    expect(harness.round.syncUnderWay).toBeNull();
    harness.round.publish();
    expect(harness.completions()).toMatchObject([
      { kind: CompletionKind.WRITTEN, endOffset: 5 },
      { kind: CompletionKind.SYNCED, endOffset: 5, filePosition: 5 },
    ]);

    harness.files.onSyncInPlace = () => {
      throw systemError('EIO');
    };
    harness.write('f', 5, 5, { flags: SubmissionFlag.SYNC });
    harness.step();
    harness.round.startSync(true);
    harness.round.publish();
    expect(harness.completions().at(-1)).toMatchObject({
      kind: CompletionKind.SYNC_FAILED,
      failure: FlushFailure.IO,
    });
    const before = harness.files.synced.length;
    harness.submit({ kind: SubmissionKind.SYNC });
    await harness.settle();
    expect(harness.files.synced.length).toBe(before);
  });

  it('tells of the log once nothing beside it is to be synced, and how far it goes ahead', async () => {
    const harness = new RoundHarness();
    const firstSynced = async (): Promise<Completion> => {
      await harness.settle();
      return harness.completions().find(({ kind }) => kind === CompletionKind.SYNCED)!;
    };
    const flags = SubmissionFlag.SYNC;
    harness.open();
    harness.write('x'.repeat(4096), 0, 0, { flags });
    const first = await firstSynced();
    expect(first).toMatchObject({ endOffset: 4096, roomEndPosition: 8192 });
    expect(harness.files.opened.get(first.log)).toBe(logOf(0));
    // What begins while a sync is under way needs another one, of more than the log.
    harness.write('de', 4096, 4096, { flags });
    harness.step();
    harness.round.startSync();
    harness.submit({ kind: SubmissionKind.ROLL, baseOffset: 4098 });
    harness.step();
    expect(await firstSynced()).toMatchObject({ endOffset: 4098, log: noLog });
  });

  it('counts what another thread wrote and synced, and syncs it no more', async () => {
    const harness = new RoundHarness();
    harness.open();
    harness.write('abc', 0, 0, { flags: SubmissionFlag.SYNC });
    await harness.settle();
    harness.completions();
    harness.files.synced.length = 0;
    const written = SubmissionFlag.SYNC | SubmissionFlag.WRITTEN;
    harness.write('de', 3, 3, { flags: SubmissionFlag.WRITTEN });
    harness.write('f', 5, 5, { flags: written | SubmissionFlag.SYNCED });
    await harness.settle();
    expect(harness.completions()).toMatchObject([{ kind: CompletionKind.PROGRESS }]);
    harness.submit({ kind: SubmissionKind.SYNC });
    await harness.settle();
    expect(harness.completions()).toMatchObject([{}, { kind: CompletionKind.SYNCED, endOffset: 6, filePosition: 6 }]);
    expect(harness.files.synced).toEqual([]);
    harness.write('gh', 6, 6, { flags: SubmissionFlag.SYNC });
    await harness.settle();
    expect(harness.files.synced).toEqual([logOf(0)]);
  });

  it('takes the failed sync of another thread for final, with what was written by then', async () => {
    const harness = new RoundHarness();
    harness.open();
    harness.write('abc', 0, 0, { flags: SubmissionFlag.SYNC });
    await harness.settle();
    harness.completions();
    harness.files.synced.length = 0;
    const flags = SubmissionFlag.SYNC | SubmissionFlag.WRITTEN | SubmissionFlag.SYNC_FAILED;
    const entry = { flags: SubmissionFlag.WRITTEN | SubmissionFlag.OFFSET_INDEX_ENTRY, indexRelativeOffset: 3 };
    harness.write('d', 3, 3, entry);
    harness.write('ef', 4, 4, { flags, failure: FlushFailure.NO_SPACE });
    harness.write('gh', 6, 6, { flags: SubmissionFlag.SYNC });
    await harness.settle();
    expect(harness.completions()).toMatchObject([
      { kind: CompletionKind.SYNC_FAILED, failure: FlushFailure.NO_SPACE, endOffset: 6, filePosition: 6, log: noLog },
    ]);
    harness.submit({ kind: SubmissionKind.CHECKPOINT });
    harness.submit({ kind: SubmissionKind.CLOSE });
    await harness.settle();
    expect(harness.completions().map(({ kind, failure }) => [kind, failure])).toEqual([
      [CompletionKind.PROGRESS, FlushFailure.NONE],
      [CompletionKind.SYNC_FAILED, FlushFailure.IO],
      [CompletionKind.CLOSED, FlushFailure.IO],
    ]);
    expect(harness.files.synced).toEqual([]);
    expect(harness.files.opened.size).toBe(0);
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
