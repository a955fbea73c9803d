import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemErrorCode } from '../../src/base/environment-error.ts';
import { deviceRandom, nodeFileSystem as files } from '../../src/storage/node-file-system.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function codeOf(work: () => unknown): string | null {
  try {
    work();
  } catch (error) {
    return systemErrorCode(error);
  }
  return null;
}

describe('deviceRandom', () => {
  it('fills all of what it is given with something else each time', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 200; i++) {
      const target = new Uint8Array(16);
      deviceRandom.fill(target);
      seen.add(Buffer.from(target).toString('hex'));
    }
    expect(seen.size).toBe(200);
    // Of 4096 random bytes none stays 0 over so many in a row.
    const long = new Uint8Array(4096);
    deviceRandom.fill(long);
    expect(Buffer.from(long).indexOf(Buffer.alloc(16))).toBe(-1);
  });
});

describe('nodeFileSystem', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'millrace-files-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('writes whole blocks past the page cache, where the file system takes that', ({ skip }) => {
    const path = join(root, 'direct');
    const file = files.open(path, 'create');
    const direct = files.openDirect(path);
    if (direct === null) return skip();
    const memory = new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer);
    memory.fill(7, 4096, 12_288);
    files.write(file, [bytes('before')], 0);
    expect(files.write(direct, [memory.subarray(4096, 12_288)], 4096)).toBe(8192);
    files.write(file, [bytes('after')], 5000);
    const expected = Buffer.alloc(12_288, 7);
    expected.fill(0, 0, 4096);
    expected.write('before', 0);
    expected.write('after', 5000);
    expect(readFileSync(path).equals(expected)).toBe(true);
    expect(codeOf(() => files.openDirect(join(root, 'missing')))).toBe('ENOENT');
    files.close(direct);
    files.close(file);
  });

  it('writes gathered sources, also from shared memory, at a position', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(4));
    shared.set(bytes('wxyz'));
    const path = join(root, 'a');
    const file = files.open(path, 'create');
    expect(files.write(file, [bytes('abc'), shared.subarray(1, 3)], 2)).toBe(5);
    expect(files.write(file, [shared.subarray(0, 2)], 0)).toBe(2);
    expect(readFileSync(path, 'utf8')).toBe('wxabcxy');
    expect(files.sizeOf(file)).toBe(7);
    const target = new Uint8Array(4);
    expect(files.read(file, target, 5)).toBe(2);
    expect(await files.readLater(file, target, 2)).toBe(4);
    expect(Buffer.from(target).toString()).toBe('abcx');
    expect(files.read(file, target, 7)).toBe(0);
    files.truncate(file, 3);
    expect(files.sizeAt(path)).toBe(3);
    files.sync(file);
    await files.syncLater(file);
    files.close(file);
  });

  it('opens as the mode says and keeps what was there', () => {
    const path = join(root, 'a');
    expect(codeOf(() => files.open(path, 'read'))).toBe('ENOENT');
    expect(codeOf(() => files.open(path, 'write'))).toBe('ENOENT');
    const first = files.open(path, 'create');
    files.write(first, [bytes('abc')], 0);
    files.close(first);
    const again = files.open(path, 'create');
    expect(files.sizeOf(again)).toBe(3);
    files.close(again);
    const reader = files.open(path, 'read');
    expect(codeOf(() => files.write(reader, [bytes('x')], 0))).toBe('EBADF');
    files.close(reader);
  });

  it('makes, lists, renames, syncs and removes names', async () => {
    const inner = join(root, 'x', 'y');
    files.makeDirectory(inner);
    files.makeDirectory(inner);
    for (const name of ['b', 'a']) files.close(files.open(join(inner, name), 'create'));
    expect(files.list(inner)).toEqual(['a', 'b']);
    expect(files.isDirectory(inner)).toBe(true);
    expect(files.isDirectory(join(inner, 'a'))).toBe(false);
    expect(files.isDirectory(join(inner, 'nothing'))).toBe(false);
    expect(files.sizeAt(join(inner, 'nothing'))).toBeNull();
    files.rename(join(inner, 'a'), join(inner, 'b'));
    files.syncDirectory(inner);
    await files.syncDirectoryLater(inner);
    expect(files.list(inner)).toEqual(['b']);
    await files.removeLater(join(inner, 'b'));
    expect(codeOf(() => files.remove(join(inner, 'b')))).toBe('ENOENT');
    files.removeTree(inner);
    await files.removeTreeLater(join(root, 'x'));
    expect(codeOf(() => files.list(join(root, 'x')))).toBe('ENOENT');
    const { totalBytes, freeBytes } = await files.spaceLater(root);
    expect(freeBytes).toBeGreaterThan(0);
    expect(totalBytes).toBeGreaterThan(freeBytes);
  });

  it('rejects where its synchronous sister throws', async () => {
    const path = join(root, 'nothing');
    const calls = [
      () => files.removeLater(path),
      () => files.removeTreeLater(path),
      () => files.syncDirectoryLater(path),
      () => files.spaceLater(path),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'ENOENT' });
    const closed = files.open(join(root, 'a'), 'create');
    files.close(closed);
    await expect(files.syncLater(closed)).rejects.toMatchObject({ code: 'EBADF' });
    await expect(files.readLater(closed, new Uint8Array(1), 0)).rejects.toMatchObject({ code: 'EBADF' });
  });
});
