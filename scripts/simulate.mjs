/**
 * Runs the simulation of the whole broker for as many seeds as asked: `npm run simulate -- --help`. Compiles it first,
 * so that it runs on every Node that Millrace does.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function run(args, stdio) {
  const { status, signal } = spawnSync(process.execPath, args, { cwd: root, stdio });
  if (signal !== null) process.kill(process.pid, signal);
  if (status !== 0) process.exit(status ?? 1);
}

run(['node_modules/typescript/bin/tsc', '-p', 'test/simulation'], 'inherit');
run(['--enable-source-maps', 'build/simulation/test/simulation/main.js', ...process.argv.slice(2)], 'inherit');
