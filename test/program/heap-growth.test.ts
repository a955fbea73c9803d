/** V8's heap, in processes of their own in which much survives. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const module = fileURLToPath(new URL('../../dist/program/heap-growth.js', import.meta.url));

/** How large the spaces are at first, and after a load of which most survives a collection or two, in bytes. */
function sizes(bound: boolean): { before: number; after: number } {
  const script = `
    import { getHeapSpaceStatistics } from 'node:v8';
    import { boundHeapGrowth } from '${module}';
    const size = () => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space').space_size;
    const before = size();
    if (${String(bound)}) boundHeapGrowth({ setTimer: (_delayMs, callback) => callback() });
    let kept = [];
    for (let i = 0; i < 400_000; i++) {
      kept.push([i]);
      if (kept.length > 40_000) kept = kept.slice(20_000);
    }
    console.log(JSON.stringify({ before, after: size() }));
  `;
  return printedBy(script) as { before: number; after: number };
}

function printedBy(script: string): unknown {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return JSON.parse(stdout);
}

/** The most that the space for old objects takes while some tens of megabytes live and each is replaced by and by, in bytes. */
function oldSpacePeak(bound: boolean): number {
  const script = `
    import { getHeapSpaceStatistics } from 'node:v8';
    import { boundHeapGrowth } from '${module}';
    const size = () => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space').space_size;
    if (${String(bound)}) boundHeapGrowth({ setTimer: (_delayMs, callback) => callback() });
    const kept = Array.from({ length: 300_000 }, (_, i) => [i]);
    let peak = 0;
    for (let i = 0; i < 1_500_000; i++) {
      kept[(i * 7919) % kept.length] = [i];
      if (i % 20_000 === 0) peak = Math.max(peak, size());
    }
    console.log(JSON.stringify(peak));
  `;
  return printedBy(script) as number;
}

// Later versions of V8 have a least factor of 2.
const isBounded = it.runIf(Number.parseInt(process.versions.v8, 10) < 12);

isBounded('V8 takes little more memory for old objects than live once it is bound', () => {
  // A third of it; all of it with one of both bounds alone.
  expect(oldSpacePeak(true)).toBeLessThan(oldSpacePeak(false) / 2);
});

isBounded('V8 takes no more memory for new objects once it is bound', () => {
  const unbound = sizes(false);
  expect(unbound.after).toBeGreaterThanOrEqual(unbound.before * 4);
  const bound = sizes(true);
  // The second space is there from the first collection on.
  expect(bound.after).toBeLessThanOrEqual(bound.before * 2);
});
