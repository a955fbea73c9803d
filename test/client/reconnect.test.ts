/**
 * Exactly what was sent, and in order, through connections that are cut at any byte and a broker that is killed: nothing is
 * lost, nothing seen twice.
 */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  Client,
  type ClientOptions,
  Consumer,
  cooperativeSticky,
  createTopics,
  Producer,
  range,
  text,
} from '../../src/client/index.ts';
import { Program } from '../clients/program.ts';
import { ClientHarness, CuttingProxy, numbered } from './client-harness.ts';

/** They come back soon, so that many cuts fit into a test. */
const quick: Partial<ClientOptions> = { backoff: { firstMs: 5, longestMs: 50 }, requestTimeoutMs: 5000 };
const partitionCount = 3;

/** Sends `texts`, spread over the partitions, `chunk` at a time; after each chunk `between`. */
async function sendAll(
  producer: Producer<Uint8Array, string>,
  topic: string,
  texts: readonly string[],
  between: () => Promise<void> | void,
  chunk = 100,
): Promise<void> {
  const sent: Promise<unknown>[] = [];
  for (let i = 0; i < texts.length; i++) {
    sent.push(producer.send({ topic, value: texts[i]!, partition: i % partitionCount }));
    if (i % chunk === chunk - 1) {
      await between();
      // Some of it is on its way and some is not.
      await sent.at(-chunk);
    }
  }
  await Promise.all(sent);
}

/** Reads until every one of `count` records came, and the partitions' texts in the order seen. */
async function readAll(
  consumer: Consumer<Uint8Array, string>,
  count: number,
  between: (seen: number) => Promise<void> | void = () => {},
): Promise<string[][]> {
  const seen: string[][] = Array.from({ length: partitionCount }, () => []);
  let total = 0;
  for await (const { partition, offset, value } of consumer) {
    expect(offset).toBe(seen[partition]!.length);
    seen[partition]!.push(value!);
    await between(++total);
    if (total === count) break;
  }
  return seen;
}

const split = (texts: readonly string[]): string[][] =>
  Array.from({ length: partitionCount }, (_, partition) => texts.filter((_, i) => i % partitionCount === partition));

