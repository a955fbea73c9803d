/**
 * Every load scenario in its smallest size, as a user runs it. Nothing is timed; each scenario throws by itself where the
 * log does not hold what was acknowledged, or a reader finds something else than was written.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResults } from '../bench/load/result-file.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const main = 'build/bench/load/main.js';
const out = mkdtempSync(join(tmpdir(), 'millrace-bench-load-'));
const timeoutMs = 300_000;

function node(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
}

let results: RunResults;
let listed: string[];

beforeAll(() => {
  listed = node(main, '--list')
    .stdout.trim()
    .split('\n')
    .map((line) => line.split(' ')[0]!);
  const { status, stdout, stderr } = node(main, '--quick', '--json', '--out', out, '--data', join(out, 'data'));
  expect(stderr).not.toContain('Error');
  expect(status).toBe(0);
  results = JSON.parse(stdout) as RunResults;
}, timeoutMs);

afterAll(() => rmSync(out, { recursive: true, force: true }));

describe('load', () => {
  it('runs every scenario', () => {
    expect([...new Set(results.rows.map(({ scenario }) => scenario))]).toEqual(listed);
    expect(listed.length).toBeGreaterThan(10);
  });

  it('gives each row figures that are numbers, with a median within their spread', () => {
    for (const { figures, what } of results.rows) {
      expect(Object.keys(figures), what).not.toEqual([]);
      for (const { median, low, high } of Object.values(figures)) {
        expect(low).toBeLessThanOrEqual(median);
        expect(median).toBeLessThanOrEqual(high);
      }
    }
  });

  it('keeps what it printed, names the machine and no host', () => {
    const kept = readFileSync(join(out, 'load-all.json'), 'utf8');
    expect(JSON.parse(kept)).toEqual(results);
    expect(results.machine.cores).toBeGreaterThan(0);
    expect(kept).not.toContain(root);
    expect(kept).not.toContain('127.0.0.1');
  });

  it('draws the sweeps', () => {
    const plots = readdirSync(out).filter((file) => file.endsWith('.svg'));
    expect(plots.length).toBeGreaterThan(3);
    for (const plot of plots) {
      const text = readFileSync(join(out, plot), 'utf8');
      expect(text).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
      expect(text).not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  it('leaves nothing of a server in the data directory', () => {
    expect(readdirSync(join(out, 'data'), { recursive: true })).toEqual(['millrace-bench']);
  });

  it('names the scenarios where there is none of that name', () => {
    const { status, stdout, stderr } = node(main, 'nonsense');
    expect(status).toBe(1);
    expect(stderr).toContain('There is no scenario nonsense.');
    expect(stdout).toContain('catch-up');
  });
});
