/**
 * Loads from Apache Kafka's own performance tools, kafka-producer-perf-test and kafka-consumer-perf-test, and from the
 * programs in java/, which Java compiles as it starts them. Main thread.
 */

import { join } from 'node:path';
import type { Figures } from '../load/figures.ts';
import { projectRoot } from '../load/project-root.ts';
import type { ServerUnderTest } from '../load/server-under-test.ts';
import { kafkaAddressOf, type OutsideLoad, runOutsideClient } from './outside-client.ts';
import type { RdkafkaProduce } from './rdkafka-client.ts';

const jvmFlags = ['-Xmx512M', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];
/** As large as Java's producer is told to make them where throughput counts; its default of 16 KiB measures the client. */
const batchBytes = 1_000_000;
const lingerMs = 5;

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
 * Runs `java/NAME.java` with the server's address before `args`. It prints names and values in turn, of `records` or
 * `members`, `elapsedMs`, `p50Ms` and `p99Ms`.
 */
export function javaProgram(
  classPath: string,
  name: string,
  args: readonly string[],
  server: ServerUnderTest,
  load: OutsideLoad,
): Promise<Figures> {
  const file = join(projectRoot, 'bench/peers/java', `${name}.java`);
  const command = [...jvmFlags, '-cp', classPath, file, kafkaAddressOf(server), ...args];
  return runOutsideClient(server, 'java', command, load, (printed) => {
    const value = (key: string): number => Number(new RegExp(`\\b${key} ([\\d.E+-]+)`).exec(printed)?.[1]);
    const p99Ms = value('p99Ms');
    if (!Number.isFinite(p99Ms)) return null;
    return { records: value('(?:records|members)'), elapsedMs: value('elapsedMs'), p50Ms: value('p50Ms'), p99Ms };
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
