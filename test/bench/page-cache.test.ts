import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { givesFreePagesBack } from '../../bench/load/page-cache.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-devices-'));
afterAll(() => rmSync(folder, { recursive: true }));

function devices(name: string, ...all: readonly { readonly device: string; readonly features: string }[]): string {
  const parent = join(folder, name);
  for (const [i, { device, features }] of all.entries()) {
    const path = join(parent, `virtio${i}`);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'device'), `${device}\n`);
    writeFileSync(join(path, 'features'), `${features}\n`);
  }
  return parent;
}

test('a balloon that reports free pages is told from one that does not, and from other devices', () => {
  const disk = { device: '0x0002', features: '00100110011001' };
  expect(givesFreePagesBack(devices('reports', disk, { device: '0x0005', features: '01100101' }))).toBe(true);
  expect(givesFreePagesBack(devices('keeps', disk, { device: '0x0005', features: '01100001' }))).toBe(false);
  expect(givesFreePagesBack(devices('disk', disk))).toBe(false);
  expect(readdirSync(folder)).toHaveLength(3);
  expect(givesFreePagesBack(join(folder, 'nowhere'))).toBe(false);
});
