/**
 * A broker that outlives its process, for tests with real clients: the program on one directory and, from its first start
 * on, the same ports, so that clients find it again after it was killed. Tests build first.
 */

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProgramProcess } from '../program/program-process.ts';

/** Groups form at once, so that tests do not wait for members that do not come. */
const usualSettings = ['group.initial.rebalance.delay.ms=0'];

export class Program implements AsyncDisposable {
  readonly #directory: string;
  readonly #settings: readonly string[];
  #kafkaPort = 0;
  #httpPort = 0;
  #process: ProgramProcess | null = null;

  private constructor(directory: string, settings: readonly string[]) {
    this.#directory = directory;
    this.#settings = settings;
  }

  /** Starts the program on a new directory, with `--set` for each of `settings`; resolves once it serves. */
  static async start(settings: readonly string[] = []): Promise<Program> {
    const program = new Program(await mkdtemp(join(tmpdir(), 'millrace-clients-')), settings);
    // uWebSockets.js lets go of a port for the next start only where it was given by its number: not of one that it chose.
    program.#httpPort = await freePort();
    await program.restart();
    return program;
  }

  /** Host and port of Kafka over TCP. */
  get kafka(): string {
    return `127.0.0.1:${this.#kafkaPort}`;
  }

  /** Host and port of HTTP and WebSocket. */
  get http(): string {
    return `127.0.0.1:${this.#httpPort}`;
  }

  /** Starts it again after `kill`. */
  async restart(): Promise<void> {
    const ports = ['--kafka', this.kafka, '--http', this.http];
    const settings = [...usualSettings, ...this.#settings].flatMap((setting) => ['--set', setting]);
    const started = await ProgramProcess.serving(this.#directory, [...ports, ...settings]);
    this.#process = started;
    this.#kafkaPort = started.kafkaPort;
    this.#httpPort = started.httpPort;
  }

  /** Ends it with SIGKILL. */
  async kill(): Promise<void> {
    await this.#process?.stop('SIGKILL');
  }

  /** Ends it cleanly, which has to work, and removes its directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = await this.#process?.stop();
    await rm(this.#directory, { recursive: true, force: true });
    if (ended?.code !== 0) throw new Error(`the program ended with ${ended?.code}: ${this.#process?.stderr}`);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
