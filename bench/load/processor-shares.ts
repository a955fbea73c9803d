/**
 * Whose code a process's threads ran for a while, by Linux's `perf`: the kernel's, Node's and V8's own, or code that V8 made,
 * which is JavaScript and WebAssembly. A CPU profile cannot tell the first two from each other. Main thread.
 *
 *   perf record -p PID ─► PERF.DATA ─► perf script: thread, address, file ─► counts
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const owners = ['kernel', 'Node and V8', 'JavaScript and WebAssembly'] as const;
export type Owner = (typeof owners)[number];

/** Samples of a thread, which Linux knows by `thread`. */
export interface ThreadShares {
  readonly thread: number;
  readonly samples: Readonly<Record<Owner, number>>;
}

/** Not a divisor of what goes on a thousand times a second. */
const samplesPerSecond = 997;
/** The processor's own counters are not there in most virtual machines; a clock always is. */
const recordArgs = ['record', '--quiet', '--event', 'cpu-clock', '--freq', String(samplesPerSecond)] as const;
const largestOutputBytes = 2 ** 29;

let isHere: boolean | null = null;

/** Whether there is a `perf` that may look at the kernel. */
function canRecord(): boolean {
  isHere ??= spawnSync('perf', [...recordArgs, '--output', '/dev/null', 'true']).status === 0;
  return isHere;
}

/** `perf` at work. */
export class ProcessorShares {
  readonly #folder: string;
  readonly #perf: ChildProcess;
  readonly #closed: Promise<unknown>;

  private constructor(folder: string, perf: ChildProcess) {
    this.#folder = folder;
    this.#perf = perf;
    this.#closed = once(perf, 'close');
  }

  /** Null where `perf` cannot be had, which takes a moment to find out the first time. */
  static begin(pid: number): ProcessorShares | null {
    if (!canRecord()) return null;
    const folder = mkdtempSync(join(tmpdir(), 'millrace-perf-'));
    const args = [...recordArgs, '--output', join(folder, 'data'), '--pid', String(pid)];
    return new ProcessorShares(folder, spawn('perf', args, { stdio: 'ignore' }));
  }

  /** What there was since `begin`, the busiest thread first. */
  async end(): Promise<ThreadShares[]> {
    this.#perf.kill('SIGINT');
    await this.#closed;
    const args = ['script', '--fields', 'tid,ip,dso', '--input', join(this.#folder, 'data')];
    const { stdout } = spawnSync('perf', args, { encoding: 'utf8', maxBuffer: largestOutputBytes });
    rmSync(this.#folder, { recursive: true });
    return sharesIn(stdout);
  }
}

/** `lines` are as `   1234  ffffffff8104 ([kernel.kallsyms])`. */
export function sharesIn(lines: string): ThreadShares[] {
  const threads = new Map<number, Record<Owner, number>>();
  for (const [, thread, file] of lines.matchAll(/^\s*(\d+)\s+[0-9a-f]+\s+\((.*)\)\s*$/gm)) {
    let samples = threads.get(Number(thread));
    if (samples === undefined) {
      samples = { kernel: 0, 'Node and V8': 0, 'JavaScript and WebAssembly': 0 };
      threads.set(Number(thread), samples);
    }
    samples[ownerOf(file!)]++;
  }
  const sum = ({ samples }: ThreadShares): number => owners.reduce((total, owner) => total + samples[owner], 0);
  return [...threads].map(([thread, samples]) => ({ thread, samples })).toSorted((a, b) => sum(b) - sum(a));
}

/** V8 puts the code that it makes into memory that no file has. */
function ownerOf(file: string): Owner {
  if (/^\[(kernel|guest\.kernel|[a-z0-9_]+\]$)/.test(file) && file !== '[vdso]') return 'kernel';
  return /^(\/\/anon|\[JIT\]|\[anon|\[unknown\]|\/memfd:|.*perf-\d+\.map)/.test(file)
    ? 'JavaScript and WebAssembly'
    : 'Node and V8';
}
