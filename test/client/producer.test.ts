/** The producer against a broker in this process. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  bytes,
  type Client,
  Consumer,
  createTopics,
  ErrorCode,
  gzip,
  json,
  KafkaError,
  Producer,
  text,
  topicOffsets,
} from '../../src/client/index.ts';
import { ClientHarness, first, numbered } from './client-harness.ts';

let harness: ClientHarness;
let client: Client;
beforeAll(async () => {
  harness = await ClientHarness.start();
});
afterEach(() => harness.closeAll());
afterAll(() => harness[Symbol.asyncDispose]());

async function newTopic(partitionCount = 1, configs: Record<string, string> = {}): Promise<string> {
  client = harness.client();
  const name = harness.newTopic();
  await createTopics(client, [{ name, partitionCount, configs }]);
  return name;
}

/** All values of a topic, by partition. */
async function valuesOf(topic: string, count: number): Promise<string[][]> {
  const consumer = harness.closing(new Consumer(client, { topics: [topic], value: text }));
  const values: string[][] = [];
  for (const { partition, value } of await first(consumer, count)) (values[partition] ??= []).push(value!);
  return values;
}

describe('Producer', () => {
  it('sends records with all they have, and tells where they are', async () => {
    const topic = await newTopic();
    const producer = harness.closing(new Producer(client, { key: text, value: json<{ n: number }>() }));
    const headers = [
      { key: 'trace', value: new TextEncoder().encode('é') },
      { key: 'none', value: null },
      { key: 'trace', value: new Uint8Array(0) },
    ];
    expect(await producer.send({ topic, key: 'a', value: { n: 1 }, headers, timestampMs: 1234 })).toEqual({
      topic,
      partition: 0,
      offset: 0,
    });
    expect(await producer.send({ topic, value: null, headers: { a: 'b' } })).toMatchObject({ offset: 1 });
    const consumer = harness.closing(
      new Consumer(client, { topics: [topic], key: text, value: json<{ n: number }>() }),
    );
    const [one, two] = await first(consumer, 2);
    expect(one).toEqual({ topic, partition: 0, offset: 0, timestampMs: 1234, key: 'a', value: { n: 1 }, headers });
    expect(two).toMatchObject({
      key: null,
      value: null,
      headers: [{ key: 'a', value: new TextEncoder().encode('b') }],
    });
    expect(Math.abs(two!.timestampMs - Date.now())).toBeLessThan(60_000);
  });

  it('keeps the order of the calls in each partition, whatever is on its way', async () => {
    const topic = await newTopic(3);
    const producer = harness.closing(new Producer(client, { value: text, batchBytes: 2000, lingerMs: 0 }));
    const texts = numbered(5000);
    const sent = await Promise.all(texts.map((value, i) => producer.send({ topic, value, partition: i % 3 })));
    expect(sent.map(({ offset }) => offset)).toEqual(texts.map((_, i) => Math.floor(i / 3)));
    const values = await valuesOf(topic, texts.length);
    expect(values).toEqual([0, 1, 2].map((partition) => texts.filter((_, i) => i % 3 === partition)));
  });

  it('puts records with a key where Kafka puts them, and spreads those without', async () => {
    const topic = await newTopic(16);
    const producer = harness.closing(new Producer(client, { key: text, value: text }));
    const keyed = await producer.send({ topic, key: 'foobar', value: 'x' });
    // The hash of Kafka's own table for this key is -790332482.
    expect(keyed.partition).toBe((-790332482 & 0x7fffffff) % 16);
    const partitions = new Set<number>();
    for (let i = 0; i < 60; i++) partitions.add((await producer.send({ topic, value: 'x' })).partition);
    expect(partitions.size).toBeGreaterThan(4);
    const together = await Promise.all(numbered(50).map((value) => producer.send({ topic, value })));
    expect(new Set(together.map(({ partition }) => partition)).size).toBe(1);
  });

  it('makes a topic by the first record where the broker does', async () => {
    client = harness.client();
    const topic = harness.newTopic();
    const producer = harness.closing(new Producer(client, { value: text }));
    const sent = await Promise.all(numbered(3).map((value) => producer.send({ topic, value })));
    expect(sent.map(({ offset }) => offset)).toEqual([0, 1, 2]);
  });

  it('compresses with gzip', async () => {
    const topic = await newTopic();
    const producer = harness.closing(new Producer(client, { value: text, compression: gzip }));
    const texts = numbered(2000).map((value) => value.repeat(10));
    await Promise.all(texts.map((value) => producer.send({ topic, value })));
    expect(await valuesOf(topic, texts.length)).toEqual([texts]);
    const files = await import('node:fs/promises');
    const log = await files.readFile(`${harness.broker.dataDirectory}/${topic}-0/00000000000000000000.log`);
    expect(log.length).toBeLessThan(texts.join('').length / 5);
  });

  it('splits a batch that the broker finds too large, in order', async () => {
    const topic = await newTopic(1, { 'max.message.bytes': '3000' });
    const producer = harness.closing(new Producer(client, { value: text }));
    const texts = numbered(300).map((value) => value.padEnd(100, '.'));
    const sent = await Promise.all(texts.map((value) => producer.send({ topic, value })));
    expect(sent.map(({ offset }) => offset)).toEqual(texts.map((_, i) => i));
    expect(await valuesOf(topic, texts.length)).toEqual([texts]);
    const tooLarge = producer.send({ topic, value: 'x'.repeat(4000) });
    await expect(tooLarge).rejects.toMatchObject({ code: ErrorCode.MESSAGE_TOO_LARGE, codeName: 'MESSAGE_TOO_LARGE' });
    expect(await producer.send({ topic, value: 'after' })).toMatchObject({ offset: 300 });
  });

  it('holds back whoever sends more than the buffer takes', async () => {
    const topic = await newTopic();
    const producer = harness.closing(new Producer(client, { value: bytes, bufferBytes: 100_000 }));
    await producer.send({ topic, value: new Uint8Array(1) });
    const value = new Uint8Array(10_000);
    let waits = 0;
    for (let i = 0; i < 100; i++) {
      const full = producer.enqueue({ topic, value });
      expect(producer.bufferedBytes).toBeLessThanOrEqual(100_000);
      if (full === undefined) continue;
      waits++;
      await full;
    }
    expect(waits).toBeGreaterThan(5);
    await producer.flush();
    expect(producer.bufferedBytes).toBe(0);
    expect(await topicOffsets(client, [{ topic, partition: 0 }], 'latest')).toEqual([101]);
    // Those who do not wait are told so in the end.
    const careless = (): void => {
      for (let i = 0; i < 200_000; i++) void producer.enqueue({ topic, value: value.subarray(0, 10) });
    };
    expect(careless).toThrow(/wait for what enqueue gives/);
  });

  it('tells at the next flush of what was enqueued and failed', async () => {
    const topic = await newTopic();
    const producer = new Producer(client, { value: text });
    void producer.enqueue({ topic, value: 'here' });
    void producer.enqueue({ topic, value: 'nowhere', partition: 7 });
    await expect(producer.flush()).rejects.toMatchObject({ code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION });
    await producer.flush();
    await producer.close();
    expect(await valuesOf(topic, 1)).toEqual([['here']]);
  });

  it('delivers what was taken before it closes, and takes nothing after', async () => {
    const topic = await newTopic();
    const producer = new Producer(client, { value: text });
    const sent = numbered(100).map((value) => producer.send({ topic, value }));
    const closed = producer.close();
    await expect(producer.send({ topic, value: 'late' })).rejects.toBeInstanceOf(KafkaError);
    await closed;
    expect((await Promise.all(sent)).at(-1)).toMatchObject({ offset: 99 });
    await expect(producer.send({ topic, value: 'late' })).rejects.toThrow('the producer was closed');
    expect(() => producer.enqueue({ topic, value: 'late' })).toThrow('the producer was closed');
  });

  it('stops waiting where a signal says so', async () => {
    const topic = await newTopic();
    const producer = harness.closing(new Producer(client, { value: text }));
    const controller = new AbortController();
    const sent = producer.send({ topic, value: 'x' }, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(sent).rejects.toThrow('enough');
    await expect(producer.send({ topic, value: 'x' }, { signal: controller.signal })).rejects.toThrow('enough');
  });

  it('answers for acks=1 with offsets and for acks=0 without', async () => {
    const topic = await newTopic();
    const one = harness.closing(new Producer(client, { value: text, acks: 1 }));
    const none = harness.closing(new Producer(client, { value: text, acks: 0 }));
    expect(await one.send({ topic, value: 'one' })).toMatchObject({ offset: 0 });
    expect(await none.send({ topic, value: 'none' })).toMatchObject({ offset: -1 });
    expect(await valuesOf(topic, 2)).toEqual([['one', 'none']]);
    expect(() => new Producer(client, { acks: 1, idempotent: true })).toThrow('idempotence takes acks=all');
  });

  it('gives up what is not delivered in time', async () => {
    client = harness.client({ url: 'ws://127.0.0.1:9/kafka' });
    const producer = new Producer(client, { value: text, deliveryTimeoutMs: 300 });
    const failure = { code: ErrorCode.NETWORK_EXCEPTION, retriable: true };
    await expect(producer.send({ topic: 't', value: 'x' })).rejects.toMatchObject(failure);
    void producer.enqueue({ topic: 't', value: 'x' });
    await expect(producer.close()).rejects.toMatchObject(failure);
  });
});
