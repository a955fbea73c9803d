/**
 * Loads from librdkafka's `rdkafka_performance`, against anything that speaks Kafka's protocol. Main thread.
 *
 * Batches of up to 10,000 records and 1 MB and a linger of 5 ms are librdkafka's own defaults; only its queue is made long
 * enough not to be what is measured. Its payload repeats, which flatters compression.
 */

import type { Figures } from '../load/figures.ts';
import type { ServerUnderTest } from '../load/server-under-test.ts';
import { kafkaAddressOf, runOutsideClient } from './outside-client.ts';

export interface RdkafkaProduce {
  readonly topic: string;
  readonly records: number;
  readonly recordBytes: number;
  readonly acks: -1 | 1;
  readonly isIdempotent?: boolean;
  readonly compression?: 'lz4';
}

/** How often it tells how far it is; never, that is. */
const noIntervals = ['-i', '3600000'];
const queue = ['-X', 'queue.buffering.max.messages=500000'];

export function rdkafkaProduce(program: string, server: ServerUnderTest, load: RdkafkaProduce): Promise<Figures> {
  const args = [
    ...['-P', '-b', kafkaAddressOf(server), '-t', load.topic, '-c', `${load.records}`, '-s', `${load.recordBytes}`],
    ...['-a', `${load.acks}`, ...queue, ...noIntervals],
    ...(load.isIdempotent ? ['-X', 'enable.idempotence=true'] : []),
    ...(load.compression === undefined ? [] : ['-z', load.compression]),
  ];
  return runOutsideClient(server, program, args, load, (printed) => {
    const match = /(\d+) delivered \(offset -?\d+, (\d+) failed\) in (\d+)ms/.exec(printed);
    if (match === null) return null;
    const [records, failed, elapsedMs] = match.slice(1).map(Number) as [number, number, number];
    if (failed > 0) throw new Error(`librdkafka delivered ${records}, ${failed} failed`);
    return { records, elapsedMs };
  });
}

/** Reads `records` from the start of partition 0; the clock runs from the first record's arrival. */
export function rdkafkaConsume(
  program: string,
  server: ServerUnderTest,
  load: Pick<RdkafkaProduce, 'topic' | 'records' | 'recordBytes'>,
): Promise<Figures> {
  const count = ['-c', `${load.records}`];
  const args = [
    '-C',
    '-b',
    kafkaAddressOf(server),
    '-t',
    load.topic,
    '-p',
    '0',
    '-o',
    'beginning',
    ...count,
    ...noIntervals,
  ];
  return runOutsideClient(server, program, args, load, (printed) => {
    // It says so at its start too, of nothing.
    const match = [...printed.matchAll(/(\d+) messages \(\d+ bytes\) consumed in (\d+)ms/g)].at(-1);
    return match === undefined || match[1] === '0' ? null : { records: Number(match[1]), elapsedMs: Number(match[2]) };
  });
}
