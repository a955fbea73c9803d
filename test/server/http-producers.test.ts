import { afterEach, describe, expect, it } from 'vitest';
import { startBroker, type RunningBroker } from '../../src/index.ts';

const brokers: RunningBroker[] = [];

afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.close();
});

class Door {
  readonly origin: string;

  constructor(origin: string) {
    this.origin = origin;
  }

  static async open(settings: Readonly<Record<string, string>> = {}): Promise<Door> {
    const broker = await startBroker({ storage: 'memory', http: '127.0.0.1:0', settings });
    brokers.push(broker);
    return new Door(`http://127.0.0.1:${broker.http!.port}`);
  }

  async post(body: string, headers: Record<string, string>, type = 'application/json', query = '') {
    const response = await fetch(`${this.origin}/topics/orders${query}`, {
      method: 'POST',
      body,
      headers: { 'content-type': type, ...headers },
    });
    const text = await response.text();
    return { status: response.status, text, json: type === 'application/x-ndjson' ? null : JSON.parse(text) };
  }

  send(number: number, headers: Record<string, string> = {}, body = `"v${number}"`) {
    return this.post(body, { 'millrace-producer': 'sensor', 'millrace-sequence': String(number), ...headers });
  }

  async producer(name = 'sensor', query = '') {
    const response = await fetch(`${this.origin}/topics/orders/producers/${name}${query}`);
    return response.json();
  }

  async values(): Promise<unknown[]> {
    const response = await fetch(`${this.origin}/topics/orders/records?offset=earliest`);
    const { records } = (await response.json()) as { records: { value: unknown }[] };
    return records.map(({ value }) => value);
  }
}

describe('named producers over HTTP', () => {
  it('have a record stored once, and hear where it lies', async () => {
    const door = await Door.open();
    expect(await door.producer()).toEqual({
      topic: 'orders',
      partition: 0,
      producer: 'sensor',
      sequence: null,
      epoch: 0,
    });
    expect((await door.send(5)).json).toEqual({ topic: 'orders', partition: 0, offset: 0 });
    expect((await door.send(5)).json).toEqual({ topic: 'orders', partition: 0, offset: 0, duplicate: true });
    expect((await door.send(4)).json).toEqual({ topic: 'orders', partition: 0, offset: null, duplicate: true });
    expect((await door.send(2 ** 53 - 1)).json).toMatchObject({ offset: 1 });
    expect(await door.producer()).toMatchObject({ sequence: 2 ** 53 - 1 });
    expect(await door.values()).toEqual(['v5', `v${2 ** 53 - 1}`]);
  });

  it('number the records of a body from the first on', async () => {
    const door = await Door.open();
    await door.send(1, {}, '["a","b","c"]');
    const again = await door.send(2, {}, '["b","c","d"]');
    expect(again.json.records).toEqual([
      { partition: 0, offset: 1, duplicate: true },
      { partition: 0, offset: 2, duplicate: true },
      { partition: 0, offset: 3 },
    ]);
    const identity = { 'millrace-producer': 'sensor', 'millrace-sequence': '4' };
    const lines = await door.post('"d"\n"e"\n\n"f"\n', identity, 'application/x-ndjson', '?offsets=true');
    const news = lines.text.trim().split('\n');
    // How often it tells how far it is, is its own affair.
    expect(news.filter((line) => !line.includes('acknowledged')).map((line) => JSON.parse(line) as unknown)).toEqual([
      { record: 1, count: 1, partition: 0, offset: 3, duplicate: true },
      { record: 2, count: 2, partition: 0, offset: 4 },
      { done: true, stored: 3, failed: 0, duplicates: 1 },
    ]);
    expect(await door.values()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    const last = await door.send(2 ** 53 - 1, {}, '["y","z"]');
    expect(last).toMatchObject({ status: 207, json: { records: [{ offset: 6 }, { error: 'INVALID_RECORD' }] } });
  });

  it('are held to the number before, and fenced by a takeover', async () => {
    const door = await Door.open();
    expect(await door.send(5, { 'millrace-previous-sequence': '-1' })).toMatchObject({ status: 200 });
    expect(await door.send(7, { 'millrace-previous-sequence': '6' })).toMatchObject({
      status: 409,
      json: { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' },
    });
    const taken = await fetch(`${door.origin}/topics/orders/producers/sensor/takeover`, { method: 'POST' });
    expect(await taken.json()).toMatchObject({ sequence: 5, epoch: 1 });
    expect(await door.send(6)).toMatchObject({ status: 409, json: { error: 'PRODUCER_FENCED' } });
    expect(await door.send(6, { 'millrace-epoch': '1' })).toMatchObject({ status: 200, json: { offset: 1 } });
  });

  it('say what is wrong with a name or number', async () => {
    const door = await Door.open();
    expect(await door.post('1', { 'millrace-producer': 'a' })).toMatchObject({ status: 400 });
    expect(await door.post('1', { 'millrace-sequence': '1' })).toMatchObject({ status: 400 });
    expect(await door.send(-1)).toMatchObject({ status: 400 });
    expect(await door.send(0, { 'millrace-sequence': '9007199254740992' })).toMatchObject({ status: 400 });
    expect(await door.send(0, { 'millrace-producer': 'a b' })).toMatchObject({ status: 400 });
    expect(await door.send(0, { 'millrace-producer': 'a'.repeat(129) })).toMatchObject({ status: 400 });
    expect(await door.send(0, { 'millrace-epoch': '32768' })).toMatchObject({ status: 400 });
  });

  it('show their name and number to whoever reads', async () => {
    const door = await Door.open();
    await door.send(5);
    const response = await fetch(`${door.origin}/topics/orders/records?offset=earliest`);
    expect(await response.json()).toMatchObject({
      records: [{ value: 'v5', headers: { 'millrace.producer': 'sensor', 'millrace.sequence': '5' } }],
    });
  });
});
