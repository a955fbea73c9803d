/** HTTP/1.1 over a connection, with real sockets and handlers of the test's own. */

import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HttpResponse, RouteTable } from '../../../src/server/http-route.ts';
import { hurriedClock, WebHarness } from './web-harness.ts';

let web: WebHarness;
/** Responses that wait for the test to end them, in the order of their requests. */
let waiting: HttpResponse[];
let abortedCount: number;
let aheadMs: number;

beforeEach(async () => {
  waiting = [];
  abortedCount = 0;
  aheadMs = 0;
  const clock = hurriedClock(() => aheadMs);
  web = await WebHarness.open(part, clock);
});

afterEach(async () => {
  expect(web.errors).toEqual([]);
  // The others are unharmed.
  expect(await web.client(get('/now')).until((text) => text.includes('now'))).toContain(' 200 OK');
  await web[Symbol.asyncDispose]();
});

function part(table: RouteTable): void {
  table.http('get', '/now', (response) => response.end('now'));
  table.http('head', '/now', (response) => response.end('now'));
  table.http('get', '/later', (response) => {
    response.onAborted(() => abortedCount++);
    waiting.push(response);
  });
  table.http('get', '/parts', (response) => {
    response.onAborted(() => abortedCount++);
    response.write('first,');
    response.write(Buffer.from('second,'));
    response.end('third');
  });
  table.http('post', '/echo', (response) => {
    let text = '';
    response.onAborted(() => abortedCount++);
    response.onData((bytes, isLast) => {
      text += Buffer.from(bytes).toString('latin1');
      if (isLast) response.end(text);
    });
  });
  table.http('post', '/refuse', (response) => response.writeStatus('403 Forbidden').end('no'));
}

