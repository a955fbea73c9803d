/** V8's heap, in processes of their own in which much survives. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const module = fileURLToPath(new URL('../../dist/program/heap-growth.js', import.meta.url));

/** How large the spaces are at first, and after a load of which some megabytes survive a collection, in bytes. */
function sizes(atOnce: boolean): { before: number; after: number } {
  const script = `
    import { getHeapSpaceStatistics } from 'node:v8';
    import { growHeapAtOnce } from '${module}';
    const size = () => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space').space_size;
    const before = size();
    if (${String(atOnce)}) growHeapAtOnce({ setTimer: (_delayMs, callback) => callback() });
    const kept = [];
    for (let i = 0; i < 80_000; i++) kept.push([i]);
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

it('V8 gives new objects all the room that they may have as soon as they need more', () => {
  const byAndBy = sizes(false);
  expect(byAndBy.after).toBeLessThanOrEqual(byAndBy.before * 8);
  const atOnce = sizes(true);
  expect(atOnce.after).toBeGreaterThanOrEqual(atOnce.before * 12);
});
