/** JSON over WebSocket, with real sockets and a whole broker: publish, acknowledge, read. */

import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JsonClient, startDoors, type DoorBroker } from '../door-harness.ts';

let doors: DoorBroker;

beforeAll(async () => {
  doors = await startDoors();
});
afterAll(async () => {
  await doors[Symbol.asyncDispose]();
});

describe('publishing', () => {
  it('acknowledges each frame that has an id with partition and offset', async () => {
    await using client = await JsonClient.open(doors.url);
    expect(await client.ask({ type: 'publish', id: 1, topic: 'each', value: { total: 3 } })).toEqual({
      type: 'ack',
      id: 1,
      partition: 0,
      offset: 0,
    });
    client.send({ type: 'publish', topic: 'each', text: 'nobody hears of it' });
    expect(await client.ask({ type: 'publish', id: 'two "quoted"', topic: 'each', text: 'x' })).toEqual({
      type: 'ack',
      id: 'two "quoted"',
      partition: 0,
      offset: 2,
    });
  });

  it('stores keys, values, headers, partitions and timestamps as they are given', async () => {
    await using client = await JsonClient.open(doors.url);
    const headers = { plain: 'grün', none: null, bytes: { base64: '/wA=' }, twice: ['a', 'b'] };
    const records = [
      { key: 'k"1', value: { a: [1, 2.5e3, 'ü\u{1F600}'] }, headers, timestamp: 1234 },
      { keyBase64: '/w==', base64: '/wD+' },
      { key: null, text: 'line\nbreak "and" \\' },
      { key: 'gone', value: null },
      { value: '"quoted" text' },
      { value: 12345678901234567890n.toString() },
      {},
    ];
    const ack = await client.ask({ type: 'publish', id: 1, topic: 'kept', records });
    expect(ack).toEqual({ type: 'ack', id: 1, runs: [{ count: 7, partition: 0, offset: 0 }] });
    await client.ask({ type: 'subscribe', subscription: 's', topics: ['kept'], from: 'earliest' });
    const read = await client.records(7);
    expect(read[0]).toEqual({ offset: 0, timestamp: 1234, key: 'k"1', value: records[0]!.value, headers });
    expect(read.map(({ timestamp: _timestamp, offset: _offset, ...rest }) => rest).slice(1)).toEqual([
      { keyBase64: '/w==', base64: '/wD+' },
      { text: 'line\nbreak "and" \\' },
      { key: 'gone', value: null },
      { value: '"quoted" text' },
      { value: '12345678901234567890' },
      { value: null },
    ]);
  });

  it('keeps a JSON value byte by byte', async () => {
    await using client = await JsonClient.open(doors.url);
    await client.ask('{"type":"publish","id":1,"topic":"bytes","value": {"n": 1.000, "big":12345678901234567890 } }');
    await client.ask({ type: 'subscribe', subscription: 's', topics: ['bytes'], from: 'earliest', values: 'text' });
    expect((await client.records(1))[0]!['text']).toBe('{"n": 1.000, "big":12345678901234567890 }');
  });

  it('acknowledges cumulatively where a client asks', async () => {
    await using client = await JsonClient.open(doors.url);
    expect(await client.ask({ type: 'configure', id: 0, acks: '1', confirm: 'cumulative' })).toEqual({
      type: 'configured',
      id: 0,
    });
    for (let i = 0; i < 1000; i++) client.send({ type: 'publish', topic: 'many', text: `record ${i}` });
    let upTo = 0;
    let offset = -1;
    while (upTo < 1000) {
      const ack = await client.frame();
      expect(ack.type).toBe('ack');
      expect(ack['upTo']).toBeGreaterThan(upTo);
      upTo = ack['upTo'] as number;
      [{ offset }] = ack['last'] as [{ offset: number }];
    }
    expect(offset).toBe(999);
    expect(client.received.length).toBeLessThan(500);
  });

  it('stores each numbered record of a named producer once, and tells the last number', async () => {
    await using client = await JsonClient.open(doors.url);
    const asked = { type: 'producer', id: 'p', producer: 'device-7', topic: 'once' };
    expect(await client.ask(asked)).toMatchObject({ type: 'last', id: 'p', partition: 0, last: -1 });
    const numbered = { type: 'publish', topic: 'once', producer: 'device-7' };
    const first = { type: 'ack', partition: 0, offset: 0 };
    expect(await client.ask({ ...numbered, id: 1, sequence: 5, text: 'a' })).toEqual({ ...first, id: 1 });
    expect(await client.ask({ ...numbered, id: 2, sequence: 5, text: 'a' })).toMatchObject({ type: 'ack', id: 2 });
    const records = [
      { sequence: 7, text: 'b' },
      { sequence: 9, text: 'c' },
    ];
    expect(await client.ask({ ...numbered, id: 3, records })).toMatchObject({ runs: [{ count: 2, offset: 1 }] });
    expect(await client.ask({ ...numbered, id: 4, text: 'no number' })).toMatchObject({ error: 'INVALID_REQUEST' });
    await using other = await JsonClient.open(doors.url);
    expect(await other.ask(asked)).toMatchObject({ last: 9 });
    await other.ask({ type: 'subscribe', subscription: 's', topics: ['once'], from: 'earliest' });
    expect((await other.records(3)).map(({ text }) => text)).toEqual(['a', 'b', 'c']);
  });

  it('tells which records of a frame were not stored, and stores the others', async () => {
    await using client = await JsonClient.open(doors.url);
    const records = [{ text: 'a' }, { text: 'b', partition: 99 }, { text: 'c' }];
    const ack = await client.ask({ type: 'publish', id: 1, topic: 'partly', records });
    expect(ack['runs']).toEqual([
      { count: 1, partition: 0, offset: 0 },
      { count: 1, error: 'UNKNOWN_TOPIC_OR_PARTITION', message: expect.stringContaining('99') },
      { count: 1, partition: 0, offset: 1 },
    ]);
    const single = await client.ask({ type: 'publish', id: 2, topic: 'partly', text: 'd', partition: 99 });
    expect(single).toMatchObject({ type: 'error', id: 2, error: 'UNKNOWN_TOPIC_OR_PARTITION' });
  });
});

