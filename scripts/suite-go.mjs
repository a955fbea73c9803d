/** Other people's suites in Go: their sources from Go's module proxy, and what `go test` says of each test. */

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../build/bench/peers/commands.js';
import { run } from './suite-commands.mjs';

/** Puts the module's source at that version into `into`, where it may be changed and built. */
export function copyModule(path, version, into) {
  const found = runCommand('go', ['mod', 'download', '-json', `${path}@v${version}`], { cwd: join(into, '..') });
  cpSync(JSON.parse(found).Dir, into, { recursive: true });
  runCommand('chmod', ['-R', 'u+w', into]);
}

/** Runs the tests of a binary that `go test -c` made, with `flags` beside those that have it tell; outcomes by names. */
export async function goTest(binary, flags, { cwd, environment, limitMs, log }) {
  const command = ['tool', 'test2json', '-t', binary, '-test.v=test2json', ...flags];
  const { printed } = await run('go', command, { cwd, environment, limitMs, log });
  return outcomesOf(printed);
}

/** The outcome of each test that has no tests below it. A test that was begun and never ended failed. */
function outcomesOf(printed) {
  const outcomes = new Map();
  for (const line of printed.split('\n')) {
    if (!line.startsWith('{')) continue;
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      continue;
    }
    const { Test: test, Action: action } = event;
    if (test === undefined) continue;
    if (action === 'run') outcomes.set(test, 'failed');
    const outcome = { pass: 'passed', fail: 'failed', skip: 'skipped' }[action];
    if (outcome !== undefined) outcomes.set(test, outcome);
  }
  const parents = new Set();
  for (const test of outcomes.keys()) {
    for (let at = test.lastIndexOf('/'); at > 0; at = test.lastIndexOf('/', at - 1)) parents.add(test.slice(0, at));
  }
  return new Map([...outcomes].filter(([test]) => !parents.has(test)));
}
