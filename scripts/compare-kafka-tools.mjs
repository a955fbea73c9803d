/**
 * Runs Kafka's command-line tools against an Apache Kafka and a Millrace, command by command, and compares what they print.
 *
 *   npm run test:kafka-tools [-- --area NAME]… [--only TEXT] [--kafka HOST:PORT --millrace HOST:PORT] [--show]
 *
 * The commands stand in kafka-tools-commands.mjs. Addresses, ids, times and directories are made equal first, and lines
 * compared whatever their order. What differs for a reason is named in kafka-tools-expected.mjs. The end is 1 where
 * anything else differs. `--area` runs one area of the commands, which all together take an hour; `--show` prints what both say.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kafkaCommandsClassPath } from '../build/bench/peers/kafka-jars.js';
import { readCommandLine } from './command-line.mjs';
import { areasOf } from './kafka-tools-commands.mjs';
import { expected } from './kafka-tools-expected.mjs';
import { startStreamsGroup } from './kafka-tools-streams-group.mjs';
import { OracleClient } from './oracle-client.mjs';

const { values } = readCommandLine({
  usage: 'npm run test:kafka-tools -- [--area NAME]… [--only TEXT] [--kafka HOST:PORT --millrace HOST:PORT] [--show]',
  options: {
    kafka: { type: 'string' },
    millrace: { type: 'string' },
    area: { type: 'string', multiple: true },
    only: { type: 'string', default: '' },
    show: { type: 'boolean', default: false },
  },
});

const longestMs = 120_000;
const flags = [
  '-Xmx256M',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=off',
];
const classPath = kafkaCommandsClassPath((note) => console.error(note));
const folder = mkdtempSync(join(tmpdir(), 'kafka-tools-'));
const fileOf = (name, content) => {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
};

/** Tools that want the address behind their subcommand. */
const addressLast = /ClusterTool$/;

function start(file, args, address) {
  const bootstrap = ['--bootstrap-server', address];
  const all = addressLast.test(file) ? [...args, ...bootstrap] : [...bootstrap, ...args];
  return spawn('java', [...flags, '-cp', classPath, file, ...all]);
}

/** Runs a tool to its end; the lines that it says, without what must differ. */
function said(file, args, address, input) {
  return new Promise((resolve, reject) => {
    const child = start(file, args, address);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part) => (text += part));
    child.stdin.on('error', () => {}).end(input);
    const limit = setTimeout(() => child.kill('SIGKILL'), longestMs);
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(limit);
      resolve([`ended with ${status}`, ...linesOf(text, address)]);
    });
  });
}

