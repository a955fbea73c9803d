/**
 * Runs the fuzzer against the built broker: `npm run fuzz -- --help`. Joins it to one file first, so that it runs on
 * every Node that Millrace does.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
// As deep as test/fuzz/, so that paths relative to its modules lead to the same places.
const file = `${root}build/fuzz/main.js`;

const bundle = await rolldown({
  input: `${root}test/fuzz/main.ts`,
  platform: 'node',
  external: (id) => !/^(\.|\/|[A-Za-z]:)/.test(id),
});
await bundle.write({ file, format: 'esm', sourcemap: true, codeSplitting: false });
await bundle.close();
const { status } = spawnSync(process.execPath, ['--enable-source-maps', file, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(status ?? 1);
