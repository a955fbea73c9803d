/** What HTTP clients must not do: each gets a clear error, and others go on. */

import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { compressors } from '../records/frames.ts';
import { SocketClient } from './door-harness.ts';
import { HttpHarness, linesOf, type RawClient } from './http-harness.ts';

const zstd = (text: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(compressors['zstd']!.compress(Buffer.from(text)));

let http: HttpHarness;

beforeEach(async () => {
  const bodyLimits = { largestBodyBytes: 10_000, allBodiesBytes: 20_000, stillMs: 100 };
  http = await HttpHarness.open({ topics: { t: 1 }, bodyLimits });
});

afterEach(async () => {
  // The others are unharmed.
  expect((await http.post('/topics/t', '1')).status).toBe(200);
  await http.close();
});

describe('a request that is wrong', () => {
  it('has all its reports by REST Proxy v3, also where they are read later than they are written', async () => {
    const roomy = await HttpHarness.open();
    const wrong = '{"partition_id":"x"}\n'.repeat(60_000);
    const head =
      'POST /v3/clusters/c/topics/t/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
    const client = roomy.raw();
    client.socket.pause();
    client.send(`${head}content-length: ${wrong.length}\r\n\r\n${wrong}`);
    await sleep(300);
    client.socket.resume();
    await client.until(() => client.received.endsWith('\r\n0\r\n\r\n') || client.closed);
    expect(client.received.match(/"error_code":422/g)).toHaveLength(60_000);
    await roomy.close();
  });

  it('may not have more headers than are worth reading, by REST Proxy v3 either', async () => {
    const roomy = await HttpHarness.open();
    const header = '{"name":"a"}';
    const record = (count: number): string => `{"headers":[${Array(count).fill(header).join(',')}]}`;
    const text = await (await roomy.post('/v3/clusters/c/topics/t/records', record(10_000) + record(10_001))).text();
    expect(
      text
        .trim()
        .split('\r\n')
        .map((line) => JSON.parse(line).error_code),
    ).toEqual([200, 422]);
    await roomy.close();
  });

  it('gets a problem that says what is wrong', async () => {
    const cases: [path: string, body: string | Uint8Array<ArrayBuffer>, status: number][] = [
      ['/topics/t', '{', 400],
      ['/topics/t', '1 2', 400],
      ['/topics/t', Buffer.from([0x22, 0xff, 0x22]), 400],
      ['/topics/t', '['.repeat(5000), 400],
      ['/topics/..%2F..%2Fetc%2Fpasswd', '1', 400],
      ['/topics/%ff', '1', 400],
      ['/topics/a%00b', '1', 400],
      [`/topics/${'a'.repeat(300)}`, '1', 400],
      ['/topics/__millrace_groups', '1', 404],
      ['/topics/__consumer_offsets', '1', 400],
      ['/topics/t?partition=1', '1', 404],
      ['/topics/t?partition=-1', '1', 400],
      ['/topics/t?acks=2', '1', 400],
      ['/topics/t?key=%zz', '1', 400],
      ['/topics/t', `"${'x'.repeat(20_000)}"`, 413],
    ];
    for (const [path, body, status] of cases) {
      const response = await http.post(path, body);
      const problem = (await response.json()) as { status: number; error: string; detail: string };
      expect([path, response.status, problem.status]).toEqual([path, status, status]);
      expect(problem.detail).toMatch(/[.]$/);
    }
    const coding = await http.post('/topics/t', '1', 'application/json', { 'content-encoding': 'br' });
    expect(coding.status).toBe(415);
    const origin = await http.post('/topics/t', '1', 'application/json', { origin: 'https://elsewhere.example' });
    expect(origin.status).toBe(403);
    expect(await http.stored('t')).toEqual([]);
    expect(await (await http.fetch('/topics')).json()).toMatchObject({ topics: [{ name: 't' }] });
  });

  it('may not hold more records in one body than are kept track of', async () => {
    const roomy = await HttpHarness.open();
    const body = (count: number): string => `[${'0,'.repeat(count - 1)}0]`;
    expect((await roomy.post('/topics/t', body(100_000))).status).toBe(200);
    const refused = await roomy.post('/topics/t', body(100_001));
    expect([refused.status, await refused.json()]).toMatchObject([413, { error: 'RECORD_LIST_TOO_LARGE' }]);
    const proxied = await roomy.post(
      '/topics/t',
      `{"records":[${'{},'.repeat(100_000)}{}]}`,
      'application/vnd.kafka.json.v2+json',
    );
    expect([proxied.status, await proxied.json()]).toMatchObject([413, { error_code: 413 }]);
    expect((await roomy.stored('t')).length).toBe(100_000);
    await roomy.close();
  });

  it('may not come from a page whose name was made to lead here', async () => {
    for (const host of ['evil.example:8080', '127.0.0.1.evil.example']) {
      const client = http.raw(`GET /topics HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      expect(await client.until((text) => text.includes('}'))).toContain(' 403 Forbidden');
    }
    const own = http.raw('GET /topics HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n');
    expect(await own.until((text) => text.includes('}'))).toContain(' 200 OK');
  });

  it('may not be a bomb, nor what its coding does not say', async () => {
    const headers = { 'content-encoding': 'gzip' };
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, '1'));
    expect((await http.post('/topics/t', gzipSync(Buffer.alloc(1_000_000, '1')), 'text/plain', headers)).status).toBe(
      413,
    );
    expect((await http.post('/topics/t', 'no gzip', 'text/plain', headers)).status).toBe(400);
    const lines = await http.post('/topics/t', bomb, 'application/x-ndjson', headers);
    expect(linesOf(await lines.text()).at(-1)).toMatchObject({ done: false, error: 'MESSAGE_TOO_LARGE' });
  });

  it.each([
    ['lines', '/topics/t', 'application/x-ndjson', '"error":"THROTTLING_QUOTA_EXCEEDED"'],
    ['records of REST Proxy v3', '/v3/clusters/c/topics/t/records', 'application/json', '"error_code":503'],
  ])('shares the room for %s that are not whole with all others', async (_what, path, type, error) => {
    const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${type}\r\nContent-Length: 100000\r\n\r\n`;
    const begun = `{"value":{"type":"JSON","data":"${'x'.repeat(7000)}`;
    const rest = `"}}\n${'\n'.repeat(100_000 - begun.length - 4)}`;
    const clients = [1, 2, 3].map(() => http.raw(head, begun));
    const isRefused = ({ received }: RawClient): boolean => received.includes('}');
    while (!clients.some(isRefused)) await new Promise((resolve) => setImmediate(resolve));
    const taken = clients.filter((client) => !isRefused(client));
    expect(clients.find(isRefused)!.received).toContain(error);
    expect(taken.length).toBe(2);
    // Once those are done there is room again, and not before.
    for (const begin of [() => taken, () => [http.raw(head, begun), http.raw(head, begun)]]) {
      const round = begin();
      for (const client of round) client.send(rest);
      for (const client of round) {
        await client.until((text) => /"done":|"error_code":/.test(text));
        expect(client.received).toMatch(/"done":true,"stored":1,|"error_code":200/);
      }
    }
  });

  it('counts once where it waits for its turn and is kept then', async () => {
    let timeMs = 0;
    // By this clock whatever comes first takes all of a turn.
    const slow = await HttpHarness.open({
      bodyLimits: { largestBodyBytes: 10_000, allBodiesBytes: 12_000, stillMs: 30_000 },
      clockOf: () => ({ ...systemClock, monotonicMs: () => (timeMs += 60) }),
    });
    await slow.broker.createTopic('t');
    const line = `"${'x'.repeat(7000)}"\n`;
    const head = 'POST /topics/t HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n';
    const [other, client] = [2, line.length].map((length) => slow.raw(`${head}Content-Length: ${length}\r\n\r\n`));
    // What was asked for behind it is answered: it has been read.
    const isRead = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) expect((await slow.fetch('/topics')).status).toBe(200);
    };
    await isRead();
    other!.send('\n');
    client!.send(line.slice(0, -2));
    await isRead();
    client!.send(line.slice(-2));
    expect(await client!.until((text) => text.includes('"failed"'))).toContain('"done":true,"stored":1,');
    await slow.close();
  });

  it('comes over one of so many connections', async () => {
    const small = await HttpHarness.open({ largestConnectionCount: 10 });
    const clients = Array.from({ length: 60 }, () => small.raw());
    // Some more than that are let in, to be told of it where they can be.
    while (clients.filter(({ closed }) => closed).length < 60 - 42)
      await new Promise((resolve) => setImmediate(resolve));
    const [first, ...others] = clients.filter(({ closed }) => !closed);
    expect(others.length).toBe(41);
    first!.send('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    expect(await first!.until((text) => text.includes('ok'))).toContain(' 200 OK');
    for (const client of others) client.end();
    // Once the server has seen them go there is room for others.
    for (let status = 0; status !== 200;)
      status = await small.fetch('/livez').then(
        (answer) => answer.status,
        () => 0,
      );
    await small.close();
  });

  it('is one of so many that an address has under way, connections included', async () => {
    const small = await HttpHarness.open({ largestCountPerAddress: 3 });
    await small.broker.createTopic('t');
    await using socket = await SocketClient.open(`${small.socketUrl}/topics/t/produce`);
    const follow = 'GET /topics/t/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
    const [first, second] = [small.raw(follow), small.raw(follow)];
    for (const client of [first, second]) await client.until((text) => text.includes('retry: '));
    const refused = await small.fetch('/topics');
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ error: 'THROTTLING_QUOTA_EXCEEDED' });
    const another = new SocketClient(`${small.socketUrl}/topics/t/produce`);
    await another.closed();
    first.end();
    for (let status = 0; status !== 200;) status = (await small.fetch('/topics')).status;
    // Each was given back, however it ended.
    for (let i = 0; i < 10; i++) expect((await small.post('/topics/t', '[1', 'application/json')).status).toBe(400);
    expect((await small.post('/topics/t', '1')).status).toBe(200);
    await socket[Symbol.asyncDispose]();
    await small.close();
  });

  it('is read though its body comes byte by byte, in chunks of a byte', async () => {
    const body = [...'[1,{"a":"b"}]'].map((byte) => `1\r\n${byte}\r\n`).join('');
    const head = 'POST /topics/t HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n';
    const client = http.raw(head);
    for (const byte of `Transfer-Encoding: chunked\r\n\r\n${body}0\r\n\r\n`) {
      client.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.until((text) => text.includes('}]}'))).toContain('"offset":1');
    client.end();
  });

  it('may not have headers without end, nor too many', async () => {
    for (const flood of ['X-A: b\r\n'.repeat(100_000), `X-Long: ${'x'.repeat(1_000_000)}`]) {
      const client = http.raw('POST /topics/t HTTP/1.1\r\nHost: 127.0.0.1\r\n');
      for (let at = 0; at < flood.length; at += 10_000) client.send(flood.slice(at, at + 10_000));
      expect(await client.ended()).not.toContain(' 200 ');
    }
  });

  it('may be zstd, within the bounds of gzip', async () => {
    const headers = { 'content-encoding': 'zstd' };
    const packed = zstd('{"a":"b"}'.padEnd(5000));
    expect((await http.post('/topics/t', packed, 'application/json', headers)).status).toBe(200);
    const lines = await http.post('/topics/t', zstd('1\n2\n3\n'), 'application/x-ndjson', headers);
    expect(linesOf(await lines.text()).at(-1)).toMatchObject({ done: true, stored: 3 });
    expect((await http.post('/topics/t', zstd('x'.repeat(1_000_000)), 'text/plain', headers)).status).toBe(413);
    expect((await http.post('/topics/t', packed.subarray(0, 20), 'text/plain', headers)).status).toBe(400);
    expect((await http.post('/topics/t', 'no zstd', 'text/plain', headers)).status).toBe(400);
    expect((await http.stored('t')).map(({ value }) => value!.trim())).toEqual(['{"a":"b"}', '1', '2', '3']);
  });

  it('may not keep the broker busy with one text that fits in many ways', async () => {
    const endless = `a${'=bb'.repeat(2000)}&&`;
    const refused = await http.post('/topics/t', '1', 'application/json', { 'millrace-headers': endless });
    expect(refused.status).toBe(400);
    const taken = await http.post('/topics/t', '1', 'application/json', { 'millrace-headers': 'a=b&c=&d=e&' });
    expect(taken.status).toBe(200);
    expect((await http.stored('t'))[0]!.headers).toEqual([
      ['a', 'b'],
      ['c', ''],
      ['d', 'e'],
    ]);
  });

  it('may not name a member so often that each costs as much as all before it', async () => {
    const roomy = await HttpHarness.open();
    const headers = `{${'"headers":{"a":null},'.repeat(700_000)}"value":1}`;
    const envelope = await roomy.post('/topics/t', headers, 'application/vnd.millrace.v1+json');
    expect([envelope.status, await envelope.json()]).toMatchObject([422, { detail: 'A record has headers twice.' }]);
    const data = `{"value":{"type":"JSON",${'"a":0,'.repeat(1_000_000)}${'"data":0,'.repeat(900_000)}"data":1}}`;
    const proxied = await roomy.post('/v3/clusters/c/topics/t/records', data);
    expect(await proxied.text()).toContain('data twice');
    await roomy.close();
  });

  it('has others served while much of it is taken, and is taken whole', async () => {
    let timeMs = 0;
    // By this clock each part takes longer than a turn.
    const slow = await HttpHarness.open({ clockOf: () => ({ ...systemClock, monotonicMs: () => (timeMs += 60) }) });
    await slow.broker.createTopic('t');
    const count = 400_000;
    const body = Array.from({ length: count }, (_, i) => `${i}\n`).join('');
    const head = 'POST /topics/t?acks=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n';
    const client = slow.raw(`${head}Content-Length: ${body.length}\r\n\r\n`, body);
    await client.until((text) => text.includes('"acknowledged"'));
    expect((await slow.fetch('/topics')).status).toBe(200);
    expect(client.received).not.toContain('"done"');
    expect(await client.until((text) => text.includes('"done"'))).toContain(`"stored":${count},"failed":0`);
    const stored = await slow.stored('t');
    expect(stored.map(({ value }) => Number(value))).toEqual(Array.from({ length: count }, (_, i) => i));
    await slow.close();
  });

  it('has others served while an array of many records is taken, and is stored whole and in order', async () => {
    let timeMs = 0;
    const slow = await HttpHarness.open({ clockOf: () => ({ ...systemClock, monotonicMs: () => (timeMs += 60) }) });
    await slow.broker.createTopic('t');
    const count = 50_000;
    const body = `[${Array.from({ length: count }, (_, i) => i).join()}]`;
    const head = 'POST /topics/t?acks=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n';
    const client = slow.raw(`${head}Content-Length: ${body.length}\r\n\r\n`, body);
    while ((await slow.stored('t')).length === 0) await new Promise((resolve) => setImmediate(resolve));
    // By this clock a turn takes 64 records.
    expect((await slow.fetch('/topics')).status).toBe(200);
    expect((await slow.stored('t')).length).toBeLessThan(count);
    expect(client.received).toBe('');
    const answer = await client.until((text) => text.includes(`"offset":${count - 1}}`));
    expect(answer).toContain('200 OK');
    const values = (await slow.stored('t')).map(({ value }) => Number(value));
    expect(values).toEqual(Array.from({ length: count }, (_, i) => i));
    await slow.close();
  });

  it('leaves no room taken where its client goes while its records are taken', async () => {
    let timeMs = 0;
    const slow = await HttpHarness.open({
      bodyLimits: { largestBodyBytes: 1 << 20, allBodiesBytes: 1 << 20, stillMs: 30_000 },
      clockOf: () => ({ ...systemClock, monotonicMs: () => (timeMs += 60) }),
    });
    await slow.broker.createTopic('t');
    const body = `[${'0,'.repeat(90_000)}0]`;
    const head = `POST /topics/t?acks=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n\r\n`;
    // All ten together would be more than all bodies may take.
    for (let i = 0; i < 10; i++) {
      const before = (await slow.stored('t')).length;
      const client = slow.raw(head.replace('Host', 'Content-Type: application/json\r\nHost'), body);
      while ((await slow.stored('t')).length === before) await new Promise((resolve) => setImmediate(resolve));
      client.end();
      expect((await slow.fetch('/topics')).status).toBe(200);
    }
    // This one is collected, in two parts.
    const last = slow.raw(head.replace('Host', 'Content-Type: application/json\r\nHost'), body.slice(0, 50_000));
    expect((await slow.fetch('/topics')).status).toBe(200);
    last.send(body.slice(50_000));
    expect(await last.until((text) => text.includes('\r\n\r\n'))).toContain('200 OK');
    await slow.close();
  });

  it('has no other record of a named producer in between', async () => {
    let timeMs = 0;
    const slow = await HttpHarness.open({ clockOf: () => ({ ...systemClock, monotonicMs: () => (timeMs += 60) }) });
    await slow.broker.createTopic('t');
    const count = 20_000;
    const body = (from: number, to: number): string =>
      `[${Array.from({ length: to - from }, (_, i) => from + i).join()}]`;
    const named = (first: number): Record<string, string> => ({
      'millrace-producer': 'p',
      'millrace-sequence': String(first),
    });
    const long = slow.post('/topics/t', body(0, count), 'application/json', named(0));
    while ((await slow.stored('t')).length === 0) await new Promise((resolve) => setImmediate(resolve));
    // Larger numbers have smaller ones that come behind them taken for stored.
    const short = await slow.post('/topics/t', body(count, count + 10), 'application/json', named(count));
    expect([short.status, (await long).status]).toEqual([200, 200]);
    const values = (await slow.stored('t')).map(({ value }) => Number(value));
    expect(values).toEqual(Array.from({ length: count + 10 }, (_, i) => i));
    await slow.close();
  });

  it('are not taken for standing still over a time in which nothing was read', async () => {
    const bodyLimits = { largestBodyBytes: 10_000, allBodiesBytes: 20_000, stillMs: 10_000 };
    const held = await HttpHarness.open({ bodyLimits, clockOf: ({ clock }) => clock });
    const { clock } = held.broker;
    const client = held.raw('POST /topics/t HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20\r\n\r\n"0123456');
    // What was asked for behind it is answered: it has been read.
    for (let i = 0; i < 3; i++) await held.fetch('/topics');
    clock.advance(6000);
    await clock.stall(60_000);
    clock.advance(3000);
    client.send('7890123456"');
    for (let i = 0; i < 3; i++) await held.fetch('/topics');
    expect(client.received).toBe('');
    clock.advance(13_000);
    expect(await client.until((text) => text.includes('}'))).toContain(' 408 ');
    await held.close();
  });

  it('are not taken for standing still over what came in before they were looked at', async () => {
    const bodyLimits = { largestBodyBytes: 10_000, allBodiesBytes: 20_000, stillMs: 11_950 };
    const held = await HttpHarness.open({ bodyLimits, clockOf: ({ clock }) => clock });
    await held.broker.createTopic('t');
    const { clock } = held.broker;
    const head = 'POST /topics/t HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
    const client = held.raw(`${head}content-length: 20\r\n\r\n"0123456`);
    for (let i = 0; i < 3; i++) await held.fetch('/topics');
    for (let ms = 0; ms < 11_930; ms += 10) clock.advance(10);
    // They are looked at every four seconds, and now late.
    await clock.stall(90, async () => {
      client.send('78901234567"');
      for (let i = 0; i < 3; i++) await held.fetch('/topics');
    });
    expect(await client.until((text) => text.includes('\r\n\r\n'))).toContain(' 200 ');
    await held.close();
  });

  it('may not stand still half-way', async () => {
    const client = http.raw('POST /topics/t HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nabc');
    expect(await client.until((text) => text.includes('}'))).toContain('408 Request Timeout');
    client.end();
  });
});
