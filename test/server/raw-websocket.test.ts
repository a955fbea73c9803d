/** The raw door, with real sockets and a whole broker. */

import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JsonClient, SocketClient, startDoors, type DoorBroker } from './door-harness.ts';

let doors: DoorBroker;

beforeAll(async () => {
  doors = await startDoors({ 'message.max.bytes': '10000' });
});
afterAll(async () => {
  await doors[Symbol.asyncDispose]();
});

/** What is in the topic, as JSON over WebSocket shows it. */
async function readAll(topic: string, count: number): Promise<Readonly<Record<string, unknown>>[]> {
  await using reader = await JsonClient.open(doors.url);
  await reader.ask({ type: 'subscribe', subscription: 's', topics: [topic], from: 'earliest', values: 'text' });
  return await reader.records(count);
}

async function numbersUpTo(client: SocketClient, last: number): Promise<number[]> {
  const numbers: number[] = [];
  while (numbers.at(-1) !== last) numbers.push(Number(await client.next()));
  return numbers;
}

describe('the raw door', () => {
  it('stores every message as one record and says up to which', async () => {
    await using device = await SocketClient.open(`${doors.url}/topics/raw/produce`);
    for (let i = 0; i < 500; i++) device.socket.send(i % 2 === 0 ? `message ${i}` : Buffer.from(`message ${i}`));
    const numbers = await numbersUpTo(device, 500);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    const values = (await readAll('raw', 500)).map(({ text }) => text);
    expect(values).toEqual(Array.from({ length: 500 }, (_, i) => `message ${i}`));
  });

  it('takes a key, a partition, and the number of the first record', async () => {
    await using device = await SocketClient.open(
      `${doors.url}/topics/keyed/produce?key=sensor%207&partition=0&first=41`,
    );
    device.socket.send('');
    device.socket.send('b');
    await numbersUpTo(device, 42);
    expect(await readAll('keyed', 2)).toMatchObject([
      { key: 'sensor 7', text: '' },
      { key: 'sensor 7', text: 'b' },
    ]);
  });

  it('names records that were not stored before it counts on', async () => {
    await using device = await SocketClient.open(`${doors.url}/topics/sizes/produce`);
    for (const message of ['a', 'x'.repeat(20_000), 'c']) device.socket.send(message);
    const told: string[] = [];
    while (told.at(-1) !== '3') told.push(await device.next());
    const failures = told.filter((text) => text.startsWith('{')).map((text) => JSON.parse(text) as unknown);
    expect(failures).toEqual([{ error: 'MESSAGE_TOO_LARGE', message: expect.any(String), from: 2, count: 1 }]);
    expect((await readAll('sizes', 2)).map(({ text }) => text)).toEqual(['a', 'c']);
  });

  it('stores once what a named device sends again after a cut', async () => {
    const url = `${doors.url}/topics/named/produce?producer=device-7`;
    await using device = await SocketClient.open(`${url}&first=1`);
    for (const message of ['a', 'b', 'c']) device.socket.send(message);
    expect(JSON.parse(await device.next())).toEqual({ last: -1 });
    await numbersUpTo(device, 3);
    device.socket.terminate();
    // It did not hear of 2 and 3.
    await using again = await SocketClient.open(`${url}&first=2`);
    for (const message of ['b', 'c', 'd']) again.socket.send(message);
    expect(JSON.parse(await again.next())).toEqual({ last: 3 });
    await numbersUpTo(again, 4);
    expect((await readAll('named', 4)).map(({ text }) => text)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('stores without acknowledging where acks is 0', async () => {
    await using device = await SocketClient.open(`${doors.url}/topics/quiet/produce?acks=0`);
    device.socket.send('a');
    // A pattern waits for the topic to be there.
    expect(await readAll('quie?', 1)).toMatchObject([{ text: 'a' }]);
    expect(device.received).toEqual([]);
  });

  it.each([
    ['/topics/bad%20name/produce', 'invalid'],
    ['/topics/%ff/produce', 'percent-encoded'],
    ['/topics/..%2f..%2fetc/produce', 'invalid'],
    ['/topics/t/produce?acks=2', 'acks'],
    ['/topics/t/produce?partition=-1', 'partition'],
    ['/topics/t/produce?first=1e3', 'first'],
    ['/topics/t/produce?producer=a%20b', 'name'],
    ['/topics/t/produce?wrong=1', 'wrong'],
  ])('refuses %s with a sentence', async (path, word) => {
    const client = new SocketClient(`${doors.url}${path}`);
    const [, response] = await once(client.socket, 'unexpected-response');
    let body = '';
    for await (const chunk of response) body += chunk;
    expect(response.statusCode).toBe(400);
    expect(body).toContain(word);
  });

  it('says that there is no such topic, where none is created by itself', async () => {
    await using strict = await startDoors({ 'auto.create.topics.enable': 'false' });
    await using device = await SocketClient.open(`${strict.url}/topics/nowhere/produce`);
    device.socket.send('a');
    expect(JSON.parse(await device.next())).toMatchObject({ error: 'UNKNOWN_TOPIC_OR_PARTITION', from: 1, count: 1 });
  });

  it('acknowledges what came before the broker stops', async () => {
    const stopping = await startDoors();
    const device = await SocketClient.open(`${stopping.url}/topics/last/produce`);
    device.socket.send('a');
    await device.next();
    device.socket.send('b');
    await stopping[Symbol.asyncDispose]();
    expect(await device.closed()).toBe(1001);
  });
});
