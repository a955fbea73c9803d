/**
 * @platformatic/kafka, unmodified, against the program: over TCP, and through the WebSocket behind a port that passes bytes
 * on, since its transport cannot be swapped.
 */

import {
  Admin,
  CompressionAlgorithms,
  Consumer,
  ConfigResourceTypes,
  IncrementalAlterConfigOperationTypes,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
  ProduceAcks,
  Producer,
  stringDeserializers,
  stringSerializers,
  type ConsumeOptions,
  type Message,
  type MessagesStream,
  type ProducerOptions,
} from '@platformatic/kafka';
import * as zlib from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Program } from './program.ts';
import { TcpOverWebSocket } from './tcp-over-websocket.ts';

type Text = Message<string, string, string, string>;
type TextConsumer = Consumer<string, string, string, string>;
type TextStream = MessagesStream<string, string, string, string>;
type TextConsumeOptions = ConsumeOptions<string, string, string, string>;

let program: Program;
let proxy: TcpOverWebSocket;
beforeAll(async () => {
  program = await Program.start();
  proxy = await TcpOverWebSocket.open(() => program.http);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await program[Symbol.asyncDispose]();
});

const doors = { TCP: () => program.kafka, WebSocket: () => proxy.address };

describe.each(['TCP', 'WebSocket'] as const)('@platformatic/kafka over %s', (door) => {
  const open: (() => Promise<void>)[] = [];
  let topicCount = 0;

  afterEach(async () => {
    for (const close of open.splice(0).toReversed()) await close();
  });

  const base = () => ({ clientId: 'test', bootstrapBrokers: [doors[door]()], retryDelay: 50 });

  function adminOf(): Admin {
    const admin = new Admin(base());
    open.push(() => admin.close());
    return admin;
  }

  function producerOf(options: Partial<ProducerOptions<string, string, string, string>> = {}) {
    const producer = new Producer<string, string, string, string>({
      ...base(),
      serializers: stringSerializers,
      ...options,
    });
    open.push(() => producer.close());
    return producer;
  }

  function consumerOf(groupId: string): TextConsumer {
    const consumer = new Consumer<string, string, string, string>({
      ...base(),
      groupId,
      deserializers: stringDeserializers,
      maxWaitTime: 100,
      heartbeatInterval: 100,
    });
    open.push(async () => {
      await consumer.close(true);
    });
    return consumer;
  }

  async function newTopic(partitions = 1): Promise<string> {
    const topic = `platformatic-${door.toLowerCase()}-${++topicCount}`;
    const created = await adminOf().createTopics({ topics: [topic], partitions });
    expect(created).toMatchObject([{ name: topic, partitions }]);
    return topic;
  }

  const fromBeginning = { mode: MessagesStreamModes.EARLIEST } as const;

  /** The next `count` records of a stream that begins as `options` say, and the stream, which goes on. */
  async function read(
    consumer: TextConsumer,
    topic: string,
    count: number,
    options: Partial<TextConsumeOptions> = fromBeginning,
  ): Promise<{ received: Text[]; stream: TextStream }> {
    const stream = await consumer.consume({ autocommit: false, topics: [topic], ...options });
    const received: Text[] = [];
    await new Promise<void>((resolve, reject) => {
      stream.on('error', reject);
      stream.on('data', (message) => {
        received.push(message);
        if (received.length === count) resolve();
      });
    });
    return { received, stream };
  }

  const valuesOf = (received: readonly Text[]): string[] => received.map(({ value }) => value);
  const numbered = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `record ${from + i}`);

  async function produce(topic: string, values: readonly string[]): Promise<void> {
    const messages = values.map((value) => ({ topic, value, partition: 0 }));
    await producerOf().send({ acks: ProduceAcks.ALL, messages });
  }

  it('creates, describes, changes and deletes topics', async () => {
    const admin = adminOf();
    const topic = `platformatic-${door}-admin`;
    const configs = [{ name: 'retention.ms', value: '123456' }];
    const created = await admin.createTopics({ topics: [topic], partitions: 2, replicas: 1, configs });
    expect(created).toMatchObject([{ name: topic, partitions: 2, replicas: 1 }]);
    expect(created[0]!.configuration['retention.ms']).toBe('123456');
    expect(await admin.listTopics()).toContain(topic);
    await expect(admin.createTopics({ topics: [topic] })).rejects.toThrow();
    await admin.createPartitions({ topics: [{ name: topic, count: 3, assignments: null as never }] });
    const metadata = await admin.metadata({ topics: [topic], forceUpdate: true });
    expect(metadata.topics.get(topic)!.partitionsCount).toBe(3);
    expect([...metadata.brokers.values()]).toMatchObject([{ port: Number(doors[door]().split(':')[1]) }]);
    const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: topic };
    const configOf = async (name: string): Promise<string | null | undefined> => {
      const described = await admin.describeConfigs({ resources: [{ ...resource, configurationKeys: [name] }] });
      return described[0]!.configs[0]!.value;
    };
    expect(await configOf('retention.ms')).toBe('123456');
    const set = { name: 'max.message.bytes', configOperation: IncrementalAlterConfigOperationTypes.SET, value: '2000' };
    await admin.incrementalAlterConfigs({ resources: [{ ...resource, configs: [set] }] });
    expect(await configOf('max.message.bytes')).toBe('2000');
    expect(await configOf('retention.ms')).toBe('123456');
    await admin.alterConfigs({ resources: [{ ...resource, configs: [{ name: 'segment.bytes', value: '1048576' }] }] });
    expect(await configOf('max.message.bytes')).toBe('1048588');
    await admin.deleteTopics({ topics: [topic] });
    expect(await admin.listTopics()).not.toContain(topic);
  });

  const compressions = Object.values(CompressionAlgorithms).filter(
    // Node 20 has no zstd, and so the client has none.
    (name) => name !== CompressionAlgorithms.ZSTD || 'zstdCompressSync' in zlib,
  );
  const combined = Object.entries(ProduceAcks).flatMap(([name, acks]) =>
    compressions.map((compression) => ({ name, acks, compression })),
  );

  it.each(combined)('produces with acks $name and compression $compression', async ({ acks, compression }) => {
    const topic = await newTopic();
    const messages = Array.from({ length: 50 }, (_, i) => ({
      topic,
      key: `key ${i}`,
      value: 'x'.repeat(i * 10),
      headers: { place: `${i}` },
    }));
    await producerOf().send({ acks, compression, messages });
    const { received } = await read(consumerOf(topic), topic, messages.length);
    expect(received.map(({ offset }) => offset)).toEqual(messages.map((_, i) => BigInt(i)));
    const shown = received.map(({ key, value, headers }) => ({
      topic,
      key,
      value,
      headers: Object.fromEntries(headers),
    }));
    expect(shown).toEqual(messages);
  });

  it('produces idempotently', async () => {
    const topic = await newTopic();
    const producer = producerOf({ idempotent: true });
    const values = numbered(20);
    for (const value of values) await producer.send({ acks: ProduceAcks.ALL, messages: [{ topic, value }] });
    expect(valuesOf((await read(consumerOf(topic), topic, values.length)).received)).toEqual(values);
  });

  it('shares partitions between the members of a group, and moves them when one leaves', async () => {
    const topic = await newTopic(4);
    const received: string[] = [];
    const member = async () => {
      const consumer = consumerOf(`${topic}-group`);
      const assigned = (count: number): Promise<void> =>
        new Promise((resolve) => {
          const look = (): void => {
            const partitions = consumer.assignments?.flatMap((one) => one.partitions) ?? [];
            if (partitions.length !== count) return;
            consumer.off('consumer:group:join', look);
            resolve();
          };
          consumer.on('consumer:group:join', look);
          look();
        });
      const stream = await consumer.consume({ autocommit: false, topics: [topic], ...fromBeginning });
      stream.on('data', ({ value }) => received.push(value));
      return { consumer, assigned };
    };
    const first = await member();
    await first.assigned(4);
    const second = await member();
    await Promise.all([first.assigned(2), second.assigned(2)]);
    await second.consumer.close(true);
    await first.assigned(4);
    const values = numbered(40);
    await producerOf().send({ messages: values.map((value, i) => ({ topic, value, partition: i % 4 })) });
    await expect.poll(() => received.length).toBe(values.length);
    expect(received.toSorted()).toEqual(values.toSorted());
  });

  it('resumes where it committed, after a restart of the consumer and after kill -9 of the broker', async () => {
    const topic = await newTopic();
    const groupId = `${topic}-resuming`;
    const committed = {
      mode: MessagesStreamModes.COMMITTED,
      fallbackMode: MessagesStreamFallbackModes.EARLIEST,
    } as const;
    await produce(topic, numbered(20));
    const firstConsumer = consumerOf(groupId);
    const first = await read(firstConsumer, topic, 20, committed);
    await first.received[6]!.commit();
    await firstConsumer.close(true);
    const secondConsumer = consumerOf(groupId);
    const second = await read(secondConsumer, topic, 13, committed);
    expect(valuesOf(second.received)).toEqual(numbered(13, 7));
    await second.received[4]!.commit();
    await secondConsumer.close(true);
    await program.kill();
    await program.restart();
    await produce(topic, numbered(5, 20));
    const third = await read(consumerOf(groupId), topic, 13, committed);
    expect(valuesOf(third.received)).toEqual(numbered(13, 12));
  });

  it('begins where it is told, and rewinds', async () => {
    const topic = await newTopic();
    await produce(topic, numbered(10));
    const consumer = consumerOf(topic);
    const at = (offset: bigint): Partial<TextConsumeOptions> => ({
      mode: MessagesStreamModes.MANUAL,
      offsets: [{ topic, partition: 0, offset }],
    });
    const end = await read(consumer, topic, 2, at(8n));
    expect(valuesOf(end.received)).toEqual(numbered(2, 8));
    await end.stream.close();
    const again = await read(consumer, topic, 10, at(0n));
    expect(valuesOf(again.received)).toEqual(numbered(10));
  });

  it('finds offsets by time', async () => {
    const topic = await newTopic();
    const startMs = BigInt(Date.now() - 60_000);
    const producer = producerOf();
    for (let i = 0n; i < 5n; i++) {
      await producer.send({ messages: [{ topic, value: `${i}`, timestamp: startMs + i * 1000n }] });
    }
    const admin = adminOf();
    const offsetAt = async (timestamp: bigint): Promise<bigint> => {
      const topics = [{ name: topic, partitions: [{ partitionIndex: 0, timestamp }] }];
      return (await admin.listOffsets({ topics }))[0]!.partitions[0]!.offset;
    };
    expect(await offsetAt(startMs + 1500n)).toBe(2n);
    expect(await offsetAt(startMs + 2000n)).toBe(2n);
    expect(await offsetAt(startMs + 10_000n)).toBe(-1n);
    expect(await offsetAt(-1n)).toBe(5n);
    expect(await offsetAt(-2n)).toBe(0n);
    expect(await offsetAt(-3n)).toBe(4n);
  });

  it('deletes records, and groups', async () => {
    const topic = await newTopic();
    await produce(topic, numbered(10));
    const admin = adminOf();
    const deleted = await admin.deleteRecords({
      topics: [{ name: topic, partitions: [{ partition: 0, offset: 4n }] }],
    });
    expect(deleted).toEqual([{ name: topic, partitions: [{ partition: 0, lowWatermark: 4n }] }]);
    const groupId = `${topic}-going`;
    const consumer = consumerOf(groupId);
    const { received } = await read(consumer, topic, 6);
    expect(valuesOf(received)).toEqual(numbered(6, 4));
    await received.at(-1)!.commit();
    const members = (await admin.describeGroups({ groups: [groupId] })).get(groupId)!.members;
    expect(members.size).toBe(1);
    await consumer.close(true);
    const offsets = await admin.listConsumerGroupOffsets({ groups: [groupId] });
    expect(offsets[0]!.topics).toMatchObject([
      { name: topic, partitions: [{ partitionIndex: 0, committedOffset: 10n }] },
    ]);
    expect((await admin.describeGroups({ groups: [groupId] })).get(groupId)!.state).toBe('EMPTY');
    expect([...(await admin.listGroups()).keys()]).toContain(groupId);
    await admin.deleteGroups({ groups: [groupId] });
    expect([...(await admin.listGroups()).keys()]).not.toContain(groupId);
  });
});