function linesOf(text, address) {
  const [host, port] = address.split(':');
  const same = text
    .replaceAll(new RegExp(`(${host}|localhost):(${port}|\\d{4,5})`, 'g'), '<address>')
    .replaceAll(new RegExp(`\\b${port}\\b`, 'g'), '<port>')
    .replaceAll(/(TopicId|Cluster ID|ClusterId): +\S+/g, '$1: <id>')
    .replaceAll(/(consumer-|-)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '$1<id>')
    // Ids that members make themselves.
    .replaceAll(/(?<![\w.-])(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{22}(?![\w.-])/g, '<id>')
    .replaceAll(/\b\d+\.\d{4}\b|(?<=_throughput":)[\d.]+/g, '<number>')
    .replaceAll(/tries=\d+|after \d+ attempt/g, '<tries>')
    // Groups whose names the tool makes up.
    .replaceAll(/console-consumer-\d+ */g, 'console-consumer-<number> ')
    .replaceAll(/"logDir":"[^"]*"/g, '"logDir":"<directory>"')
    // Records come in as many batches as their time makes.
    .replaceAll(/"size":[1-9]\d*/g, '"size":<bytes>')
    .replaceAll(/(\d+ records sent), .*/g, '$1, …')
    .replaceAll(/\/\S*\/(data|kafka-logs|millrace-data)\b/g, '<directory>')
    .replaceAll(/\b\d{13}\b/g, '<time>')
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d{3}(Z|\+\d+)?/g, '<time>')
    .replaceAll(/\t+|[ ]{2,}/g, '  ');
  const lines = same.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !/^\s*at |SLF4J|^Picked up/.test(line));
}

/** The lines that stand in `lines` and not, as often, in `others`. */
function missingIn(others, lines) {
  const left = [...others];
  return lines.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

/** Resolves once the group has a member and is stable, whatever its protocol. */
async function untilStable(address, groupId) {
  const client = new OracleClient(address);
  for (let tries = 0; tries < 300; tries++) {
    const { groups } = await client.ask(16, 5, { statesFilter: [], typesFilter: [] });
    const found = groups.find((group) => group.groupId === groupId);
    if (found?.groupState === 'Stable') {
      if (found.groupType !== 'share') await untilCommitted(client, groupId);
      return client.close();
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`group ${groupId} has not become stable on ${address}`);
}

/** Resolves once the group has committed an offset, which console consumers do every five seconds, or has had the time to. */
async function untilCommitted(client, groupId) {
  const groups = [{ groupId, memberId: null, memberEpoch: -1, topics: null }];
  for (let tries = 0; tries < 80; tries++) {
    const answer = await client.ask(9, 8, { groups, requireStable: false });
    if (answer.groups[0].topics.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function servers() {
  const { startKafka, startMillrace } = await import('./oracle-servers.mjs');
  const given = (address) => ({ address, discard: async () => {} });
  return [
    values.kafka === undefined ? await startKafka() : given(values.kafka),
    values.millrace === undefined ? await startMillrace() : given(values.millrace),
  ];
}

/** Runs a command against both; whether they say the same. */
async function compare(name, [file, ...args], input) {
  const [theirs, ours] = await Promise.all([kafka, millrace].map(({ address }) => said(file, args, address, input)));
  const unexpected = (lines) =>
    lines.filter((line) => !expected.some(([command, pattern]) => command.test(name) && pattern.test(line)));
  const onlyKafka = unexpected(missingIn(ours, theirs));
  const onlyMillrace = unexpected(missingIn(theirs, ours));
  const isSame = onlyKafka.length + onlyMillrace.length === 0;
  console.log(`${isSame ? 'same      ' : 'DIFFERENT '} ${name}`);
  for (const line of onlyKafka) console.log(`    Kafka     ${line.slice(0, 300)}`);
  for (const line of onlyMillrace) console.log(`    Millrace  ${line.slice(0, 300)}`);
  if (values.show) console.log(theirs.map((line) => `      ${line}`).join('\n'));
  return isSame;
}

const [kafka, millrace] = await servers();
let differing = 0;
let ran = 0;
/** Each ends what runs on. */
let running = [];
const stop = async () => {
  for (const end of running) await end();
  running = [];
};

/** Starts a tool that runs on; what ends it. */
function startTool(file, args, address) {
  const child = start(file, args, address);
  for (const stream of [child.stdout, child.stderr]) stream.resume();
  return async () => {
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    await closed;
  };
}
/** Commands that have been run. */
const done = new Set();

/** Makes what an area needs and no area before it has made. */
async function prepare(commands) {
  for (const { command, options } of commands.map(partsOf)) {
    const [file, ...args] = command;
    if (done.has(command.join(' '))) continue;
    done.add(command.join(' '));
    for (const { address } of [kafka, millrace]) {
      const lines = await said(file, args, address, options.input);
      if (lines[0] !== 'ended with 0') throw new Error(`${command.join(' ')} failed:\n${lines.join('\n')}`);
    }
  }
}

function partsOf(parts) {
  const options = typeof parts.at(-1) === 'object' ? parts.at(-1) : {};
  return { options, command: parts.filter((part) => part !== options) };
}

async function runArea(commands) {
  for (const { command, options } of commands.map(partsOf)) {
    if (options.stop === true) {
      await stop();
      continue;
    }
    if (options.streams !== undefined) {
      const { streams, topic } = options;
      for (const { address } of [kafka, millrace]) running.push(await startStreamsGroup(address, streams, topic));
      for (const { address } of [kafka, millrace]) await untilStable(address, streams);
      continue;
    }
    const name = `${command[0].replace(/^.*\./, '')} ${command.slice(1).join(' ').replaceAll(folder, '')}`.trim();
    if (!name.includes(values.only)) continue;
    if (options.group !== undefined) {
      const [file, ...args] = command;
      running = [kafka, millrace].map(({ address }) => startTool(file, args, address));
      for (const { address } of [kafka, millrace]) await untilStable(address, options.group);
      continue;
    }
    ran++;
    done.add(command.join(' '));
    if (!(await compare(name, command, options.input))) differing++;
  }
}

try {
  for (const { name, needs, commands } of areasOf(fileOf)) {
    if (values.area !== undefined && !values.area.includes(name)) continue;
    if (values.area !== undefined) await prepare(needs);
    await runArea(commands);
  }
} finally {
  await stop();
  await kafka.discard();
  await millrace.discard();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${ran} commands run against both, ${differing} differ`);
process.exitCode = differing === 0 ? 0 : 1;
