/**
 * Installs the dependencies that package-lock.json names, when they are not installed yet or the lock has changed.
 * The first step of `npm start` and `npm test`; it needs nothing but Node and npm, and does nothing the second time.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const mark = `${root}node_modules/.millrace-installed`;
const wanted = createHash('sha256')
  .update(readFileSync(`${root}package-lock.json`))
  .update(process.version)
  .digest('hex');

if (!existsSync(mark) || readFileSync(mark, 'utf8') !== wanted) {
  console.log('millrace: installing dependencies (once) …');
  const startedMs = Date.now();
  // Not `npm ci`, which begins by removing what is there, and refuses a lock that an npm wrote without the native parts
  // of other platforms.
  // `--include=dev`: where NODE_ENV is production, npm would leave out what builds.
  const { status, error } = spawnSync(
    'npm',
    ['install', '--include=dev', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: root,
      stdio: 'inherit',
      shell: process.platform === 'win32',
    },
  );
  if (status !== 0) {
    console.error(`millrace: npm install failed (${error?.message ?? `exit code ${status}`}); see its messages above.`);
    process.exit(1);
  }
  writeFileSync(mark, wanted);
  console.log(`millrace: installed in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
}
