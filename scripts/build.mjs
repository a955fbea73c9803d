/**
 * Builds the project: the WebAssembly core, the generated codecs, TypeScript into dist/, and the program as one file. Each step says how long
 * it took; what is up to date is skipped by the step itself.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** [what a person reads, the arguments for node] */
const steps = [
  ['WebAssembly core', ['scripts/build-core.mjs']],
  ['codecs', ['scripts/generate-codecs.mjs']],
  [
    'TypeScript',
    ['node_modules/typescript/bin/tsc', '-p', '.', '--incremental', '--tsBuildInfoFile', 'dist/.tsbuildinfo'],
  ],
  ['bundles', ['scripts/bundle.mjs']],
];

steps.forEach(([name, args], index) => {
  const startedMs = Date.now();
  process.stdout.write(`millrace: [${index + 1}/${steps.length}] ${name} … `);
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) {
    process.stdout.write('failed\n');
    process.stderr.write(stdout + stderr);
    process.exit(1);
  }
  process.stdout.write(`${((Date.now() - startedMs) / 1000).toFixed(1)} s\n`);
});
