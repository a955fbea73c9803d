/** The real program as a child process, as its tests start it: `dist/main.cjs`, on free ports. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../dist/main.cjs', import.meta.url));

export interface ProgramOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Arguments for Node itself. */
  readonly nodeArgs?: readonly string[];
  /** The bound on open files that it starts under; takes `prlimit`. */
  readonly openFiles?: number;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ProgramProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  #changed: () => void = () => {};

  constructor(args: readonly string[], { environment = {}, nodeArgs = [], openFiles }: ProgramOptions = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(MILLRACE_|NODE_|VITEST)/.test(name));
    const bounded = openFiles === undefined ? [] : ['prlimit', `--nofile=${openFiles}:${openFiles}`];
    const [file = '', ...rest] = [...bounded, process.execPath, ...nodeArgs, main, ...args];
    this.child = spawn(file, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...Object.fromEntries(inherited), ...environment },
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#changed();
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#changed();
    });
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      this.#changed();
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
  }

  /** Starts a broker on free ports and waits until it serves. */
  static async serving(data: string, args: readonly string[] = [], options?: ProgramOptions): Promise<ProgramProcess> {
    const ports = ['--kafka', '127.0.0.1:0', '--http', '127.0.0.1:0'];
    const program = new ProgramProcess(['--data', data, ...ports, ...args], options);
    await program.until(() => program.stdout.endsWith('\n\n'));
    return program;
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  get kafkaPort(): number {
    return this.#port('Kafka over TCP');
  }

  get httpPort(): number {
    return this.#port('HTTP and WebSocket');
  }

  /** The lines of the log. */
  get log(): Record<string, unknown>[] {
    return this.stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Waits until what it printed fulfils `condition`. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (!this.alive) throw new Error(`the program ended: ${this.stdout}${this.stderr}`);
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
  }

  async logged(sentence: string): Promise<void> {
    await this.until(() => this.stderr.includes(`"msg":"${sentence}`));
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    if (this.alive) this.child.kill(signal);
    return this.ended;
  }

  #port(door: string): number {
    const match = new RegExp(`${door} +127\\.0\\.0\\.1:(\\d+)`).exec(this.stdout);
    if (match === null) throw new Error(`${door} is not in ${JSON.stringify(this.stdout)}`);
    return Number(match[1]);
  }
}

/** The URL of a module with this text, for Node's `--import`. */
export function moduleUrl(code: string): string {
  return `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`;
}

/** Everything in a directory, or null where there is none: names, times of change, and what the files hold. */
export function contentsOf(path: string): Record<string, string> | null {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  const describe = (each: string): string => {
    const { mtimeMs, mode } = statSync(each);
    const content = statSync(each).isFile() ? readFileSync(each, 'latin1') : '';
    return `${mode} ${mtimeMs} ${content}`;
  };
  const inside = found.isDirectory() ? (readdirSync(path, { recursive: true }) as string[]) : [];
  return Object.fromEntries(['.', ...inside].map((name) => [name, describe(join(path, name))]));
}
