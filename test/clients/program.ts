/**
 * The program itself as a child process, for tests with real clients: `node dist/main.js` on free ports, found in what it
 * prints. It can be killed and started again on the same directory and the same ports. Tests build first.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Groups form at once, so that tests do not wait for members that do not come. */
const settings = ['group.initial.rebalance.delay.ms=0'];

export class Program {
  readonly directory: string;
  /** Host and port of Kafka over TCP. */
  kafka = '127.0.0.1:0';
  /** Host and port of HTTP and WebSocket. */
  http = '127.0.0.1:0';
  #process: ChildProcess | null = null;
  #printed = '';

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Starts the program on a new directory; resolves once it serves. */
  static async start(): Promise<Program> {
    const program = new Program(await mkdtemp(join(tmpdir(), 'millrace-clients-')));
    await program.restart();
    return program;
  }

  /** Starts it again, with the addresses it had, after `kill` or `stop`. */
  async restart(): Promise<void> {
    const { directory, kafka, http } = this;
    const flags = ['--data', directory, '--kafka', kafka, '--http', http];
    const sets = settings.flatMap((setting) => ['--set', setting]);
    const child = spawn(process.execPath, [main, ...flags, ...sets], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    this.#printed = '';
    child.stderr.on('data', (text: Buffer) => (this.#printed += text.toString()));
    const ended = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`The program ended with ${code ?? signal} before it served:\n${this.#printed}`);
    });
    const served = new Promise<void>((resolve) => {
      child.stdout.on('data', (text: Buffer) => {
        this.#printed += text.toString();
        if (this.#readAddresses()) resolve();
      });
    });
    await Promise.race([served, ended]);
    ended.catch(() => {});
  }

  /** Ends it as a power switch would, as far as a process can tell. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** Ends it cleanly; fails where its exit code is not 0. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** Ends it and removes its directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === null) return;
    this.#process = null;
    const exit = child.exitCode === null ? once(child, 'exit') : Promise.resolve([child.exitCode]);
    child.kill(signal);
    const [code] = await exit;
    if (signal === 'SIGTERM' && code !== 0) throw new Error(`The program ended with ${code}:\n${this.#printed}`);
  }

  #readAddresses(): boolean {
    const kafka = /Kafka over TCP +(\S+)/.exec(this.#printed)?.[1];
    const http = /HTTP and WebSocket +(\S+)/.exec(this.#printed)?.[1];
    if (kafka === undefined || http === undefined) return false;
    this.kafka = kafka;
    this.http = http;
    return true;
  }
}
