/** Members in process beside clients of Kafka in one group: whoever leads, partitions are shared and positions go on. */

import { Kafka, logLevel, type Consumer } from 'kafkajs';
import { afterEach, describe, expect, it } from 'vitest';
import { startBroker, text, type RunningBroker } from '../../src/index.ts';
import {
  assignors,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../src/gateway/group-assignment.ts';

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

describe('the consumer protocol', () => {
  it('is read as it is written', () => {
    expect(decodeSubscription(encodeSubscription(['a', 'b']))).toEqual(['a', 'b']);
    const partitions = [
      { topic: 'a', partition: 0 },
      { topic: 'a', partition: 2 },
      { topic: 'b', partition: 1 },
    ];
    expect(decodeAssignment(encodeAssignment(partitions))).toEqual(partitions);
    expect(decodeAssignment(new Uint8Array())).toEqual([]);
    expect(decodeAssignment(new Uint8Array([0, 0, 0, 0, 0, 9]))).toBeNull();
    expect(decodeSubscription(new Uint8Array([1]))).toEqual([]);
  });

  it.each([...assignors.keys()])('gives every partition to one subscriber, evenly (%s)', (name) => {
    const members = [
      { memberId: 'm2', topics: ['a', 'b'] },
      { memberId: 'm1', topics: ['a'] },
      { memberId: 'm3', topics: ['missing'] },
    ];
    const assignment = assignors.get(name)!(
      members,
      new Map([
        ['a', 5],
        ['b', 3],
      ]),
    );
    const all = [...assignment.values()].flat().map(({ topic, partition }) => `${topic}-${partition}`);
    expect(all.toSorted()).toEqual(['a-0', 'a-1', 'a-2', 'a-3', 'a-4', 'b-0', 'b-1', 'b-2']);
    expect(assignment.get('m3')).toEqual([]);
    expect(assignment.get('m1')!.every(({ topic }) => topic === 'a')).toBe(true);
    expect(assignment.get('m1')!.length).toBeGreaterThan(1);
  });
});

describe('a member in process', () => {
  it('reads alone, commits, and goes on where it was', async () => {
    const broker = await start();
    await broker.createTopic('orders', { partitions: 3 });
    await produce(broker, 0, 60);
    const first = new Reading(broker);
    await first.count(60);
    await first.stop();
    await produce(broker, 60, 90);
    const second = new Reading(broker);
    await second.count(30);
    expect(second.values.toSorted()).toEqual(values(60, 90).toSorted());
    await second.stop();
  });

  it('shares the partitions with kafkajs, both ways, and loses nothing', async () => {
    const broker = await start();
    await broker.createTopic('orders', { partitions: 4 });
    const mine = new Reading(broker);
    await produce(broker, 0, 40);
    await mine.count(40);
    expect(mine.partitions.size).toBe(4);

    const theirs = await kafkajsReading(broker);
    await theirs.assigned(2);
    await produce(broker, 40, 80);
    await until(() => mine.values.length + theirs.values.length >= 80);
    expect(theirs.values.length).toBeGreaterThan(0);
    expect([...mine.values, ...theirs.values].toSorted()).toEqual(values(0, 80).toSorted());

    await mine.stop();
    await theirs.assigned(4);
    await produce(broker, 80, 120);
    await until(() => mine.values.length + theirs.values.length >= 120);

    // The other way round: a client of Kafka leads, and this one comes and stays.
    const again = new Reading(broker);
    await theirs.assigned(2);
    await produce(broker, 120, 160);
    await until(() => mine.values.length + theirs.values.length + again.values.length >= 160);
    await theirs.consumer.disconnect();
    await produce(broker, 160, 200);
    const all = (): Set<string> => new Set([...mine.values, ...theirs.values, ...again.values]);
    await until(() => all().size === 200);
    expect(all()).toEqual(new Set(values(0, 200)));
    await again.stop();
  }, 60_000);

  it('gives way to another member, which gets the record that was not processed', async () => {
    const broker = await start();
    await broker.createTopic('orders');
    await produce(broker, 0, 10);
    const first = broker.consume('orders', { group: 'g', value: text });
    expect((await first.next()).value).toMatchObject({ value: 'v0' });
    expect((await first.next()).value).toMatchObject({ value: 'v1' });
    // The second was handed out, and the loop is left before it asks for another.
    await first.return!();
    const second = broker.consume('orders', { group: 'g', value: text });
    expect((await second.next()).value).toMatchObject({ value: 'v1' });
    await second.return!();
  });

  it('reads partitions that are added to its topic', async () => {
    const broker = await start();
    await broker.createTopic('orders');
    const reading = new Reading(broker);
    await produce(broker, 0, 5);
    await reading.count(5);
    const kafka = new Kafka({ brokers: [`127.0.0.1:${broker.kafka!.port}`], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    closing.push(() => admin.disconnect());
    await admin.createPartitions({ topicPartitions: [{ topic: 'orders', count: 3 }] });
    await broker.produce('orders', [{ value: 'in the third', partition: 2 }]);
    await until(() => reading.values.includes('in the third'));
    await reading.stop();
  });

  it('says why it cannot be in a group', async () => {
    const broker = await start();
    await broker.createTopic('orders');
    await expect(broker.consume('orders', { group: '' }).next()).rejects.toMatchObject({ code: 'INVALID_GROUP_ID' });
  });
});

/** A loop over the group's records in this process. */
class Reading {
  readonly values: string[] = [];
  readonly partitions = new Set<number>();
  readonly #ending = new AbortController();
  readonly #done: Promise<void>;

  constructor(broker: RunningBroker) {
    this.#done = this.#run(broker);
    this.#done.catch(() => {});
    closing.push(() => this.stop());
  }

  async #run(broker: RunningBroker): Promise<void> {
    const options = { group: 'shared', value: text, signal: this.#ending.signal };
    for await (const { value, partition } of broker.consume('orders', options)) {
      this.values.push(value!);
      this.partitions.add(partition);
    }
  }

  count(count: number): Promise<void> {
    return until(() => this.values.length >= count);
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#done;
  }
}

async function kafkajsReading(broker: RunningBroker) {
  const kafka = new Kafka({ brokers: [`127.0.0.1:${broker.kafka!.port}`], logLevel: logLevel.NOTHING });
  const consumer: Consumer = kafka.consumer({
    groupId: 'shared',
    heartbeatInterval: 100,
    sessionTimeout: 10_000,
    maxWaitTimeInMs: 100,
  });
  closing.push(() => consumer.disconnect());
  const read: string[] = [];
  let partitionCount = 0;
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    partitionCount = Object.values(payload.memberAssignment).flat().length;
  });
  await consumer.connect();
  await consumer.subscribe({ topic: 'orders', fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void read.push(String(message.value)) });
  return { consumer, values: read, assigned: (count: number) => until(() => partitionCount === count) };
}

async function start(): Promise<RunningBroker> {
  const broker = await startBroker({ storage: 'memory', http: false });
  closing.push(() => broker.close());
  return broker;
}

async function produce(broker: RunningBroker, from: number, to: number): Promise<void> {
  await broker.produce(
    'orders',
    values(from, to).map((value) => ({ key: value, value })),
  );
}

function values(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `v${from + i}`);
}

/** Resolves once it is so; the test's own time limit is the bound. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}