function get(path: string, more = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${more}\r\n`;
}

function post(path: string, body: string, more = `Content-Length: ${body.length}\r\n`): string {
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${more}\r\n${body}`;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** The bodies of whole responses with lengths. */
function bodiesIn(text: string): string[] {
  const bodies: string[] = [];
  for (let at = 0; at < text.length;) {
    const start = text.indexOf('\r\n\r\n', at) + 4;
    if (start < 4) break;
    const size = Number(/content-length: (\d+)/.exec(text.slice(at, start))![1]);
    bodies.push(text.slice(start, start + size));
    at = start + size;
  }
  return bodies;
}

describe('HTTP over a connection', () => {
  it('answers requests in their order, though the next ones come before', async () => {
    const client = web.client(get('/later') + get('/now') + get('/later') + post('/echo', 'abc') + get('/now'));
    await until(() => waiting.length === 1);
    await sleep(20);
    expect([client.received, waiting.length]).toEqual(['', 1]);
    waiting[0]!.end('one');
    await until(() => waiting.length === 2);
    waiting[1]!.end('two');
    await client.until((text) => bodiesIn(text).length === 5);
    expect(bodiesIn(client.received)).toEqual(['one', 'now', 'two', 'abc', 'now']);
  });

  it('reads the same wherever what comes is cut', async () => {
    const requests = [
      post('/echo', 'x'.repeat(300)),
      get('/now', 'X-Long: '.padEnd(500, 'y') + '\r\n'),
      post('/echo', '5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\nT: u\r\n\r\n', 'Transfer-Encoding: chunked\r\n'),
      `\r\n${get('/now')}`,
    ];
    const stream = Buffer.from(requests.join(''));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 12 }), async (sizes) => {
        const client = web.client();
        for (let at = 0, i = 0; at < stream.length; i++) {
          const end = Math.min(stream.length, at + sizes[i % sizes.length]!);
          client.send(stream.subarray(at, end));
          at = end;
          await new Promise((resolve) => setImmediate(resolve));
        }
        await client.until((text) => bodiesIn(text).at(-1) === 'now' && bodiesIn(text).length === 4);
        expect(bodiesIn(client.received)).toEqual(['x'.repeat(300), 'now', 'hello, world', 'now']);
        client.end();
      }),
      { numRuns: 15 },
    );
  });

  it('takes bodies that are longer than a read, and thousands of requests at once', async () => {
    const long = 'z'.repeat(3_000_000);
    expect(bodiesIn(await web.client(post('/echo', long)).until((text) => text.length > long.length + 30))).toEqual([
      long,
    ]);
    const client = web.client(get('/now').repeat(10_000));
    await client.until((text) => text.length >= 10_000 * 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nnow'.length);
    expect(bodiesIn(client.received).length).toBe(10_000);
  });

  it('sends parts in chunks, and to HTTP/1.0 until the connection ends', async () => {
    const chunked = await web.client(get('/parts')).until((text) => text.endsWith('0\r\n\r\n'));
    expect(chunked).toBe(
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nfirst,\r\n7\r\nsecond,\r\n5\r\nthird\r\n0\r\n\r\n',
    );
    const older = await web.client('GET /parts HTTP/1.0\r\n\r\n').ended();
    expect(older).toBe('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nfirst,second,third');
  });

  it('gives HEAD everything but the body, also where there is nothing', async () => {
    const client = web.client(get('/now').replace('GET', 'HEAD') + get('/none').replace('GET', 'HEAD') + get('/now'));
    await client.until((text) => text.endsWith('now'));
    const heads = client.received.split('\r\n\r\n');
    expect(heads[0]).toContain('content-length: 3');
    expect(heads[1]).toMatch(/^HTTP\/1.1 404 Not Found\r\n.*content-length: [1-9]/s);
    expect(heads.slice(2)).toEqual([expect.stringContaining('200 OK'), 'now']);
  });

  it('ends a connection whose client asks for it, once it has answered', async () => {
    const client = web.client(get('/later', 'Connection: close\r\n') + get('/now'));
    await until(() => waiting.length === 1);
    waiting[0]!.end('last');
    const received = await client.ended();
    expect(received).toContain('connection: close');
    expect(bodiesIn(received)).toEqual(['last']);
  });

  it('goes on behind a body that it did not want', async () => {
    const client = web.client(post('/refuse', 'a'.repeat(100_000)) + get('/now'));
    await client.until((text) => text.endsWith('now'));
    expect(bodiesIn(client.received)).toEqual(['no', 'now']);
  });

  it('tells a client that waits for it that its body is wanted, and none whose is not', async () => {
    const expecting = (path: string): string => post(path, '', 'Content-Length: 3\r\nExpect: 100-continue\r\n');
    const client = web.client(expecting('/echo'));
    expect(await client.until((text) => text.includes('\r\n\r\n'))).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    client.send('abc');
    await client.until((text) => text.endsWith('abc'));
    expect(await web.client(expecting('/refuse')).until((text) => text.endsWith('no'))).toMatch(/^HTTP\/1.1 403 /);
  });

  it('refuses what it cannot read, and ends the connection behind that', async () => {
    const refused = await web.client(get('/now') + get('/now', 'A : b\r\n') + get('/now')).ended();
    expect(refused.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
    expect(refused).toContain('"detail":"A header is no name, a colon and a value."');
    const late = await web.client(post('/echo', '1\r\nab', 'Transfer-Encoding: chunked\r\n')).ended();
    expect(late).toContain(' 400 Bad Request');
    expect(abortedCount).toBe(1);
    expect(await web.client(`GET /${'x'.repeat(20_000)}`).ended()).toContain(' 431 ');
  });

  it('tells a handler that its client is gone', async () => {
    const client = web.client(get('/later'));
    await until(() => waiting.length === 1);
    client.end();
    await until(() => abortedCount === 1);
    await until(() => web.quota.count === 0);
  });

  it('ends who is slow with a head, or with a body that nobody wants, but nobody who is waiting', async () => {
    const clients = {
      idle: web.client(),
      slow: web.client('GET /now HT'),
      passedOver: web.client(post('/refuse', 'a', 'Content-Length: 10\r\n')),
      waits: web.client(get('/later')),
    };
    await until(() => waiting.length === 1 && clients.passedOver.received !== '' && web.quota.count === 4);
    aheadMs = 60_000;
    await until(() => clients.idle.closed && clients.slow.closed && clients.passedOver.closed);
    waiting[0]!.end('after long');
    await clients.waits.until((text) => text.endsWith('after long'));
  });

  it('writes on where its client had not read, and keeps what it was given', async () => {
    const client = web.client(get('/later'));
    client.socket.pause();
    await until(() => waiting.length === 1);
    const response = waiting[0]!;
    let writableCount = 0;
    response.onWritable(() => writableCount++);
    let written = 0;
    for (let flowing = true; flowing; written++) flowing = response.write(Buffer.alloc(100_000, String(written % 10)));
    // Small ones are queued behind them.
    const small = Buffer.alloc(10, '-');
    response.write(small);
    small.fill('!');
    const expected =
      Array.from({ length: written }, (_, i) => String(i % 10).repeat(100_000)).join('') + '-'.repeat(10);
    expect(writableCount).toBe(0);
    client.socket.resume();
    await until(() => writableCount === 1);
    response.end();
    const received = await client.until((text) => text.endsWith('0\r\n\r\n'));
    const body = received.slice(received.indexOf('\r\n\r\n') + 4);
    expect(body.replaceAll('186a0\r\n', '').replaceAll('a\r\n-', '-').replaceAll('\r\n', '').slice(0, -1)).toBe(
      expected,
    );
  });

  it('costs a handler that throws its connection, and nobody else', async () => {
    await web[Symbol.asyncDispose]();
    web = await WebHarness.open((table) => {
      part(table);
      table.http('get', '/throw', () => {
        throw new Error('planted');
      });
    });
    expect(await web.client(get('/throw')).ended()).toBe('');
    expect(web.errors.splice(0)).toMatchObject([{ error: { message: 'planted' } }]);
  });
});
