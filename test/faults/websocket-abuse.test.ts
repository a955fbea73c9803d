/** What can be done to the HTTP door besides Kafka's frames: floods of headers, foreign pages, pieces of messages. */

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { apiVersionsApi, defaultApiVersionsRequest } from '../../src/protocol/generated/index.ts';
import { ask, requestFrame } from './wire-frames.ts';
import { BrokerInProcess } from './broker-in-process.ts';

let broker: BrokerInProcess;

beforeAll(async () => {
  broker = await BrokerInProcess.start();
});

afterAll(async () => {
  // Whatever came, the broker serves.
  expect(await ask(broker, apiVersionsApi, 3, defaultApiVersionsRequest())).not.toBeNull();
  expect(broker.errors).toEqual([]);
  expect(broker.defects).toEqual([]);
  await broker[Symbol.asyncDispose]();
});

/** What the door says to `text` before it ends the connection. */
async function say(text: string): Promise<string> {
  const socket = connect(broker.httpPort, '127.0.0.1');
  socket.on('error', () => {});
  let heard = '';
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString('latin1');
    if (heard.includes('\r\n\r\n')) socket.end();
  });
  socket.write(text);
  await once(socket, 'close');
  return heard.split('\r\n')[0]!;
}

function upgrade(headers: string): string {
  const plain = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n';
  return `GET /kafka HTTP/1.1\r\n${plain}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`;
}

describe('the HTTP door', () => {
  it.each([
    ['a page of another origin', 'Host: 127.0.0.1\r\nOrigin: https://evil.example\r\n', '403'],
    ['a page without an origin of its own', 'Host: 127.0.0.1\r\nOrigin: null\r\n', '403'],
    ['a Host that is none', 'Host: 127.0.0.1/@evil\r\n', '400'],
    ['other subprotocols', 'Host: 127.0.0.1\r\nSec-WebSocket-Protocol: chat\r\n', '400'],
    ['its own page', 'Host: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n', '101'],
  ])('answers %s', async (_, headers, status) => {
    expect(await say(upgrade(headers))).toContain(` ${status} `);
  });

  it('refuses more headers, and longer ones, than a request may have', async () => {
    const many = Array.from({ length: 5000 }, (_, i) => `X-${i}: ${i}\r\n`).join('');
    expect(await say(upgrade(`Host: 127.0.0.1\r\n${many}`))).not.toContain(' 101 ');
    expect(await say(upgrade(`Host: 127.0.0.1\r\nX-Long: ${'x'.repeat(1024 * 1024)}\r\n`))).not.toContain(' 101 ');
    expect(await say(`GET /${'x'.repeat(1024 * 1024)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)).not.toContain(' 200 ');
    expect(await say('\0\0\0\u0012garbage, and more of it\r\n\r\n')).not.toContain(' 200 ');
  });

  it('takes a request in a thousand fragments for one', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${broker.httpPort}/kafka`, 'kafka', { perMessageDeflate: false });
    await once(socket, 'open');
    const request = { ...defaultApiVersionsRequest(), clientSoftwareName: 'n'.repeat(900), clientSoftwareVersion: '1' };
    const frame = requestFrame(apiVersionsApi, 3, request);
    for (let at = 0; at < frame.length; at++) {
      socket.send(frame.subarray(at, at + 1), { binary: true, fin: at === frame.length - 1 });
    }
    const [answer] = (await once(socket, 'message')) as [Buffer];
    expect(answer.readInt32BE(4)).toBe(1);
    socket.terminate();
  });

  it('ends one who sends a message without end, and one who sends text', async () => {
    const endless = new WebSocket(`ws://127.0.0.1:${broker.httpPort}/kafka`, 'kafka', { perMessageDeflate: false });
    endless.on('error', () => {});
    await once(endless, 'open');
    const closed = once(endless, 'close');
    const piece = Buffer.alloc(1024 * 1024);
    for (let i = 0; i < 40; i++) endless.send(piece, { binary: true, fin: false });
    await closed;
    const text = new WebSocket(`ws://127.0.0.1:${broker.httpPort}/kafka`, 'kafka');
    text.on('error', () => {});
    await once(text, 'open');
    text.send('hello');
    await once(text, 'close');
  });
});
