/**
 * A Kafka Streams application with exactly_once_v2 against the program: both are killed again and again, and what comes
 * out has to be what one pass over the input computes. `npm run test:kafka-streams` kills more often; the numbers are
 * STREAMS_KILLS and STREAMS_SEED.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SeededRandom } from '../../../src/base/random.ts';
import { Program } from '../program.ts';
import { compiledJava, kafkaClassPath, missingForJava } from './kafka-jars.ts';
import { run } from './other-program.ts';

const kills = Number(process.env.STREAMS_KILLS ?? 4);
const seed = Number(process.env.STREAMS_SEED ?? 1);
/** Of the clients; the newest that is published where it is not given. */
const streamsVersion = process.env.STREAMS_VERSION;
const linesPerSecond = 200;
/** A kill every so often, on average. */
const killIntervalMs = 5000;
/** From when on a member of a classic group that went without a word is not in it any more. */
const expiredMs = 8000;
const keptOutputLength = 1_000_000;

const missing = missingForJava();
if (missing !== null) console.log(missing);

/** Members are told soon of what changes, and those that were killed are taken out soon. */
const settings = [
  'group.streams.min.heartbeat.interval.ms=500',
  'group.streams.heartbeat.interval.ms=500',
  'group.streams.min.session.timeout.ms=6000',
  'group.streams.session.timeout.ms=6000',
  'group.streams.initial.rebalance.delay.ms=500',
  'group.streams.num.standby.replicas=1',
  'log.cleaner.backoff.ms=500',
];

/** One instance of the application, which keeps its directory over its lives. */
class Instance {
  readonly #args: readonly string[];
  readonly #name: string;
  #child: ChildProcess | null = null;
  /** What it printed, over all its lives. */
  output = '';

  /** `args` run the application, up to its protocol and name. */
  constructor(name: string, args: readonly string[]) {
    this.#name = name;
    this.#args = args;
  }

  start(protocol: string): void {
    const child = spawn('java', [...this.#args, protocol, this.#name], { stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (text: Buffer): void => {
      this.output = (this.output + text.toString()).slice(-keptOutputLength);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    this.#child = child;
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill(signal);
    await closed;
  }
}

/** What one pass over the lines puts out: for each key its values in their order. */
function expected(lineCount: number): { counts: Map<string, number[]>; sums: Map<string, number[]> } {
  const counts = new Map<string, number[]>();
  const sums = new Map<string, number[]>();
  const push = (into: Map<string, number[]>, key: string, added: number): void => {
    const values = into.get(key) ?? [];
    into.set(key, values);
    values.push((values.at(-1) ?? 0) + added);
  };
  for (let i = 0; i < lineCount; i++) {
    for (const word of [`w${i % 17}`, `w${i % 91}`, `w${i % 7}`]) {
      push(counts, word, 1);
      push(sums, `length ${word.length}`, word.length);
    }
  }
  return { counts, sums };
}

/** The values of each key in their order, of lines "key value". */
function valuesByKey(output: string): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const line of output.trimEnd().split('\n')) {
    const at = line.lastIndexOf(' ');
    const key = line.slice(0, at);
    const values = found.get(key) ?? [];
    found.set(key, values);
    values.push(Number(line.slice(at + 1)));
  }
  return found;
}

describe.skipIf(missing !== null)('a Kafka Streams application with exactly_once_v2', () => {
  let directory: string;
  let main: readonly string[];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-streams-'));
    const classPath = await kafkaClassPath('kafka-streams', streamsVersion);
    const compiled = await compiledJava('StreamsWords.java', classPath, directory);
    const flags = ['-Xmx256M', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
    main = [...flags, '-cp', compiled, 'StreamsWords'];
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it.each(['classic', 'streams', 'classic, streams, classic'])(
    `puts out what one pass computes in ${kills} kills of the seed ${seed}, with the protocols: %s`,
    async (inTurn) => {
      const protocols = inTurn.split(', ');
      const random = new SeededRandom(seed);
      const program = await Program.start(settings);
      const home = await mkdtemp(join(directory, 'state-'));
      const java = (...args: string[]): Promise<string> => run('java', [...main, ...args]);
      const instances = ['one', 'two'].map(
        (name) => new Instance(name, [...main, 'run', program.kafka, join(home, name)]),
      );
      try {
        await java('create', program.kafka);
        const lineCount = (kills + 2 * protocols.length) * (killIntervalMs / 1000) * linesPerSecond;
        const writing = java('write', program.kafka, `${lineCount}`, `${linesPerSecond}`);
        for (const [i, protocol] of protocols.entries()) {
          // Whoever moves to another protocol stops all instances before.
          for (const instance of instances) await instance.stop('SIGTERM');
          if (i > 0) await setTimeout(expiredMs);
          for (const instance of instances) instance.start(protocol);
          await setTimeout(killIntervalMs);
          for (let left = Math.ceil(kills / protocols.length); left > 0; left--) {
            await setTimeout(killIntervalMs * (0.5 + random.below(1000) / 1000));
            const victim = [program, ...instances][random.below(3)]!;
            if (victim instanceof Program) {
              await victim.kill();
              await victim.restart();
            } else {
              await victim.stop('SIGKILL');
              victim.start(protocol);
            }
          }
        }
        await writing;
        const wanted = expected(lineCount);
        const read = (topic: string): Promise<string> => java('read', program.kafka, topic, `${lineCount * 3}`);
        expect(valuesByKey(await read('word-counts'))).toEqual(wanted.counts);
        expect(valuesByKey(await read('length-sums'))).toEqual(wanted.sums);
        // What was read is deleted from repartition topics, and what was overwritten is compacted away.
        const sizesOf = async (topic: string): Promise<number[]> =>
          (await java('sizes', program.kafka, topic)).trim().split(' ').map(Number);
        const [repartitionStart] = await sizesOf('words-by-word-repartition');
        expect(repartitionStart).toBeGreaterThan(lineCount);
        const [, changelogEnd, changelogRecords] = await sizesOf('words-counts-changelog');
        expect(changelogEnd).toBeGreaterThan(lineCount * 3);
        expect(changelogRecords).toBeLessThan(lineCount * 3);
      } catch (error) {
        for (const { output } of instances) console.log(output);
        throw error;
      } finally {
        await Promise.all(instances.map((instance) => instance.stop('SIGKILL')));
        await program[Symbol.asyncDispose]();
      }
    },
    400_000 + kills * killIntervalMs * 4,
  );
});