describe('connections that are cut', () => {
  let harness: ClientHarness;
  beforeAll(async () => {
    harness = await ClientHarness.start();
  });
  afterEach(() => harness.closeAll());
  afterAll(() => harness[Symbol.asyncDispose]());

  async function throughProxy(): Promise<{ proxy: CuttingProxy; client: Client; topic: string; retries: Error[] }> {
    const proxy = harness.closing(await CuttingProxy.open(() => harness.broker.http!.port));
    const retries: Error[] = [];
    const client = harness.closing(new Client({ url: proxy.url, ...quick, onRetry: (error) => retries.push(error) }));
    const topic = harness.newTopic();
    await createTopics(client, [{ name: topic, partitionCount }]);
    return { proxy, client, topic, retries };
  }

  it('store each record once, in order', async () => {
    const { proxy, client, topic, retries } = await throughProxy();
    const texts = numbered(3000);
    await using producer = new Producer(client, { value: text, batchBytes: 1000 });
    let chunks = 0;
    await sendAll(producer, topic, texts, () => {
      if (++chunks % 2 === 0) proxy.cut();
    });
    expect(proxy.connectionCount).toBeGreaterThan(10);
    expect(retries.length).toBeGreaterThan(10);
    const direct = harness.client();
    await using consumer = new Consumer(direct, { topics: [topic], value: text });
    expect(await readAll(consumer, texts.length)).toEqual(split(texts));
  });

  it('store each record once where the answers are lost', async () => {
    const { proxy, client, topic } = await throughProxy();
    const texts = numbered(1000);
    await using producer = new Producer(client, { value: text, batchBytes: 1000 });
    let chunks = 0;
    await sendAll(producer, topic, texts, async () => {
      if (++chunks % 3 !== 0) return;
      // Requests arrive and are done, and nobody hears of it before the connection ends.
      proxy.isDeaf = true;
      await new Promise((resolve) => setTimeout(resolve, 30));
      proxy.cut();
      proxy.isDeaf = false;
    });
    const direct = harness.client();
    await using consumer = new Consumer(direct, { topics: [topic], value: text });
    expect(await readAll(consumer, texts.length)).toEqual(split(texts));
  });

  it('store and show each record once through a proxy that refuses, babbles, dribbles and falls silent', async () => {
    const proxy = harness.closing(await CuttingProxy.open(() => harness.broker.http!.port));
    const moods = ['passes', 'refuses', 'falls silent', 'babbles', 'dribbles'] as const;
    proxy.moodOf = (connection) => moods[connection % moods.length]!;
    // Short, or a connection that fell silent is waited for in vain.
    const client = harness.closing(new Client({ url: proxy.url, ...quick, requestTimeoutMs: 300 }));
    const topic = harness.newTopic();
    await createTopics(harness.client(), [{ name: topic, partitionCount }]);
    const texts = numbered(2000);
    await using producer = new Producer(client, { value: text, batchBytes: 1000 });
    await using consumer = new Consumer(client, { topics: [topic], value: text, maxWaitMs: 50 });
    const seen = readAll(consumer, texts.length, (total) => {
      if (total % 400 === 0) proxy.cut();
    });
    await sendAll(producer, topic, texts, () => {}, 200);
    expect(await seen).toEqual(split(texts));
    expect(proxy.connectionCount).toBeGreaterThan(moods.length);
  });

  it('show a loop each record once, in order', async () => {
    const { proxy, client, topic } = await throughProxy();
    const texts = numbered(5000).map((value) => value.padEnd(200, '.'));
    await using producer = new Producer(harness.client(), { value: text, batchBytes: 3000 });
    await sendAll(producer, topic, texts, () => {}, 1000);
    await using consumer = new Consumer(client, { topics: [topic], value: text, prefetchBytes: 50_000, maxWaitMs: 50 });
    // Every other one in the middle of an answer.
    proxy.cutAfterBytes = (connection) => (connection % 2 === 0 ? 20_000 : Infinity);
    const seen = await readAll(consumer, texts.length, (total) => {
      if (total % 250 === 0) proxy.cut();
    });
    expect(seen).toEqual(split(texts));
    expect(proxy.connectionCount).toBeGreaterThan(15);
  });

  it.each([range, cooperativeSticky])('show a group each record once ($name)', async (assignor) => {
    const { proxy, client, topic } = await throughProxy();
    const texts = numbered(2000);
    await using producer = new Producer(harness.client(), { value: text });
    await sendAll(producer, topic, texts, () => {}, 1000);
    await using consumer = new Consumer(client, {
      topics: [topic],
      group: `cut-${assignor.name}`,
      value: text,
      prefetchBytes: 5000,
      maxWaitMs: 20,
      heartbeatIntervalMs: 30,
      autoCommitIntervalMs: 20,
      assignors: [assignor],
    });
    const seen = await readAll(consumer, texts.length, async (total) => {
      if (total % 100 !== 0) return;
      proxy.cut();
      await new Promise((resolve) => setTimeout(resolve, 10));
    });
    expect(seen).toEqual(split(texts));
  });
});

describe('a broker that is killed', () => {
  it('stores and shows each record once, in order, with and without a group', async () => {
    await using program = await Program.start();
    await using client = new Client({ url: `ws://${program.http}/kafka`, ...quick });
    await createTopics(client, [{ name: 'killed', partitionCount }]);
    const texts = numbered(6000);
    await using producer = new Producer(client, { value: text, batchBytes: 2000 });
    const options = {
      topics: ['killed'],
      value: text,
      maxWaitMs: 50,
      heartbeatIntervalMs: 50,
      autoCommitIntervalMs: 50,
    };
    await using alone = new Consumer(client, options);
    await using member = new Consumer(client, { ...options, group: 'killed-group' });
    await using sticky = new Consumer(client, { ...options, group: 'killed-sticky', assignors: [cooperativeSticky] });
    const reading = Promise.all([alone, member, sticky].map((consumer) => readAll(consumer, texts.length)));
    let chunks = 0;
    const sending = sendAll(
      producer,
      'killed',
      texts,
      async () => {
        if (++chunks % 4 !== 0) return;
        await program.kill();
        await program.restart();
      },
      400,
    );
    const [all] = await Promise.all([reading, sending]);
    for (const seen of all) expect(seen).toEqual(split(texts));
  });
});
