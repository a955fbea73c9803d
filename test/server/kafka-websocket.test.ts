/** The HTTP server with Kafka over WebSocket, with real sockets, and its plain pages. */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { EnvironmentErrorCode } from '../../src/base/environment-error.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { AssemblyBudget } from '../../src/server/assembly-budget.ts';
import { ConnectionQuota } from '../../src/server/connection-quota.ts';
import type { Connection } from '../../src/server/connection.ts';
import { HttpServer, loadNativePart } from '../../src/server/http-server.ts';
import type { HttpServerOptions } from '../../src/server/http-server.ts';
import { KafkaWebSocket } from '../../src/server/kafka-websocket.ts';
import type { KafkaWebSocketOptions } from '../../src/server/kafka-websocket.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { RequestService } from '../../src/server/request-pipeline.ts';

const doors: HttpServer[] = [];
const clients: WebSocket[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate();
  for (const door of doors.splice(0)) await door.close();
});

function quotaOf(largestCount: number): ConnectionQuota {
  return new ConnectionQuota({ largestCount: () => largestCount, largestCountPerAddress: () => largestCount });
}

async function openDoor(
  service: RequestService,
  changes: Partial<HttpServerOptions & KafkaWebSocketOptions> = {},
): Promise<HttpServer> {
  const options = {
    host: '127.0.0.1',
    port: 0,
    service,
    budget: new AssemblyBudget({ limitBytes: 8 << 20, largestFrameBytes: 1 << 20 }),
    limits: { largestFrameBytes: 1 << 20, requestsInFlight: 16 },
    logger: silentLogger,
    quota: quotaOf(1000),
    idleMs: 600_000,
    ready: () => true,
    troubles: () => [],
    metrics: () => 'millrace_up 1\n',
    ...changes,
  };
  const kafka = new KafkaWebSocket(options);
  const door = await HttpServer.open(options, [(table) => kafka.register(table)]);
  doors.push(door);
  return door;
}

/** A client that collects what comes as one stream. */
class Client {
  readonly socket: WebSocket;
  received = Buffer.alloc(0);
  closeCode: number | null = null;
  #changed: (() => void) | null = null;

  constructor(door: HttpServer, protocols: string[] = ['kafka'], options: WebSocket.ClientOptions = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${door.address.port}/kafka`, protocols, options);
    clients.push(this.socket);
    this.socket.on('error', () => {});
    this.socket.on('message', (data: Buffer) => {
      this.received = Buffer.concat([this.received, data]);
      this.#changed?.();
    });
    this.socket.on('close', (code) => {
      this.closeCode = code;
      this.#changed?.();
    });
  }

  async opened(): Promise<this> {
    await once(this.socket, 'open');
    return this;
  }

  /** What has come once it is `byteCount` bytes, or the connection has ended. */
  async read(byteCount: number): Promise<Buffer> {
    while (this.received.length < byteCount && this.closeCode === null) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    return this.received;
  }
}

function prefixed(payload: Uint8Array | string): Buffer {
  const bytes = Buffer.from(payload as string);
  const size = Buffer.alloc(4);
  size.writeInt32BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

const echo: RequestService = { serve: (frame) => [prefixed(frame)] };

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

function get(door: HttpServer, path: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${door.address.port}${path}`, { headers: { connection: 'close' } });
}

