/** Kafka's own Java command-line clients, fetched by Maven, against the program over TCP. */

import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Program } from '../program.ts';
import { kafkaClassPath, missingForJava } from './kafka-jars.ts';
import { run } from './other-program.ts';

const missing = missingForJava();
if (missing !== null) console.log(missing);
/** Nothing but what goes wrong, and that beside what the tools put out. */
const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';

describe.skipIf(missing !== null)('the Java clients', () => {
  let program: Program;
  let classPath: string;

  beforeAll(async () => {
    classPath = await kafkaClassPath('kafka-tools');
    program = await Program.start(['group.consumer.heartbeat.interval.ms=500']);
  });
  afterAll(() => program[Symbol.asyncDispose]());

  function tool(name: string, flags: readonly string[], input?: string): Promise<string> {
    const main = ['-Xmx256M', quiet, '-cp', classPath, `org.apache.kafka.tools.${name}`];
    const options = input === undefined ? {} : { input };
    return run('java', [...main, '--bootstrap-server', program.kafka, ...flags], options);
  }

  const linesOf = (output: string): string[] => output.trimEnd().split('\n');
  const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `record ${i}`);
  /** The lines of JSON that the verifiable clients put out. */
  const eventsOf = (output: string): Record<string, unknown>[] =>
    linesOf(output).map((line) => JSON.parse(line) as Record<string, unknown>);

  async function create(topic: string, partitions = 1): Promise<void> {
    await tool('TopicCommand', ['--create', '--topic', topic, '--partitions', `${partitions}`]);
  }

  const consume = (topic: string, count: number, ...flags: string[]): Promise<string> =>
    tool('consumer.ConsoleConsumer', [
      '--topic',
      topic,
      '--max-messages',
      `${count}`,
      '--timeout-ms',
      '30000',
      ...flags,
    ]);

  it('make, describe, change and delete topics', async () => {
    await create('java-topics', 2);
    await tool('TopicCommand', ['--alter', '--topic', 'java-topics', '--partitions', '3']);
    const described = await tool('TopicCommand', ['--describe', '--topic', 'java-topics']);
    expect(described).toMatch(/PartitionCount: 3\b/);
    expect(described.match(/Leader: 0\b/g)).toHaveLength(3);
    expect(linesOf(await tool('TopicCommand', ['--list']))).toContain('java-topics');
    await tool('TopicCommand', ['--delete', '--topic', 'java-topics']);
    expect(linesOf(await tool('TopicCommand', ['--list']))).not.toContain('java-topics');
  });

  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('produce and consume with compression %s', async (compression) => {
    const topic = `java-${compression}`;
    await create(topic);
    const lines = numbered(500).map((line, i) => `key ${i}\t${line}`);
    const properties = ['--reader-property', 'parse.key=true', '--compression-codec', compression];
    await tool('ConsoleProducer', ['--topic', topic, ...properties], `${lines.join('\n')}\n`);
    const read = await consume(topic, 500, '--from-beginning', '--formatter-property', 'print.key=true');
    expect(linesOf(read)).toEqual(lines);
  });

  it.each(['-1', '1', '0'])('verify what they produced with acks=%s', async (acks) => {
    const topic = `java-verified${acks}`;
    await create(topic, 3);
    const produced = eventsOf(
      await tool('VerifiableProducer', ['--topic', topic, '--max-messages', '2000', '--acks', acks]),
    );
    expect(produced.at(-1)).toMatchObject({ name: 'tool_data', sent: 2000, acked: 2000 });
    const group = ['--group-id', `${topic}-group`, '--reset-policy', 'earliest', '--max-messages', '2000'];
    const consumed = eventsOf(await tool('VerifiableConsumer', ['--topic', topic, ...group]));
    const partitions = consumed.filter(({ name }) => name === 'records_consumed') as unknown as { count: number }[];
    expect(partitions.reduce((sum, { count }) => sum + count, 0)).toBe(2000);
    expect(consumed.filter(({ name }) => name === 'offsets_committed').every(({ success }) => success === true)).toBe(
      true,
    );
  });

  it('go on in a group where they stopped, also after kill -9 of the broker', async () => {
    const topic = 'java-group';
    await create(topic);
    await tool('ConsoleProducer', ['--topic', topic, '--command-property', 'acks=all'], `${numbered(30).join('\n')}\n`);
    const group = ['--group', 'java-readers', '--from-beginning'];
    expect(linesOf(await consume(topic, 10, ...group))).toEqual(numbered(30).slice(0, 10));
    await program.kill();
    await program.restart();
    expect(linesOf(await consume(topic, 20, ...group))).toEqual(numbered(30).slice(10));
    const named = ['--group', 'java-readers'];
    const described = await tool('consumer.group.ConsumerGroupCommand', ['--describe', ...named]);
    expect(described).toMatch(/java-readers +java-group +0 +30 +30 +0\b/);
    const reset = ['--reset-offsets', '--topic', topic, '--to-offset', '25', '--execute', ...named];
    await tool('consumer.group.ConsumerGroupCommand', reset);
    expect(linesOf(await consume(topic, 5, ...group))).toEqual(numbered(30).slice(25));
    await tool('consumer.group.ConsumerGroupCommand', ['--delete', ...named]);
  });

  it.each([
    ['of the consumer protocol', ['consumer', 'consumer', 'consumer']],
    ['of both protocols', ['classic', 'consumer', 'classic']],
    ['with a regular expression', ['regex', 'consumer']],
  ])('read all in a group %s, also after kill -9 of the broker', async (name, protocols) => {
    const topic = `java-members-${name.replaceAll(' ', '-')}`;
    await create(topic, 6);
    const producing = ['--topic', topic, '--max-messages', '3000', '--throughput', '200', '--acks', '-1'];
    const produced = tool('VerifiableProducer', producing);
    const source = fileURLToPath(new URL('GroupMembers.java', import.meta.url));
    const main = ['-Xmx256M', quiet, '-cp', classPath, source, program.kafka, topic, topic, '3000', ...protocols];
    const reading = run('java', main);
    const kills = [4000, 4000];
    for (const delayMs of kills) {
      await setTimeout(delayMs);
      await program.kill();
      await program.restart();
    }
    expect(eventsOf(await produced).at(-1)).toMatchObject({ name: 'tool_data', acked: 3000 });
    const lines = linesOf(await reading);
    expect(lines.at(-1)).toBe('all 3000');
    // Members share what there is, and the last word of each says what it had.
    const last = lines.filter((line) => line.includes(' leaves with '));
    expect(last).toHaveLength(protocols.length);
  });

  it('tell offsets by name and time', async () => {
    const topic = 'java-offsets';
    await create(topic);
    await tool('ConsoleProducer', ['--topic', topic], `${numbered(7).join('\n')}\n`);
    const offsetAt = async (time: string): Promise<string> =>
      (await tool('GetOffsetShell', ['--topic', topic, '--time', time])).trim();
    expect(await offsetAt('latest')).toBe(`${topic}:0:7`);
    expect(await offsetAt('earliest')).toBe(`${topic}:0:0`);
    expect(await offsetAt('1000')).toBe(`${topic}:0:0`);
  });
});
