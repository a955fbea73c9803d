/**
 * Loads from Apache Kafka's own performance tools, kafka-producer-perf-test and kafka-consumer-perf-test, and from the
 * programs in java/, which are compiled once. Main thread.
 */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Figures } from '../load/figures.ts';
import { projectRoot } from '../load/project-root.ts';
import type { ServerUnderTest } from '../load/server-under-test.ts';
import { installed } from './cache.ts';
import { runCommand } from './commands.ts';
import { kafkaAddressOf, type OutsideLoad, runOutsideClient } from './outside-client.ts';
import type { RdkafkaProduce } from './rdkafka-client.ts';

const jvmFlags = ['-Xmx512M', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];
/** As large as Java's producer is told to make them where throughput counts; its default of 16 KiB measures the client. */
const batchBytes = 1_000_000;
const lingerMs = 5;

/** `toolsClassPath` with the programs in java/ behind it, compiled again where they differ from those that were. */
export function withJavaPrograms(toolsClassPath: string, onNote: (note: string) => void): string {
  const folder = join(projectRoot, 'bench/peers/java');
  const files = readdirSync(folder).map((name) => join(folder, name));
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  const classes = installed(`java-programs-${hash.digest('hex').slice(0, 12)}`, onNote, (into) => {
    runCommand('javac', ['-d', into, '-cp', toolsClassPath, ...files]);
  });
  return [toolsClassPath, classes].join(delimiter);
}

export function javaProduce(classPath: string, server: ServerUnderTest, load: RdkafkaProduce): Promise<Figures> {
  const args = [
    ...['--topic', load.topic, '--num-records', `${load.records}`, '--record-size', `${load.recordBytes}`],
    ...['--throughput', '-1', '--bootstrap-server', kafkaAddressOf(server)],
    ...['--command-property', `acks=${load.acks}`, `enable.idempotence=${load.isIdempotent ?? false}`],
    ...[`batch.size=${batchBytes}`, `linger.ms=${lingerMs}`],
  ];
  return tool(classPath, 'ProducerPerformance', args, server, load, (printed) => {
    const last = printed
      .split('\n')
      .filter((line) => line.includes('99th'))
      .at(-1);
    const match = /^(\d+) records sent, ([\d.]+) records\/sec/.exec(last ?? '');
    if (match === null) return null;
    const records = Number(match[1]);
    return { records, elapsedMs: (records * 1000) / Number(match[2]) };
  });
}

/** The clock leaves out what joining a group takes. */
export function javaConsume(
  classPath: string,
  server: ServerUnderTest,
  load: Pick<RdkafkaProduce, 'topic' | 'records' | 'recordBytes'>,
): Promise<Figures> {
  const count = ['--num-records', `${load.records}`];
  const args = ['--topic', load.topic, ...count, '--bootstrap-server', kafkaAddressOf(server)];
  return tool(classPath, 'ConsumerPerformance', args, server, load, (printed) => {
    const [head, line] = printed.split('\n').filter((text) => text.includes(', '));
    const columns = (head ?? '').split(', ');
    const values = (line ?? '').split(', ');
    const at = (name: string): number => Number(values[columns.indexOf(name)]);
    const answer = { records: at('data.consumed.in.nMsg'), elapsedMs: at('fetch.time.ms') };
    return Number.isFinite(answer.records) && Number.isFinite(answer.elapsedMs) ? answer : null;
  });
}

/**
 * Runs `java/NAME.java`, compiled, with the server's address before `args`. It prints names and values in turn, of `records`
 * or `members`, `elapsedMs`, how many `latencies` it has, and their `p50Ms`, `p90Ms` and `p99Ms`.
 */
export function javaProgram(
  classPath: string,
  name: string,
  args: readonly string[],
  server: ServerUnderTest,
  load: OutsideLoad,
): Promise<Figures> {
  const command = [...jvmFlags, '-cp', classPath, name, kafkaAddressOf(server), ...args];
  return runOutsideClient(server, 'java', command, load, (printed) => {
    const value = (key: string): number => Number(new RegExp(`\\b${key} ([\\d.E+-]+)`).exec(printed)?.[1]);
    const latencies = value('latencies');
    if (!Number.isFinite(latencies)) return null;
    const percentiles = { p50Ms: value('p50Ms'), p90Ms: value('p90Ms'), p99Ms: value('p99Ms') };
    return { records: value('(?:records|members)'), elapsedMs: value('elapsedMs'), latencies, ...percentiles };
  });
}

function tool(
  classPath: string,
  name: string,
  args: readonly string[],
  server: ServerUnderTest,
  load: OutsideLoad,
  read: Parameters<typeof runOutsideClient>[4],
): Promise<Figures> {
  const command = [...jvmFlags, '-cp', classPath, `org.apache.kafka.tools.${name}`, ...args];
  return runOutsideClient(server, 'java', command, load, read);
}
