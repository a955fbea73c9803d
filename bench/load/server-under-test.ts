/**
 * A server that is measured, of whatever kind, as a process of its own on a directory of its own. Main thread.
 *
 *   start ─► address, pid ─► load … usage … ─► stop | kill ─► start again on the same data, or discard
 *
 * A kind of server is a `ServerKind`; everything else here is the same for all. Nothing here talks to it.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { LoadProfile } from './load-profile.ts';
import { settleMachine } from './page-cache.ts';
import { cpuTimeOf, memoryOf, openDescriptorsOf, type CpuTime, type Memory } from './process-usage.ts';
import { newServerFolder } from './server-folder.ts';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Where the doors of a running server are; a server lacks those that are not there. */
export interface Doors {
  readonly kafka?: HostPort;
  readonly webSocket?: HostPort;
  readonly nats?: HostPort;
}

export interface ServerKind {
  /** As it stands in tables. */
  readonly name: string;
  /** The command that serves from `directory`, which exists and may hold what an earlier run left there. */
  command(directory: string): Promise<ServerCommand> | ServerCommand;
}

export interface ServerCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * Where its doors are, once all it has printed so far (stdout and stderr) says that it serves, else null; a server
   * that does not print it is asked otherwise, with a promise.
   */
  doors(printed: string): Doors | null | Promise<Doors | null>;
  /** Of one whose loads are profiled: where its inspector listens, as it prints it, and where profiles go. */
  readonly profile?: { inspectorIn(printed: string): string; readonly folder: string };
}

/** Only as much of what a server prints is kept; the last of it. */
const keptCharacters = 64 * 1024;
const slowestStopMs = 120_000;

/** Those that are there now: none is left behind where this process ends without having discarded them. */
const all = new Set<ServerUnderTest>();
process.on('exit', () => {
  for (const server of all) server.abandon();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

export class ServerUnderTest implements AsyncDisposable {
  readonly kind: ServerKind;
  readonly directory: string;
  #child: ChildProcess | null = null;
  #doors: Doors | null = null;
  #profile: LoadProfile | null = null;
  #printed = '';
  #changed: () => void = () => {};

  private constructor(kind: ServerKind, directory: string) {
    this.kind = kind;
    this.directory = directory;
    all.add(this);
  }

  /** Starts a server on a new directory below `parent`; resolves once it serves. */
  static async start(kind: ServerKind, parent = tmpdir()): Promise<ServerUnderTest> {
    const server = new ServerUnderTest(kind, newServerFolder(parent));
    await server.start();
    return server;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.kind.name} does not run`);
    return this.#child.pid;
  }

  get doors(): Doors {
    if (this.#doors === null) throw new Error(`${this.kind.name} does not run`);
    return this.#doors;
  }

  get cpuTime(): CpuTime {
    return cpuTimeOf(this.pid);
  }

  get memory(): Memory {
    return memoryOf(this.pid);
  }

  get openDescriptors(): number {
    return openDescriptorsOf(this.pid);
  }

  /** Starts it again on what its directory holds. Returns the milliseconds from the spawn until it served. */
  async start(): Promise<number> {
    const command = await this.kind.command(this.directory);
    this.#printed = '';
    const startedMs = performance.now();
    const child = spawn(command.file, command.args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...environment(), ...command.environment },
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#printed = (this.#printed + text).slice(-keptCharacters);
        this.#changed();
      });
    }
    child.on('error', (error) => {
      this.#printed += String(error);
      this.#changed();
    });
    child.on('close', () => this.#changed());
    this.#doors = await this.#untilServing(command);
    const readyMs = performance.now() - startedMs;
    const { profile } = command;
    if (profile !== undefined)
      this.#profile = await LoadProfile.attach(this.pid, profile.inspectorIn(this.#printed), profile.folder);
    return readyMs;
  }

  /** What comes now is a load that is measured: where loads are profiled, the last of a process is what is kept. */
  loadBegins(): void {
    this.#profile?.begin();
  }

  /** After each `loadBegins`. */
  async loadEnds(): Promise<void> {
    await this.#profile?.end();
  }

  /** Ends it cleanly and waits for that. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Ends it with SIGKILL. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Ends it where it runs, removes its directory, and waits until the disk has nothing left to do for it. */
  async discard(): Promise<void> {
    await this.#end('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
    all.delete(this);
    settleMachine();
  }

  /** As `discard`, without waiting for anything. */
  abandon(): void {
    this.#child?.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.discard();
  }

  async #untilServing(command: ServerCommand): Promise<Doors> {
    for (;;) {
      const changed = new Promise<void>((resolve) => (this.#changed = resolve));
      const doors = await command.doors(this.#printed);
      if (doors !== null) return doors;
      if (!this.#runs) throw new Error(`${this.kind.name} ended before it served: ${this.#printed}`);
      await changed;
    }
  }

  get #runs(): boolean {
    const child = this.#child;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child !== null && this.#runs) {
      const closed = once(child, 'close');
      child.kill(signal);
      const overdue = setTimeout(() => child.kill('SIGKILL'), slowestStopMs);
      await closed;
      clearTimeout(overdue);
    }
    this.#child = null;
    this.#doors = null;
    this.#profile?.close();
    this.#profile = null;
  }
}

/** Ours without what would configure the server behind the back of who reads the results. */
function environment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(MILLRACE_|NODE_|VITEST)/.test(name)));
}
