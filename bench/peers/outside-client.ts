/**
 * Runs a client that is a program of its own, and measures what it cost both sides. Main thread.
 *
 *   client = CPU of this process with its children − CPU of the server, from before the client starts until it ended
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Figures } from '../load/figures.ts';
import { latenciesForP90, latenciesForP99 } from '../load/measured-load.ts';
import { cpuTimeOf, sumOf } from '../load/process-usage.ts';
import type { ServerUnderTest } from '../load/server-under-test.ts';

const bytesPerGb = 1e9;
const bytesPerMiB = 2 ** 20;
const shownCharacters = 4000;
const slowestMs = 180_000;

/** What a client says of its run, in what it printed. */
export interface ClientAnswer {
  readonly records: number;
  readonly elapsedMs: number;
  /** Of how many the percentiles are. */
  readonly latencies?: number;
  readonly p50Ms?: number;
  readonly p90Ms?: number;
  readonly p99Ms?: number;
}

/** What a client is to do, and what it makes of it. */
export interface OutsideLoad {
  readonly records: number;
  readonly recordBytes: number;
}

/**
 * `read` finds the answer in what the client printed, or null. Throws where there is none, where the client fails, and where
 * it tells of other records than it was asked for.
 */
export async function runOutsideClient(
  server: ServerUnderTest,
  file: string,
  args: readonly string[],
  load: OutsideLoad,
  read: (printed: string) => ClientAnswer | null,
): Promise<Figures> {
  const serverBefore = sumOf(server.cpuTime);
  const allBefore = sumOf(cpuTimeOf(process.pid));
  server.loadBegins();
  const printed = await outputOf(file, args);
  const brokerSeconds = sumOf(server.cpuTime) - serverBefore;
  const clientSeconds = sumOf(cpuTimeOf(process.pid)) - allBefore - brokerSeconds;
  await server.loadEnds();
  const answer = read(printed);
  if (answer === null) throw new Error(`${file} gave no result:\n${printed.slice(-shownCharacters)}`);
  const { records, elapsedMs } = answer;
  if (records !== load.records)
    throw new Error(`${file} was to handle ${load.records} records, and tells of ${records}`);
  const bytes = records * load.recordBytes;
  return {
    recordsPerSecond: (records * 1000) / elapsedMs,
    bytesPerSecond: (bytes * 1000) / elapsedMs,
    brokerCpuSecondsPerGb: (brokerSeconds * bytesPerGb) / bytes,
    clientCpuSecondsPerGb: (clientSeconds * bytesPerGb) / bytes,
    rssMiB: server.memory.rssBytes / bytesPerMiB,
    ...provenLatencies(answer),
  };
}

/** As `latencyFigures` has it: without percentiles above which fewer than ten values lie, but with their count. */
export function provenLatencies({
  latencies,
  p50Ms,
  p90Ms,
  p99Ms,
}: Omit<ClientAnswer, 'records' | 'elapsedMs'>): Figures {
  if (latencies === undefined || p50Ms === undefined) return {};
  return {
    latencies,
    p50Ms,
    ...(p90Ms === undefined || latencies < latenciesForP90 ? {} : { p90Ms }),
    ...(p99Ms === undefined || latencies < latenciesForP99 ? {} : { p99Ms }),
  };
}

/** As Kafka's clients take it. */
export function kafkaAddressOf({ doors: { kafka } }: ServerUnderTest): string {
  return `${kafka!.host}:${kafka!.port}`;
}

async function outputOf(file: string, args: readonly string[]): Promise<string> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: slowestMs });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  }
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${file} ended with ${code}:\n${printed.slice(-shownCharacters)}`);
  return printed;
}
