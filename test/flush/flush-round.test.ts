/** What a flush round writes, and what it says of that; its syncs are in flush-syncs.test.ts. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CompletionKind,
  FlushFailure,
  noSlot,
  SubmissionFlag,
  SubmissionKind,
} from '../../src/memory/flush-messages.ts';
import { systemError } from './fake-file-system.ts';
import { directory, logOf, metadata, RoundHarness, topicId } from './round-harness.ts';

describe('writing', () => {
  it('writes all of a partition in one call and reports the end once', () => {
    const harness = new RoundHarness();
    harness.open();
    harness.write('abc', 0, 0);
    harness.write('de', 3, 3);
    harness.step();
    expect(harness.textOf(logOf(0))).toBe('abcde');
    expect(harness.files.written).toEqual([metadata, logOf(0)]);
    expect(harness.completions()).toMatchObject([{ kind: CompletionKind.WRITTEN, endOffset: 5, filePosition: 5 }]);
    expect(harness.queue.submissionHead).toBe(3);
  });

  it('takes a group past the page cache only where most of it is to be synced', () => {
    const harness = new RoundHarness(64, undefined, 1000, 'auto');
    const sync = { flags: SubmissionFlag.SYNC };
    harness.open();
    let position = 0;
    const write = (sizeBytes: number, fields = {}): void => {
      harness.write('x'.repeat(sizeBytes), position, position, fields);
      position += sizeBytes;
    };
    // The directory's metadata first, then a group a step.
    for (const group of [() => write(1500), () => write(1500, sync), () => (write(1500), write(100, sync))]) {
      group();
      harness.step();
    }
    expect(harness.files.written).toEqual([metadata, logOf(0), `${logOf(0)} direct`, logOf(0)]);
    expect(harness.textOf(logOf(0))?.slice(0, position)).toBe('x'.repeat(position));
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
    harness.files.onWrite = (path, sizeBytes) => {
      if (path === metadata) return sizeBytes;
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

describe('a new directory', () => {
  it('says whose partition it is', () => {
    const harness = new RoundHarness();
    harness.open();
    harness.write('abc', 0, 0);
    harness.step();
    expect(harness.textOf(metadata)).toBe(`version: 0\ntopic_id: ${topicId}\n`);
  });
});

describe('indexes and the end', () => {
  const index = `${directory}/${'0'.repeat(20)}.index`;
  const timeIndex = `${directory}/${'0'.repeat(20)}.timeindex`;
  const entry = {
    flags: SubmissionFlag.OFFSET_INDEX_ENTRY | SubmissionFlag.TIME_INDEX_ENTRY,
    indexRelativeOffset: 5,
    timeIndexTimestamp: 2 ** 40 + 3,
    timeIndexRelativeOffset: 4,
  };

  it('appends entries behind those that count and syncs them at a checkpoint', async () => {
    const harness = new RoundHarness();
    harness.files.directories.add(directory);
    harness.files.contents.set(logOf(0), new Uint8Array(3));
    harness.files.contents.set(index, new Uint8Array(24).fill(9));
    harness.open({ flags: 0, filePosition: 3, endOffset: 3, indexSizeBytes: 8 });
    harness.write('def', 3, 3, entry);
    harness.submit({ kind: SubmissionKind.CHECKPOINT });
    await harness.settle();
    expect([...harness.files.contents.get(index)!]).toEqual([9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 5, 0, 0, 0, 3]);
    expect([...harness.files.contents.get(timeIndex)!]).toEqual([0, 0, 1, 0, 0, 0, 0, 3, 0, 0, 0, 4]);
    expect(harness.files.synced.toSorted()).toEqual([directory, index, logOf(0), timeIndex]);
    expect(harness.completions().map(({ kind }) => kind)).toEqual([
      CompletionKind.WRITTEN,
      CompletionKind.SYNCED,
      CompletionKind.CHECKPOINTED,
    ]);
  });

  it('leaves the indexes whole where a slot is given up and the files are opened again before it is closed', async () => {
    const harness = new RoundHarness();
    const waiting: (() => void)[] = [];
    harness.files.onSync = () => new Promise((resolve) => waiting.push(resolve));
    harness.open();
    harness.write('abc', 0, 0, { ...entry, flags: entry.flags | SubmissionFlag.SYNC });
    harness.step();
    expect(harness.round.startSync()).toBe(true);
    harness.submit({ kind: SubmissionKind.CLOSE });
    const sizes = { indexSizeBytes: 8, timeIndexSizeBytes: 12 };
    harness.open({ slot: 2, flags: 0, filePosition: 3, endOffset: 3, ...sizes });
    harness.write('def', 3, 3, { ...entry, slot: 2 });
    harness.submit({ kind: SubmissionKind.ROLL, slot: 2, baseOffset: 6 });
    harness.step();
    harness.files.onSync = () => Promise.resolve();
    for (const end of waiting.splice(0)) end();
    await harness.round.syncUnderWay;
    await harness.settle();
    const both = (path: string): number[][] => {
      const bytes = [...harness.files.contents.get(path)!];
      return [bytes.slice(0, bytes.length / 2), bytes.slice(bytes.length / 2)];
    };
    expect(both(index)).toEqual([both(index)[0], [0, 0, 0, 5, 0, 0, 0, 3]]);
    expect(both(index)[0]!.slice(0, 4)).toEqual([0, 0, 0, 5]);
    expect(both(timeIndex)[0]).toEqual(both(timeIndex)[1]);
  });

  it('answers each of several checkpoints that one sync serves', async () => {
    const harness = new RoundHarness();
    harness.open();
    harness.write('abc', 0, 0);
    harness.submit({ kind: SubmissionKind.CHECKPOINT });
    harness.submit({ kind: SubmissionKind.CHECKPOINT });
    await harness.settle();
    const kinds = harness.completions().map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === CompletionKind.CHECKPOINTED)).toHaveLength(2);
  });

  it('keeps no index entry of a batch that is not whole', async () => {
    const harness = new RoundHarness();
    let calls = 0;
    harness.files.onWrite = (path, sizeBytes) => {
      if (path === metadata) return sizeBytes;
      if (++calls === 2) throw systemError('ENOSPC');
      return 4;
    };
    harness.open();
    harness.write('abc', 0, 0, { ...entry, indexRelativeOffset: 2 });
    harness.write('def', 3, 3, entry);
    harness.step();
    harness.files.onWrite = (_path, sizeBytes) => sizeBytes;
    harness.submit({ kind: SubmissionKind.CLOSE });
    await harness.settle();
    expect([...harness.files.contents.get(index)!]).toEqual([0, 0, 0, 2, 0, 0, 0, 0]);
    expect(harness.textOf(logOf(0))).toBe('abc');
    expect(harness.completions().at(-1)).toMatchObject({ kind: CompletionKind.CLOSED, failure: FlushFailure.NONE });
  });

  it('says at CLOSE that the indexes are not whole', async () => {
    const harness = new RoundHarness();
    harness.files.onWrite = (path, sizeBytes) => {
      if (path.endsWith('index')) throw systemError('ENOSPC');
      return sizeBytes;
    };
    harness.open();
    harness.write('abc', 0, 0, entry);
    harness.submit({ kind: SubmissionKind.CLOSE });
    await harness.settle();
    expect(harness.completions()).toMatchObject([
      { kind: CompletionKind.WRITTEN },
      { kind: CompletionKind.SYNCED, endOffset: 3 },
      { kind: CompletionKind.CLOSED, failure: FlushFailure.NO_SPACE },
    ]);
    expect(harness.files.opened.size).toBe(0);
  });

  it('lets a sync end before it closes what is discarded meanwhile, and the slot can be opened again', async () => {
    const harness = new RoundHarness();
    let release = (): void => {};
    harness.files.onSync = () => new Promise((resolve) => (release = resolve));
    harness.open();
    harness.write('abc', 0, 0, { flags: SubmissionFlag.SYNC });
    harness.step();
    harness.round.startSync();
    harness.submit({ kind: SubmissionKind.CLOSE, flags: SubmissionFlag.DISCARD });
    harness.open({ generation: 1, baseOffset: 3, endOffset: 3 });
    harness.write('de', 3, 0, { generation: 1 });
    harness.step();
    expect([...harness.files.opened.values()].toSorted()).toEqual([logOf(0), logOf(3), metadata, metadata]);
    harness.files.onSync = () => Promise.resolve();
    release();
    await harness.settle();
    expect([...harness.files.opened.values()].toSorted()).toEqual([logOf(3), metadata]);
    expect(harness.completions().filter(({ kind }) => kind === CompletionKind.CLOSED)).toMatchObject([
      { generation: 0, endOffset: 3 },
    ]);
  });

  it('keeps completions that find no room and takes nothing before they left', () => {
    const harness = new RoundHarness(2);
    harness.open();
    harness.step();
    harness.completions();
    for (let i = 0; i < 5; i++) {
      harness.write('a', i, i);
      harness.step();
    }
    // Four fit; the fifth write is not even taken.
    expect(harness.queue.freeCompletions).toBe(0);
    expect(harness.textOf(logOf(0))).toBe('aaaa');
    expect(harness.completions().map(({ endOffset }) => endOffset)).toEqual([1, 2, 3, 4]);
    harness.step();
    expect(harness.completions()).toMatchObject([{ endOffset: 5 }]);
  });

  it('is finished after STOP once the syncs asked for before have ended', async () => {
    const harness = new RoundHarness();
    harness.open();
    harness.write('abc', 0, 0, { flags: SubmissionFlag.SYNC });
    harness.submit({ kind: SubmissionKind.STOP });
    harness.step();
    expect(harness.round.stopped).toBe(true);
    expect(harness.round.finished).toBe(false);
    await harness.settle();
    expect(harness.round.finished).toBe(true);
    harness.round.closeFiles();
    expect(harness.files.opened.size).toBe(0);
  });

  it.each([
    { way: 'through the page cache', directFromBytes: Infinity, scale: 1 },
    { way: 'past it', directFromBytes: 1, scale: 150 },
    { way: 'one way or the other', directFromBytes: 1500, scale: 150 },
  ])('ends up with exactly the batches it reported, whatever the disk does, $way', async (kind) => {
    const { directFromBytes, scale } = kind;
    const outcome = fc.oneof(fc.constant('full' as const), fc.nat(20), fc.constant(1000));
    await fc.assert(
      fc.asyncProperty(
        fc.array(outcome, { maxLength: 30 }),
        fc.array(fc.nat(9), { maxLength: 40 }),
        async (disk, sizes) => {
          const harness = new RoundHarness(256, undefined, directFromBytes);
          const outcomes = [...disk];
          harness.files.onWrite = (_path, sizeBytes) => {
            const next = outcomes.shift() ?? 1000;
            if (next === 'full') throw systemError('ENOSPC');
            return Math.min(next * scale, sizeBytes);
          };
          harness.open();
          let expected = '';
          let generation = 0;
          let pending = '';
          for (const [i, sizeBytes] of sizes.entries()) {
            const text = String.fromCharCode(97 + (i % 26)).repeat(sizeBytes * scale + 1);
            const at = expected.length + pending.length;
            harness.write(text, at, at, { generation });
            pending += text;
            if (i % 3 !== 2) continue;
            harness.step();
            let end = expected.length;
            for (const completion of harness.completions()) {
              if (completion.kind === CompletionKind.PROGRESS) continue;
              end = completion.endOffset;
              expect(completion.filePosition).toBe(end);
              if (completion.kind !== CompletionKind.WRITE_FAILED) continue;
              generation++;
              harness.submit({ kind: SubmissionKind.RESUME, generation, filePosition: end });
            }
            expected += pending.slice(0, end - expected.length);
            pending = '';
            expect((harness.textOf(logOf(0)) ?? '').slice(0, end)).toBe(expected);
          }
          expected += pending;
          outcomes.length = 0;
          harness.submit({ kind: SubmissionKind.CLOSE });
          await harness.settle();
          expect(harness.textOf(logOf(0)) ?? '').toBe(expected);
        },
      ),
    );
  });
});
