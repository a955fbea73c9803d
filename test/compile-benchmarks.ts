/** Compiles the benchmarks once, for all tests that run them as users do: side by side they would write the same files. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

export default function compileBenchmarks(): void {
  const args = ['node_modules/typescript/bin/tsc', '-p', 'bench'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`The benchmarks cannot be compiled: ${stdout}${stderr}`);
}
