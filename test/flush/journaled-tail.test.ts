import { beforeEach, expect, test } from 'vitest';
import { CompletionKind, SubmissionFlag, SubmissionKind } from '../../src/memory/flush-messages.ts';
import { systemError } from './fake-file-system.ts';
import { directory, logOf, metadata, RoundHarness } from './round-harness.ts';

const journal = '/data/millrace.tails';
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

let harness: RoundHarness;
beforeEach(() => {
  harness = new RoundHarness();
  harness.files.directories.add('/data').add(directory);
  harness.files.contents.set(journal, bytesOf('12345678tail'));
  harness.files.contents.set(metadata, bytesOf('metadata'));
  // What the journal has is not what the file has.
  harness.files.contents.set(logOf(0), bytesOf('headxxxx'));
});

/** Opens the log of eight bytes, the last four of which stand at position 8 of the journal. */
function open(names: 0 | 1, ofMetadata: 0 | 1): void {
  harness.open({ flags: 0, endOffset: 8, filePosition: 8 }, directory, `\n4 4 8 ${names} ${ofMetadata}`);
}

test('a tail of the journal is written again before what is appended, and one sync is of both and their names', async () => {
  open(1, 1);
  harness.step();
  expect(harness.textOf(logOf(0))).toBe('headxxxx');
  harness.write('more', 8, 8, { flags: SubmissionFlag.SYNC });
  harness.step();
  expect(harness.textOf(logOf(0))).toBe('headtailmore');
  await harness.settle();
  expect(harness.files.synced.toSorted()).toEqual([directory, logOf(0), metadata].toSorted());
  expect(harness.completions().at(-1)).toMatchObject({ kind: CompletionKind.SYNCED, endOffset: 12 });
});

test('a tail whose names are on disk asks for no sync of the directory, and is written once', async () => {
  open(0, 0);
  harness.write('a', 8, 8, { flags: SubmissionFlag.SYNC });
  await harness.settle();
  expect(harness.files.synced).toEqual([logOf(0)]);
  harness.files.contents.set(journal, bytesOf('12345678xxxx'));
  harness.write('b', 9, 9);
  await harness.settle();
  expect(harness.textOf(logOf(0))).toBe('headtailab');
});

test('a tail is written again before its segment ends', async () => {
  open(1, 0);
  harness.submit({ kind: SubmissionKind.ROLL, baseOffset: 8 });
  harness.write('more', 8, 0, { flags: SubmissionFlag.SYNC });
  await harness.settle();
  expect(harness.textOf(logOf(0))).toBe('headtail');
  expect(harness.textOf(logOf(8))).toBe('more');
  expect(harness.files.synced).toEqual(expect.arrayContaining([directory, logOf(0), logOf(8)]));
});

test('without its journal a tail is settled, and the log goes on as it is', async () => {
  harness.files.contents.delete(journal);
  open(1, 1);
  harness.write('more', 8, 8);
  await harness.settle();
  expect(harness.textOf(logOf(0))).toBe('headxxxxmore');
});

test('a tail that could not be written keeps what follows from being written, and is tried again with it', async () => {
  open(0, 0);
  harness.files.onWrite = (path) => {
    if (path === logOf(0)) throw systemError('ENOSPC');
    return 100;
  };
  harness.write('more', 8, 8);
  await harness.settle();
  expect(harness.completions().at(-1)).toMatchObject({ kind: CompletionKind.WRITE_FAILED, endOffset: 8 });
  harness.files.onWrite = (_path, sizeBytes) => sizeBytes;
  harness.submit({ kind: SubmissionKind.RESUME, generation: 1, filePosition: 8 });
  harness.write('more', 8, 8, { generation: 1, flags: SubmissionFlag.SYNC });
  await harness.settle();
  expect(harness.textOf(logOf(0))).toBe('headtailmore');
});
