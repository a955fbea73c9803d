import { describe, expect, it } from 'vitest';
import { SubmissionFlag, SubmissionKind } from '../../src/memory/flush-messages.ts';
import { systemError } from './fake-file-system.ts';
import { logOf, RoundHarness } from './round-harness.ts';

const log = logOf(0);
/** Text whose every part can be told from others. */
const text = (length: number, from: number): string =>
  Array.from({ length }, (_, i) => String.fromCharCode(33 + ((i * 7 + from) % 90))).join('');

/** Writes each of `sizes` as a group of its own; returns all of it. `synced` where all but the last are synced. */
async function write(harness: RoundHarness, sizes: readonly number[], at = 0): Promise<string> {
  let whole = '';
  for (const size of sizes) {
    const piece = text(size, size);
    harness.write(piece, at + whole.length, at + whole.length);
    await harness.settle();
    whole += piece;
  }
  return whole;
}

const zeros = (count: number): string => '\0'.repeat(count);

describe('writes past the page cache', () => {
  it('keep what the block held, and pad the last one', async () => {
    const harness = RoundHarness.direct(1000);
    harness.open();
    const whole = await write(harness, [1000, 1001, 5000, 4096, 9000, 1190]);
    expect(harness.textOf(log)).toBe(whole + zeros(24_576 - whole.length));
    expect(harness.files.written.filter((path) => path === log)).toEqual([]);
    harness.submit({ kind: SubmissionKind.CLOSE });
    await harness.settle();
    expect(harness.textOf(log)).toBe(whole);
    expect(harness.files.opened.size).toBe(0);
  });

  it('and through it follow each other in one file', async () => {
    const harness = RoundHarness.direct(1000);
    harness.open();
    const whole = await write(harness, [999, 1000, 10, 5000, 500, 500, 8192, 1, 12_000]);
    expect(harness.textOf(log)!.replace(/\0+$/, '')).toBe(whole);
    const paths = harness.files.written.filter((path) => path.startsWith(log));
    expect(new Set(paths)).toEqual(new Set([log, `${log} direct`]));
  });

  it('go on behind a segment that was opened again', async () => {
    const harness = RoundHarness.direct(1000);
    harness.open();
    const before = await write(harness, [3000]);
    harness.submit({ kind: SubmissionKind.CLOSE });
    await harness.settle();
    harness.open({ flags: 0, endOffset: 3000, filePosition: 3000 });
    const whole = before + (await write(harness, [2000], 3000));
    expect(harness.textOf(log)).toBe(whole + zeros(8192 - 5000));
  });

  it('cut the zeros off where a segment ends', async () => {
    const harness = RoundHarness.direct(1000);
    harness.open();
    const first = await write(harness, [3000]);
    harness.submit({ kind: SubmissionKind.ROLL, baseOffset: 3000 });
    harness.write(text(2000, 1), 3000, 0);
    await harness.settle();
    expect(harness.textOf(log)).toBe(first);
    expect(harness.textOf(logOf(3000))).toBe(text(2000, 1) + zeros(4096 - 2000));
  });

  it('give way to the page cache where the file cannot be opened so, or takes no such write', async () => {
    for (const refusal of ['open', 'write'] as const) {
      const harness = RoundHarness.direct(1000);
      if (refusal === 'open') harness.files.takesDirect = false;
      else
        harness.files.onWrite = (_path, size, isDirect) => {
          if (isDirect) throw systemError('EINVAL');
          return size;
        };
      harness.open();
      const whole = await write(harness, [3000, 3000, 20]);
      expect(harness.textOf(log)).toBe(whole);
      expect(harness.files.written.filter((path) => path === `${log} direct`)).toHaveLength(refusal === 'open' ? 0 : 1);
    }
  });

  it('go on where a write fell short, with whole blocks or less', async () => {
    const harness = RoundHarness.direct(1000);
    const most = [4096, 100, 8192, 512, 6000];
    harness.files.onWrite = (_path, size, isDirect) => (isDirect ? Math.min(size, most.pop() ?? size) : size);
    harness.open();
    const whole = await write(harness, [20_000, 10_000, 7000]);
    expect(harness.textOf(log)!.replace(/\0+$/, '')).toBe(whole);
  });

  it('that fell short of a block leave no zeros to a file that is closed', async () => {
    const harness = RoundHarness.direct(1000);
    harness.files.onWrite = (_path, size, isDirect) => (isDirect ? 2000 : size);
    harness.open();
    const whole = await write(harness, [1500]);
    expect(harness.textOf(log)).toBe(whole + zeros(500));
    harness.submit({ kind: SubmissionKind.CLOSE });
    await harness.settle();
    expect(harness.textOf(log)).toBe(whole);
  });

  it('that failed leave nothing behind that the next ones would bring back', async () => {
    const harness = RoundHarness.direct(1000);
    harness.open();
    const kept = await write(harness, [1500]);
    // Two batches of one group: one is whole when the disk is full.
    harness.files.onWrite = (_path, size, isDirect) => {
      if (!isDirect) return size;
      if (size > 8192) return 8192;
      throw systemError('ENOSPC');
    };
    harness.write(text(5000, 5), 1500, 1500);
    harness.write(text(9000, 9), 6500, 6500);
    await harness.settle();
    harness.files.onWrite = (_path, size) => size;
    harness.submit({ kind: SubmissionKind.RESUME, generation: 1, endOffset: 6500, filePosition: 6500 });
    const whole = kept + text(5000, 5) + text(500, 3) + text(2000, 2);
    harness.write(text(500, 3), 6500, 6500, { generation: 1 });
    await harness.settle();
    harness.write(text(2000, 2), 7000, 7000, { generation: 1 });
    await harness.settle();
    expect(harness.textOf(log)!.replace(/\0+$/, '')).toBe(whole);
  });

  it('are synced through the file that is read', async () => {
    const harness = RoundHarness.direct(1000);
    harness.open();
    harness.write(text(3000, 1), 0, 0, { flags: SubmissionFlag.SYNC });
    await harness.settle();
    expect(harness.files.synced).toContain(log);
    expect(harness.textOf(log)).toHaveLength(4096);
  });
});