describe('KafkaWebSocket in an HttpServer', () => {
  it('answers what was sent, wherever messages end', async () => {
    const door = await openDoor(echo);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 2000 }), { minLength: 1, maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 10 }),
        async (frames, cuts) => {
          const client = await new Client(door).opened();
          const stream = Buffer.concat(frames.map(prefixed));
          for (let at = 0, i = 0; at < stream.length; i++) {
            const end = Math.min(stream.length, at + cuts[i % cuts.length]!);
            client.socket.send(stream.subarray(at, end));
            at = end;
          }
          expect((await client.read(stream.length)).equals(stream)).toBe(true);
          client.socket.terminate();
        },
      ),
      { numRuns: 30 },
    );
  });

  it('answers in the order of the requests although later ones finish first', async () => {
    const finish: (() => void)[] = [];
    const door = await openDoor({
      serve: (frame) => {
        const response = [prefixed(frame)];
        return new Promise((resolve) => void finish.push(() => resolve(response)));
      },
    });
    const client = await new Client(door).opened();
    const stream = Buffer.concat(['a', 'b', 'c'].map(prefixed));
    client.socket.send(stream);
    await until(() => finish.length === 3);
    for (const go of finish.toReversed()) go();
    expect(await client.read(stream.length)).toEqual(stream);
  });

  it('does not buffer without bound for a client that does not read, and loses nothing', async () => {
    let served = 0;
    let released = 0;
    const response = [Buffer.alloc(512 * 1024, 1)];
    const door = await openDoor({
      serve: () => {
        served++;
        return response;
      },
      released: () => void released++,
    });
    const client = await new Client(door).opened();
    client.socket.pause();
    const total = 200;
    client.socket.send(Buffer.concat(Array.from({ length: total }, () => prefixed('give'))));
    let before = -1;
    while (served !== before) {
      before = served;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(served).toBeLessThan(total / 2);
    client.socket.resume();
    let length = 0;
    client.socket.on('message', (data: Buffer) => {
      length += data.length;
      client.received = Buffer.alloc(0);
    });
    await until(() => length === total * response[0]!.length);
    await until(() => released === total);
  });

  it('ends a client that sends on while the broker takes nothing', async () => {
    const door = await openDoor({ serve: (frame) => [prefixed(frame)], admit: () => false }, { aheadBytes: 100_000 });
    const client = await new Client(door).opened();
    for (let i = 0; i < 20; i++) client.socket.send(prefixed(Buffer.alloc(10_000)));
    await client.read(1);
    expect(client.closeCode).toBe(1013);
  });

  it('takes up what came meanwhile once the broker can take it', async () => {
    const waiting: (() => void)[] = [];
    let open = false;
    const door = await openDoor({
      ...echo,
      admit: (_frame, proceed) => {
        if (!open) waiting.push(proceed);
        return open;
      },
    });
    const client = await new Client(door).opened();
    const stream = Buffer.concat(Array.from({ length: 40 }, (_, i) => prefixed(`request ${i}`)));
    for (let at = 0; at < stream.length; at += 7) client.socket.send(stream.subarray(at, at + 7));
    await until(() => waiting.length === 1);
    open = true;
    waiting[0]!();
    expect(await client.read(stream.length)).toEqual(stream);
  });

  it('serves what came before its client went', async () => {
    const served: string[] = [];
    const service: RequestService = {
      serve: (frame) => {
        served.push(Buffer.from(frame).toString());
        return null;
      },
    };
    // A turn that takes long by this clock would leave the rest to the next, and nothing is served once its client is gone.
    const door = await openDoor(service, { clock: { ...systemClock, monotonicMs: () => 0 } });
    // As many as one turn serves.
    const count = 15;
    for (let round = 0; round < 10; round++) {
      const client = await new Client(door).opened();
      for (let i = 0; i < count; i++) client.socket.send(prefixed(`${i}`));
      client.socket.close();
      await once(client.socket, 'close');
      await until(() => door.webSocketCount === 0);
      expect(served.splice(0)).toEqual(Array.from({ length: count }, (_, i) => `${i}`));
    }
  });

  it('serves nothing more of a connection that it ended', async () => {
    const served: string[] = [];
    const door = await openDoor({
      serve: (frame, connection) => {
        served.push(Buffer.from(frame).toString());
        if (served.length === 3) connection.drop('it has had enough');
        return null;
      },
    });
    const client = await new Client(door).opened();
    const frames = Array.from({ length: 50 }, (_, i) => prefixed(`${i}`));
    for (const frame of frames) client.socket.send(frame);
    await client.read(1);
    await until(() => door.webSocketCount === 0);
    expect(served).toEqual(['0', '1', '2']);
  });

  it('ends connections that bring garbage, text or too much, and no other', async () => {
    const door = await openDoor(echo, { largestMessageBytes: 100_000 });
    const good = await new Client(door).opened();
    for (const message of ['text', Buffer.from('GET / HTTP'), Buffer.alloc(4), Buffer.alloc(100_001)]) {
      const bad = await new Client(door).opened();
      bad.socket.send(message);
      expect((await bad.read(1)).length).toBe(0);
    }
    good.socket.send(prefixed('here'));
    expect(await good.read(8)).toEqual(prefixed('here'));
    expect(door.webSocketCount).toBe(1);
  });

  it('lets pages of its own origin in, and others only where allowed', async () => {
    const own = await openDoor(echo);
    const origin = `http://127.0.0.1:${own.address.port}`;
    await new Client(own, ['kafka'], { origin }).opened();
    const foreign = new Client(own, ['kafka'], { origin: 'http://evil.example' });
    const [, refused] = await once(foreign.socket, 'unexpected-response');
    expect(refused.statusCode).toBe(403);
    // A name of somebody else that leads here.
    const rebound = { origin: 'http://evil.example:8080', headers: { host: 'evil.example:8080' } };
    const [, reboundRefused] = await once(new Client(own, ['kafka'], rebound).socket, 'unexpected-response');
    expect(reboundRefused.statusCode).toBe(403);
    const named = await openDoor(echo, { advertised: { host: 'broker.example', port: 443 } });
    const proxied = { origin: 'https://broker.example', headers: { host: 'broker.example' } };
    await new Client(named, ['kafka'], proxied).opened();
    const allowing = await openDoor(echo, { allowedOrigins: ['http://shop.example'] });
    await new Client(allowing, ['kafka'], { origin: 'http://shop.example' }).opened();
  });

  it('speaks the subprotocol kafka', async () => {
    const door = await openDoor(echo);
    expect((await new Client(door).opened()).socket.protocol).toBe('kafka');
    expect((await new Client(door, []).opened()).socket.protocol).toBe('');
    const [, refused] = await once(new Client(door, ['mqtt']).socket, 'unexpected-response');
    expect(refused.statusCode).toBe(400);
  });

  it('advertises the Host header, or what is configured', async () => {
    const seen: Connection[] = [];
    const service: RequestService = {
      serve: (frame, connection) => {
        seen.push(connection);
        return [prefixed(frame)];
      },
    };
    const plain = await openDoor(service);
    const named = await openDoor(service, { advertised: { host: 'broker.example', port: 443 } });
    for (const [door, headers] of [
      [plain, {}],
      [plain, { host: 'proxy.example' }],
      [named, {}],
    ] as const) {
      const client = await new Client(door, ['kafka'], { headers }).opened();
      client.socket.send(prefixed('x'));
      await client.read(5);
    }
    expect(seen.map((c) => [c.listener, c.advertisedHost, c.advertisedPort, c.clientHost])).toEqual([
      ['kafka-ws', '127.0.0.1', plain.address.port, '127.0.0.1'],
      ['kafka-ws', 'proxy.example', 80, '127.0.0.1'],
      ['kafka-ws', 'broker.example', 443, '127.0.0.1'],
    ]);
  });

  it('answers requests in flight before it closes', async () => {
    let finish: (() => void) | null = null;
    const door = await openDoor({
      serve: () =>
        new Promise((resolve) => {
          finish = () => resolve([prefixed('answer')]);
        }),
    });
    const client = await new Client(door).opened();
    client.socket.send(prefixed('x'));
    await until(() => finish !== null);
    const closed = door.close();
    finish!();
    expect(await client.read(1000)).toEqual(prefixed('answer'));
    expect(client.closeCode).toBe(1001);
    await closed;
  });

  it('closes although a request never finishes, and tells the connection', async () => {
    let connection: Connection | null = null;
    const door = await openDoor({
      serve: (_frame, from) => {
        connection = from;
        return new Promise(() => {});
      },
    });
    const client = await new Client(door).opened();
    client.socket.send(prefixed('x'));
    await until(() => connection !== null);
    await door.close();
    expect(connection!.open).toBe(false);
    expect(door.webSocketCount).toBe(0);
  });

  it('refuses connections beyond the bound, and ends idle ones', async () => {
    const door = await openDoor(echo, { quota: quotaOf(1), idleMs: 200 });
    const first = await new Client(door).opened();
    const [, refused] = await once(new Client(door).socket, 'unexpected-response');
    expect(refused.statusCode).toBe(503);
    await first.read(1);
    await until(() => door.webSocketCount === 0);
    await new Client(door).opened();
  });

  it('shows its pages', async () => {
    let ready = false;
    let troubles: string[] = [];
    const door = await openDoor(echo, { ready: () => ready, troubles: () => troubles });
    expect((await get(door, '/livez')).status).toBe(200);
    expect((await get(door, '/readyz')).status).toBe(503);
    ready = true;
    expect(await (await get(door, '/readyz')).text()).toBe('ok\n');
    troubles = Array.from({ length: 22 }, (_, i) => `Trouble ${i}.`);
    const told = await get(door, '/readyz');
    expect(told.status).toBe(200);
    expect(await told.text()).toBe(`ok\n${troubles.slice(0, 20).join('\n')}\nAnd 2 more.\n`);
    const metrics = await get(door, '/metrics');
    expect(metrics.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect(await metrics.text()).toBe('millrace_up 1\n');
    expect((await get(door, '/kafka')).status).toBe(426);
    expect((await get(door, '/other')).status).toBe(404);
    const failing = await openDoor(echo, { metrics: () => Promise.reject(new Error('no')) });
    expect((await get(failing, '/metrics')).status).toBe(500);
  });

  it('survives bytes that are not HTTP', async () => {
    const door = await openDoor(echo);
    for (const garbage of ['\0\0\0\u0010garbage', 'GET /kafka HTTP/1.1\r\nUpgrade: websocket\r\n\r\n']) {
      const socket = connect({ host: '127.0.0.1', port: door.address.port });
      socket.on('error', () => {});
      socket.end(garbage);
      socket.resume();
      await once(socket, 'close');
    }
    expect((await get(door, '/livez')).status).toBe(200);
  });

  it('says in a sentence that the port is in use, or that the native part is missing', async () => {
    const door = await openDoor(echo);
    const other = createServer();
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    for (const port of [door.address.port, (other.address() as AddressInfo).port]) {
      await expect(openDoor(echo, { port })).rejects.toMatchObject({
        code: EnvironmentErrorCode.ADDRESS_IN_USE,
        message: expect.stringContaining(`127.0.0.1:${port} is in use`),
      });
    }
    other.close();
    await expect(openDoor(echo, { host: '192.0.2.1' })).rejects.toMatchObject({
      code: EnvironmentErrorCode.ADDRESS_UNAVAILABLE,
    });
    await expect(loadNativePart(() => Promise.reject(new Error('no binary')))).rejects.toMatchObject({
      code: EnvironmentErrorCode.NATIVE_PART_MISSING,
      message: expect.stringContaining('uWebSockets.js'),
    });
  });
});
