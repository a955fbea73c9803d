/**
 * What others write this client reads, and the other way round: kafkajs, and kcat (librdkafka) where it is installed. The
 * broker is this process's; with KAFKA=HOST:PORT it is an Apache Kafka, through a WebSocket before its TCP port.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { CompressionTypes, Kafka, logLevel, Partitioners } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  alterConfigs,
  Client,
  Consumer,
  cooperativeSticky,
  createTopics,
  deleteTopics,
  describeConfigs,
  describeGroup,
  describeTopics,
  groupOffsets,
  gzip,
  listGroups,
  lz4,
  Producer,
  snappy,
  text,
  topicOffsets,
  zstd,
} from '../../src/client/index.ts';
import { ClientHarness, first, numbered } from './client-harness.ts';
import { WebSocketBeforeTcp } from './web-socket-before-tcp.ts';

const outside = process.env.KAFKA;
const hasKcat = spawnSync('kcat', ['-V']).error === undefined;
if (!hasKcat) console.log('kcat is not installed, so what it writes and reads is not compared.');

let harness: ClientHarness;
let proxy: WebSocketBeforeTcp;
let kafka: Kafka;
let address: string;
beforeAll(async () => {
  harness = await ClientHarness.start();
  proxy = await WebSocketBeforeTcp.open();
  address = outside ?? `127.0.0.1:${harness.broker.kafka!.port}`;
  kafka = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING });
});
afterEach(() => harness.closeAll());
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await harness[Symbol.asyncDispose]();
});

/** To the broker's WebSocket, or, as to any Kafka, to a proxy before its TCP port. */
const doors = {
  'its WebSocket': () => new Client({ url: harness.url, codecs: [snappy, lz4, zstd] }),
  'a proxy before TCP': () => {
    const [host, port] = address.split(':') as [string, string];
    return new Client({
      url: proxy.urlOf(host, Number(port)),
      nodeUrl: (node) => proxy.urlOf(node.host, node.port),
      codecs: [snappy, lz4, zstd],
    });
  },
};

