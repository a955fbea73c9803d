/** Brokers with memory as storage, in this process: what is told without a socket, and what is left when they are closed. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { BrokerError, json, startBroker, text, type RunningBroker, type StartOptions } from '../src/index.ts';
import { WireClient } from './program/wire-client.ts';

const brokers: RunningBroker[] = [];

afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.close();
});

async function start(options: StartOptions = {}): Promise<RunningBroker> {
  const broker = await startBroker({ storage: 'memory', kafka: false, http: false, ...options });
  brokers.push(broker);
  return broker;
}

describe('a broker in memory', () => {
  it('serves without a socket', async () => {
    const broker = await start();
    expect([broker.kafka, broker.http]).toEqual([null, null]);
    await broker.createTopic('orders', { partitions: 2 });
    const places = await broker.produce('orders', [
      { key: 'a', value: 'first', headers: { source: 'test' }, timestampMs: 5000 },
      { value: 'second', partition: 1 },
      { key: 'a', value: null },
    ]);
    expect(places[2]).toEqual({ topic: 'orders', partition: places[0]!.partition, offset: places[0]!.offset + 1 });
    const read = [];
    for await (const record of broker.consume('orders', { key: text, value: text, untilEnd: true })) read.push(record);
    expect(read.length).toBe(3);
    const [first, third] = read.filter(({ key }) => key === 'a');
    expect(first).toMatchObject({ value: 'first', timestampMs: 5000 });
    expect(first!.headers).toEqual([{ key: 'source', value: new Uint8Array(Buffer.from('test')) }]);
    expect(third).toMatchObject({ value: null });
  });

  it('types keys and values by serializers', async () => {
    const broker = await start();
    await broker.produce('orders', [{ key: 'a', value: { amount: 3 } }], {
      key: text,
      value: json<{ amount: number }>(),
    });
    for await (const { value } of broker.consume('orders', { value: json<{ amount: number }>(), untilEnd: true })) {
      const amount: number = value!.amount;
      expect(amount).toBe(3);
    }
  });

  it('tells of records as they come, until it is told to stop', async () => {
    const broker = await start();
    await broker.createTopic('news');
    await broker.produce('news', [{ value: 'old' }]);
    const ending = new AbortController();
    const consumer = broker.consume('news', { from: 'latest', value: text, signal: ending.signal });
    await broker.produce('news', [{ value: 'new' }]);
    expect((await consumer.next()).value).toMatchObject({ value: 'new', offset: 1 });
    const waiting = consumer.next();
    ending.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await consumer.next()).toEqual({ done: true, value: undefined });
  });

  it('reads many more records than it reads ahead, of all partitions and those that come later', async () => {
    const broker = await start();
    await broker.createTopic('many', { partitions: 3 });
    const values = Array.from({ length: 30_000 }, (_, i) => `value ${i}`);
    for (let i = 0; i < values.length; i += 5000) {
      await broker.produce(
        'many',
        values.slice(i, i + 5000).map((value, k) => ({ value, partition: k % 3 })),
      );
    }
    const read: string[] = [];
    for await (const { value } of broker.consume('many', { value: text })) {
      read.push(value!);
      if (read.length === values.length) break;
    }
    expect(read.toSorted()).toEqual(values.toSorted());
  });

  it('ends a reading of an empty topic, and creates one that is read before it is written', async () => {
    const broker = await start();
    const read = [];
    for await (const record of broker.consume('nothing', { untilEnd: true })) read.push(record);
    expect(read).toEqual([]);
    const consumer = broker.consume('later', { value: text });
    const first = consumer.next();
    await broker.produce('later', [{ value: 'here' }]);
    expect((await first).value).toMatchObject({ value: 'here' });
    await consumer.return!();
  });

  it('says what is wrong', async () => {
    const broker = await start({ settings: { 'auto.create.topics.enable': 'false' } });
    await broker.createTopic('compacted', { configs: { 'cleanup.policy': 'compact' } });
    await expect(broker.createTopic('compacted')).rejects.toMatchObject({ code: 'TOPIC_ALREADY_EXISTS' });
    await expect(broker.produce('missing', [{ value: 'x' }])).rejects.toMatchObject({
      name: 'BrokerError',
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      message: 'There is no topic missing.',
    });
    const partly = broker.produce('compacted', [{ key: 'a', value: 'x' }, { value: 'no key' }]);
    await expect(partly).rejects.toMatchObject({ code: 'INVALID_RECORD', records: [1] });
    await expect(broker.consume('missing').next()).rejects.toBeInstanceOf(BrokerError);
    const beyond = broker.consume('compacted', { from: { offset: 7 } });
    await expect(beyond.next()).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' });
    const consumer = broker.consume('compacted', { from: 'latest' });
    const waiting = expect(consumer.next()).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' });
    await broker.deleteTopic('compacted');
    await waiting;
  });

  it('shares its topics with clients of Kafka, at a free port', async () => {
    const broker = await start({ kafka: '127.0.0.1:0' });
    const client = await WireClient.connect(broker.kafka!.port);
    await client.createTopic('shared');
    await client.produce('shared', 'from a client');
    await broker.produce('shared', [{ value: 'from within' }]);
    const read = [];
    for await (const { value } of broker.consume('shared', { value: text, untilEnd: true })) read.push(value);
    expect(read).toEqual(['from a client', 'from within']);
    expect((await client.fetch('shared', 1)).includes('from within')).toBe(true);
  });

  it('forgets everything at a reset, while connections stay', async () => {
    const broker = await start({ kafka: '127.0.0.1:0' });
    const client = await WireClient.connect(broker.kafka!.port);
    await broker.createTopic('orders', { partitions: 4 });
    await broker.produce('orders', [{ value: 'x' }]);
    await broker.reset();
    await expect(broker.deleteTopic('orders')).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' });
    await broker.createTopic('orders', { partitions: 1 });
    expect(await broker.produce('orders', [{ value: 'y' }])).toEqual([{ topic: 'orders', partition: 0, offset: 0 }]);
    expect((await client.fetch('orders', 0)).includes('y')).toBe(true);
  });

  it('refuses what does not fit into its memory, and goes on', async () => {
    const broker = await start({ memoryBytes: 3_000_000 });
    await broker.createTopic('full');
    const value = new Uint8Array(400_000);
    await expect(
      (async () => {
        for (let i = 0; i < 10; i++) await broker.produce('full', [{ value }]);
      })(),
    ).rejects.toMatchObject({ code: 'KAFKA_STORAGE_ERROR' });
    const read = [];
    for await (const { offset } of broker.consume('full', { untilEnd: true })) read.push(offset);
    expect(read.length).toBeGreaterThan(2);
  });

  it('runs many beside one another', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => start()));
    await Promise.all(all.map((broker, i) => broker.produce('t', [{ value: `of ${i}` }])));
    for (const [i, broker] of all.entries()) {
      for await (const { value } of broker.consume('t', { value: text, untilEnd: true })) expect(value).toBe(`of ${i}`);
    }
  });

  it('leaves nothing that keeps the process alive once it is closed', () => {
    const script = `
      import { startBroker } from ${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)};
      const broker = await startBroker({ storage: 'memory' });
      await broker.produce('t', [{ value: 'x' }]);
      const consumer = broker.consume('t');
      await consumer.next();
      const last = consumer.next();
      const group = broker.consume('t', { group: 'g' });
      await group.next();
      const grouped = group.next();
      await broker.close();
      console.log((await last).done, (await grouped).done);
      console.log('closed');
    `;
    const options = { encoding: 'utf8', timeout: 30_000, cwd: fileURLToPath(new URL('..', import.meta.url)) } as const;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], options);
    expect({ stdout, stderr, status }).toEqual({ stdout: 'true true\nclosed\n', stderr: '', status: 0 });
  });
});
