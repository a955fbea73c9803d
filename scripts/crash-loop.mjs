/**
 * Kills the real program under load with SIGKILL, as many rounds as asked, and judges what it kept:
 * `npm run crash -- --rounds N [--seed S]`. The loop itself is test/faults/crash-loop.ts, of which `npm test` runs a few
 * rounds.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { readCommandLine, wholeNumber } from './command-line.mjs';

const { values } = readCommandLine({
  usage: 'npm run crash -- [--rounds N] [--seed S]',
  options: { rounds: { type: 'string', default: '50' }, seed: { type: 'string', default: String(Date.now() % 1e9) } },
});
wholeNumber('rounds', values.rounds, 1);
wholeNumber('seed', values.seed);
process.stdout.write(`seed ${values.seed}\n`);
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', 'test/faults/crash-loop.test.ts', '--reporter=verbose'],
  {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: 'inherit',
    env: { ...process.env, CRASH_ROUNDS: values.rounds, CRASH_SEED: values.seed },
  },
);
process.exitCode = status ?? 1;
