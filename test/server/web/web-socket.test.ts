/** WebSockets (RFC 6455), with real sockets, frames of the test's own, and a link that says what it heard. */

import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RouteTable, SocketLink, WebSocketPeer } from '../../../src/server/http-route.ts';
import type { RawClient } from '../http-harness.ts';
import { framesIn, frameOf, handshake } from './client-frames.ts';
import { hurriedClock, WebHarness } from './web-harness.ts';

const text = 1;
const binary = 2;
const close = 8;
const ping = 9;
const pong = 10;
const largestMessageBytes = 1 << 20;

class Link implements SocketLink {
  place = -1;
  readonly idleSinceMs = Infinity;
  readonly socket: WebSocketPeer;
  readonly heard: { readonly bytes: Buffer; readonly isBinary: boolean }[] = [];
  drainedCount = 0;
  closedCount = 0;

  constructor(socket: WebSocketPeer) {
    this.socket = socket;
  }

  message(bytes: Uint8Array, start: number, end: number, isBinary: boolean): void {
    const message = Buffer.from(bytes.subarray(start, end));
    if (message.toString() === 'throw') throw new Error('planted');
    if (message.toString() === 'end') return this.socket.end(4000, 'as you like');
    this.heard.push({ bytes: message, isBinary });
  }

  drained(): void {
    this.drainedCount++;
  }

  finish(): void {
    this.socket.end(1001, 'the server stops');
  }

  destroy(): void {
    if (this.closedCount === 0) this.socket.close();
  }

  closed(): void {
    this.closedCount++;
  }
}

let web: WebHarness;
let links: Link[];
let aheadMs: number;

beforeEach(async () => {
  links = [];
  aheadMs = 0;
  const clock = hurriedClock(() => aheadMs);
  web = await WebHarness.open((table: RouteTable) => {
    table.webSocket<null>({
      pattern: '/socket',
      protocols: ['p'],
      hint: 'Connect.',
      largestMessageBytes,
      deadAfterS: 30,
      read: () => ({ asked: null }),
      open: (socket) => {
        links.push(new Link(socket));
        return links.at(-1)!;
      },
    });
  }, clock);
});

