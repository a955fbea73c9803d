/** What is wrong over WebSocket costs its sender, is told in a frame, and leaves alone the others and what was stored. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JsonClient, SocketClient, startDoors, type DoorBroker, type Frame } from '../door-harness.ts';

let doors: DoorBroker;

beforeAll(async () => {
  doors = await startDoors({ 'message.max.bytes': '100000' });
});
afterAll(async () => {
  await doors[Symbol.asyncDispose]();
});

/** A WebSocket to /ws of which the test writes every byte itself. */
async function upgraded(): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: doors.broker.http!.port });
  await once(socket, 'connect');
  socket.write(
    'GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
  );
  await once(socket, 'data');
  return socket;
}

const publish = (rest: string): string => `{"type":"publish","id":7,"topic":"bad"${rest}}`;

const wrongFrames: readonly [name: string, frame: string, error: string, word: string][] = [
  ['an empty message', '', 'INVALID_REQUEST', 'not JSON'],
  ['no JSON', 'hello', 'INVALID_REQUEST', 'not JSON'],
  ['a cut frame', '{"type":"publish","topic":"bad"', 'INVALID_REQUEST', 'not JSON'],
  ['two frames in a message', '{"type":"ping"}{"type":"ping"}', 'INVALID_REQUEST', 'follows'],
  ['an array', '[]', 'INVALID_REQUEST', 'object'],
  ['no type', '{}', 'INVALID_REQUEST', 'type'],
  ['an unknown type', '{"type":"drop-everything"}', 'INVALID_REQUEST', 'type'],
  ['a name from Object', '{"type":"toString"}', 'INVALID_REQUEST', 'type'],
  ['a topic that is no string', '{"type":"publish","topic":5}', 'INVALID_REQUEST', 'topic'],
  ['a field that does not exist', publish(',"vlaue":1'), 'INVALID_REQUEST', 'vlaue'],
  ['__proto__', publish(',"__proto__":1'), 'INVALID_REQUEST', '__proto__'],
  ['two values', publish(',"value":1,"text":"1"'), 'INVALID_REQUEST', 'one of'],
  ['two keys', publish(',"key":"a","keyBase64":"YQ=="'), 'INVALID_REQUEST', 'either'],
  ['a partition that comes twice', publish(',"partition":0,"partition":0'), 'INVALID_REQUEST', 'twice'],
  ['a key that is a number', publish(',"key":1'), 'INVALID_REQUEST', 'key'],
  ['a text that is null', publish(',"text":null'), 'INVALID_REQUEST', 'text'],
  ['no base64', publish(',"base64":"%%%"'), 'INVALID_REQUEST', 'base64'],
  ['headers that are an array', publish(',"headers":[]'), 'INVALID_REQUEST', 'headers'],
  ['a header that is a number', publish(',"headers":{"a":1}'), 'INVALID_REQUEST', 'headers'],
  ['a negative partition', publish(',"partition":-1'), 'INVALID_REQUEST', 'partition'],
  ['a huge partition', publish(',"partition":1e400'), 'INVALID_REQUEST', 'partition'],
  ['a huge timestamp', publish(',"timestamp":99999999999999999999'), 'INVALID_REQUEST', 'timestamp'],
  ['a fraction of a timestamp', publish(',"timestamp":1.5'), 'INVALID_REQUEST', 'timestamp'],
  ['records beside a value', publish(',"value":1,"records":[]'), 'INVALID_REQUEST', 'value'],
  ['no records', publish(',"records":[]'), 'INVALID_REQUEST', 'records'],
  ['a record that is no object', publish(',"records":[{"text":"a"},5]'), 'INVALID_REQUEST', 'Record 2'],
  ['deep nesting', publish(`,"value":${'['.repeat(50_000)}${']'.repeat(50_000)}`), 'INVALID_REQUEST', 'nested'],
  ['a lone surrogate in an id', '{"type":"ping","id":{}}', 'INVALID_REQUEST', 'id'],
  [
    'a topic that no topic can be called',
    '{"type":"publish","topic":"../etc","text":"a"}',
    'INVALID_TOPIC_EXCEPTION',
    'etc',
  ],
  [
    'an internal topic',
    '{"type":"publish","topic":"__cluster_metadata","text":"a"}',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'topic',
  ],
  ['a record that is too large', publish(`,"text":"${'x'.repeat(150_000)}"`), 'MESSAGE_TOO_LARGE', 'bytes'],
  ['a subscription without topics', '{"type":"subscribe","subscription":"s"}', 'INVALID_REQUEST', 'topics'],
  [
    'a topic that is not there',
    '{"type":"subscribe","subscription":"s","topics":["none"]}',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'none',
  ],
  [
    'a start that is none',
    '{"type":"subscribe","subscription":"s","topics":["x*"],"from":"now"}',
    'INVALID_REQUEST',
    'from',
  ],
  [
    'too many patterns',
    `{"type":"subscribe","subscription":"s","topics":${JSON.stringify(Array.from({ length: 21 }, (_, i) => `${i}*`))}}`,
    'INVALID_REQUEST',
    'patterns',
  ],
  [
    'committed without a group',
    '{"type":"subscribe","subscription":"s","topics":["x*"],"from":"committed"}',
    'INVALID_REQUEST',
    'group',
  ],
  ['no such subscription', '{"type":"credit","subscription":"s","records":1}', 'INVALID_REQUEST', 'subscription'],
  ['no credit', '{"type":"credit","subscription":"s","records":0}', 'INVALID_REQUEST', 'records'],
];

