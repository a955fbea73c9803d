/**
 * The client that users have, `millrace/client` over WebSocket, beside kafkajs over TCP: records a second that one process
 * sends and reads, on the same broker. Both wait for acks=all; each sends as its users would where speed counts.
 */

import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { Client, Consumer, createTopics, Producer } from '../../src/client/index.ts';
import type { Figures, ResultRow } from './figures.ts';
import { cpuTimeOf, sumOf } from './process-usage.ts';
import { rowOf } from './produce-case.ts';
import { alternate } from './rounds.ts';
import { type Scenario, type ScenarioContext, sizeName } from './scenario.ts';
import { type Doors, ServerUnderTest } from './server-under-test.ts';

interface Load {
  readonly recordBytes: number;
  readonly count: number;
}

/** A client that does the same as the others. */
interface Contender {
  readonly name: string;
  /** Sends the records and resolves when all are acknowledged. */
  send(doors: Doors, topic: string, load: Load): Promise<void>;
  /** Reads the topic from its beginning and resolves once all were handed to it. */
  read(doors: Doors, topic: string, load: Load): Promise<void>;
}

/** kafkajs sends what one call brings as one batch; so many records, and so many calls at once, are fast with it. */
const recordsPerCall = 2000;
const callsAtOnce = 4;
const partitionCount = 3;
const allReplicas = -1;

const millraceClient: Contender = {
  name: 'millrace/client over WebSocket',
  async send(doors, topic, { recordBytes, count }) {
    await using client = new Client({ url: urlOf(doors) });
    await using producer = new Producer(client);
    const value = new Uint8Array(recordBytes).fill(120);
    for (let i = 0; i < count; i++) {
      const full = producer.enqueue({ topic, value });
      if (full !== undefined) await full;
    }
    await producer.flush();
  },
  async read(doors, topic, { recordBytes, count }) {
    await using client = new Client({ url: urlOf(doors) });
    await using consumer = new Consumer(client, { topics: [topic] });
    let left = count;
    for await (const { value } of consumer) {
      if (value?.length !== recordBytes) throw new Error('a record is not what was sent');
      if (--left === 0) return;
    }
  },
};

const kafkajs: Contender = {
  name: 'kafkajs over TCP',
  async send(doors, topic, { recordBytes, count }) {
    const producer = kafkaOf(doors).producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const messages = Array.from({ length: recordsPerCall }, () => ({ value: Buffer.alloc(recordBytes, 120) }));
    let left = count;
    const call = async (): Promise<void> => {
      while (left > 0) {
        const share = Math.min(left, recordsPerCall);
        left -= share;
        await producer.send({ topic, acks: allReplicas, messages: messages.slice(0, share) });
      }
    };
    await Promise.all(Array.from({ length: callsAtOnce }, call));
    await producer.disconnect();
  },
  async read(doors, topic, { recordBytes, count }) {
    const consumer = kafkaOf(doors).consumer({ groupId: `readers of ${topic} ${performance.now()}` });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    let left = count;
    await new Promise<void>((resolve, reject) => {
      const eachMessage = async ({ message }: { message: { value: Buffer | null } }): Promise<void> => {
        if (message.value?.length !== recordBytes) reject(new Error('a record is not what was sent'));
        if (--left === 0) resolve();
      };
      consumer.run({ autoCommit: false, eachMessage }).catch(reject);
    });
    await consumer.disconnect();
  },
};

function kafkaOf({ kafka }: Doors): Kafka {
  return new Kafka({ brokers: [`${kafka!.host}:${kafka!.port}`], logLevel: logLevel.NOTHING });
}

function urlOf({ webSocket }: Doors): string {
  return `ws://${webSocket!.host}:${webSocket!.port}/kafka`;
}

async function measured(run: () => Promise<void>, { recordBytes, count }: Load): Promise<Figures> {
  const startedMs = performance.now();
  const before = cpuTimeOf(process.pid);
  await run();
  const seconds = (performance.now() - startedMs) / 1000;
  const cpuSeconds = sumOf(cpuTimeOf(process.pid)) - sumOf(before);
  const bytes = count * recordBytes;
  return {
    recordsPerSecond: count / seconds,
    bytesPerSecond: bytes / seconds,
    clientCpuSecondsPerGb: cpuSeconds / (bytes / 1e9),
  };
}

async function run({ millrace, sizes, dataParent, includes, note }: ScenarioContext): Promise<ResultRow[]> {
  const settings = { 'group.initial.rebalance.delay.ms': '0' };
  await using server = await ServerUnderTest.start(millrace(settings), dataParent);
  await using admin = new Client({ url: urlOf(server.doors) });
  const rows: ResultRow[] = [];
  let topicCount = 0;
  const newTopic = async (): Promise<string> => {
    const name = `clients-${++topicCount}`;
    await createTopics(admin, [{ name, partitionCount }]);
    return name;
  };
  for (const recordBytes of sizes.recordBytes) {
    const load = { recordBytes, count: sizes.isQuick ? 500 : recordBytes === 100 ? 600_000 : 200_000 };
    const filled = await newTopic();
    await millraceClient.send(server.doors, filled, load);
    const cases = {
      'send, acks=all': async ({ send }: Contender) => {
        const topic = await newTopic();
        return measured(() => send(server.doors, topic, load), load);
      },
      read: ({ read }: Contender) => measured(() => read(server.doors, filled, load), load),
    };
    for (const [words, figures] of Object.entries(cases)) {
      const what = `${words}, ${sizeName(recordBytes)}`;
      if (!includes(what)) continue;
      const contenders = [millraceClient, kafkajs].map((each) => ({ name: each.name, round: () => figures(each) }));
      const results = await alternate(contenders, { rounds: sizes.rounds, isStrict: !sizes.isQuick, onNote: note });
      for (const result of results) rows.push(rowOf('clients', { what }, result));
    }
  }
  return rows;
}

export const clientScenarios: readonly Scenario[] = [
  { name: 'clients', title: 'millrace/client beside kafkajs, in records a second of one process', run },
];
