import { describe, expect, it } from 'vitest';
import { CompletionKind, FlushFailure, SubmissionFlag, SubmissionKind } from '../../src/memory/flush-messages.ts';
import { systemError } from './fake-file-system.ts';
import { RoundHarness } from './round-harness.ts';

const folderOf = (slot: number): string => `/data/topic-${slot}`;
const fileOf = (slot: number, kind = 'log', baseOffset = 0): string =>
  `${folderOf(slot)}/${String(baseOffset).padStart(20, '0')}.${kind}`;
const withEntry = {
  flags: SubmissionFlag.OFFSET_INDEX_ENTRY | SubmissionFlag.TIME_INDEX_ENTRY,
  timeIndexTimestamp: 5,
};

/** A harness whose file system notes the most files that were open, and refuses to close what is being synced. */
function boundedHarness(maxOpenFiles: number, capacity = 1024) {
  const harness = new RoundHarness(capacity, maxOpenFiles);
  const { files } = harness;
  const seen = { most: 0, opens: 0 };
  files.onOpen = () => {
    seen.opens++;
    seen.most = Math.max(seen.most, files.opened.size + 1);
  };
  const inSync = new Set<number>();
  const syncLater = files.syncLater.bind(files);
  files.syncLater = async (file) => {
    inSync.add(file);
    try {
      await syncLater(file);
    } finally {
      inSync.delete(file);
    }
  };
  const close = files.close.bind(files);
  files.close = (file) => {
    expect(inSync.has(file), 'a file is closed while it is synced').toBe(false);
    close(file);
  };
  return { harness, files, seen };
}