describe('a frame that is wrong', () => {
  it.each(wrongFrames)(
    '%s is answered with an error, and the connection goes on',
    async (_name, frame, error, word) => {
      await using client = await JsonClient.open(doors.url);
      const answer = await client.ask(frame);
      expect(answer).toMatchObject({ type: 'error', error });
      expect(answer['message']).toContain(word);
      expect(String(answer['message']).length).toBeLessThan(400);
      if (frame.includes('"id":7') && !frame.includes('nested')) expect(answer['id'] ?? 7).toBe(7);
      expect(await client.ask({ type: 'ping', id: 'p' })).toMatchObject({ type: 'pong', id: 'p' });
    },
  );

  it('stores nothing of a batch in which one record is wrong', async () => {
    await using client = await JsonClient.open(doors.url);
    await client.ask({ type: 'publish', id: 1, topic: 'whole', text: 'before' });
    const records = [{ text: 'a' }, { text: 'b', partition: -1 }];
    expect((await client.ask({ type: 'publish', id: 2, topic: 'whole', records })).type).toBe('error');
    expect(await client.ask({ type: 'publish', id: 3, topic: 'whole', text: 'after' })).toMatchObject({ offset: 1 });
  });

  it('is a binary message', async () => {
    await using client = await JsonClient.open(doors.url);
    client.socket.send(Buffer.from('{"type":"ping"}'));
    expect(await client.frame()).toMatchObject({ type: 'error', error: 'INVALID_REQUEST' });
  });
});

