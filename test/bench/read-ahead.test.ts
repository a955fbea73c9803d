import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { diskNameOf } from '../../bench/load/machine.ts';
import { readAheadAsUsual } from '../../bench/load/read-ahead.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-disks-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A disk with one part, as the kernel shows them; returns what reads and changes how far it reads ahead. */
function disk(name: string, kib: number): { devices: string; read(): string } {
  const devices = join(folder, name);
  const path = join(devices, 'all', name, 'queue', 'read_ahead_kb');
  mkdirSync(join(devices, 'all', name, 'queue'), { recursive: true });
  mkdirSync(join(devices, 'all', name, `${name}1`));
  writeFileSync(path, `${kib}\n`);
  symlinkSync(join(devices, 'all', name), join(devices, name));
  symlinkSync(join(devices, 'all', name, `${name}1`), join(devices, `${name}1`));
  return { devices, read: () => readFileSync(path, 'latin1').trim() };
}

/** Also undoes what the end of this process would. */
function change(name: string, devices: string): string[] {
  const notes: string[] = [];
  const before = new Set(process.listeners('exit'));
  readAheadAsUsual(name, (note) => notes.push(note), devices);
  for (const listener of process.listeners('exit')) if (!before.has(listener)) process.off('exit', listener);
  return notes;
}

test('a disk that reads far ahead does so no more, also where a part of it is named', () => {
  for (const [name, part] of [
    ['sda', 'sda'],
    ['sdb', 'sdb1'],
  ] as const) {
    const { devices, read } = disk(name, 8192);
    expect(change(part, devices)).toEqual([
      `${part} reads 8192 KiB ahead: 128, as Linux has by itself, until this is over`,
    ]);
    expect(read()).toBe('128');
  }
});

test('one that does not is left alone, and so is what is no disk', () => {
  const { devices, read } = disk('sdc', 64);
  expect(change('sdc', devices)).toEqual([]);
  expect(change('overlay', devices)).toEqual([]);
  expect(read()).toBe('64');
});

test('the disk of a folder has a name where the kernel tells of mounts', () => {
  expect(typeof diskNameOf(folder)).toBe('string');
  expect(diskNameOf(folder)).not.toContain('/');
});
