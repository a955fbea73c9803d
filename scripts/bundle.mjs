/**
 * Joins the project's own modules into few files for each way in, written over what TypeScript left there, because reading
 * and resolving two hundred small files takes Node longer than everything else in a start. Packages stay where they are.
 *
 *   program.js                   all of the program and of embedding, as one script: see src/load-program.ts
 *   verify.cjs                   a command that hardly a run needs
 *   main.cjs, index.js           load it, for who starts the program and for who embeds a broker
 *   main.js                      main.cjs for who knows the program by that name
 *   flush/flush-task.js, …       what workers run
 *   program-….cache              V8's code of the script for the Node that builds, made by starting the program once
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = `${root}dist/`;
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const cachePattern = /^program-.*\.cache$/;
const longestStartMs = 60_000;
const lookAgainMs = 50;

/** What the file of a command is called, which stands beside the script because hardly a run needs it. */
const commandFiles = new Map([['verify/verify-command.ts', 'verify.cjs']]);

/** Joins what `source` needs into one file, `target` below dist/. `wrap` makes of its code what is written. */
async function joined(source, target, output, define = {}, wrap = (code) => code) {
  const commandOf = (id) => [...commandFiles].find(([name]) => id.endsWith(name) && source !== name)?.[1];
  const bundle = await rolldown({
    input: `${root}src/${source}`,
    platform: 'node',
    // What is no path is a package, or Node's own.
    external: (id) => !/^(\.|\/|[A-Za-z]:)/.test(id) || commandOf(id) !== undefined,
    transform: { define },
  });
  const { output: files } = await bundle.generate({
    file: dist + target,
    sourcemap: 'hidden',
    codeSplitting: false,
    // A third of the bytes; names and lines stay for who reads a trace.
    comments: false,
    paths: (id) => (commandOf(id) === undefined ? id : `./${commandOf(id)}`),
    ...output,
  });
  await bundle.close();
  const [{ code, map }] = files;
  const mapName = `${basename(target)}.map`;
  writeFileSync(dist + target, `${wrap(code)}\n//# sourceMappingURL=${mapName}\n`);
  writeFileSync(`${dist}${target}.map`, map.toString());
}

for (const name of readdirSync(dist)) if (cachePattern.test(name)) rmSync(dist + name);
await joined(
  'bundle.ts',
  'program.js',
  {
    format: 'cjs',
    // A character is a byte, for V8 as well.
    charset: 'ascii',
    dynamicImportInCjs: false,
  },
  { RELEASE_VERSION: JSON.stringify(version) },
  (code) => `(function (exports, require, __filename) { "use strict"; ${code}\n})`,
);
const hash = createHash('sha256')
  .update(readFileSync(`${dist}program.js`))
  .digest('hex')
  .slice(0, 16);
const define = { PROGRAM_HASH: JSON.stringify(hash) };
await joined('verify/verify-command.ts', 'verify.cjs', { format: 'cjs' });
await joined('main-entry.ts', 'main.cjs', { format: 'cjs' }, define);
await joined('index-entry.ts', 'index.js', { format: 'esm' }, define);
writeFileSync(`${dist}main.js`, "#!/usr/bin/env node\nimport './main.cjs';\n");
for (const task of ['flush/flush-task', 'compaction/compaction-task']) {
  await joined(`${task}.ts`, `${task}.js`, { format: 'esm' });
}
await keepCode();

/** Starts the program once, so that it keeps the code that a start calls. */
async function keepCode() {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-build-'));
  const doors = ['--kafka', '127.0.0.1:0', '--http', '127.0.0.1:0'];
  const args = [`${dist}main.cjs`, '--data', join(directory, 'data'), ...doors, '--log-level', 'warn'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const deadlineMs = Date.now() + longestStartMs;
  while (!readdirSync(dist).some((name) => cachePattern.test(name))) {
    if (child.exitCode !== null || Date.now() > deadlineMs) throw new Error('The program did not start.');
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
  child.kill('SIGTERM');
  await ended;
  rmSync(directory, { recursive: true });
}