async function kcat(flags: readonly string[], input = ''): Promise<string> {
  const child = spawn('kcat', ['-b', address, ...flags], { stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(0);
  return output;
}

const open = Object.entries(doors).filter(([name]) => outside === undefined || name !== 'its WebSocket');

describe.each(open)('through %s', (name, newClient) => {
  let count = 0;
  let client: Client;

  async function newTopic(partitionCount = 1): Promise<string> {
    client = harness.closing(newClient());
    const topic = `interoperability-${name.replaceAll(' ', '-')}-${process.pid}-${++count}`;
    await createTopics(client, [{ name: topic, partitionCount, replicationFactor: 1 }]);
    return topic;
  }

  it('reads what kafkajs writes', async () => {
    const topic = await newTopic();
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true });
    await producer.connect();
    for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
      const messages = numbered(100).map((value) => ({ key: `key of ${value}`, value, headers: { from: 'kafkajs' } }));
      await producer.send({ topic, compression, messages });
    }
    await producer.disconnect();
    const consumer = harness.closing(new Consumer(client, { topics: [topic], key: text, value: text }));
    const records = await first(consumer, 200);
    expect(records.map(({ value }) => value)).toEqual([...numbered(100), ...numbered(100)]);
    expect(records[7]).toMatchObject({ key: 'key of record 7', offset: 7 });
    expect(records[7]!.headers).toEqual([{ key: 'from', value: new TextEncoder().encode('kafkajs') }]);
  });

  it('writes what kafkajs reads', async () => {
    const topic = await newTopic();
    for (const compression of [{}, { compression: gzip }]) {
      await using producer = new Producer(client, { key: text, value: text, ...compression });
      const headers = { from: 'millrace' };
      await Promise.all(numbered(100).map((value) => producer.send({ topic, key: `key of ${value}`, value, headers })));
    }
    const consumer = kafka.consumer({ groupId: `${topic}-readers`, maxWaitTimeInMs: 50 });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const seen: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const eachMessage = async ({
        message,
      }: {
        message: { key: Buffer | null; value: Buffer | null; headers?: object };
      }) => {
        expect(message.headers).toEqual({ from: Buffer.from('millrace') });
        expect(message.key!.toString()).toBe(`key of ${message.value!.toString()}`);
        if (seen.push(message.value!.toString()) === 200) resolve();
      };
      consumer.run({ eachMessage }).catch(reject);
    });
    await consumer.disconnect();
    expect(seen).toEqual([...numbered(100), ...numbered(100)]);
  });

  it.skipIf(!hasKcat)('reads what librdkafka writes, in every compression, and writes what it reads', async () => {
    const topic = await newTopic();
    const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
    const texts = numbered(2000).map((value) => `${value} ${value}`);
    for (const compression of compressions) {
      await kcat(['-P', '-t', topic, '-z', compression], texts.map((value) => `${value}\n`).join(''));
    }
    const consumer = harness.closing(new Consumer(client, { topics: [topic], value: text }));
    const records = await first(consumer, texts.length * compressions.length);
    expect(records.map(({ value }) => value)).toEqual(compressions.flatMap(() => texts));
    const own = await newTopic();
    await using producer = new Producer(client, { key: text, value: text, compression: gzip });
    await Promise.all(texts.map((value, i) => producer.send({ topic: own, key: `${i}`, value })));
    const read = await kcat(['-C', '-t', own, '-e', '-q', '-K', '=']);
    expect(read).toBe(texts.map((value, i) => `${i}=${value}\n`).join(''));
  });

  it('puts keys into the partitions where kafkajs puts them', async () => {
    const topic = await newTopic(7);
    // Otherwise it sends what arrived once more where one of the partitions was not ready.
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true });
    await producer.connect();
    const keys = numbered(50);
    await producer.send({ topic, messages: keys.map((key) => ({ key, value: 'theirs' })) });
    await producer.disconnect();
    await using own = new Producer(client, { key: text, value: text });
    await Promise.all(keys.map((key) => own.send({ topic, key, value: 'ours' })));
    const consumer = harness.closing(new Consumer(client, { topics: [topic], key: text, value: text }));
    const partitions = new Map<string, Set<number>>();
    for (const { key, partition } of await first(consumer, 100)) {
      partitions.set(key!, (partitions.get(key!) ?? new Set()).add(partition));
    }
    expect([...partitions.values()].map(({ size }) => size)).toEqual(keys.map(() => 1));
  });

  it('shares a group, and looks after topics', async () => {
    const topic = await newTopic(4);
    const group = `${topic}-group`;
    const options = { topics: [topic], group, value: text, assignors: [cooperativeSticky], heartbeatIntervalMs: 100 };
    const seen: string[] = [];
    const members = [0, 1].map(() => new Consumer(client, options));
    const loops = members.map(async (member) => {
      for await (const { value } of member) seen.push(value!);
    });
    await expect.poll(() => members.map(({ assignment }) => assignment.length), { timeout: 20_000 }).toEqual([2, 2]);
    await using producer = new Producer(client, { value: text });
    await Promise.all(numbered(400).map((value, i) => producer.send({ topic, value, partition: i % 4 })));
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(400);
    expect(seen.toSorted()).toEqual(numbered(400).toSorted());
    expect(await describeGroup(client, group)).toMatchObject({ state: 'Stable', protocol: 'cooperative-sticky' });
    for (const member of members) await member.close();
    await Promise.all(loops);
    expect((await groupOffsets(client, group)).map(({ offset }) => offset)).toEqual([100, 100, 100, 100]);
    expect((await listGroups(client)).map((listing) => listing.group)).toContain(group);
    await alterConfigs(client, { type: 'topic', name: topic }, { 'retention.ms': '12345678' });
    const find = async () =>
      (await describeConfigs(client, { type: 'topic', name: topic })).find(({ name: key }) => key === 'retention.ms');
    await expect.poll(find).toMatchObject({ value: '12345678', isDefault: false });
    expect((await describeTopics(client, [topic]))[0]!.partitions.length).toBe(4);
    const at = Date.now() + 1e9;
    expect(await topicOffsets(client, [{ topic, partition: 0 }], { timestampMs: at })).toEqual([100]);
    await deleteTopics(client, [topic]);
    await expect(describeTopics(client, [topic])).rejects.toThrow('UNKNOWN_TOPIC_OR_PARTITION');
  });

  it.runIf(outside !== undefined)('leaves out what a transaction wrote that was aborted', async () => {
    const topic = await newTopic();
    const producer = kafka.producer({ transactionalId: `${topic}-writer`, maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    for (let i = 0; i < 10; i++) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value: `${i} a` }, { value: `${i} b` }] });
      if (i % 2 === 0) await transaction.commit();
      else await transaction.abort();
    }
    await producer.disconnect();
    const committed = [0, 2, 4, 6, 8].flatMap((i) => [`${i} a`, `${i} b`]);
    const consumer = harness.closing(new Consumer(client, { topics: [topic], value: text }));
    expect((await first(consumer, 10)).map(({ value }) => value)).toEqual(committed);
    const other = { topics: [topic], value: text, isolation: 'read_uncommitted' } as const;
    expect((await first(harness.closing(new Consumer(client, other)), 20)).length).toBe(20);
  });
});
