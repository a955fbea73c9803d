/** The program as people start it: what it prints, where it listens, what it keeps. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { moduleUrl, ProgramProcess, type ProgramOptions } from './program-process.ts';
import { WireClient } from './wire-client.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

let directory: string;
let data: string;
const programs: ProgramProcess[] = [];

beforeAll(() => {
  if (!existsSync(join(root, 'dist/main.cjs'))) spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: root });
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-program-'));
  data = join(directory, 'data');
});

afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function serving(args: readonly string[] = [], options?: ProgramOptions): Promise<ProgramProcess> {
  const program = await ProgramProcess.serving(data, args, options);
  programs.push(program);
  return program;
}

function run(args: readonly string[], options?: ProgramOptions): ProgramProcess {
  const program = new ProgramProcess(args, options);
  programs.push(program);
  return program;
}

/** Node's arguments for a process in which uWebSockets.js is not found, as on a system without a binary. */
const withoutNativePart = [
  '--import',
  moduleUrl(`
    import Module from 'node:module';
    const resolve = Module._resolveFilename;
    Module._resolveFilename = (request, ...rest) => {
      if (request === 'uWebSockets.js') throw new Error('no binary');
      return resolve.call(Module, request, ...rest);
    };`),
];

describe('the program', () => {
  it('prints one block that says where it is and how to connect, once it serves', async () => {
    const program = await serving();
    const kafka = `127.0.0.1:${program.kafkaPort}`;
    const http = `127.0.0.1:${program.httpPort}`;
    expect(program.stdout.replace(/after \d+ ms/, 'after 1 ms')).toBe(
      [
        '',
        `Millrace ${version} is ready after 1 ms.`,
        '',
        `  data                ${data} (new)`,
        `  Kafka over TCP      ${kafka}`,
        `  HTTP and WebSocket  ${http}`,
        `  with kcat           kcat -b ${kafka} -L`,
        `  from a WebSocket    new WebSocket('ws://${http}/kafka', 'kafka')`,
        `  metrics             http://${http}/metrics`,
        '',
        '',
      ].join('\n'),
    );
    // Both doors are open by then.
    const client = await WireClient.connect(program.kafkaPort);
    await client.createTopic('t');
    const socket = new WebSocket(`ws://${http}/kafka`, 'kafka');
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    socket.terminate();
    expect((await fetch(`http://${http}/livez`)).status).toBe(200);
    expect((await fetch(`http://${http}/readyz`)).status).toBe(200);
  });

  it('logs one JSON object a line on standard error where that is piped', async () => {
    const program = await serving();
    await program.logged('The broker serves.');
    expect(program.log).toEqual([
      expect.objectContaining({ level: 'info', msg: 'The broker serves.', version, dataDirectory: data, nodeId: 0 }),
    ]);
    expect(program.stderr).toBe(program.log.map((line) => `${JSON.stringify(line)}\n`).join(''));
    expect(Date.parse(String(program.log[0]!['time']))).toBeGreaterThan(Date.now() - 600_000);
  });

  it('logs what it was asked to', async () => {
    const silent = await serving(['--log-level', 'silent']);
    expect((await silent.stop()).code).toBe(0);
    expect(silent.stderr).toBe('');
    const warnings = await serving(['--log-level', 'warn'], { environment: { MILLRACE_NONSENSE: '1' } });
    await warnings.logged('A setting is not known');
    expect(warnings.log).toMatchObject([{ level: 'warn', name: 'MILLRACE_NONSENSE', source: 'the environment' }]);
  });

  it('takes its settings from flags, the environment and a file', async () => {
    const file = join(directory, 'server.properties');
    writeFileSync(
      file,
      `log.dirs=${data}\nmillrace.kafka=127.0.0.1:0\nnum.partitions=3\nauto.create.topics.enable=false\n`,
    );
    const program = run(['--config', file, '--set', 'num.partitions=7'], {
      environment: { MILLRACE_HTTP: 'off', MILLRACE_NUM_PARTITIONS: '5' },
    });
    await program.until(() => program.stdout.endsWith('\n\n'));
    expect(program.stdout).toContain(`  data                ${data} (new)`);
    expect(program.stdout).toContain('  HTTP and WebSocket  off\n');
    expect(program.stdout).not.toContain('WebSocket(');
    const client = await WireClient.connect(program.kafkaPort);
    const { topics } = await client.createTopics([{ name: 't', numPartitions: -1 }]);
    expect(topics[0]).toMatchObject({ errorCode: 0, numPartitions: 7 });
  });

  it('is reached through WebSocket alone where Kafka over TCP is off', async () => {
    const program = run(['--data', data, '--kafka', 'off', '--http', '127.0.0.1:0']);
    await program.until(() => program.stdout.endsWith('\n\n'));
    expect(program.stdout).toContain('  Kafka over TCP      off\n');
    expect((await fetch(`http://127.0.0.1:${program.httpPort}/readyz`)).status).toBe(200);
  });

  it('starts without HTTP where uWebSockets.js is missing and nobody asked for it, and says so', async () => {
    const program = run(['--data', data, '--kafka', '127.0.0.1:0'], { nodeArgs: withoutNativePart });
    await program.until(() => program.stdout.endsWith('\n\n'));
    expect(program.stdout).toContain('  HTTP and WebSocket  off\n');
    expect(program.stdout).toContain('\n\n  HTTP and WebSocket need uWebSockets.js, which is not installed');
    await program.logged('HTTP and WebSocket need uWebSockets.js');
    const client = await WireClient.connect(program.kafkaPort);
    await client.createTopic('t');
  });

  it('refuses to start without HTTP where it was asked for', async () => {
    const args = ['--data', data, '--kafka', '127.0.0.1:0', '--http', '127.0.0.1:0'];
    const program = run(args, { nodeArgs: withoutNativePart });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.stderr).toMatch(/^millrace: HTTP and WebSocket need uWebSockets\.js, .*\.\n$/);
    expect(existsSync(data)).toBe(false);
  });

  it('says its release and how it is used', async () => {
    const release = run(['--version']);
    expect(await release.ended).toEqual({ code: 0, signal: null });
    expect(release.stdout).toBe(`${version}\n`);
    const help = run(['--help']);
    expect(await help.ended).toEqual({ code: 0, signal: null });
    for (const flag of ['--data', '--kafka', '--http', '--set', '--config', '--allow-unauthenticated', '--log-level']) {
      expect(help.stdout).toContain(`\n  ${flag} `);
    }
    expect(`${release.stderr}${help.stderr}`).toBe('');
  });

  it('knows no command of another name', async () => {
    const program = run(['frobnicate', '--data', data]);
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.stderr).toBe('millrace: There is no command frobnicate: see millrace --help.\n');
  });
});
