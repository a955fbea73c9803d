import { describe, expect, it } from 'vitest';
import { CompletionKind, SubmissionFlag, SubmissionKind } from '../../src/memory/flush-messages.ts';
import { RoomAhead } from '../../src/flush/room-ahead.ts';
import { systemError } from './fake-file-system.ts';
import { logOf, RoundHarness } from './round-harness.ts';

const page = 4096;

describe('room ahead', () => {
  it('is made once a page of small synced groups was written, and never more than they had', () => {
    const room = new RoomAhead();
    expect(room.zerosBehind(0, page - 1, true)).toBeNull();
    room.reached(page - 1);
    const zeros = room.zerosBehind(page - 1, 2, true)!;
    // As much again as was written, and up to the end of a page.
    expect(page + 1 + zeros.length).toBe(3 * page);
    expect(zeros.every((byte) => byte === 0)).toBe(true);
    room.reached(3 * page);
    expect(room.zerosBehind(page + 1, 2 * page - 1, true)).toBeNull();
    expect(room.zerosBehind(3 * page, 1, true)).not.toBeNull();
  });

  it('is at most 256 KiB and a page', () => {
    const room = new RoomAhead();
    let position = 0;
    for (let i = 0; i < 1000; i++) {
      const zeros = room.zerosBehind(position, 10_001, true)?.length ?? 0;
      position += 10_001;
      if (zeros > 0) room.reached(position + zeros);
      expect(room.endPosition - position).toBeLessThan(256 * 1024 + page);
    }
  });

  it('grows with what is written and synced in it as well', () => {
    const room = new RoomAhead();
    room.reached(page + room.zerosBehind(0, page, true)!.length);
    expect(room.endPosition).toBe(2 * page);
    for (let i = 0; i < 4; i++) room.tookSynced(page / 4);
    expect(room.zerosBehind(2 * page, 1, true)!.length).toBe(3 * page - 1);
  });

  it('is not made for what is not synced, or large', () => {
    const room = new RoomAhead();
    expect(room.zerosBehind(0, 60_000, false)).toBeNull();
    expect(room.zerosBehind(60_000, 65_537, true)).toBeNull();
    expect(room.zerosBehind(125_537, 1, true)).toBeNull();
  });
});

describe('a segment with room ahead', () => {
  const flags = SubmissionFlag.SYNC;
  const text = 'x'.repeat(page);

  function withRoom(): RoundHarness {
    const harness = new RoundHarness();
    harness.open();
    harness.write(text, 0, 0, { flags });
    harness.step();
    expect(harness.textOf(logOf(0))).toBe(text + '\0'.repeat(page));
    return harness;
  }

  it('has the next batches written over it', () => {
    const harness = withRoom();
    harness.write('abc', page, page, { flags });
    harness.step();
    expect(harness.textOf(logOf(0))).toBe(`${text}abc${'\0'.repeat(page - 3)}`);
    expect(harness.completions().at(-1)).toMatchObject({ kind: CompletionKind.WRITTEN, filePosition: page + 3 });
  });

  it('ends with its last batch once it is ended, and closed', async () => {
    const harness = withRoom();
    harness.submit({ kind: SubmissionKind.ROLL, baseOffset: page });
    harness.write(text, page, 0, { flags });
    harness.step();
    expect(harness.textOf(logOf(0))).toBe(text);
    // What the one before had is not counted for this one: it is another file.
    expect(harness.textOf(logOf(page))).toBe(text + '\0'.repeat(page));
    harness.submit({ kind: SubmissionKind.CLOSE });
    await harness.settle();
    expect(harness.textOf(logOf(page))).toBe(text);
    expect(harness.files.synced).toContain(logOf(page));
    expect(harness.files.opened.size).toBe(0);
  });

  it('loses it where a write fails, and goes on', () => {
    const harness = withRoom();
    harness.files.onWrite = (_path, sizeBytes) => {
      if (sizeBytes < 4) throw systemError('EIO');
      return 3;
    };
    harness.write('abcd', page, page, { flags });
    harness.step();
    expect(harness.completions().at(-1)).toMatchObject({ kind: CompletionKind.WRITE_FAILED, filePosition: page });
    harness.files.onWrite = (_path, sizeBytes) => sizeBytes;
    harness.submit({ kind: SubmissionKind.RESUME, generation: 1, filePosition: page, endOffset: page });
    harness.write('efg', page, page, { flags, generation: 1 });
    harness.step();
    expect(harness.textOf(logOf(0))!.slice(0, page + 3)).toBe(`${text}efg`);
  });

  it('is as full as the disk, which is no failure', () => {
    const harness = new RoundHarness();
    harness.files.onWrite = (path, sizeBytes) => (path === logOf(0) ? Math.min(sizeBytes, page + 7) : sizeBytes);
    harness.open();
    harness.write(text, 0, 0, { flags });
    harness.step();
    expect(harness.textOf(logOf(0))).toBe(text + '\0'.repeat(7));
    expect(harness.completions()).toMatchObject([{ kind: CompletionKind.WRITTEN, filePosition: page }]);
  });
});
