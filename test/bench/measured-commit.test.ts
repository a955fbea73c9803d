import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { measuredCommit, reportingPaths } from '../../bench/load/machine.ts';

let root = '';

function git(...args: string[]): string {
  const name = ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'commit.gpgsign=false'];
  return execFileSync('git', [...name, ...args], { cwd: root, encoding: 'utf8' }).trim();
}

function write(path: string, text: string): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
}

function commit(path: string, text: string): string {
  write(path, text);
  git('add', '.');
  git('commit', '--quiet', '-m', path);
  return git('rev-parse', '--short', 'HEAD');
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-measured-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('is unknown outside a repository, and in one where nothing is measured', () => {
  expect(measuredCommit(root)).toBeNull();
  git('init', '--quiet');
  commit('README.md', 'a');
  expect(measuredCommit(root)).toBeNull();
});

it('stays what it was while only texts, tests and results are committed', () => {
  git('init', '--quiet');
  const first = commit('src/log.ts', 'a');
  commit('README.md', 'a');
  commit('src/README.md', 'a');
  commit('test/log.test.ts', 'a');
  commit('bench/README.md', 'a');
  commit('bench/results/peers.json', '[]');
  // Who judges and prints alters no round.
  commit('bench/peers/verdict.ts', 'a');
  commit('bench/load/floor-verdict.ts', 'a');
  expect(measuredCommit(root)).toBe(first);
  for (const path of ['src/log.ts', 'assembly/crc.ts', 'bench/load/load.ts', 'scripts/bundle.mjs', 'package.json']) {
    const changed = commit(path, 'b');
    expect(measuredCommit(root)).toBe(changed);
  }
});

it('knows the files that only judge and print by the names that they have', () => {
  for (const path of reportingPaths) expect(existsSync(path), path).toBe(true);
});

it('bears a + while what is measured differs from it', () => {
  git('init', '--quiet');
  const first = commit('src/log.ts', 'a');
  commit('bench/results/peers.json', '[]');
  write('bench/results/peers.json', '[1]');
  expect(measuredCommit(root)).toBe(first);
  write('src/log.ts', 'b');
  expect(measuredCommit(root)).toBe(`${first}+`);
});
