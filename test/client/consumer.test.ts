/** The consumer without a group, and what it reads, against a broker in this process. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Client,
  Consumer,
  createPartitions,
  createTopics,
  ErrorCode,
  groupOffsets,
  json,
  Producer,
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

/** A topic with `texts` in it, round the partitions. */
async function topicWith(texts: readonly string[], partitionCount = 1, batchBytes = 1000): Promise<string> {
  client = harness.client();
  const name = harness.newTopic();
  await createTopics(client, [{ name, partitionCount }]);
  await append(name, texts, partitionCount, batchBytes);
  return name;
}

async function append(topic: string, texts: readonly string[], partitionCount = 1, batchBytes = 1000): Promise<void> {
  await using producer = new Producer(client, { value: text, batchBytes });
  await Promise.all(
    texts.map((value, i) => producer.send({ topic, value, partition: i % partitionCount, timestampMs: 1000 + i })),
  );
}

const valuesOf = (records: readonly { readonly value: string | null }[]): (string | null)[] =>
  records.map(({ value }) => value);

describe('Consumer', () => {
  it('reads all partitions of its topics, each in order', async () => {
    const texts = numbered(3000);
    const topic = await topicWith(texts, 4);
    const consumer = harness.closing(new Consumer(client, { topics: [topic], value: text }));
    const records = await first(consumer, texts.length);
    for (let partition = 0; partition < 4; partition++) {
      const own = records.filter((record) => record.partition === partition);
      expect(own.map(({ offset }) => offset)).toEqual(own.map((_, i) => i));
      expect(valuesOf(own)).toEqual(texts.filter((_, i) => i % 4 === partition));
    }
  });

  it('goes on with what comes later', async () => {
    const topic = await topicWith(numbered(3));
    const consumer = harness.closing(new Consumer(client, { topics: [topic], value: text }));
    const seen: (string | null)[] = [];
    for await (const { value } of consumer) {
      seen.push(value);
      if (seen.length % 3 === 0 && seen.length < 12) await append(topic, numbered(3, seen.length));
      if (seen.length === 12) break;
    }
    expect(seen).toEqual(numbered(12));
  });

  it('begins where it is told: at the end, an offset, a time', async () => {
    const topic = await topicWith(numbered(100));
    const partition = { topic, partition: 0 };
    const at = async (from: 'earliest' | { readonly offset: number } | { readonly timestampMs: number }) => {
      await using consumer = new Consumer(client, { partitions: [{ ...partition, from }], value: text });
      return (await first(consumer, 1))[0]!.offset;
    };
    expect(await at('earliest')).toBe(0);
    expect(await at({ offset: 42 })).toBe(42);
    expect(await at({ timestampMs: 1017 })).toBe(17);
    const latest = harness.closing(new Consumer(client, { topics: [topic], from: 'latest', value: text }));
    const next = latest[Symbol.asyncIterator]().next();
    await expect.poll(() => latest.position(partition)).toBe(100);
    await append(topic, ['new']);
    expect(await next).toMatchObject({ value: { value: 'new', offset: 100 } });
  });

  it('seeks and pauses', async () => {
    const topic = await topicWith(numbered(200), 2);
    const [zero, one] = [0, 1].map((partition) => ({ topic, partition }));
    const consumer = harness.closing(new Consumer(client, { topics: [topic], value: text }));
    await first(consumer, 50);
    await consumer.seek(zero!, { offset: 10 });
    await consumer.seek(one!, 'earliest');
    consumer.pause([one!]);
    const records = await first(consumer, 90);
    expect(records.map(({ partition, offset }) => [partition, offset])).toEqual(
      numbered(90).map((_, i) => [0, i + 10]),
    );
    consumer.resume([one!]);
    expect((await first(consumer, 100)).map(({ offset }) => offset)).toEqual(numbered(100).map((_, i) => i));
    const elsewhere = consumer.seek({ topic, partition: 9 }, 'earliest');
    await expect(elsewhere).rejects.toMatchObject({ code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION });
  });

  it('reads ahead no further than its bound', async () => {
    const texts = numbered(4000).map((value) => value.padEnd(1000, '.'));
    const topic = await topicWith(texts, 1, 20_000);
    const [batch] = [20_000];
    const consumer = harness.closing(new Consumer(client, { topics: [topic], value: text, prefetchBytes: 100_000 }));
    let highestBytes = 0;
    const seen: (string | null)[] = [];
    for await (const { value } of consumer) {
      seen.push(value);
      if (seen.length % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      highestBytes = Math.max(highestBytes, consumer.bufferedBytes);
      if (seen.length === texts.length) break;
    }
    expect(seen).toEqual(texts);
    // One fetch may come on top of what is just below the bound, and each ends with a whole batch.
    expect(highestBytes).toBeLessThan(200_000 + 2 * batch!);
    expect(highestBytes).toBeGreaterThan(50_000);
  });

  it('gives several records at once', async () => {
    const texts = numbered(1000);
    const topic = await topicWith(texts, 1);
    const consumer = harness.closing(new Consumer(client, { topics: [topic], value: text }));
    const seen: (string | null)[] = [];
    let batches = 0;
    for await (const records of consumer.batches({ maxRecords: 64 })) {
      expect(records.length).toBeLessThanOrEqual(64);
      seen.push(...valuesOf(records));
      batches++;
      if (seen.length === texts.length) break;
    }
    expect(seen).toEqual(texts);
    expect(batches).toBeLessThan(200);
  });

  it('ends its loop when it is closed and when its signal fires', async () => {
    const topic = await topicWith(numbered(5));
    const controller = new AbortController();
    const consumer = new Consumer(client, { topics: [topic], value: text, signal: controller.signal });
    const seen: (string | null)[] = [];
    for await (const { value } of consumer) if (seen.push(value) === 5) controller.abort();
    expect(seen).toEqual(numbered(5));
    const other = new Consumer(client, { topics: [topic], from: 'latest' });
    const loop = (async () => {
      for await (const record of other) expect(record).toBeUndefined();
    })();
    await expect.poll(() => other.assignment.length).toBe(1);
    await other.close();
    await loop;
  });

  it('says which record its serializers cannot read, and goes on behind it after a seek', async () => {
    const topic = await topicWith(['{"a":1}', 'no json', '{"a":3}']);
    const consumer = harness.closing(new Consumer(client, { topics: [topic], value: json<{ a: number }>() }));
    const loop = first(consumer, 3);
    await expect(loop).rejects.toMatchObject({ code: ErrorCode.INVALID_RECORD });
    await expect(loop).rejects.toThrow(`the record at offset 1 of partition 0 of ${topic} cannot be read`);
    await expect(first(consumer, 1)).rejects.toThrow('offset 1');
    await consumer.seek({ topic, partition: 0 }, { offset: 2 });
    expect(await first(consumer, 1)).toMatchObject([{ value: { a: 3 } }]);
    await consumer.seek({ topic, partition: 0 }, { offset: 0 });
    const batches = consumer.batches()[Symbol.asyncIterator]();
    expect(await batches.next()).toMatchObject({ value: [{ value: { a: 1 } }] });
    await expect(batches.next()).rejects.toThrow('offset 1');
  });

  it('fails where its position is not in the log, unless it is told to go elsewhere', async () => {
    const topic = await topicWith(numbered(3));
    const partitions = [{ topic, partition: 0, from: { offset: 99 } }];
    const strict = harness.closing(new Consumer(client, { partitions, value: text }));
    await expect(first(strict, 1)).rejects.toMatchObject({ code: ErrorCode.OFFSET_OUT_OF_RANGE });
    const lenient = harness.closing(new Consumer(client, { partitions, value: text, outOfRange: 'earliest' }));
    expect(valuesOf(await first(lenient, 3))).toEqual(numbered(3));
  });

  it('waits for a topic that does not exist yet', async () => {
    client = harness.client();
    const topic = harness.newTopic();
    const retries: string[] = [];
    const patient = harness.client({ onRetry: (error) => retries.push(error.message) });
    const consumer = harness.closing(new Consumer(patient, { topics: [topic], value: text }));
    const loop = first(consumer, 1);
    await expect.poll(() => retries.length).toBeGreaterThan(1);
    await createTopics(client, [topic]);
    await append(topic, ['at last']);
    expect(valuesOf(await loop)).toEqual(['at last']);
  });

  it('keeps the position of a group in partitions that it names itself', async () => {
    const topic = await topicWith(numbered(10));
    const partitions = [{ topic, partition: 0 }];
    const options = { partitions, group: 'alone', value: text };
    const one = harness.closing(new Consumer(client, options));
    expect(valuesOf(await first(one, 4))).toEqual(numbered(4));
    await one.commit();
    await one.close();
    expect(await groupOffsets(client, 'alone')).toMatchObject([{ topic, partition: 0, offset: 4 }]);
    const other = harness.closing(new Consumer(client, options));
    expect(valuesOf(await first(other, 6))).toEqual(numbered(6, 4));
  });

  it('refuses options that contradict each other, and a second loop', async () => {
    const topic = await topicWith([]);
    expect(() => new Consumer(client, {})).toThrow('give one of them');
    expect(() => new Consumer(client, { topics: ['a'], partitions: [] })).toThrow('give one of them');
    const consumer = harness.closing(new Consumer(client, { topics: [topic] }));
    void consumer[Symbol.asyncIterator]().next();
    expect(() => consumer[Symbol.asyncIterator]()).toThrow('read by another loop');
    await expect(consumer.commit([{ topic, partition: 0, offset: 1 }])).rejects.toThrow('keeps no position');
  });

  it('sees partitions that a topic gets later', async () => {
    const topic = await topicWith(numbered(1));
    const consumer = harness.closing(new Consumer(client, { topics: [topic], value: text, growthIntervalMs: 50 }));
    await first(consumer, 1);
    await createPartitions(client, topic, 2);
    await append(topic, ['old', 'new'], 2);
    expect(valuesOf(await first(consumer, 2)).toSorted()).toEqual(['new', 'old']);
  });
});