describe('a connection', () => {
  it('ends with text that is no UTF-8, or with more than a message may have', async () => {
    await using bystander = await JsonClient.open(doors.url);
    await using invalid = await JsonClient.open(doors.url);
    invalid.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });
    await invalid.closed();
    await using huge = await JsonClient.open(doors.url);
    huge.socket.send(publish(`,"text":"${'x'.repeat(3_000_000)}"`));
    await huge.closed();
    expect((await bystander.ask({ type: 'ping' })).type).toBe('pong');
  });

  it('may come in tiny fragments', async () => {
    await using client = await JsonClient.open(doors.url);
    const text = publish(`,"text":"${'y'.repeat(2000)}"`);
    for (let i = 0; i < text.length; i++) client.socket.send(text[i]!, { fin: i === text.length - 1 });
    expect(await client.frame()).toMatchObject({ type: 'ack', id: 7 });
  });

  it('is refused to pages of other origins, without or with a subprotocol that is not spoken', async () => {
    for (const path of ['/ws', '/topics/bad/produce']) {
      const foreign = new SocketClient(`${doors.url}${path}`, [], { origin: 'http://evil.example' });
      const [, refused] = await once(foreign.socket, 'unexpected-response');
      expect(refused.statusCode).toBe(403);
    }
    const mqtt = new SocketClient(`${doors.url}/ws`, ['mqtt']);
    expect((await once(mqtt.socket, 'unexpected-response'))[1].statusCode).toBe(400);
    const own = await SocketClient.open(`${doors.url}/ws`, ['millrace.v1'], {
      origin: doors.url.replace('ws:', 'http:'),
    });
    await own[Symbol.asyncDispose]();
    await using allowing = await startDoors({ 'millrace.allowed.origins': 'https://shop.example' });
    await using shop = await JsonClient.open(allowing.url, [], { origin: 'https://shop.example' });
    expect((await shop.ask({ type: 'ping' })).type).toBe('pong');
  });

  it('that does not read gets everything in the end, in order, while others go on', async () => {
    const count = 400;
    const text = 'z'.repeat(50_000);
    await using writer = await JsonClient.open(doors.url);
    await writer.ask({ type: 'publish', id: 0, topic: 'slow', text });
    await using slow = await JsonClient.open(doors.url);
    await using quick = await JsonClient.open(doors.url);
    const subscribe = { type: 'subscribe', subscription: 's', topics: ['slow'], from: 'earliest', values: 'text' };
    await quick.ask(subscribe);
    await slow.ask(subscribe);
    slow.socket.pause();
    for (let i = 1; i < count; i++) await writer.ask({ type: 'publish', id: i, topic: 'slow', text });
    expect((await quick.records(count)).map(({ offset }) => offset)).toEqual(
      Array.from({ length: count }, (_, i) => i),
    );
    const before = slow.received.length;
    slow.socket.resume();
    const read = await slow.records(count);
    expect(before).toBeLessThan(count);
    expect(read.map(({ offset }) => offset)).toEqual(Array.from({ length: count }, (_, i) => i));
  });

  it('that asks and asks and never reads is ended, and nobody else', async () => {
    await using bystander = await JsonClient.open(doors.url);
    const greedy = await upgraded();
    greedy.pause();
    greedy.on('error', () => {});
    const ping = Buffer.from(JSON.stringify({ type: 'ping', id: 'i'.repeat(90) }));
    // Masked with zeros.
    const frame = Buffer.concat([Buffer.from([0x81, 0x80 | ping.length, 0, 0, 0, 0]), ping]);
    const many = Buffer.concat(Array.from({ length: 2000 }, () => frame));
    const ended = new Promise<boolean>((resolve) => greedy.on('close', () => resolve(true)));
    const drained = (): Promise<boolean> => new Promise((resolve) => greedy.once('drain', () => resolve(false)));
    // The kernel's buffers take a few megabytes first.
    for (let isOver = false; !isOver;) {
      isOver = greedy.write(many) ? greedy.destroyed : await Promise.race([ended, drained()]);
    }
    expect((await bystander.ask({ type: 'ping' })).type).toBe('pong');
  });

  it('that is cut in the middle of a message leaves what was acknowledged', async () => {
    await using client = await JsonClient.open(doors.url);
    const ack = await client.ask({ type: 'publish', id: 1, topic: 'cut', text: 'kept' });
    expect(ack).toMatchObject({ offset: 0 });
    const socket = await upgraded();
    socket.write(Buffer.from([0x81, 0xfe, 0x10, 0x00, 1, 2, 3, 4, 5, 6]));
    socket.destroy();
    await using reader = await JsonClient.open(doors.url);
    await reader.ask({ type: 'subscribe', subscription: 's', topics: ['cut'], from: 'earliest' });
    const records = (await reader.frame())['records'] as readonly Frame[];
    expect(records).toMatchObject([{ offset: 0, text: 'kept' }]);
  });
});