describe('reading', () => {
  it('begins where it is asked to', async () => {
    await using client = await JsonClient.open(doors.url);
    for (let i = 0; i < 10; i++) {
      await client.ask({ type: 'publish', id: i, topic: 'starts', value: i, timestamp: 1_000_000 + i });
    }
    const firstFrom = async (name: string, from: unknown): Promise<unknown> => {
      const subscribed = await client.ask({ type: 'subscribe', id: 's', subscription: name, topics: ['starts'], from });
      expect(subscribed).toMatchObject({ type: 'subscribed', id: 's', subscription: name });
      const [position] = subscribed['positions'] as [{ offset: number }];
      const read = await client.records(10 - position.offset);
      await client.ask({ type: 'unsubscribe', id: 'u', subscription: name });
      return read[0]?.['value'] ?? null;
    };
    expect(await firstFrom('a', 'earliest')).toBe(0);
    expect(await firstFrom('b', { offset: 7 })).toBe(7);
    expect(await firstFrom('c', { timestamp: 1_000_004 })).toBe(4);
    expect(await firstFrom('d', 'latest')).toBeNull();
    const resumed = await client.ask({
      type: 'subscribe',
      subscription: 'e',
      topics: ['starts'],
      positions: [{ topic: 'starts', partition: 0, offset: 9 }],
    });
    expect(resumed['positions']).toEqual([{ topic: 'starts', partition: 0, offset: 9 }]);
  });

  it('sends no more than the credit, and goes on with more', async () => {
    await using client = await JsonClient.open(doors.url);
    await client.ask({
      type: 'publish',
      id: 1,
      topic: 'credit',
      records: Array.from({ length: 100 }, (_, value) => ({ value })),
    });
    await client.ask({ type: 'subscribe', subscription: 's', topics: ['credit'], from: 'earliest', credit: 3 });
    expect((await client.records(3)).map(({ value }) => value)).toEqual([0, 1, 2]);
    // A pong comes behind what was sent before it.
    expect((await client.ask({ type: 'ping', id: 'p' })).type).toBe('pong');
    client.send({ type: 'credit', subscription: 's', records: 50 });
    expect((await client.records(50)).at(-1)!['value']).toBe(52);
    expect((await client.ask({ type: 'ping', id: 'p' })).type).toBe('pong');
  });

  it('pauses, resumes and seeks', async () => {
    await using client = await JsonClient.open(doors.url);
    await client.ask({ type: 'publish', id: 1, topic: 'moved', records: [{ value: 0 }, { value: 1 }, { value: 2 }] });
    await client.ask({ type: 'subscribe', subscription: 's', topics: ['moved'], from: 'earliest' });
    await client.records(3);
    expect(await client.ask({ type: 'pause', id: 1, subscription: 's' })).toEqual({ type: 'done', id: 1 });
    const sought = await client.ask({ type: 'seek', id: 2, subscription: 's', to: { offset: 1 } });
    expect(sought).toEqual({
      type: 'sought',
      id: 2,
      subscription: 's',
      positions: [{ topic: 'moved', partition: 0, offset: 1 }],
    });
    expect((await client.ask({ type: 'ping', id: 'p' })).type).toBe('pong');
    client.send({ type: 'resume', subscription: 's' });
    expect((await client.records(2)).map(({ value }) => value)).toEqual([1, 2]);
  });

  it('follows patterns: topics and partitions that come later are read from their first record', async () => {
    await using client = await JsonClient.open(doors.url);
    await client.ask({ type: 'publish', id: 1, topic: 'metrics.a', value: 'a' });
    await client.ask({ type: 'subscribe', subscription: 's', topics: ['metrics.*'], from: 'earliest' });
    expect((await client.records(1))[0]!['value']).toBe('a');
    await using other = await JsonClient.open(doors.url);
    await other.ask({ type: 'publish', id: 1, topic: 'metrics.b', value: 'b' });
    await other.ask({ type: 'publish', id: 1, topic: 'metric', value: 'not meant' });
    const frame = await client.frame();
    expect(frame).toMatchObject({ type: 'records', topic: 'metrics.b', records: [{ offset: 0, value: 'b' }] });
  });

  it('commits and begins where the group was', async () => {
    await using client = await JsonClient.open(doors.url);
    await client.ask({ type: 'publish', id: 1, topic: 'grouped', records: [{ value: 0 }, { value: 1 }, { value: 2 }] });
    const subscribe = { type: 'subscribe', topics: ['grouped'], group: 'g', otherwise: 'earliest', partitions: [0] };
    await client.ask({ ...subscribe, subscription: 'a' });
    await client.records(3);
    const positions = [{ topic: 'grouped', partition: 0, offset: 2 }];
    expect(await client.ask({ type: 'commit', id: 'c', subscription: 'a', positions })).toEqual({
      type: 'done',
      id: 'c',
    });
    await client.ask({ type: 'unsubscribe', id: 1, subscription: 'a' });
    await client.ask({ ...subscribe, subscription: 'b' });
    expect((await client.records(1))[0]).toMatchObject({ offset: 2, value: 2 });
  });

  it('shares the partitions of a group with the other members, Kafka clients among them', async () => {
    await using doors = await startDoors({ 'num.partitions': '4', 'group.initial.rebalance.delay.ms': '0' });
    await using first = await JsonClient.open(doors.url);
    const records = Array.from({ length: 8 }, (_, value) => ({ value, partition: value % 4 }));
    await first.ask({ type: 'publish', id: 1, topic: 'shared', records });
    const subscribe = { type: 'subscribe', subscription: 's', topics: ['shared'], group: 'g', otherwise: 'earliest' };
    expect(await first.ask(subscribe)).toMatchObject({ type: 'subscribed', positions: [] });
    expect((await first.frame())['positions']).toHaveLength(4);
    expect((await first.records(8)).length).toBe(8);
    const kafka = new Kafka({ brokers: [`127.0.0.1:${doors.broker.kafka!.port}`], logLevel: logLevel.NOTHING });
    const consumer = kafka.consumer({ groupId: 'g', heartbeatInterval: 200 });
    await consumer.connect();
    await consumer.subscribe({ topic: 'shared', fromBeginning: true });
    const values: number[] = [];
    const joined = new Promise<Record<string, number[]>>((resolve) => {
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => resolve(payload.memberAssignment));
    });
    const running = consumer.run({
      eachMessage: async ({ message }) => void values.push(Number(message.value!.toString())),
    });
    // What it was sent it commits before another takes over.
    expect(await first.frame()).toMatchObject({ type: 'revoked', subscription: 's' });
    const positions = [0, 1, 2, 3].map((partition) => ({ topic: 'shared', partition, offset: 2 }));
    expect(await first.ask({ type: 'commit', id: 'c', subscription: 's', positions })).toEqual({
      type: 'done',
      id: 'c',
    });
    const own = (await first.frame())['positions'] as { partition: number; offset: number }[];
    expect(own.map(({ offset }) => offset)).toEqual([2, 2]);
    const others = (await joined)['shared']!;
    expect([...own.map(({ partition }) => partition), ...others].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
    await running;
    // The one who stays gets everything.
    await consumer.disconnect();
    expect(await first.frame()).toMatchObject({ type: 'revoked' });
    expect((await first.frame())['positions']).toHaveLength(4);
    expect(values).toEqual([]);
  });

  it('shows what is JSON as a value, other texts as texts, and all else as base64', async () => {
    await using client = await JsonClient.open(doors.url);
    const records = [
      { text: '{"a":1}' },
      { text: '{"a":' },
      { base64: '/w==' },
      { text: 'grün' },
      { text: '"\u0001"' },
    ];
    await client.ask({ type: 'publish', id: 1, topic: 'shown', records });
    const fieldsWith = async (values: string): Promise<string[]> => {
      const subscription = `as ${values}`;
      await client.ask({ type: 'subscribe', subscription, topics: ['shown'], from: 'earliest', values });
      const read = await client.records(5);
      await client.ask({ type: 'unsubscribe', id: 1, subscription });
      return read.map((record) => Object.keys(record).find((name) => ['value', 'text', 'base64'].includes(name))!);
    };
    expect(await fieldsWith('json')).toEqual(['value', 'text', 'base64', 'text', 'text']);
    expect(await fieldsWith('text')).toEqual(['text', 'text', 'base64', 'text', 'text']);
    expect(await fieldsWith('base64')).toEqual(Array.from({ length: 5 }, () => 'base64'));
  });
});
