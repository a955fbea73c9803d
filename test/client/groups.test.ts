/** Consumers that share topics as a group, with each other and with kafkajs, against a broker in this process. */

import { Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Assignor,
  type Client,
  Consumer,
  type ConsumerOptions,
  cooperativeSticky,
  createPartitions,
  createTopics,
  deleteGroups,
  describeGroup,
  groupOffsets,
  listGroups,
  Producer,
  range,
  setGroupOffsets,
  text,
} from '../../src/client/index.ts';
import { ClientHarness, first, numbered } from './client-harness.ts';

let harness: ClientHarness;
let client: Client;
beforeAll(async () => {
  harness = await ClientHarness.start();
});
afterEach(() => harness.closeAll());
afterAll(() => harness[Symbol.asyncDispose]());

async function newTopic(partitionCount: number): Promise<string> {
  client = harness.client();
  const name = harness.newTopic();
  await createTopics(client, [{ name, partitionCount }]);
  return name;
}

async function append(topic: string, texts: readonly string[], partitionCount: number): Promise<void> {
  await using producer = new Producer(client, { value: text });
  await Promise.all(texts.map((value, i) => producer.send({ topic, value, partition: i % partitionCount })));
}

/** A member that reads until it is closed, and what it saw. */
class Member implements AsyncDisposable {
  readonly consumer: Consumer<Uint8Array, string>;
  readonly seen: string[] = [];
  readonly #loop: Promise<void>;

  constructor(group: string, topic: string, options: Partial<ConsumerOptions<Uint8Array, string>> = {}) {
    const consumer = new Consumer(client, {
      topics: [topic],
      group,
      value: text,
      heartbeatIntervalMs: 50,
      maxWaitMs: 50,
      ...options,
    });
    this.consumer = consumer;
    this.#loop = (async () => {
      for await (const { value } of consumer) this.seen.push(value!);
    })();
  }

  get partitions(): number[] {
    return this.consumer.assignment.map(({ partition }) => partition).toSorted((a, b) => a - b);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.consumer.close();
    await this.#loop;
  }
}

const assignors: readonly (readonly [string, Assignor])[] = [
  ['range', range],
  ['cooperative-sticky', cooperativeSticky],
];

describe.each(assignors)('a group with %s', (name, assignor) => {
  it('shares partitions, moves them when members come and go, and loses and repeats nothing', async () => {
    const topic = await newTopic(6);
    const group = `share-${name}`;
    const options = { assignors: [assignor] };
    const one = harness.closing(new Member(group, topic, options));
    await expect.poll(() => one.partitions).toEqual([0, 1, 2, 3, 4, 5]);
    await append(topic, numbered(60), 6);
    const two = harness.closing(new Member(group, topic, options));
    await expect.poll(() => [one.partitions.length, two.partitions.length], { timeout: 10_000 }).toEqual([3, 3]);
    expect([...one.partitions, ...two.partitions].toSorted()).toEqual([0, 1, 2, 3, 4, 5]);
    await append(topic, numbered(60, 60), 6);
    const three = harness.closing(new Member(group, topic, options));
    const members = [one, two, three];
    await expect.poll(() => members.map(({ partitions }) => partitions.length), { timeout: 10_000 }).toEqual([2, 2, 2]);
    await append(topic, numbered(60, 120), 6);
    await two[Symbol.asyncDispose]();
    await expect.poll(() => [one.partitions.length, three.partitions.length], { timeout: 10_000 }).toEqual([3, 3]);
    await append(topic, numbered(60, 180), 6);
    const all = (): string[] => members.flatMap(({ seen }) => seen);
    await expect.poll(() => all().length).toBeGreaterThanOrEqual(240);
    expect(all().toSorted()).toEqual(numbered(240).toSorted());
    expect(await describeGroup(client, group)).toMatchObject({ state: 'Stable', protocol: name });
  });

  it('goes on where it committed, and commits what was processed when it closes', async () => {
    const topic = await newTopic(2);
    const group = `resume-${name}`;
    await append(topic, numbered(100), 2);
    const one = harness.closing(new Member(group, topic, { assignors: [assignor], autoCommitIntervalMs: 1e6 }));
    await expect.poll(() => one.seen.length).toBe(100);
    await one[Symbol.asyncDispose]();
    expect((await groupOffsets(client, group)).map(({ offset }) => offset)).toEqual([50, 50]);
    await append(topic, numbered(50, 100), 2);
    const two = harness.closing(new Member(group, topic, { assignors: [assignor] }));
    await expect.poll(() => two.seen.length).toBe(50);
    expect(two.seen.toSorted()).toEqual(numbered(50, 100).toSorted());
  });

  it('sees partitions that its topic gets', async () => {
    const topic = await newTopic(1);
    const own = harness.client({ metadataMaxAgeMs: 50 });
    const consumer = new Consumer(own, {
      topics: [topic],
      group: `growth-${name}`,
      value: text,
      heartbeatIntervalMs: 50,
      assignors: [assignor],
    });
    harness.closing(consumer);
    const loop = first(consumer, 2);
    await expect.poll(() => consumer.assignment.length).toBe(1);
    await createPartitions(client, topic, 2);
    await expect.poll(() => consumer.assignment.length).toBe(2);
    await append(topic, numbered(2), 2);
    expect((await loop).map(({ value }) => value).toSorted()).toEqual(numbered(2));
  });
});

