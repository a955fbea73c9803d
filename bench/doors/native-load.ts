/**
 * The load generator in C, compiled with whatever `cc` there is, and run. Main thread. It is C because a client in
 * JavaScript takes more of the processor than the server that it is to measure.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../load/project-root.ts';

/** What one run of it found. */
export interface LoadFigures {
  /** Records acknowledged, answered or delivered while it measured. */
  readonly records: number;
  readonly seconds: number;
  /** CPU time of the load generator while it measured. */
  readonly cpuSeconds: number;
}

export type LoadOptions = Readonly<Record<string, string | number>>;

const program = join(projectRoot, 'build/bench/doors/load');

/** Compiles it. Throws with a sentence where there is no C compiler, or it does not compile. */
export function buildLoad(): void {
  const folder = join(projectRoot, 'bench/doors/native');
  const sources = readdirSync(folder)
    .filter((name) => name.endsWith('.c'))
    .map((name) => join(folder, name));
  mkdirSync(join(projectRoot, 'build/bench/doors'), { recursive: true });
  const compiler = process.env['CC'] ?? 'cc';
  const options = ['-O2', '-Wall', '-Wextra', '-D_GNU_SOURCE', '-o', program];
  const { error, status, stderr } = spawnSync(compiler, [...options, ...sources], { encoding: 'utf8' });
  if (error !== undefined) {
    throw new Error(
      `There is no C compiler ${compiler}: install one (Debian: apt-get install gcc libc6-dev), or name it in CC.`,
    );
  }
  if (status !== 0) throw new Error(`The load generator does not compile:\n${stderr}`);
}

/** Runs one way to load to its end. Rejects with what it says where it fails. */
export async function runLoad(way: string, options: LoadOptions): Promise<LoadFigures> {
  const child = spawn(program, [way, ...argumentsOf(options)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  let told = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`The load generator failed: ${told.trim()}`);
  return JSON.parse(printed) as LoadFigures;
}

/** Opens connections and holds them until the function returned is called. */
export async function holdConnections(options: LoadOptions): Promise<() => Promise<void>> {
  const child = spawn(program, ['hold', ...argumentsOf(options)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  const said = await Promise.race([once(child.stdout, 'data'), closed]);
  if (typeof said[0] === 'number') throw new Error('The load generator could not open all connections.');
  return async () => {
    child.stdin.end();
    await closed;
  };
}

function argumentsOf(options: LoadOptions): string[] {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
}
