/**
 * How long the program takes until it serves on an empty directory, beside a bare `node -e 0`, and what memory it then
 * holds; and how long a broker in memory takes inside a process: `npm run bench:startup [-- --rounds N] [--json] [--profile DIR]`.
 *
 *   ready      from the spawn to the start block: both doors are open
 *   answered   from the spawn to the answer to an ApiVersions request sent then
 *   bare       from the spawn of `node -e 0` to its end
 *   embedded   from the call of `startBroker` to a broker that serves, in a process that has started one before
 *
 * The kinds take turns, so that a machine that slows down slows all of them. Figures are medians in milliseconds. What at
 * least five rounds of a commit gave is kept in bench/results and bench/README.md. --profile starts it once, writes CPU
 * profiles into DIR, and keeps what took longest in bench/results/profiles.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spreadOf } from '../build/bench/load/figures.js';
import { floorMarks, isDirty, roundsForFloors, settled } from '../build/bench/load/floor-verdict.js';
import { keepProfile } from '../build/bench/load/kept-profile.js';
import { machineFacts, machineSentence } from '../build/bench/load/machine.js';
import { writeReadmePart } from '../build/bench/load/readme-part.js';
import { emptyBudgetMs } from '../build/bench/load/starts.js';
import { readCommandLine, wholeNumber } from './command-line.mjs';
import { measureEmbedded } from './embedded-starts.mjs';

const program = fileURLToPath(new URL('../dist/main.cjs', import.meta.url));
const resultFile = fileURLToPath(new URL('../bench/results/startup.json', import.meta.url));
/** What a start of a broker in memory may take, after the first of a process. */
const embeddedBudgetMs = 50;
const idleMs = 1500;
/** ApiVersions version 0, correlation id 1, no client id, with its size prefix. */
const apiVersionsRequest = Buffer.from('0000000a0012000000000001ffff', 'hex');

const { values } = readCommandLine({
  usage: 'npm run bench:startup -- [--rounds N] [--profile DIR] [--json]',
  options: {
    rounds: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
});
const rounds = wholeNumber('rounds', values.rounds, 1);

/** @returns {Promise<number>} */
function bareMs() {
  return new Promise((resolve) => {
    const startedMs = performance.now();
    spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }).on('close', () => resolve(performance.now() - startedMs));
  });
}

/** Starts the program once, Node with `nodeFlags`; `idle` waits and looks at its memory. */
async function startOnce(idle, nodeFlags = []) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-startup-'));
  const args = ['--data', join(directory, 'data'), '--kafka', '127.0.0.1:0', '--http', '127.0.0.1:0'];
  const startedMs = performance.now();
  const child = spawn(process.execPath, [...nodeFlags, program, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
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

/** The starts of a run, in turn with a bare Node, and what their floor comes to. */
async function measureStarts(commit) {
  const each = { bareMs: [], readyMs: [], answeredMs: [] };
  await bareMs();
  await startOnce(false);
  for (let round = 0; round < rounds; round++) {
    each.bareMs.push(await bareMs());
    const { readyMs, answeredMs } = await startOnce(false);
    each.readyMs.push(readyMs);
    each.answeredMs.push(answeredMs);
  }
  const { rssMiB } = await startOnce(true);
  const figures = Object.fromEntries(Object.entries(each).map(([name, times]) => [name, spreadOf(times)]));
  const overBareMs = figures.readyMs.median - figures.bareMs.median;
  const judged = { figure: 'readyMs', bound: `≤ ${emptyBudgetMs} ms beyond a bare Node`, value: overBareMs };
  const verdict = settled({ ...judged, isMet: overBareMs <= emptyBudgetMs }, { rounds, commit });
  return { each, figures, overBareMs, idleRssMiB: rssMiB, verdict };
}

/** The starts inside this process, and what their floor comes to. */
async function measureInProcess(commit) {
  const { firstMs, ...each } = await measureEmbedded(rounds);
  const figures = Object.fromEntries(Object.entries(each).map(([name, times]) => [name, spreadOf(times)]));
  const { median } = figures.startMs;
  const judged = { figure: 'startMs', bound: `≤ ${embeddedBudgetMs} ms after the first`, value: median };
  const verdict = settled({ ...judged, isMet: median <= embeddedBudgetMs }, { rounds, commit });
  return { firstMs, each, figures, verdict };
}

const show = (number) => (number === null ? 'unknown' : number.toFixed(1));
const spread = ({ median, low, high }) => `${show(median)} (${show(low)}–${show(high)})`;

function verdictWords({ state, bound, remark }) {
  const word = { met: 'met', missed: 'MISSED', open: 'open' }[state];
  return `${floorMarks[state]} ${word}: ${bound}${remark === undefined ? '' : ` (${remark})`}`;
}

function markdown(machine, { figures, overBareMs, idleRssMiB, verdict, embedded }) {
  return [
    '| | ms, median and range |',
    '| --- | --- |',
    `| a bare \`node -e 0\` | ${spread(figures.bareMs)} |`,
    `| ready | ${spread(figures.readyMs)}<br>${show(overBareMs)} beyond the bare one: ${verdictWords(verdict)} |`,
    `| first request answered | ${spread(figures.answeredMs)} |`,
    `| a broker in memory inside a process, the first | ${show(embedded.firstMs)} |`,
    `| those after it | ${spread(embedded.figures.startMs)}<br>${verdictWords(embedded.verdict)} |`,
    `| \`reset\` of 5 topics with 5,000 records | ${spread(embedded.figures.resetMs)} |`,
    `| \`close\` with as many | ${spread(embedded.figures.closeMs)} |`,
    '',
    `${rounds} rounds in turn; ${show(idleRssMiB)} MiB when idle. Measured on: ${machineSentence(machine)}`,
  ].join('\n');
}

const machine = machineFacts();
if (values.profile !== undefined) {
  await startOnce(false, ['--cpu-prof', '--cpu-prof-interval', '200', '--cpu-prof-dir', values.profile]);
  const what = 'npm run bench:startup: one start on an empty directory, a request, and the end';
  console.log(
    `Kept: ${keepProfile({ name: 'startup', what, covers: 'all of it', profileFolder: values.profile }, machine)}`,
  );
  process.exit(0);
}
const starts = await measureStarts(machine.commit);
const result = { ...starts, embedded: await measureInProcess(machine.commit) };
const keeps = rounds >= roundsForFloors && !isDirty(machine.commit);
if (keeps) {
  writeFileSync(resultFile, `${JSON.stringify({ machine, rounds, ...result }, null, 1)}\n`);
  writeReadmePart('startup', markdown(machine, result));
}
if (values.json) console.log(JSON.stringify({ machine, rounds, ...result }, null, 2));
else {
  const { figures, overBareMs, idleRssMiB, verdict, embedded } = result;
  console.log(`${machineSentence(machine)}, median and range of ${rounds}

  bare node -e 0         ${spread(figures.bareMs)} ms
  ready                  ${spread(figures.readyMs)} ms, ${show(overBareMs)} ms more
  first request answered ${spread(figures.answeredMs)} ms
  memory when idle       ${show(idleRssMiB)} MiB
  ${verdictWords(verdict)}

  embedded, the first    ${show(embedded.firstMs)} ms
  embedded, the next     ${spread(embedded.figures.startMs)} ms
  reset                  ${spread(embedded.figures.resetMs)} ms
  close                  ${spread(embedded.figures.closeMs)} ms
  ${verdictWords(embedded.verdict)}${keeps ? '' : '\n  Not kept: of few rounds, or of files that no commit has.'}`);
}
