/**
 * Has Apache Kafka's own DumpLogSegments look through every file of a data directory that Millrace wrote.
 *
 *   npm run verify:kafka                 writes one first: every compression, idempotent producers, transactions, rolled
 *                                        segments, small indexes, deleted records, a kill -9 with a torn end, a recovery
 *   npm run verify:kafka -- DIR          looks through DIR, which no broker uses
 *
 * Then it damages a copy, and Kafka's tool has to find that: else its silence would prove nothing. The end is 1 where the
 * tool has something to say, and 2 where Java or Maven is missing.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readCommandLine } from './command-line.mjs';
import { abortedPerRun, produceEverything } from './kafka-files.mjs';
import { missingForKafkaTools, runKafkaTool } from './kafka-tools.mjs';

const program = fileURLToPath(new URL('../dist/main.cjs', import.meta.url));
const filesAtOnce = 200;
/** What DumpLogSegments says where something is wrong; it ends with 0 all the same. */
const complaints =
  /isvalid: false|mismatch|out of order|non-consecutive|not consecutive|exception|invalid|not found|sanity check failed|could not|unknown/i;

const {
  positionals: [given],
} = readCommandLine({ usage: 'npm run verify:kafka -- [DIR]', options: {}, takesNames: true });
const missing = missingForKafkaTools();
if (missing !== null) {
  process.stderr.write(`verify:kafka: ${missing}\n`);
  process.exit(2);
}
const directory = given ?? mkdtempSync(join(tmpdir(), 'millrace-kafka-'));
let failed = false;
try {
  if (given === undefined) await write(directory);
  failed = look(directory) || (given === undefined && !(readsTransactions(directory) && findsDamage(directory)));
} finally {
  if (given === undefined && !failed) rmSync(directory, { recursive: true });
}
process.stdout.write(
  failed ? `verify:kafka: failed; the files are in ${directory}.\n` : 'verify:kafka: all is well.\n',
);
process.exit(failed ? 1 : 0);

/** Fills `directory` through a broker that is killed in between, and stops it cleanly at the end. */
async function write(path) {
  const first = await start(path);
  const producers = await produceEverything(first.address, 0);
  await end(first, 'SIGKILL');
  tearEnds(path);
  const second = await start(path);
  await produceEverything(second.address, 1, producers);
  await end(second, 'SIGTERM');
}

async function start(path) {
  const flags = ['--data', path, '--kafka', '127.0.0.1:0', '--http', 'off', '--log-level', 'warn'];
  const child = spawn(process.execPath, [program, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => child.kill('SIGKILL'));
  let said = '';
  for await (const chunk of child.stdout) {
    said += chunk;
    const found = /Kafka over TCP\s+(\S+:\d+)/.exec(said);
    if (found !== null) return { child, address: found[1] };
  }
  throw new Error(`The broker did not start: ${said}`);
}

async function end({ child }, signal) {
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

/** As a write that was cut short leaves the active segments. */
function tearEnds(path) {
  for (const name of readdirSync(path).filter((one) => one.startsWith('torn-'))) {
    const log = readdirSync(join(path, name)).findLast((file) => file.endsWith('.log'));
    const bytes = readFileSync(join(path, name, log));
    appendFileSync(join(path, name, log), bytes.subarray(0, 75));
  }
}

/** Whether Kafka's tool has something to say about the files below `path`. */
function look(path) {
  const files = readdirSync(path, { recursive: true })
    .filter((name) => /\.(log|index|timeindex|snapshot)$/.test(name))
    .map((name) => join(path, name));
  const count = (ending) => files.filter((file) => file.endsWith(ending)).length;
  process.stdout.write(
    `verify:kafka: ${count('.log')} logs, ${count('.index')} offset indexes, ${count('.timeindex')} time indexes, ${count('.snapshot')} snapshots.\n`,
  );
  let batches = 0;
  let bad = false;
  for (const args of [['--deep-iteration'], ['--index-sanity-check']]) {
    const wanted = args[0] === '--deep-iteration' ? files : files.filter((file) => file.endsWith('index'));
    for (let i = 0; i < wanted.length; i += filesAtOnce) {
      const output = runKafkaTool('DumpLogSegments', [...args, '--files', wanted.slice(i, i + filesAtOnce).join(',')]);
      batches += output.split('\n').filter((line) => line.startsWith('baseOffset:')).length;
      const lines = complaintsIn(output);
      if (lines.length === 0) continue;
      bad = true;
      process.stdout.write(`${lines.slice(0, 40).join('\n')}\n`);
    }
  }
  process.stdout.write(`verify:kafka: Kafka's tool read ${batches} batches${bad ? '' : ' and has nothing to say'}.\n`);
  return bad || (files.length > 0 && batches === 0);
}

/**
 * The lines of `output` that say that something is wrong. For every segment that does not begin at offset 0, its own
 * brokers' too, the tool says that the first record does not follow record -1; that is not counted.
 */
function complaintsIn(output) {
  const first = /^Non-consecutive offsets in .*\n\s*-1 is followed by \d+\n(?!\s+\d+ is followed)/gm;
  return output
    .replaceAll(first, '')
    .split('\n')
    .filter((line) => complaints.test(line));
}

/**
 * Whether Kafka's tool reads the transactions that were aborted, and finds the marker of each where the index says. The
 * second run found those open that the first one left, and aborted them.
 */
function readsTransactions(path) {
  const names = readdirSync(path, { recursive: true }).filter((name) => name.startsWith('transactional-0'));
  const dump = (ending) =>
    names
      .filter((name) => name.endsWith(ending))
      .map((name) => runKafkaTool('DumpLogSegments', ['--deep-iteration', '--files', join(path, name)]))
      .join('\n');
  const lastOffsets = [...dump('.txnindex').matchAll(/lastOffset[=:]\s*(\d+)/g)].map(([, offset]) => offset);
  const markers = new Set(
    [...dump('.log').matchAll(/offset: (\d+) .*endTxnMarker: ABORT/g)].map(([, offset]) => offset),
  );
  const wanted = abortedPerRun * 2 + 2;
  const ok = lastOffsets.length === wanted && lastOffsets.every((offset) => markers.has(offset));
  process.stdout.write(
    `verify:kafka: Kafka's tool reads ${lastOffsets.length} aborted transactions, and ${wanted} were; it finds ${markers.size} of their markers.\n`,
  );
  return ok;
}

/** Whether Kafka's tool finds one changed byte in a log, in an offset index and in a time index. */
function findsDamage(path) {
  const copy = mkdtempSync(join(tmpdir(), 'millrace-kafka-damaged-'));
  try {
    for (const [ending, at] of [
      ['.log', 90],
      ['.index', 7],
      ['.timeindex', 7],
    ]) {
      cpSync(path, copy, { recursive: true, filter: (source) => !source.includes('millrace.lock') });
      const name = readdirSync(copy, { recursive: true }).find(
        (one) => one.endsWith(ending) && readFileSync(join(copy, one)).length > at,
      );
      const bytes = readFileSync(join(copy, name));
      bytes[at] ^= 1;
      writeFileSync(join(copy, name), bytes);
      let output;
      try {
        output = runKafkaTool('DumpLogSegments', ['--deep-iteration', '--files', join(copy, name)]);
      } catch (error) {
        output = error.message;
      }
      if (complaintsIn(output).length === 0) {
        process.stdout.write(`verify:kafka: Kafka's tool did not find the damage that was done to ${name}.\n`);
        return false;
      }
    }
    process.stdout.write('verify:kafka: damage done to a copy is found.\n');
    return true;
  } finally {
    rmSync(copy, { recursive: true });
  }
}