describe('a bound on open files', () => {
  it('holds with many partitions that are written, rolled, checkpointed and closed in turn', async () => {
    const { harness, files, seen } = boundedHarness(24);
    const count = 60;
    for (let slot = 0; slot < count; slot++) harness.open({ slot }, folderOf(slot));
    for (let round = 0; round < 3; round++) {
      for (let slot = 0; slot < count; slot++) harness.write('abc', round * 3, round * 3, { slot, ...withEntry });
      await harness.settle();
      for (let slot = 0; slot < count; slot += 2) harness.submit({ kind: SubmissionKind.CHECKPOINT, slot });
      await harness.settle();
    }
    for (let slot = 0; slot < count; slot++) {
      harness.submit({ kind: SubmissionKind.ROLL, slot, baseOffset: 9 });
      harness.write('d', 9, 0, { slot });
    }
    await harness.settle();
    for (let slot = 0; slot < count; slot++) harness.submit({ kind: SubmissionKind.CLOSE, slot });
    await harness.settle();
    expect(seen.most).toBeLessThanOrEqual(24);
    expect(files.opened.size).toBe(0);
    for (let slot = 0; slot < count; slot++) {
      expect(harness.textOf(fileOf(slot))).toBe('abcabcabc');
      expect(harness.textOf(fileOf(slot, 'log', 9))).toBe('d');
      expect(files.contents.get(fileOf(slot, 'index'))).toHaveLength(24);
      expect(files.contents.get(fileOf(slot, 'timeindex'))).toHaveLength(36);
    }
    const kinds = harness.completions().map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === CompletionKind.CLOSED)).toHaveLength(count);
    expect(kinds).not.toContain(CompletionKind.WRITE_FAILED);
  });

  it('has what would open more wait for a sync, and closes nothing that is not synced', async () => {
    const { harness, files } = boundedHarness(16);
    const waiting: (() => void)[] = [];
    files.onSync = () => new Promise((resolve) => waiting.push(resolve));
    for (let slot = 0; slot < 30; slot++) {
      harness.open({ slot }, folderOf(slot));
      harness.write('abc', 0, 0, { slot });
    }
    harness.step();
    harness.round.startSync();
    const before = harness.queue.waitingSubmissions;
    expect(before).toBeGreaterThan(0);
    const open = [...files.opened.values()].filter((path) => path.endsWith('.log'));
    expect(open.length).toBeGreaterThan(3);
    for (let i = 0; i < 5; i++) harness.step();
    expect(harness.round.isHeld).toBe(true);
    expect(harness.queue.waitingSubmissions).toBe(before);
    files.onSync = () => Promise.resolve();
    for (const end of waiting.splice(0)) end();
    await harness.settle();
    expect(harness.completions().filter(({ kind }) => kind === CompletionKind.WRITTEN)).toHaveLength(30);
    expect(files.opened.size).toBeLessThanOrEqual(16);
    for (const path of open) expect(files.synced).toContain(path);
  });

  it('is taken back by a LIMIT, which is answered once no more are open', async () => {
    const { harness, files } = boundedHarness(100);
    for (let slot = 0; slot < 40; slot++) {
      harness.open({ slot }, folderOf(slot));
      harness.write('abc', 0, 0, { slot });
    }
    harness.step();
    harness.completions();
    expect(files.opened.size).toBe(80);
    const waiting: (() => void)[] = [];
    files.onSync = () => new Promise((resolve) => waiting.push(resolve));
    harness.submit({ kind: SubmissionKind.LIMIT, slot: 77, sizeBytes: 20 });
    harness.step();
    harness.round.startSync();
    harness.round.publish();
    expect(harness.completions().map(({ kind }) => kind)).not.toContain(CompletionKind.LIMITED);
    files.onSync = () => Promise.resolve();
    for (const end of waiting.splice(0)) end();
    await harness.round.syncUnderWay;
    await harness.settle();
    expect(files.opened.size).toBeLessThanOrEqual(20);
    expect(harness.completions().filter(({ kind }) => kind === CompletionKind.LIMITED)).toMatchObject([{ slot: 77 }]);
    harness.submit({ kind: SubmissionKind.LIMIT, slot: 78, sizeBytes: 200 });
    await harness.settle();
    expect(harness.completions()).toContainEqual(expect.objectContaining({ kind: CompletionKind.LIMITED, slot: 78 }));
  });

  it('keeps the zeros that were written ahead, and cuts them off at the end though the file was closed', async () => {
    const { harness, files, seen } = boundedHarness(16);
    const text = 'x'.repeat(3000);
    const write = async (slot: number, at: number): Promise<void> => {
      harness.write(text, at * 3000, at * 3000, { slot, flags: SubmissionFlag.SYNC });
      await harness.settle();
    };
    for (let slot = 0; slot < 20; slot++) harness.open({ slot }, folderOf(slot));
    for (let at = 0; at < 3; at++) await write(0, at);
    const withZeros = files.sizeAt(fileOf(0))!;
    expect(withZeros).toBeGreaterThan(9000);
    // It alone fits in what they leave.
    for (let slot = 1; slot < 20; slot++) {
      harness.write('y', 0, 0, { slot, flags: SubmissionFlag.SYNC });
      await harness.settle();
    }
    expect([...files.opened.values()]).not.toContain(fileOf(0));
    const opens = seen.opens;
    await write(0, 3);
    expect(seen.opens).toBe(opens + 1);
    expect(files.sizeAt(fileOf(0))).toBeGreaterThanOrEqual(withZeros);
    for (let slot = 1; slot < 20; slot++) {
      harness.write('y', 1, 1, { slot, flags: SubmissionFlag.SYNC });
      await harness.settle();
    }
    expect([...files.opened.values()]).not.toContain(fileOf(0));
    harness.submit({ kind: SubmissionKind.CLOSE, slot: 0 });
    await harness.settle();
    expect(harness.textOf(fileOf(0))).toBe(text.repeat(4));
  });

  it('lets a partition whose write failed be closed once it is synced, and cuts the rest off when it goes on', async () => {
    const { harness, files } = boundedHarness(16);
    for (let slot = 0; slot < 20; slot++) harness.open({ slot }, folderOf(slot));
    let room = 4;
    files.onWrite = (path, sizeBytes) => {
      if (path !== fileOf(0)) return sizeBytes;
      if (room === 0) throw systemError('ENOSPC');
      room = 0;
      return 4;
    };
    harness.write('abc', 0, 0, { slot: 0 });
    harness.write('def', 3, 3, { slot: 0 });
    await harness.settle();
    for (let slot = 1; slot < 20; slot++) harness.write('y', 0, 0, { slot, flags: SubmissionFlag.SYNC });
    await harness.settle();
    expect([...files.opened.values()]).not.toContain(fileOf(0));
    expect(harness.textOf(fileOf(0))).toBe('abcd');
    files.onWrite = (_path, sizeBytes) => sizeBytes;
    harness.submit({ kind: SubmissionKind.RESUME, slot: 0, generation: 1, filePosition: 3 });
    harness.write('XY', 3, 3, { slot: 0, generation: 1 });
    await harness.settle();
    expect(harness.textOf(fileOf(0))).toBe('abcXY');
  });

  it('gives back what a partition has open whose sync failed, and goes on refusing it', async () => {
    const { harness, files } = boundedHarness(16);
    for (let slot = 0; slot < 20; slot++) harness.open({ slot }, folderOf(slot));
    files.onSync = (path) => (path === fileOf(0) ? Promise.reject(systemError('EIO')) : Promise.resolve());
    harness.write('abc', 0, 0, { slot: 0, flags: SubmissionFlag.SYNC });
    await harness.settle();
    for (let slot = 1; slot < 20; slot++) harness.write('y', 0, 0, { slot, flags: SubmissionFlag.SYNC });
    await harness.settle();
    expect([...files.opened.values()]).not.toContain(fileOf(0));
    harness.completions();
    const synced = files.synced.length;
    harness.write('def', 3, 3, { slot: 0, flags: SubmissionFlag.SYNC });
    harness.submit({ kind: SubmissionKind.SYNC, slot: 0 });
    await harness.settle();
    expect(harness.textOf(fileOf(0))).toBe('abc');
    expect(files.synced).toHaveLength(synced);
    expect(harness.completions()).toContainEqual(
      expect.objectContaining({ kind: CompletionKind.SYNC_FAILED, failure: FlushFailure.IO }),
    );
  });
});

