/** kcat (librdkafka), where it is installed, against the program over TCP. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Program } from './program.ts';

const version = spawnSync('kcat', ['-V'], { encoding: 'utf8' }).stdout ?? '';
const isInstalled = version !== '';
if (!isInstalled) console.log('kcat is not installed, so its tests are skipped.');
const quick = ['-X', 'fetch.wait.max.ms=20'];
const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

let program: Program;
beforeAll(async () => {
  program = await Program.start();
});
afterAll(() => program[Symbol.asyncDispose]());

interface Kcat {
  /** Its standard output, whole. */
  readonly output: Promise<string>;
  /** Resolves once `lines` lines have been put out. */
  put(lines: number): Promise<void>;
  /** Has it end as by Ctrl-C: it commits, leaves its groups and ends. */
  interrupt(): void;
}

/** Starts kcat with `input` on its standard input. Its output rejects where it fails. */
function start(flags: readonly string[], input = ''): Kcat {
  const child = spawn('kcat', ['-b', program.kafka, ...flags], { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  let looked = (): void => {};
  child.stdout.on('data', (text: Buffer) => {
    output += text.toString();
    looked();
  });
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  child.stdin.end(input);
  const ended = once(child, 'close').then(([code]) => {
    if (code !== 0) throw new Error(`kcat ${flags.join(' ')} ended with ${code}: ${errors}`);
    return output;
  });
  const put = (lines: number): Promise<void> =>
    new Promise((resolve, reject) => {
      looked = () => {
        if (output.split('\n').length > lines) resolve();
      };
      looked();
      ended.catch(reject);
    });
  return { output: ended, put, interrupt: () => child.kill('SIGINT') };
}

const run = (flags: readonly string[], input?: string): Promise<string> => start(flags, input).output;
const linesOf = (output: string): string[] => output.split('\n').slice(0, -1);
const numbered = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `record ${from + i}`);
const inputOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

const produce = (topic: string, lines: readonly string[], ...flags: string[]): Promise<string> =>
  run(['-P', '-t', topic, '-p', '0', ...flags], inputOf(lines));
const consume = async (topic: string, ...flags: string[]): Promise<string[]> =>
  linesOf(await run(['-C', '-t', topic, '-q', '-e', ...quick, ...flags]));

/** Quick groups: `kcat -G` reads in one, from the beginning where nothing is committed, and commits when it ends. */
const groupFlags = (group: string, topic: string): string[] => [
  ...['-X', 'auto.offset.reset=earliest', '-X', 'heartbeat.interval.ms=100'],
  ...[...quick, '-q', '-u', '-G', group, topic],
];

describe.skipIf(!isInstalled)('kcat', () => {
  it('lists brokers and topics', async () => {
    await produce('kcat-listed', ['first']);
    const listed = JSON.parse(await run(['-L', '-J'])) as {
      brokers: unknown;
      topics: { topic: string; partitions: unknown[] }[];
    };
    expect(listed.brokers).toEqual([{ id: 0, name: program.kafka }]);
    const topic = listed.topics.find((one) => one.topic === 'kcat-listed');
    expect(topic?.partitions).toMatchObject([{ partition: 0, leader: 0, replicas: [{ id: 0 }], isrs: [{ id: 0 }] }]);
  });

  it.each(['all', '1', '0'])('produces with acks=%s and every compression', async (acks) => {
    const lines = Array.from({ length: 200 }, (_, i) => `key ${i}:${'x'.repeat(i)}`);
    const readBack = compressions.map(async (compression) => {
      const topic = `kcat-${acks}-${compression}`;
      await produce(topic, lines, '-K', ':', '-H', 'from=kcat', '-X', `acks=${acks}`, '-z', compression);
      return consume(topic, '-o', 'beginning', '-f', '%o %h %k:%s\n', '-X', 'check.crcs=true');
    });
    const expected = lines.map((line, i) => `${i} from=kcat ${line}`);
    expect(await Promise.all(readBack)).toEqual(compressions.map(() => expected));
  });

  it('produces idempotently', async () => {
    const lines = numbered(1000);
    await produce('kcat-idempotent', lines, '-X', 'enable.idempotence=true', '-X', 'batch.num.messages=10');
    expect(await consume('kcat-idempotent', '-o', 'beginning')).toEqual(lines);
  });

  it('reads from an offset, from the end, and from a time', async () => {
    const topic = 'kcat-from';
    await produce(topic, numbered(5));
    await produce(topic, numbered(5, 5));
    const stamps = await consume(topic, '-o', 'beginning', '-f', '%T\n');
    const atMs = stamps[7]!;
    const firstAt = stamps.indexOf(atMs);
    expect(await consume(topic, '-o', '3')).toEqual(numbered(7, 3));
    expect(await consume(topic, '-o', '-2')).toEqual(numbered(2, 8));
    expect(await consume(topic, '-o', `s@${atMs}`)).toEqual(numbered(10 - firstAt, firstAt));
    expect(await run(['-Q', '-t', `${topic}:0:${atMs}`])).toContain(`offset ${firstAt}`);
    expect(await run(['-Q', '-t', `${topic}:0:-1`])).toMatch(/offset 10\b/);
    expect(await run(['-Q', '-t', `${topic}:0:-2`])).toMatch(/offset 0\b/);
  });

  it('waits for records that come later', async () => {
    const topic = 'kcat-later';
    await produce(topic, numbered(1));
    const reader = start(['-C', '-t', topic, '-q', '-u', '-o', 'beginning', '-c', '3']);
    await reader.put(1);
    await produce(topic, numbered(2, 1));
    expect(linesOf(await reader.output)).toEqual(numbered(3));
  });

  it('goes on in a group where it stopped, also after kill -9 of the broker', async () => {
    const topic = 'kcat-group';
    await produce(topic, numbered(10));
    const readOn = async (count: number): Promise<string[]> => {
      const reader = start(groupFlags('kcat-readers', topic));
      await reader.put(count);
      reader.interrupt();
      return linesOf(await reader.output);
    };
    expect(await readOn(10)).toEqual(numbered(10));
    await produce(topic, numbered(5, 10));
    expect(await readOn(5)).toEqual(numbered(5, 10));
    await program.kill();
    await program.restart();
    await produce(topic, numbered(5, 15));
    expect(await readOn(5)).toEqual(numbered(5, 15));
  });

  it('goes on reading when the broker comes back after kill -9', async () => {
    const topic = 'kcat-outlasting';
    await produce(topic, numbered(3));
    // -E: it ends otherwise where it has lost the only broker there is.
    const reader = start(['-C', '-E', '-t', topic, '-q', '-u', '-o', 'beginning', '-c', '6']);
    await reader.put(3);
    await program.kill();
    await program.restart();
    await produce(topic, numbered(3, 3));
    expect(linesOf(await reader.output)).toEqual(numbered(6));
  });
});
