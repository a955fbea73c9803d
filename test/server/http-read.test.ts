/** Records read over HTTP: pages, and events that resume exactly, with real sockets over a broker in memory. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MemoryLog } from '../broker/memory-log-store.ts';
import { HttpHarness, linesOf, type RawClient } from './http-harness.ts';

let http: HttpHarness;

beforeEach(async () => {
  http = await HttpHarness.open({ topics: { t: 1, many: 3 }, heartbeatMs: 50 });
});

afterEach(async () => {
  await http.close();
});

interface Page {
  readonly topic: string;
  readonly records: Record<string, unknown>[];
  readonly next: string;
}

async function page(path: string): Promise<Page> {
  const response = await http.fetch(path);
  expect([path, response.status]).toEqual([path, 200]);
  return (await response.json()) as Page;
}

/** So long that a server that can go on does. */
const soon = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 200));

const fill = (topic: string, values: readonly unknown[], partition = 0): Promise<Response> =>
  http.post(`/topics/${topic}?partition=${partition}`, JSON.stringify(values));

describe('a page of records', () => {
  it('gives keys, values and headers by the rule', async () => {
    const type = 'application/vnd.millrace.v1+json';
    const envelopes = [
      { key: 'k', value: { a: [1] }, headers: { h: 'é', l: ['1', null], b: { base64: '/w==' } }, timestamp: 7 },
      { keyBase64: '/w==', text: 'no JSON "é"' },
      { base64: '/wA=' },
      { value: null },
    ];
    await http.post('/topics/t', JSON.stringify(envelopes), type);
    const { records, next, topic } = await page('/topics/t/records');
    const place = (offset: number): object => ({ partition: 0, offset, timestamp: expect.any(Number) });
    expect(records).toEqual([
      { ...place(0), timestamp: 7, key: 'k', value: { a: [1] }, headers: envelopes[0]!.headers },
      { ...place(1), keyBase64: '/w==', text: 'no JSON "é"' },
      { ...place(2), key: null, base64: '/wA=' },
      { ...place(3), key: null, value: null },
    ]);
    expect([topic, next]).toEqual(['t', '0:4']);
    const texts = await page('/topics/t/records?values=text&limit=1');
    expect(texts.records).toMatchObject([{ text: '{"a":[1]}' }]);
    expect((await page('/topics/t/records?values=base64&limit=1')).records).toMatchObject([{ base64: 'eyJhIjpbMV19' }]);
    // What was read can be sent again.
    const again = await http.post('/topics/t', JSON.stringify(records), type);
    expect(again.status).toBe(200);
    expect((await http.stored('t')).slice(4)).toEqual((await http.stored('t')).slice(0, 4));
  });

  it('keeps a value on its line', async () => {
    await http.post('/topics/t', '{\n "a": \r\n "\\n" }');
    const response = await http.fetch('/topics/t/records', { headers: { accept: 'application/x-ndjson' } });
    const text = await response.text();
    expect(linesOf(text)).toMatchObject([{ value: { a: '\n' } }, { next: '0:1' }]);
    expect(text.split('\n').length).toBe(3);
  });

  it('begins where it is asked to, and goes on where it ended', async () => {
    await fill('t', [0, 1, 2, 3, 4]);
    const valuesOf = async (query: string): Promise<unknown[]> =>
      (await page(`/topics/t/records?${query}`)).records.map(({ value }) => value);
    expect(await valuesOf('offset=3')).toEqual([3, 4]);
    expect(await valuesOf('offset=latest')).toEqual([]);
    expect(await valuesOf('offset=latest-2')).toEqual([3, 4]);
    expect(await valuesOf('offset=latest-99')).toEqual([0, 1, 2, 3, 4]);
    expect(await valuesOf('offset=0:4')).toEqual([4]);
    expect(await valuesOf('timestamp=0')).toEqual([0, 1, 2, 3, 4]);
    expect(await valuesOf('timestamp=2999-01-01T00:00:00Z')).toEqual([]);
    expect(await valuesOf('maxBytes=1&offset=1')).toEqual([1]);
    const first = await page('/topics/t/records?limit=2');
    expect(await valuesOf(`offset=${first.next}&limit=2`)).toEqual([2, 3]);
  });

  it('reads all partitions of a topic, each record once', async () => {
    for (const partition of [0, 1, 2])
      await fill('many', [`a${partition}`, `b${partition}`, `c${partition}`], partition);
    const seen: unknown[] = [];
    for (let next = 'earliest', count = -1; count !== 0;) {
      const read = await page(`/topics/many/records?limit=2&offset=${next}`);
      seen.push(...read.records.map(({ value }) => value));
      next = read.next;
      count = read.records.length;
    }
    expect(seen.toSorted()).toEqual(['a0', 'a1', 'a2', 'b0', 'b1', 'b2', 'c0', 'c1', 'c2']);
    expect((await page('/topics/many/partitions/1/records')).records.map(({ value }) => value)).toEqual([
      'a1',
      'b1',
      'c1',
    ]);
  });

  it('comes to its end where records are larger than what is read ahead', async () => {
    const values = Array.from({ length: 7 }, (_, i) => `${i}`.repeat(200_000));
    for (const value of values) await http.post('/topics/t', JSON.stringify(value));
    const lengthsOf = async (query: string): Promise<[count: number, next: string]> => {
      const { records, next } = await page(`/topics/t/records?${query}`);
      return [records.length, next];
    };
    expect(await lengthsOf('maxBytes=16777216')).toEqual([7, '0:7']);
    expect(await lengthsOf('maxBytes=16777216&limit=5')).toEqual([5, '0:5']);
    // The record that goes beyond the bound is the last.
    expect(await lengthsOf('maxBytes=100000')).toEqual([1, '0:1']);
    expect(await lengthsOf('maxBytes=390000')).toEqual([2, '0:2']);
    expect(await lengthsOf('maxBytes=410000')).toEqual([3, '0:3']);
    expect((await page('/topics/t/records?maxBytes=16777216')).records.map(({ value }) => value)).toEqual(values);
  });

  it.each(['json', 'ndjson'])('goes out as fast as its client takes it where it is large (%s)', async (format) => {
    const value = Buffer.alloc(1000, 0xff);
    const count = 16_000;
    for (let i = 0; i < count; i += 1000) {
      await http.gateway.publisher.publish(
        't',
        Array.from({ length: 1000 }, () => ({ value })),
      );
    }
    const log = http.broker.broker.topics.partition(http.broker.broker.topics.topic('t')!, 0) as MemoryLog;
    const { batches } = log;
    const before = log.releases;
    const query = `limit=10000&maxBytes=16777216&format=${format}`;
    const client = http.raw(`GET /topics/t/records?${query} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    client.socket.pause();
    // Whatever the system's buffers take, most is not even read while nobody takes it.
    for (let reads = -1; reads < log.releases - before || reads === 0; await soon()) reads = log.releases - before;
    expect(log.releases - before).toBeLessThan(batches.length / 2);
    client.socket.resume();
    await client.until((text) => text.includes('"next":"0:10000"'));
    const response = await http.fetch(`/topics/t/records?${query}`);
    const text = await response.text();
    const records = format === 'json' ? (JSON.parse(text) as Page).records : linesOf(text).slice(0, -1);
    expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
    expect(records.every(({ base64 }) => base64 === value.toString('base64'))).toBe(true);
    const rest = await http.fetch(`/topics/t/records?${query}&offset=0:10000`);
    expect(await rest.text()).toContain('"next":"0:16000"');
  });

  it('waits for the first record', async () => {
    const waiting = page('/topics/many/records?offset=latest&wait=60000');
    await fill('many', ['x'], 2);
    expect((await waiting).records).toMatchObject([{ partition: 2, offset: 0, value: 'x' }]);
    expect((await page('/topics/many/records?offset=latest&wait=1')).records).toEqual([]);
  });

  it('refuses what it cannot give, with a name and a sentence', async () => {
    const cases: [path: string, status: number, error: string][] = [
      ['/topics/none/records', 404, 'UNKNOWN_TOPIC_OR_PARTITION'],
      ['/topics/t/partitions/7/records', 404, 'UNKNOWN_TOPIC_OR_PARTITION'],
      ['/topics/t/records?offset=99', 416, 'OFFSET_OUT_OF_RANGE'],
      ['/topics/t/records?offset=5:0', 404, 'UNKNOWN_TOPIC_OR_PARTITION'],
      ['/topics/t/records?offset=0:0,0:1', 400, 'INVALID_REQUEST'],
      ['/topics/t/records?offset=newest', 400, 'INVALID_REQUEST'],
      ['/topics/t/records?limit=0', 400, 'INVALID_REQUEST'],
      ['/topics/t/records?limit=1e3', 400, 'INVALID_REQUEST'],
      ['/topics/t/records?limit=1&limit=2', 400, 'INVALID_REQUEST'],
      ['/topics/t/records?lmit=1', 400, 'INVALID_REQUEST'],
      ['/topics/t/records?offset=0&timestamp=0', 400, 'INVALID_REQUEST'],
      ['/topics/t/partitions/x/records', 400, 'INVALID_REQUEST'],
      ['/topics/__millrace_groups/records', 404, 'UNKNOWN_TOPIC_OR_PARTITION'],
    ];
    for (const [path, status, error] of cases) {
      const response = await http.fetch(path);
      const problem = (await response.json()) as { detail: string };
      expect([path, response.status, problem]).toMatchObject([path, status, { status, error }]);
      expect(problem.detail).toMatch(/^[A-Z].*\.$/);
    }
  });

  it('ends with the server, whoever waits', async () => {
    const waiting = http.fetch('/topics/t/records?wait=60000');
    const events = await http.fetch('/topics/t/events');
    await http.server.close();
    expect(((await (await waiting).json()) as Page).records).toEqual([]);
    expect(await events.text()).toContain('id: 0:0');
  });
});

describe('topics', () => {
  it('are listed and described', async () => {
    await fill('t', [1, 2]);
    const list = (await (await http.fetch('/topics')).json()) as { topics: object[] };
    expect(list.topics).toMatchObject([
      { name: 'many', partitions: 3 },
      { name: 't', partitions: 1 },
    ]);
    const place = { partition: 0, logStartOffset: 0, highWatermark: 2, lastStableOffset: 2, refusal: null };
    expect(await (await http.fetch('/topics/t')).json()).toMatchObject({
      name: 't',
      settings: {},
      partitions: [place],
    });
    expect((await http.fetch('/topics/x')).status).toBe(404);
  });

  it('are served to a page that may ask, and that asks first what it may send', async () => {
    await http.close();
    http = await HttpHarness.open({ allowedOrigins: ['https://shop.example'] });
    const preflight = (origin: string): Promise<Response> =>
      http.fetch('/topics/t', {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type,millrace-key',
        },
      });
    const allowed = await preflight('https://shop.example');
    expect(allowed.status).toBe(204);
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      'access-control-allow-origin': 'https://shop.example',
      'access-control-allow-methods': 'POST, GET, HEAD, OPTIONS',
      'access-control-allow-headers': 'content-type,millrace-key',
      vary: 'origin',
    });
    expect((await preflight('https://other.example')).headers.has('access-control-allow-origin')).toBe(false);
    const posted = await http.post('/topics/t', '1', 'application/json', { origin: 'https://shop.example' });
    expect([posted.status, posted.headers.get('access-control-allow-origin')]).toEqual([200, 'https://shop.example']);
    const refused = await http.fetch('/topics/x', { headers: { origin: 'https://shop.example' } });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([404, 'https://shop.example']);
  });

  it('answer HEAD, OPTIONS and what is not served', async () => {
    const head = await http.fetch('/topics/t', { method: 'HEAD' });
    expect([head.status, Number(head.headers.get('content-length')) > 50, await head.text()]).toEqual([200, true, '']);
    const options = await http.fetch('/topics/t', { method: 'OPTIONS' });
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST, GET, HEAD, OPTIONS']);
    const put = await http.fetch('/topics/t', { method: 'PUT', body: '1' });
    expect([put.status, ((await put.json()) as { detail: string }).detail]).toEqual([
      405,
      'PUT is not served here; these are: POST, GET, HEAD, OPTIONS.',
    ]);
    const events = await http.fetch('/topics/t/events', { method: 'HEAD' });
    expect(events.headers.get('content-type')).toBe('text/event-stream');
  });
});

interface Event {
  readonly id: string;
  readonly event: string;
  readonly data: { value?: unknown } | null;
}

/** The events that came so far, comments left out. */
function eventsOf(received: string): Event[] {
  const body = received
    .slice(received.indexOf('\r\n\r\n') + 4)
    .split('\r\n')
    .filter((part) => !/^[0-9a-f]+$/i.test(part))
    .join('');
  return body
    .split('\n\n')
    .slice(0, -1)
    .filter((event) => !event.startsWith(':'))
    .map((event) => {
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(event)?.[1] ?? '';
      return { id: field('id'), event: field('event'), data: JSON.parse(field('data') || 'null') };
    });
}

function follow(path: string, lastEventId?: string): RawClient {
  const resume = lastEventId === undefined ? '' : `Last-Event-ID: ${lastEventId}\r\n`;
  return http.raw(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${resume}\r\n`);
}

describe('events', () => {
  it('begin with the position, and tell each record', async () => {
    await fill('t', [1]);
    const client = follow('/topics/t/events');
    await client.until((text) => text.includes('id: 0:1\n\n'));
    expect(client.received).toContain('Content-Type: text/event-stream'.toLowerCase());
    await fill('t', [2, 3]);
    const received = await client.until((text) => text.includes('id: 0:3'));
    expect(eventsOf(received).map(({ id, data }) => [id, data?.value])).toEqual([
      ['0:1', undefined],
      ['0:2', 2],
      ['0:3', 3],
    ]);
  });

  it('resume exactly over all partitions, wherever they were cut', async () => {
    const sent: string[] = [];
    for (let i = 0; i < 30; i++) {
      await fill('many', [`v${i}`], i % 3);
      sent.push(`v${i}`);
    }
    const seen: unknown[] = [];
    let id: string | undefined;
    while (seen.length < sent.length) {
      const client = follow('/topics/many/events?offset=earliest', id);
      const received = await client.until(
        (text) =>
          eventsOf(text).filter(({ data }) => data !== null).length >= 4 ||
          (seen.length >= 28 && eventsOf(text).length >= 2),
      );
      client.end();
      // A client takes only some of what came.
      for (const event of eventsOf(received)
        .filter(({ data }) => data !== null)
        .slice(0, 4)) {
        seen.push(event.data?.value);
        id = event.id;
      }
    }
    expect(seen.toSorted()).toEqual(sent.toSorted());
  });

  it('follow partitions that a topic gets later', async () => {
    const client = follow('/topics/t/events');
    await client.until((text) => text.includes('id: 0:0'));
    await http.broker.broker.topics.addPartitions('t', 2, false);
    await fill('t', ['new'], 1);
    const received = await client.until((text) => text.includes('"new"'));
    expect(eventsOf(received).at(-1)).toMatchObject({ id: '0:0,1:1', data: { value: 'new' } });
  });

  it('wait for a client that does not read, and drop nothing', async () => {
    const value = 'x'.repeat(20_000);
    const client = follow('/topics/t/events');
    await client.until((text) => text.includes('id: 0:0'));
    client.socket.pause();
    const count = 400;
    for (let i = 0; i < count; i += 20)
      await fill(
        't',
        Array.from({ length: 20 }, () => value),
      );
    client.socket.resume();
    const received = await client.until((text) => text.includes(`id: 0:${count}\n`));
    const ids = [...received.matchAll(/^id: 0:(\d+)$/gm)].map(([, offset]) => Number(offset));
    expect(ids).toEqual(Array.from({ length: count + 1 }, (_, i) => i));
  });

  it('say what retention took before it was read', async () => {
    await fill('t', [0, 1, 2, 3]);
    const log = http.broker.broker.topics.partition(http.broker.broker.topics.topic('t')!, 0)!;
    await log.deleteRecordsBefore(3 as never);
    const client = follow('/topics/t/events', '0:1');
    const received = await client.until((text) => text.includes('id: 0:4'));
    expect(eventsOf(received).slice(1)).toEqual([
      { id: '0:3', event: 'lost', data: { partition: 0, from: 1, to: 3 } },
      { id: '0:4', event: '', data: expect.objectContaining({ value: 3 }) },
    ]);
  });

  it('show that they live while nothing comes, and end with the topic', async () => {
    const client = follow('/topics/t/events');
    await client.until((text) => text.includes('\n:\n\n'));
    await http.broker.broker.topics.delete(http.broker.broker.topics.topic('t')!.id);
    const received = await client.until((text) => text.includes('event: error'));
    expect(eventsOf(received).at(-1)).toMatchObject({ event: 'error', data: { error: 'UNKNOWN_TOPIC_OR_PARTITION' } });
  });

  it('resume by an id as long as a header may be, and are refused where it would be longer', async () => {
    const { topics } = http.broker.broker;
    await topics.create({ name: 'wide', partitionCount: 800, replicationFactor: -1, configs: [] });
    const client = follow('/topics/wide/events');
    const received = await client.until((text) => text.includes(',799:0\n\n'));
    client.end();
    await fill('wide', ['a'], 700);
    const id = eventsOf(received)[0]!.id;
    expect(id.length).toBeGreaterThan(4096);
    const resumed = http.raw('GET /topics/wide/events HTTP/1.1\r\nHost: 127.0.0.1\r\n');
    // As a network cuts it.
    const rest = `Last-Event-ID: ${id}\r\n\r\n`;
    for (let at = 0; at < rest.length; at += 1000) {
      resumed.send(rest.slice(at, at + 1000));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(eventsOf(await resumed.until((text) => text.includes('"a"'))).at(-1)).toMatchObject({
      data: { value: 'a' },
    });
    await topics.addPartitions('wide', 1200, false);
    const refused = await http.fetch('/topics/wide/events');
    expect([refused.status, await refused.json()]).toMatchObject([
      400,
      { detail: expect.stringMatching(/partition by partition/) },
    ]);
    expect((await http.fetch('/topics/wide/partitions/1100/records')).status).toBe(200);
  });

  it('refuse an id that is none', async () => {
    for (const id of ['x', '0:1,0:2', '0:-1']) {
      const response = await http.fetch('/topics/t/events', { headers: { 'last-event-id': id } });
      expect([id, response.status]).toEqual([id, 400]);
    }
    expect((await http.fetch('/topics/t/events?lastEventId=0:77')).status).toBe(416);
  });
});
