/** Every start that must fail: one sentence, exit code 1, and nothing touched. */

import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contentsOf, ProgramProcess, type ProgramOptions } from './program-process.ts';

let directory: string;
let data: string;
const programs: ProgramProcess[] = [];
const servers: Server[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-refusal-'));
  data = join(directory, 'data');
});

afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop('SIGKILL');
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

async function serving(): Promise<ProgramProcess> {
  const program = await ProgramProcess.serving(data);
  programs.push(program);
  return program;
}

/** A directory as a broker leaves it that was stopped, or killed. */
async function used(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  await (await serving()).stop(signal);
}

async function takenPort(): Promise<number> {
  const server = createServer();
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Starts the program, which must refuse, and returns its sentence. */
async function refusal(args: readonly string[] = [], options?: ProgramOptions): Promise<string> {
  const before = contentsOf(directory);
  const defaults = ['--data', data, '--kafka', '127.0.0.1:0', '--http', '127.0.0.1:0'];
  const program = new ProgramProcess([...defaults, ...args], options);
  programs.push(program);
  expect(await program.ended).toEqual({ code: 1, signal: null });
  expect(program.stdout).toBe('');
  expect(program.stderr).toMatch(/^millrace: \S[^\n]*\.\n$/);
  expect(contentsOf(directory)).toEqual(before);
  return program.stderr.slice('millrace: '.length, -1);
}

describe('a start is refused', () => {
  it.each(['--kafka', '--http'])('where the port of %s is in use, with and without data', async (flag) => {
    const port = await takenPort();
    const sentence = `127.0.0.1:${port} is in use by another program: stop it, or choose another port (0 takes any free one).`;
    expect(await refusal([flag, `127.0.0.1:${port}`])).toBe(sentence);
    await used();
    expect(await refusal([flag, `127.0.0.1:${port}`])).toBe(sentence);
    await used('SIGKILL');
    expect(await refusal([flag, `127.0.0.1:${port}`])).toBe(sentence);
  });

  it('where another broker has the port', async () => {
    const other = await serving();
    data = join(directory, 'other');
    expect(await refusal(['--kafka', `127.0.0.1:${other.kafkaPort}`])).toContain('is in use by another program');
    expect(await refusal(['--http', `127.0.0.1:${other.httpPort}`])).toContain('is in use by another program');
  });

  it('where the address is not of this machine', async () => {
    expect(await refusal(['--kafka', '192.0.2.1:0', '--allow-unauthenticated'])).toBe(
      '192.0.2.1:0 cannot be listened on (EADDRNOTAVAIL): choose an address of this machine.',
    );
  });

  it('where another broker has the directory, which is not disturbed', async () => {
    const other = await serving();
    const program = new ProgramProcess(['--data', data, '--kafka', '127.0.0.1:0', '--http', 'off']);
    programs.push(program);
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.stderr).toBe(
      `millrace: The data directory ${data} is in use by another Millrace (process ${other.child.pid}): stop that one or use another directory.\n`,
    );
    expect((await fetch(`http://127.0.0.1:${other.httpPort}/readyz`)).status).toBe(200);
    expect(await other.stop()).toEqual({ code: 0, signal: null });
  });

  it('where the directory belongs to something else', async () => {
    mkdirSync(data);
    writeFileSync(join(data, 'thesis.tex'), 'years of work');
    expect(await refusal()).toBe(
      `The data directory ${data} does not belong to Millrace (it has no meta.properties but holds "thesis.tex"): use an empty or a new directory.`,
    );
  });

  it('where the directory is a file', async () => {
    writeFileSync(data, 'a file');
    expect(await refusal()).toBe(
      `The data directory ${data} does not belong to Millrace (it is a file): use an empty or a new directory.`,
    );
  });

  it("where the directory is Apache Kafka's", async () => {
    mkdirSync(data);
    writeFileSync(join(data, 'meta.properties'), 'version=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\nnode.id=1\n');
    expect(await refusal()).toContain("(its meta.properties is Apache Kafka's)");
  });

  it('where a newer Millrace wrote the directory', async () => {
    mkdirSync(data);
    writeFileSync(join(data, 'meta.properties'), 'version=1\ncluster.id=x\nnode.id=0\nmillrace.format=3\n');
    expect(await refusal()).toBe(
      `The data directory ${data} was written by a newer Millrace (format 3, and this one knows 2): use that release or another directory.`,
    );
  });

  it('where the mark of the directory is damaged', async () => {
    mkdirSync(data);
    writeFileSync(join(data, 'meta.properties'), 'version=1\nmillrace.format=1\ncluster.id=?\nnode.id=0\n');
    expect(await refusal()).toBe(
      `The file ${data}/meta.properties is damaged (its cluster.id is no id): restore it from a backup.`,
    );
  });

  it('where the directory belongs to another node', async () => {
    await used();
    expect(await refusal(['--set', 'node.id=4'])).toContain(`The data directory ${data} belongs to node 0, but this`);
  });

  it('where the directory cannot be written', async () => {
    if (process.getuid?.() === 0) {
      // To root nothing is forbidden but what the kernel keeps.
      data = '/proc/millrace-data';
    } else {
      mkdirSync(data);
      chmodSync(data, 0o500);
    }
    expect(await refusal()).toMatch(
      new RegExp(`^The data directory ${data} cannot be (used|locked) \\(E[A-Z]+\\): (make|it must)`),
    );
  });

  it.each([
    [
      ['--kafka', '0.0.0.0:0'],
      /^The address 0\.0\.0\.0:0 of kafka can be reached from other machines, .*: add --allow-un/,
    ],
    [['--http', '[::]:0'], /^The address \[::\]:0 of http can be reached from other machines/],
    [['--kafka', 'nonsense'], /^kafka is "nonsense", which is not HOST:PORT/],
    [['--set', 'log.retention.ms=soon'], /^Invalid value soon for configuration log\.retention\.ms: /],
    [['--set', 'no.such=1'], /^--set no\.such: there is no such setting/],
    [['--frobnicate'], /^There is no option --frobnicate/],
    [['--config', '/no/such/file'], /^The settings file \/no\/such\/file does not exist/],
    [['--config', '/'], /^The settings file \/ cannot be read \(EISDIR\)/],
    [['--log-level', 'loud'], /^The log level "loud" does not exist/],
  ])('for %j', async (args, sentence) => {
    expect(await refusal(args)).toMatch(sentence);
  });
});