afterEach(async () => {
  expect(web.errors).toEqual([]);
  await web[Symbol.asyncDispose]();
  expect(links.map(({ closedCount }) => closedCount)).toEqual(links.map(() => 1));
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

async function open(): Promise<{ client: RawClient; link: Link }> {
  const before = links.length;
  const client = web.client(handshake('/socket'));
  await client.until((received) => received.includes('\r\n\r\n'));
  return { client, link: links[before]! };
}

function closeOf(code: number, reason = ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return payload;
}

/** The code and the reason that the server closed with. */
function closedWith({ received }: RawClient): [number, string] | null {
  const frame = framesIn(received).find(({ opcode }) => opcode === close);
  if (frame === undefined) return null;
  return [Buffer.from(frame.payload, 'latin1').readUInt16BE(0), frame.payload.slice(2)];
}

describe('a WebSocket', () => {
  it('opens by the answer to its key', async () => {
    const { client } = await open();
    expect(client.received).toContain('HTTP/1.1 101 Switching Protocols\r\n');
    // The example of RFC 6455, section 1.3.
    expect(client.received).toContain('sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n');
  });

  it.each([
    ['another version', ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Version: 8'], 426],
    ['a key that is none', ['dGhlIHNhbXBsZSBub25jZQ==', 'abc'], 426],
    ['no Connection: Upgrade', ['Connection: Upgrade', 'Connection: keep-alive'], 426],
    ['no Upgrade', ['Upgrade: websocket', 'X: y'], 426],
    ['another path', ['/socket', '/none'], 404],
  ])('does not open with %s', async (_what, [from, to], status) => {
    const received = await web
      .client(handshake('/socket').replace(from!, to!))
      .until((got) => got.includes('\r\n\r\n'));
    expect(received).toContain(`HTTP/1.1 ${status} `);
  });

  it('hears messages as they were sent, in one piece or many, wherever what comes is cut', async () => {
    const message = fc.record({
      isBinary: fc.boolean(),
      content: fc.oneof(
        fc.string({ unit: 'binary', maxLength: 200 }),
        fc.integer({ min: 0, max: 200_000 }).map((size) => 'ä'.repeat(size / 2)),
      ),
      cuts: fc.array(fc.integer({ min: 0, max: 150_000 }), { maxLength: 3 }),
      pings: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 5 }),
        async (messages, cutSizes) => {
          const { client, link } = await open();
          const frames = messages.flatMap(({ isBinary, content, cuts, pings }) => {
            const bytes = Buffer.from(content);
            const ends = [...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length];
            return ends.flatMap((end, i) => {
              const piece = bytes.subarray(i === 0 ? 0 : ends[i - 1], end);
              const opcode = i > 0 ? 0 : isBinary ? binary : text;
              const frame = frameOf(opcode, piece, { isFinal: i === ends.length - 1, mask: 0x9abcdef0 + i });
              return pings ? [frame, frameOf(ping, Buffer.from('hi'))] : [frame];
            });
          });
          const stream = Buffer.concat(frames);
          // Some hundred pieces at most, down to a byte each.
          const sizes = cutSizes.map((size) => Math.max(size, Math.floor(stream.length / 300)));
          for (let at = 0, i = 0; at < stream.length; i++) {
            const end = Math.min(stream.length, at + sizes[i % sizes.length]!);
            client.send(stream.subarray(at, end));
            at = end;
            await new Promise((resolve) => setImmediate(resolve));
          }
          await until(() => link.heard.length === messages.length);
          for (const [i, { isBinary, content }] of messages.entries()) {
            expect([link.heard[i]!.isBinary, link.heard[i]!.bytes.equals(Buffer.from(content))]).toEqual([
              isBinary,
              true,
            ]);
          }
          const pings = frames.filter((frame) => (frame[0]! & 0x0f) === ping).length;
          await client.until((received) => framesIn(received).filter(({ opcode }) => opcode === pong).length === pings);
          client.end();
        },
      ),
      { numRuns: 20 },
    );
  });

  it('hears what comes right behind the handshake', async () => {
    web.client(Buffer.concat([Buffer.from(handshake('/socket')), frameOf(text, Buffer.from('at once'))]));
    await until(() => links[0]?.heard.length === 1);
    expect(links[0]!.heard[0]!.bytes.toString()).toBe('at once');
  });

  it('sends messages of every length', async () => {
    const { client, link } = await open();
    const sizes = [0, 125, 126, 65_535, 65_536, 200_000];
    const bytes = Buffer.alloc(200_000, 'x');
    link.socket.cork(() => {
      for (const size of sizes) link.socket.send(bytes.subarray(0, size), true);
      link.socket.send('ü'.repeat(100));
    });
    await client.until((received) => framesIn(received).length === sizes.length + 1);
    const frames = framesIn(client.received);
    expect(frames.map(({ payload }) => payload.length)).toEqual([...sizes, 200]);
    expect(frames.slice(0, -1).every(({ opcode, payload }) => opcode === binary && /^x*$/.test(payload))).toBe(true);
    expect(Buffer.from(frames.at(-1)!.payload, 'latin1').toString()).toBe('ü'.repeat(100));
  });

  it('says when its client takes nothing, and when it has taken all', async () => {
    const { client, link } = await open();
    client.socket.pause();
    let count = 0;
    for (let flowing = true; flowing; count++) flowing = link.socket.send(Buffer.alloc(50_000, 'y'), true);
    // More is queued behind it, each as it was when it was sent.
    for (let i = 0; i < 100; i++) expect(link.socket.send(`small ${i}`)).toBe(false);
    expect(link.socket.backlogBytes).toBeGreaterThan(0);
    expect(link.drainedCount).toBe(0);
    client.socket.resume();
    await until(() => link.drainedCount === 1);
    await client.until((received) => framesIn(received).length === count + 100);
    expect(
      framesIn(client.received)
        .slice(count)
        .map(({ payload }) => payload),
    ).toEqual(Array.from({ length: 100 }, (_, i) => `small ${i}`));
  });

  it('reads nothing while it is paused, and all of it then', async () => {
    const { client, link } = await open();
    const message = frameOf(binary, Buffer.alloc(100_000, 'z'));
    link.socket.pause();
    const count = 300;
    for (let i = 0; i < count; i++) client.send(message);
    await sleep(100);
    expect(link.heard.length).toBe(0);
    // Who is not read is not taken for gone.
    aheadMs = 100_000;
    await sleep(100);
    link.socket.resume();
    await until(() => link.heard.length === count);
    expect(link.closedCount).toBe(0);
  });

  it.each<[what: string, code: number, frames: readonly Uint8Array[]]>([
    ['a frame without a mask', 1002, [Buffer.from([0x81, 1, 0x61])]],
    ['a reserved bit', 1002, [Buffer.from([0xc1, 0x80, 0, 0, 0, 0])]],
    ['a reserved opcode', 1002, [Buffer.from([0x83, 0x80, 0, 0, 0, 0])]],
    ['a continuation of nothing', 1002, [frameOf(0, Buffer.from('a'))]],
    [
      'a message within another',
      1002,
      [frameOf(text, Buffer.from('a'), { isFinal: false }), frameOf(text, Buffer.from('b'))],
    ],
    ['a text that is no UTF-8', 1007, [frameOf(text, Buffer.from([0xc3, 0x28]))]],
    [
      'a text that ends within a character',
      1007,
      [frameOf(text, Buffer.from('a'), { isFinal: false }), frameOf(0, Buffer.from([0xc3]))],
    ],
    [
      'a long text that is no UTF-8',
      1007,
      [frameOf(text, Buffer.concat([Buffer.alloc(200_000, 'a'), Buffer.from([0xff])]))],
    ],
    ['a message that is too long', 1009, [frameOf(binary, Buffer.alloc(largestMessageBytes + 1))]],
    [
      'fragments that are too long',
      1009,
      [1, 2, 3].map((i) => frameOf(i === 1 ? binary : 0, Buffer.alloc(400_000), { isFinal: false })),
    ],
    ['a close with a code that none may send', 1002, [frameOf(close, closeOf(1005))]],
    ['a close with half a code', 1002, [frameOf(close, Buffer.from([3]))]],
    ['a close with a reason that is no UTF-8', 1002, [frameOf(close, Buffer.from([3, 0xe8, 0xff]))]],
  ])('is ended by %s, and what came before counts', async (_what, code, frames) => {
    const { client, link } = await open();
    client.send(Buffer.concat([frameOf(text, Buffer.from('before')), ...frames, frameOf(text, Buffer.from('behind'))]));
    await client.until((received) => framesIn(received).some(({ opcode }) => opcode === close));
    expect(closedWith(client)![0]).toBe(code);
    expect(link.heard.map(({ bytes }) => bytes.toString())).toEqual(['before']);
    expect(link.closedCount).toBe(1);
    await client.ended();
  });

  it.each([1000, 1001, 3000, 4999])('says goodbye with the code %i that it is told', async (code) => {
    const { client } = await open();
    client.send(frameOf(close, closeOf(code, 'enough')));
    await client.ended();
    expect(closedWith(client)).toEqual([code, '']);
  });

  it('says goodbye first, hears nothing more, and waits only so long', async () => {
    const { client, link } = await open();
    client.send(frameOf(text, Buffer.from('end')));
    await client.until((received) => framesIn(received).length === 1);
    expect(closedWith(client)).toEqual([4000, 'as you like']);
    expect([link.closedCount, link.socket.send('too late'), web.server.webSocketCount]).toEqual([1, false, 0]);
    for (let i = 0; i < 10; i++) client.send(frameOf(text, Buffer.from('more')));
    await sleep(20);
    expect(link.heard).toEqual([]);
  });

  it('answers pings, and asks who is silent; who does not answer is gone', async () => {
    const { client, link } = await open();
    client.send(frameOf(ping, Buffer.from('there?')));
    await client.until((received) => framesIn(received).length === 1);
    expect(framesIn(client.received)).toEqual([{ opcode: pong, payload: 'there?' }]);
    aheadMs = 20_000;
    await client.until((received) => framesIn(received).length === 2);
    expect(framesIn(client.received)[1]).toEqual({ opcode: ping, payload: '' });
    client.send(frameOf(pong, Buffer.alloc(0)));
    await sleep(20);
    aheadMs = 45_000;
    await client.until((received) => framesIn(received).length === 3);
    expect(link.closedCount).toBe(0);
    aheadMs = 90_000;
    await client.ended();
    expect(link.closedCount).toBe(1);
  });

  it('is closed by a defect in what serves it, which is told', async () => {
    const { client, link } = await open();
    client.send(frameOf(text, Buffer.from('throw')));
    await client.ended();
    expect(link.closedCount).toBe(1);
    expect(web.errors.splice(0)).toMatchObject([{ error: { message: 'planted' } }]);
  });

  it('tells its link where its client goes without a word', async () => {
    const { client, link } = await open();
    client.send(frameOf(text, Buffer.from('half a frame')).subarray(0, 5));
    await sleep(10);
    client.end();
    await until(() => link.closedCount === 1);
    await until(() => web.quota.count === 0);
  });
});
