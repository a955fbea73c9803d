/**
 * Cases: a door of Millrace's beside a bare uWebSockets.js server, in turn, each round on fresh processes. Main thread.
 * A case says how to load both; what one is compared by is the ratio of their medians.
 */

import { join } from 'node:path';
import { millrace } from '../load/millrace-server.ts';
import { projectRoot } from '../load/project-root.ts';
import { type HostPort, ServerUnderTest, type ServerKind } from '../load/server-under-test.ts';
import { runLoad, type LoadOptions } from './native-load.ts';

/** How one server is loaded: the way, and its options beside host and port. */
export interface Load {
  readonly way: string;
  readonly options: LoadOptions;
}

export interface DoorCase {
  readonly name: string;
  readonly bare: Load;
  readonly millrace: Load;
  readonly settings?: Readonly<Record<string, string>>;
  /** The least that Millrace reaches of what the bare server does. */
  readonly floor: number;
}

export interface CaseResult {
  readonly name: string;
  /** Records a second, a round each. */
  readonly bare: readonly number[];
  readonly millrace: readonly number[];
  readonly ratio: number;
  readonly floor: number;
}

export interface RunOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmSeconds: number;
  readonly profileFolder?: string;
  readonly note: (text: string) => void;
}

const bareServer: ServerKind = {
  name: 'bare uWebSockets.js',
  command: () => ({
    file: process.execPath,
    args: [join(projectRoot, 'build/bench/doors/bare-server.js')],
    doors: (printed) => {
      const match = /serving (\d+)/.exec(printed);
      return match === null ? null : { webSocket: { host: '127.0.0.1', port: Number(match[1]) } };
    },
  }),
};

export async function runCase(door: DoorCase, options: RunOptions): Promise<CaseResult> {
  const { settings = {} } = door;
  const { profileFolder } = options;
  const subject = millrace({ settings, ...(profileFolder === undefined ? {} : { profileFolder }) });
  const bare: number[] = [];
  const ours: number[] = [];
  for (let round = 0; round < options.rounds; round++) {
    bare.push(await measure(bareServer, door.bare, options));
    ours.push(await measure(subject, door.millrace, options));
    options.note(`${door.name}: ${perSecond(bare.at(-1)!)} bare, ${perSecond(ours.at(-1)!)} Millrace`);
  }
  return { name: door.name, bare, millrace: ours, ratio: median(ours) / median(bare), floor: door.floor };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString('en')}/s`;
}

export function addressOf(server: ServerUnderTest): HostPort {
  const { webSocket } = server.doors;
  if (webSocket === undefined) throw new Error(`${server.kind.name} has no HTTP port.`);
  return webSocket;
}

async function measure(kind: ServerKind, { way, options }: Load, run: RunOptions): Promise<number> {
  await using server = await ServerUnderTest.start(kind);
  const before = server.cpuTime;
  const figures = await runLoad(way, {
    ...addressOf(server),
    ...options,
    seconds: run.seconds,
    'warm-seconds': run.warmSeconds,
  });
  const after = server.cpuTime;
  const share = (after.user + after.system - before.user - before.system) / (run.seconds + run.warmSeconds);
  run.note(`${kind.name}: ${share.toFixed(2)} processors, load ${(figures.cpuSeconds / figures.seconds).toFixed(2)}`);
  if (kind.endsCleanly === true) await server.stop();
  return figures.records / figures.seconds;
}
