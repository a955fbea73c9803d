/** kafkajs, unmodified, against the program: over TCP, and through the WebSocket with the factory that users are shown. */

import { CompressionTypes, ConfigResourceTypes, Kafka, logLevel, Partitioners } from 'kafkajs';
import type { Admin, Consumer, ConsumerConfig, KafkaMessage, Producer, ProducerConfig } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { webSocketFactory } from '../../examples/kafkajs-websocket/web-socket-factory.js';
import { Program } from './program.ts';

let program: Program;
beforeAll(async () => {
  program = await Program.start();
});
afterAll(() => program[Symbol.asyncDispose]());

const doors = {
  TCP: () => new Kafka({ brokers: [program.kafka], logLevel: logLevel.NOTHING }),
  WebSocket: () => new Kafka({ brokers: [program.http], socketFactory: webSocketFactory, logLevel: logLevel.NOTHING }),
};

interface Received {
  readonly partition: number;
  readonly message: KafkaMessage;
}

describe.each(['TCP', 'WebSocket'] as const)('kafkajs over %s', (door) => {
  const open: { disconnect(): Promise<void> }[] = [];
  let kafka: Kafka;
  let topicCount = 0;

  beforeAll(() => {
    kafka = doors[door]();
  });
  afterEach(async () => {
    for (const client of open.splice(0).toReversed()) await client.disconnect();
  });

  async function connected<Client extends Admin | Producer | Consumer>(client: Client): Promise<Client> {
    open.push(client);
    await client.connect();
    return client;
  }

  const producerOf = (config: ProducerConfig = {}): Promise<Producer> =>
    connected(kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...config }));

  async function newTopic(numPartitions = 1): Promise<string> {
    const topic = `kafkajs-${door.toLowerCase()}-${++topicCount}`;
    const admin = await connected(kafka.admin());
    expect(await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1 }] })).toBe(true);
    return topic;
  }

  const quick: Partial<ConsumerConfig> = { heartbeatInterval: 100, maxWaitTimeInMs: 100 };

  /** Reads `topic` in a group until `count` records have come; gives them and the consumer, which goes on. */
  async function read(
    topic: string,
    count: number,
    { groupId = `${topic}-readers`, begin }: { groupId?: string; begin?: (consumer: Consumer) => void } = {},
  ): Promise<{ received: Received[]; consumer: Consumer }> {
    const consumer = await connected(kafka.consumer({ groupId, ...quick }));
    await consumer.subscribe({ topic, fromBeginning: true });
    const received: Received[] = [];
    await new Promise<void>((resolve, reject) => {
      const eachMessage = async ({ partition, message }: Received): Promise<void> => {
        received.push({ partition, message });
        if (received.length === count) resolve();
      };
      consumer.run({ autoCommit: false, eachMessage }).then(() => begin?.(consumer), reject);
    });
    return { received, consumer };
  }

  const textsOf = (received: readonly Received[]): (string | undefined)[] =>
    received.map(({ message }) => message.value?.toString());
  const numbered = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `record ${from + i}`);
  const messagesOf = (texts: readonly string[]): { value: string }[] => texts.map((value) => ({ value }));

  it('commits and aborts transactions, with the offsets of a group', async () => {
    const topic = await newTopic(2);
    const source = await newTopic();
    const producer = await producerOf({ transactionalId: `${topic}-id`, maxInFlightRequests: 1, idempotent: true });
    const admin = await connected(kafka.admin());
    const groupId = `${topic}-group`;
    const offsetOf = async (): Promise<string | undefined> =>
      (await admin.fetchOffsets({ groupId, topics: [source] }))[0]?.partitions[0]?.offset;
    for (const [n, commits] of [true, false, true].entries()) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [0, 1].map((partition) => ({ partition, value: `${n} ${commits}` })) });
      const partitions = [{ partition: 0, offset: `${n + 1}` }];
      await transaction.sendOffsets({ consumerGroupId: groupId, topics: [{ topic: source, partitions }] });
      await (commits ? transaction.commit() : transaction.abort());
    }
    // The offset follows the end of the transaction, whose answer does not wait for it.
    while ((await offsetOf()) !== '3') await new Promise((resolve) => setTimeout(resolve, 10));
    const { received } = await read(topic, 4);
    expect(textsOf(received).toSorted()).toEqual(['0 true', '0 true', '2 true', '2 true']);
  });

  it('fences a producer whose transactional id another took', async () => {
    const topic = await newTopic();
    const config = { transactionalId: `${topic}-id`, maxInFlightRequests: 1, idempotent: true, retry: { retries: 2 } };
    const old = await (await producerOf(config)).transaction();
    await old.send({ topic, messages: [{ value: 'old' }] });
    const next = await (await producerOf({ ...config, retry: { retries: 10 } })).transaction();
    await next.send({ topic, messages: [{ value: 'next' }] });
    await expect(old.commit()).rejects.toThrow();
    await next.commit();
    const { received } = await read(topic, 1);
    expect(textsOf(received)).toEqual(['next']);
  });

  it('creates, describes, changes and deletes topics', async () => {
    const admin = await connected(kafka.admin());
    const topic = `kafkajs-${door}-admin`;
    const configEntries = [{ name: 'retention.ms', value: '123456' }];
    await admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1, configEntries }] });
    expect(await admin.listTopics()).toContain(topic);
    const errors = [{ type: 'INVALID_TOPIC_EXCEPTION' }];
    await expect(admin.createTopics({ topics: [{ topic: 'not a name' }] })).rejects.toMatchObject({ errors });
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    const metadata = await admin.fetchTopicMetadata({ topics: [topic] });
    expect(metadata.topics[0]!.partitions.map(({ partitionId }) => partitionId).toSorted()).toEqual([0, 1, 2]);
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic };
    const configOf = async (name: string): Promise<string | undefined> => {
      const described = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] });
      return described.resources[0]!.configEntries.find(({ configName }) => configName === name)?.configValue;
    };
    expect(await configOf('retention.ms')).toBe('123456');
    const changed = [{ name: 'max.message.bytes', value: '2000' }];
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: changed }] });
    expect(await configOf('max.message.bytes')).toBe('2000');
    expect(await configOf('retention.ms')).toBe('604800000');
    const cluster = await admin.describeCluster();
    expect(cluster.brokers).toHaveLength(1);
    const { host, port } = cluster.brokers[0]!;
    expect(`${host}:${port}`).toBe(door === 'TCP' ? program.kafka : program.http);
    await admin.deleteTopics({ topics: [topic] });
    expect(await admin.listTopics()).not.toContain(topic);
  });

  it.each([
    ['all', -1],
    ['1', 1],
    ['0', 0],
  ])('produces with acks=%s, plain and gzip, and reads it back from the beginning', async (_, acks) => {
    const topic = await newTopic();
    const producer = await producerOf();
    const sent = [CompressionTypes.None, CompressionTypes.GZIP].flatMap((compression) =>
      Array.from({ length: 50 }, (__, i) => ({
        compression,
        message: { key: `key ${i}`, value: `${compression} ${'x'.repeat(i * 10)}`, headers: { place: `${i}` } },
      })),
    );
    for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
      const messages = sent.filter((one) => one.compression === compression).map(({ message }) => message);
      await producer.send({ topic, acks, compression, messages });
    }
    const { received } = await read(topic, sent.length);
    expect(received.map(({ message }) => Number(message.offset))).toEqual(sent.map((__, i) => i));
    const shown = received.map(({ message: { key, value, headers } }) => ({
      key: key?.toString(),
      value: value?.toString(),
      headers: { place: headers?.['place']?.toString() },
    }));
    expect(shown).toEqual(sent.map(({ message }) => message));
  });

  it('produces idempotently', async () => {
    const topic = await newTopic();
    const producer = await producerOf({ idempotent: true, maxInFlightRequests: 1 });
    const texts = numbered(20);
    for (const value of texts) await producer.send({ topic, messages: [{ value }] });
    expect(textsOf((await read(topic, texts.length)).received)).toEqual(texts);
  });

  it('creates topics on first use', async () => {
    const topic = `kafkajs-${door}-on-first-use`;
    const producer = await producerOf();
    await producer.send({ topic, messages: [{ value: 'first' }] });
    expect(textsOf((await read(topic, 1)).received)).toEqual(['first']);
  });

  it('shares partitions between the members of a group, and moves them when one leaves', async () => {
    const topic = await newTopic(4);
    const producer = await producerOf();
    const received: string[] = [];
    const member = async (): Promise<{ consumer: Consumer; assigned: (count: number) => Promise<void> }> => {
      const consumer = await connected(kafka.consumer({ groupId: `${topic}-group`, ...quick }));
      let partitions = 0;
      let changed = (): void => {};
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
        partitions = payload.memberAssignment[topic]?.length ?? 0;
        changed();
      });
      const assigned = (count: number): Promise<void> =>
        new Promise((resolve) => {
          changed = () => {
            if (partitions === count) resolve();
          };
          changed();
        });
      await consumer.subscribe({ topic, fromBeginning: true });
      const all = assigned(0);
      await consumer.run({ eachMessage: async ({ message }) => void received.push(message.value!.toString()) });
      await all;
      return { consumer, assigned };
    };
    const first = await member();
    await first.assigned(4);
    const second = await member();
    await Promise.all([first.assigned(2), second.assigned(2)]);
    await second.consumer.disconnect();
    await first.assigned(4);
    const texts = numbered(40);
    const messages = texts.map((value, i) => ({ value, partition: i % 4 }));
    await producer.send({ topic, messages });
    await expect.poll(() => received.length).toBe(texts.length);
    expect(received.toSorted()).toEqual(texts.toSorted());
  });

  it('resumes where it committed, after a restart of the consumer and after kill -9 of the broker', async () => {
    const topic = await newTopic();
    const groupId = `${topic}-resuming`;
    const producer = await producerOf();
    await producer.send({ topic, acks: -1, messages: messagesOf(numbered(20)) });
    const first = await read(topic, 20, { groupId });
    await first.consumer.commitOffsets([{ topic, partition: 0, offset: '7', metadata: 'seven' }]);
    await first.consumer.disconnect();
    const second = await read(topic, 13, { groupId });
    expect(textsOf(second.received)).toEqual(numbered(13, 7));
    await second.consumer.commitOffsets([{ topic, partition: 0, offset: '12' }]);
    await second.consumer.disconnect();
    await program.kill();
    await program.restart();
    await producer.send({ topic, acks: -1, messages: messagesOf(numbered(5, 20)) });
    expect(textsOf((await read(topic, 13, { groupId })).received)).toEqual(numbered(13, 12));
  });

  it('seeks back and forth', async () => {
    const topic = await newTopic();
    const producer = await producerOf();
    await producer.send({ topic, messages: messagesOf(numbered(10)) });
    const seekTo8 = (consumer: Consumer): void => consumer.seek({ topic, partition: 0, offset: '8' });
    const { received } = await read(topic, 2, { begin: seekTo8 });
    expect(textsOf(received).slice(-2)).toEqual(numbered(2, 8));
    const again = await read(topic, 10, {
      groupId: `${topic}-rewinding`,
      begin: (consumer) => consumer.seek({ topic, partition: 0, offset: '0' }),
    });
    expect(textsOf(again.received).slice(0, 10)).toEqual(numbered(10));
  });

  it('finds offsets by time', async () => {
    const topic = await newTopic();
    const producer = await producerOf();
    const startMs = Date.now() - 60_000;
    for (let i = 0; i < 5; i++) {
      await producer.send({ topic, messages: [{ value: `${i}`, timestamp: `${startMs + i * 1000}` }] });
    }
    const admin = await connected(kafka.admin());
    const offsetAt = async (timestampMs: number): Promise<string | undefined> =>
      (await admin.fetchTopicOffsetsByTimestamp(topic, timestampMs))[0]?.offset;
    expect(await offsetAt(startMs + 1500)).toBe('2');
    expect(await offsetAt(startMs + 2000)).toBe('2');
    expect(await offsetAt(0)).toBe('0');
    // kafkajs asks for the end where no record is as late.
    expect(await offsetAt(startMs + 10_000)).toBe('5');
    expect(await admin.fetchTopicOffsets(topic)).toEqual([{ partition: 0, offset: '5', high: '5', low: '0' }]);
  });

  it('deletes records, and groups', async () => {
    const topic = await newTopic();
    const producer = await producerOf();
    await producer.send({ topic, messages: messagesOf(numbered(10)) });
    const admin = await connected(kafka.admin());
    // kafkajs deletes records only of topics that it has asked about before.
    expect(await admin.fetchTopicOffsets(topic)).toMatchObject([{ low: '0', high: '10' }]);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] });
    expect(await admin.fetchTopicOffsets(topic)).toMatchObject([{ low: '4', high: '10' }]);
    const groupId = `${topic}-going`;
    const { received, consumer } = await read(topic, 6, { groupId });
    expect(textsOf(received)).toEqual(numbered(6, 4));
    await consumer.commitOffsets([{ topic, partition: 0, offset: '10', metadata: 'all' }]);
    await consumer.disconnect();
    const committed = await admin.fetchOffsets({ groupId, topics: [topic] });
    expect(committed).toEqual([{ topic, partitions: [{ partition: 0, offset: '10', metadata: 'all' }] }]);
    const { groups } = await admin.describeGroups([groupId]);
    expect(groups[0]).toMatchObject({ groupId, state: 'Empty', protocolType: 'consumer' });
    expect((await admin.listGroups()).groups.map((group) => group.groupId)).toContain(groupId);
    await admin.deleteGroups([groupId]);
    expect((await admin.listGroups()).groups.map((group) => group.groupId)).not.toContain(groupId);
  });
});
