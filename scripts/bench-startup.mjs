/**
 * How long the program takes until it serves on an empty directory, beside a bare `node -e 0`, and what memory it then
 * holds: `npm run bench:startup [-- --rounds N] [--json]`.
 *
 *   ready      from the spawn to the start block: both doors are open
 *   answered   from the spawn to the answer to an ApiVersions request sent then
 *   bare       from the spawn of `node -e 0` to its end
 *
 * The kinds take turns, so that a machine that slows down slows all of them. Figures are medians in milliseconds.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const program = fileURLToPath(new URL('../dist/main.cjs', import.meta.url));
/** How much longer than a bare Node a start may take. */
const budgetMs = 80;
const idleMs = 1500;
/** ApiVersions version 0, correlation id 1, no client id, with its size prefix. */
const apiVersionsRequest = Buffer.from('0000000a0012000000000001ffff', 'hex');

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '20' }, json: { type: 'boolean', default: false } },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error('--rounds takes a number from 1.');
  process.exit(1);
}

/** @returns {Promise<number>} */
function bareMs() {
  return new Promise((resolve) => {
    const startedMs = performance.now();
    spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }).on('close', () => resolve(performance.now() - startedMs));
  });
}

/** Starts the program once; `idle` waits and looks at its memory. */
async function startOnce(idle) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-startup-'));
  const args = ['--data', join(directory, 'data'), '--kafka', '127.0.0.1:0', '--http', '127.0.0.1:0'];
  const startedMs = performance.now();
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const port = await new Promise((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (text) => {
      said += text;
      const match = /kcat -b 127\.0\.0\.1:(\d+)/.exec(said);
      if (match !== null) resolve(Number(match[1]));
    });
    child.on('close', (code) => reject(new Error(`the program ended with ${code}`)));
  });
  const readyMs = performance.now() - startedMs;
  const socket = connect(port, '127.0.0.1');
  socket.write(apiVersionsRequest);
  await new Promise((resolve) => socket.once('data', resolve));
  const answeredMs = performance.now() - startedMs;
  socket.destroy();
  let rssMiB = null;
  if (idle && process.platform === 'linux') {
    await new Promise((resolve) => setTimeout(resolve, idleMs));
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    rssMiB = Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) / 1024;
  }
  child.kill('SIGTERM');
  await ended;
  rmSync(directory, { recursive: true });
  return { readyMs, answeredMs, rssMiB };
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const bare = [];
const ready = [];
const answered = [];
await bareMs();
await startOnce(false);
for (let round = 0; round < rounds; round++) {
  bare.push(await bareMs());
  const { readyMs, answeredMs } = await startOnce(false);
  ready.push(readyMs);
  answered.push(answeredMs);
}
const { rssMiB } = await startOnce(true);
const result = {
  rounds,
  node: process.version,
  processor: `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}`,
  bareMs: median(bare),
  readyMs: median(ready),
  answeredMs: median(answered),
  overBareMs: median(ready) - median(bare),
  budgetMs,
  ratio: median(ready) / median(bare),
  idleRssMiB: rssMiB,
};
if (values.json) console.log(JSON.stringify(result, null, 2));
else {
  const show = (number) => (number === null ? 'unknown' : number.toFixed(1));
  console.log(`Node ${result.node}, ${result.processor}, median of ${rounds}

  bare node -e 0         ${show(result.bareMs)} ms
  ready                  ${show(result.readyMs)} ms   ${show(result.overBareMs)} ms more (budget ${budgetMs}), ${result.ratio.toFixed(2)} ×
  first request answered ${show(result.answeredMs)} ms
  memory when idle       ${show(result.idleRssMiB)} MiB`);
}
