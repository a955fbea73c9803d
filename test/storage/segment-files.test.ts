/** Which reads of segment files the asking thread does itself, by how long the ones before took. */

import { expect, test } from 'vitest';
import { SegmentFiles } from '../../src/storage/segment-files.ts';
import { FakeFileSystem } from '../flush/fake-file-system.ts';

const path = '/segment.log';
const bytes = Uint8Array.from({ length: 3 * 1024 * 1024 }, (_, i) => (i * 2_654_435_761) >>> 11);

/** A file whose reads take as long as the test says, by a clock of its own. */
class PacedFiles extends FakeFileSystem {
  nowMs = 0;
  tookMs = 0.1;
  /** What each read was. */
  readonly done: ('at once' | 'later')[] = [];
  /** Each gives so many bytes at most. */
  mostBytes = Infinity;
  fails = false;

  constructor() {
    super();
    this.contents.set(path, bytes);
  }

  override read(...[file, target, position]: Parameters<FakeFileSystem['read']>): number {
    this.done.push('at once');
    return this.#give(file, target, position);
  }

  override async readLater(...[file, target, position]: Parameters<FakeFileSystem['read']>): Promise<number> {
    this.done.push('later');
    await Promise.resolve();
    return this.#give(file, target, position);
  }

  #give(file: number, target: Uint8Array, position: number): number {
    this.nowMs += this.tookMs;
    if (this.fails) throw new Error('The disk is gone.');
    return super.read(file, target.subarray(0, Math.min(target.length, this.mostBytes)), position);
  }
}

function opened() {
  const system = new PacedFiles();
  const files = new SegmentFiles(system, { monotonicMs: () => system.nowMs });
  const read = async (tookMs: number, position = 0, sizeBytes = 1000): Promise<void> => {
    system.tookMs = tookMs;
    // Long enough after the one before that this thread may read again.
    system.nowMs += 10;
    const target = new Uint8Array(sizeBytes);
    expect(await files.read(path, target, position)).toBe(Math.min(sizeBytes, bytes.length - position));
    expect(Buffer.compare(target, bytes.subarray(position, position + sizeBytes))).toBe(0);
  };
  const told = (): string => system.done.splice(0).join(', ');
  return { system, files, read, told };
}

test('a file is read at once when it was read quickly before, and not the first time', async () => {
  const { read, told } = opened();
  await read(0.1);
  await read(0.1, 1000);
  await read(0.1, 2000);
  expect(told()).toBe('later, at once, at once');
});

test('one that is slow at once has others read, longer each time, until many were quick', async () => {
  const { read, told } = opened();
  await read(0.1);
  for (const expected of [1, 2, 4]) {
    told();
    await read(5);
    expect(told()).toBe('at once');
    for (let i = 0; i < expected; i++) await read(0.1);
    expect(told()).toBe(Array(expected).fill('later').join(', '));
  }
  for (let i = 0; i < 64 * 3; i++) await read(0.1);
  told();
  await read(5);
  await read(0.1);
  await read(0.1);
  expect(told()).toBe('at once, later, at once');
});

test('what other threads read slowly is not read at once', async () => {
  const { read, told } = opened();
  for (let i = 0; i < 5; i++) await read(3);
  expect(told()).toBe('later, later, later, later, later');
});

test('large reads are for other threads, and so are those behind many in a row', async () => {
  const { system, files, read, told } = opened();
  await read(0.1);
  await read(0.1, 0, bytes.length);
  expect(told()).toBe('later, later');
  system.tookMs = 0.4;
  for (let i = 0; i < 12; i++) await files.read(path, new Uint8Array(1000), 0);
  const atOnce = system.done.filter((one) => one === 'at once').length;
  expect(atOnce).toBeGreaterThan(4);
  expect(atOnce).toBeLessThan(12);
});

test('reads that fall short go on where they stopped, and errors reach who asked', async () => {
  const { system, files, read } = opened();
  system.mostBytes = 300;
  await read(0.1, 50);
  await read(0.1, 50);
  expect(system.done.filter((one) => one === 'at once').length).toBeGreaterThan(3);
  system.fails = true;
  await expect(files.read(path, new Uint8Array(10), 0)).rejects.toThrow('The disk is gone.');
  system.fails = false;
  await read(0.1);
  files.close();
  expect(system.opened.size).toBe(0);
});