describe('index files', () => {
  it('are open only until the sync that follows an append', async () => {
    const { harness, files } = boundedHarness(64);
    harness.open({ slot: 1 }, folderOf(1));
    for (let i = 0; i < 600; i++) {
      harness.write('a', i, i, { slot: 1, ...withEntry });
      if (i % 100 === 99) harness.step();
    }
    expect([...files.opened.values()]).toEqual(expect.arrayContaining([fileOf(1, 'index'), fileOf(1, 'timeindex')]));
    harness.submit({ kind: SubmissionKind.SYNC, slot: 1 });
    await harness.settle();
    expect([...files.opened.values()]).toEqual([fileOf(1)]);
    expect(files.synced).toEqual(expect.arrayContaining([fileOf(1, 'index'), fileOf(1, 'timeindex')]));
    for (let at = 0; at < 3; at++) {
      harness.write('b', 600 + at, 600 + at, { slot: 1, ...withEntry });
      harness.submit({ kind: SubmissionKind.CHECKPOINT, slot: 1 });
      await harness.settle();
      expect([...files.opened.values()]).toEqual([fileOf(1)]);
    }
    expect(files.contents.get(fileOf(1, 'index'))).toHaveLength(603 * 8);
  });
});

describe('a sync of many partitions', () => {
  it('takes some at a time, those that somebody waits for first', async () => {
    const { harness, files } = boundedHarness(4000, 2048);
    for (let slot = 0; slot < 400; slot++) {
      harness.open({ slot }, folderOf(slot));
      harness.write('a', 0, 0, { slot });
      harness.submit({ kind: SubmissionKind.SYNC, slot });
    }
    harness.open({ slot: 400 }, folderOf(400));
    harness.write('a', 0, 0, { slot: 400, flags: SubmissionFlag.SYNC });
    harness.step();
    harness.round.startSync();
    await harness.round.syncUnderWay;
    const logs = files.synced.filter((path) => path.endsWith('.log'));
    expect(logs).toHaveLength(256);
    expect(logs[0]).toBe(fileOf(400));
    await harness.settle();
    expect(new Set(files.synced.filter((path) => path.endsWith('.log'))).size).toBe(401);
  });
});
