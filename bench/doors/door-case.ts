/**
 * Cases: a door of Millrace's beside a rival, which is a bare uWebSockets.js server unless a case says otherwise. Main
 * thread.
 *
 *   round:  both start, both are warmed ─► pair ─► pair ─► …      a pair: the rival is loaded, then Millrace, then the disk
 *                                                                rests; once more where something else took the processor
 *
 * Both run throughout a round, and only one of them is loaded: so what slows the machine down slows both of a pair. What
 * they are compared by is the median of the pairs' ratios, because machines change from minute to minute; rounds have new
 * processes, because figures differ from process to process.
 */

import { join } from 'node:path';
import { millrace } from '../load/millrace-server.ts';
import { projectRoot } from '../load/project-root.ts';
import { sumOf } from '../load/process-usage.ts';
import { leastDisturbed } from '../load/least-disturbed.ts';
import { type HostPort, ServerUnderTest, type ServerKind } from '../load/server-under-test.ts';
import { runLoad, type LoadFigures, type LoadOptions } from './native-load.ts';

/** Loads a server for `seconds`, after `warmSeconds` that do not count. */
export type Load = (server: ServerUnderTest, seconds: number, warmSeconds: number) => Promise<LoadFigures>;

export interface DoorCase {
  readonly name: string;
  readonly rival: { readonly kind: () => ServerKind; readonly load: Load };
  readonly millrace: Load;
  /** The least that Millrace reaches of what the rival does. */
  readonly floor: number;
}

/** What one load found. */
export interface Measured {
  readonly recordsPerSecond: number;
  /** Of all the server's threads, in microseconds. */
  readonly cpuMicrosPerRecord: number;
}

export interface Pair {
  readonly rival: Measured;
  readonly millrace: Measured;
  /** Something else took more than a twentieth of the processors. */
  readonly isDisturbed: boolean;
}

export interface RunOptions {
  readonly rounds: number;
  readonly pairsPerRound: number;
  readonly seconds: number;
  readonly warmSeconds: number;
  /** Whether disturbed pairs are measured again. */
  readonly isStrict: boolean;
  readonly profileFolder?: string;
  readonly note: (text: string) => void;
}

const repeatsAtMost = 2;
/** The first moments of a load open connections and fill windows, in seconds. */
const runUpSeconds = 0.2;

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

/** The load generator in C with one of its ways to load. */
export function nativeLoad(way: string, options: LoadOptions): Load {
  return (server, seconds, warmSeconds) =>
    runLoad(way, { ...addressOf(server), ...options, seconds, 'warm-seconds': warmSeconds });
}

/** A case beside the bare server. */
export function besideBare(name: string, bare: Load, ours: Load, floor: number): DoorCase {
  return { name, rival: { kind: () => bareServer, load: bare }, millrace: ours, floor };
}

/** Throws `Missing` where the rival cannot be had here. */
export async function runCase(door: DoorCase, options: RunOptions): Promise<Pair[]> {
  const { profileFolder, warmSeconds } = options;
  const rivalKind = door.rival.kind();
  const ourKind = millrace(profileFolder === undefined ? {} : { profileFolder });
  const pairs: Pair[] = [];
  for (let round = 0; round < options.rounds; round++) {
    await using rival = await ServerUnderTest.start(rivalKind);
    await using ours = await ServerUnderTest.start(ourKind);
    await door.rival.load(rival, warmSeconds, runUpSeconds);
    await door.millrace(ours, warmSeconds, runUpSeconds);
    for (let i = 0; i < options.pairsPerRound; i++) pairs.push(await undisturbedPair(door, rival, ours, options));
  }
  return pairs;
}

export function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString('en')}/s`;
}

export function addressOf(server: ServerUnderTest): HostPort {
  const { webSocket } = server.doors;
  if (webSocket === undefined) throw new Error(`${server.kind.name} has no HTTP port.`);
  return webSocket;
}

async function undisturbedPair(
  door: DoorCase,
  rival: ServerUnderTest,
  ours: ServerUnderTest,
  { seconds, isStrict, note }: RunOptions,
): Promise<Pair> {
  const measurePair = async () => {
    const theirs = await measure(door.rival.load, rival, seconds);
    const measured = await measure(door.millrace, ours, seconds);
    note(`${door.name}: ${told(theirs)} ${rival.kind.name}, ${told(measured)} Millrace`);
    return { rival: theirs, millrace: measured };
  };
  const options = { name: door.name, repeatsAtMost: isStrict ? repeatsAtMost : 0, onNote: note };
  const { value, isDisturbed } = await leastDisturbed(measurePair, options);
  return { ...value, isDisturbed };
}

async function measure(load: Load, server: ServerUnderTest, seconds: number): Promise<Measured> {
  const before = sumOf(server.cpuTime);
  server.loadBegins();
  const figures = await load(server, seconds, runUpSeconds);
  const recordsPerSecond = figures.records / figures.seconds;
  const cpuSeconds = sumOf(server.cpuTime) - before;
  await server.loadEnds();
  // The rate is taken for that of the whole load.
  const records = recordsPerSecond * (figures.seconds + runUpSeconds);
  return { recordsPerSecond, cpuMicrosPerRecord: (cpuSeconds / records) * 1e6 };
}

function told({ recordsPerSecond, cpuMicrosPerRecord }: Measured): string {
  return `${perSecond(recordsPerSecond)} at ${cpuMicrosPerRecord.toFixed(2)} µs`;
}