describe('a group', () => {
  it('does not count a record as processed that the loop was left with, and does so what was committed', async () => {
    const topic = await newTopic(1);
    await append(topic, numbered(10), 1);
    const options = { topics: [topic], group: 'left', value: text };
    const one = new Consumer(client, options);
    await first(one, 4);
    await one.close();
    expect(await groupOffsets(client, 'left')).toMatchObject([{ offset: 3 }]);
    const two = new Consumer(client, options);
    expect((await first(two, 4)).map(({ offset }) => offset)).toEqual([3, 4, 5, 6]);
    await two.commit();
    await two.close();
    expect(await groupOffsets(client, 'left')).toMatchObject([{ offset: 7 }]);
    const three = new Consumer(client, { ...options, autoCommit: false });
    expect((await first(three, 3)).map(({ offset }) => offset)).toEqual([7, 8, 9]);
    await three.commit([{ topic, partition: 0, offset: 8, metadata: 'note' }]);
    await three.close();
    expect(await groupOffsets(client, 'left')).toMatchObject([{ offset: 8, metadata: 'note' }]);
  });

  it('commits every so often what was processed', async () => {
    const topic = await newTopic(1);
    await append(topic, numbered(10), 1);
    const member = harness.closing(new Member('often', topic, { autoCommitIntervalMs: 30 }));
    await expect.poll(() => groupOffsets(client, 'often')).toMatchObject([{ offset: 10 }]);
    expect(member.seen.length).toBe(10);
  });

  it('waits for the record that is being processed before partitions move', async () => {
    const topic = await newTopic(2);
    await append(topic, numbered(2), 2);
    const options = { topics: [topic], group: 'slow', value: text, heartbeatIntervalMs: 50 };
    const slow = harness.closing(new Consumer(client, options));
    const loop = slow[Symbol.asyncIterator]();
    await loop.next();
    const other = harness.closing(new Member('slow', topic));
    // The group asks the slow one to come again with every heartbeat, and it does not before its record is done.
    await expect.poll(async () => (await describeGroup(client, 'slow')).state).toBe('PreparingRebalance');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await describeGroup(client, 'slow')).state).toBe('PreparingRebalance');
    expect(other.partitions).toEqual([]);
    const next = loop.next();
    await expect.poll(() => other.partitions.length).toBe(1);
    // Whoever has the other partition now reads its record, once.
    await expect
      .poll(() => other.seen.length + (slow.position({ topic, partition: 0 }) > 0 ? 1 : 0))
      .toBeGreaterThan(0);
    await slow.close();
    await next;
  });

  it('shares with kafkajs, whoever leads', async () => {
    const kafka = new Kafka({
      brokers: [`127.0.0.1:${harness.broker.kafka!.port}`],
      logLevel: logLevel.NOTHING,
    });
    const topic = await newTopic(4);
    // kafkajs names its own assignor only; under that name it is Kafka's protocol all the same.
    const roundRobin: Assignor = { ...range, name: 'RoundRobinAssigner' };
    for (const isFirst of [true, false]) {
      const group = `with-kafkajs-${isFirst}`;
      const other = kafka.consumer({ groupId: group, heartbeatInterval: 50, maxWaitTimeInMs: 50 });
      const otherSaw: string[] = [];
      const join = async (): Promise<void> => {
        await other.connect();
        await other.subscribe({ topic, fromBeginning: false });
        const joined = new Promise((resolve) => other.on(other.events.GROUP_JOIN, resolve));
        await other.run({ eachMessage: async ({ message }) => void otherSaw.push(message.value!.toString()) });
        await joined;
      };
      if (!isFirst) await join();
      const own = new Member(group, topic, { assignors: [roundRobin], from: 'latest' });
      if (isFirst) {
        await expect.poll(() => own.partitions.length).toBe(4);
        await join();
      }
      await expect.poll(() => own.partitions.length, { timeout: 20_000 }).toBe(2);
      await expect.poll(async () => (await describeGroup(client, group)).state).toBe('Stable');
      const { members } = await describeGroup(client, group);
      expect(members.map(({ assignment }) => assignment.length)).toEqual([2, 2]);
      await append(topic, numbered(40), 4);
      await expect.poll(() => own.seen.length + otherSaw.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(20);
      await own[Symbol.asyncDispose]();
      await other.disconnect();
      expect(own.seen.length).toBe(20);
      const seen = [...own.seen, ...otherSaw];
      expect(new Set(seen).size).toBe(seen.length);
    }
  });

  it('is listed, moved and deleted', async () => {
    const topic = await newTopic(1);
    await append(topic, numbered(10), 1);
    await setGroupOffsets(client, 'moved', [{ topic, partition: 0, offset: 6 }]);
    expect((await listGroups(client)).map(({ group }) => group)).toContain('moved');
    const consumer = harness.closing(new Consumer(client, { topics: [topic], group: 'moved', value: text }));
    expect((await first(consumer, 1))[0]!.offset).toBe(6);
    await consumer.close();
    await deleteGroups(client, ['moved']);
    expect((await listGroups(client)).map(({ group }) => group)).not.toContain('moved');
    expect(await describeGroup(client, 'moved')).toMatchObject({ state: 'Dead', members: [] });
  });
});
