/** The benchmark of the doors in its smallest size: every case runs to its end. Nothing is timed. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const hasCompiler = spawnSync(process.env['CC'] ?? 'cc', ['--version']).status === 0;

function node(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
}

it.runIf(hasCompiler)(
  'loads every door',
  () => {
    const { status, stdout, stderr } = node('build/bench/doors/main.js', '--quick');
    expect(status, stderr).toBe(0);
    for (const name of ['raw 100 B', 'json 1024 B', 'fan-out 100 B', 'held /ws']) expect(stdout).toContain(name);
  },
  300_000,
);

it('says what is missing where there is no compiler', () => {
  const { status, stderr } = spawnSync(process.execPath, ['build/bench/doors/main.js', '--quick'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, CC: '/nowhere/cc' },
  });
  expect(status).toBe(1);
  expect(stderr).toContain('no C compiler');
});
