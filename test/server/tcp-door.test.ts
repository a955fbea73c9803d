/** The TCP door with real sockets: order, backpressure, lies, endings. */

import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { EnvironmentErrorCode } from '../../src/base/environment-error.ts';
import { silentLogger, type LogFields } from '../../src/base/logger.ts';
import { ConnectionMustClose } from '../../src/broker/request-context.ts';
import { MalformedFrame } from '../../src/protocol/reader.ts';
import { AssemblyBudget } from '../../src/server/assembly-budget.ts';
import { ConnectionQuota } from '../../src/server/connection-quota.ts';
import type { Connection } from '../../src/server/connection.ts';
import type { RequestService } from '../../src/server/request-pipeline.ts';
import { ResponseBudget } from '../../src/server/response-budget.ts';
import { TcpDoor } from '../../src/server/tcp-door.ts';
import type { TcpDoorOptions } from '../../src/server/tcp-door.ts';

const doors: TcpDoor[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const door of doors.splice(0)) await door.close();
});

function budgetOf(limitBytes: number): AssemblyBudget {
  return new AssemblyBudget({ limitBytes, largestFrameBytes: 1 << 20 });
}

function quotaOf(largestCount: number, largestCountPerAddress = largestCount): ConnectionQuota {
  return new ConnectionQuota({
    largestCount: () => largestCount,
    largestCountPerAddress: () => largestCountPerAddress,
  });
}

async function openDoor(service: RequestService, changes: Partial<TcpDoorOptions> = {}): Promise<TcpDoor> {
  const door = await TcpDoor.open({
    host: '127.0.0.1',
    port: 0,
    service,
    budget: budgetOf(8 << 20),
    limits: { largestFrameBytes: 1 << 20, requestsInFlight: 16 },
    logger: silentLogger,
    quota: quotaOf(5000),
    idleMs: 600_000,
    ...changes,
  });
  doors.push(door);
  return door;
}

async function dial(door: TcpDoor): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: door.address.port, noDelay: true });
  socket.on('error', () => {});
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

function prefixed(payload: Uint8Array | string): Buffer {
  const bytes = Buffer.from(payload as string);
  const size = Buffer.alloc(4);
  size.writeInt32BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

/** Collects what comes until `byteCount` bytes are there or the connection ends. */
async function read(socket: Socket, byteCount: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let total = 0;
  while (total < byteCount) {
    const part = socket.read() as Buffer | null;
    if (part !== null) {
      parts.push(part);
      total += part.length;
    } else if (socket.readableEnded || socket.destroyed) break;
    else {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          for (const name of ['readable', 'end', 'close']) socket.off(name, go);
          resolve();
        };
        for (const name of ['readable', 'end', 'close']) socket.on(name, go);
      });
    }
  }
  return Buffer.concat(parts);
}

function fail(error: Error): never {
  throw error;
}

const echo: RequestService = { serve: (frame) => [prefixed(frame)] };

/** Resolves once `condition` holds, by looking after every turn of the loop. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

describe('TcpDoor', () => {
  it('answers what was sent, however it is cut', async () => {
    const door = await openDoor(echo);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 2000 }), { minLength: 1, maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 10 }),
        async (frames, cuts) => {
          const socket = await dial(door);
          const stream = Buffer.concat(frames.map(prefixed));
          for (let at = 0, i = 0; at < stream.length; i++) {
            const end = Math.min(stream.length, at + cuts[i % cuts.length]!);
            socket.write(stream.subarray(at, end));
            if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
            at = end;
          }
          expect((await read(socket, stream.length)).equals(stream)).toBe(true);
          socket.destroy();
        },
      ),
      { numRuns: 40 },
    );
  });

  it('serves nothing behind a request that comes first before that is answered, though another is still waiting', async () => {
    const waits = new Map(['slow', 'change'].map((name) => [name, deferred<readonly Uint8Array[]>()]));
    const served: string[] = [];
    const door = await openDoor({
      comesFirst: (frame) => frame[0] === 'c'.charCodeAt(0),
      serve: (frame) => {
        const name = Buffer.from(frame).toString();
        served.push(name);
        return waits.get(name)?.promise ?? [prefixed(name)];
      },
    });
    const socket = await dial(door);
    socket.write(Buffer.concat(['slow', 'change', 'after'].map(prefixed)));
    const other = await dial(door);
    other.write(prefixed('other'));
    await read(other, prefixed('other').length);
    expect(served).toEqual(['slow', 'change', 'other']);
    waits.get('change')!.resolve([prefixed('change')]);
    await until(() => served.length === 4);
    expect(served.at(-1)).toBe('after');
    waits.get('slow')!.resolve([prefixed('slow')]);
    const answers = Buffer.concat(['slow', 'change', 'after'].map(prefixed));
    expect((await read(socket, answers.length)).equals(answers)).toBe(true);
  });

  it('keeps the connections apart that read into one buffer', async () => {
    const door = await openDoor(echo);
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const socket = await dial(door);
        const stream = Buffer.concat(Array.from({ length: 20 }, () => prefixed(Buffer.alloc(30_000, index + 1))));
        socket.write(stream);
        expect((await read(socket, stream.length)).equals(stream)).toBe(true);
      }),
    );
  });

  it('takes a byte at a time', async () => {
    const door = await openDoor(echo);
    const socket = await dial(door);
    const stream = prefixed('slow but whole');
    for (const byte of stream) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(await read(socket, stream.length)).toEqual(stream);
  });

  it('answers in the order of the requests although later ones finish first, and skips null', async () => {
    const pending: { text: string; finish: (response: readonly Uint8Array[] | null) => void }[] = [];
    const door = await openDoor({
      serve: (frame) => {
        const text = Buffer.from(frame).toString();
        const { promise, resolve } = deferred<readonly Uint8Array[] | null>();
        pending.push({ text, finish: resolve });
        return promise;
      },
    });
    const socket = await dial(door);
    socket.write(Buffer.concat(['a', 'b', 'c', 'd'].map(prefixed)));
    await until(() => pending.length === 4);
    for (const i of [3, 2, 1, 0]) pending[i]!.finish(i === 1 ? null : [prefixed(pending[i]!.text)]);
    expect(await read(socket, 15)).toEqual(Buffer.concat(['a', 'c', 'd'].map(prefixed)));
  });

  it('stops taking requests at the bound, and goes on', async () => {
    const pending: (() => void)[] = [];
    let most = 0;
    let inFlight = 0;
    const door = await openDoor(
      {
        serve: (frame) => {
          const response = [prefixed(frame)];
          most = Math.max(most, ++inFlight);
          const { promise, resolve } = deferred<readonly Uint8Array[]>();
          pending.push(() => {
            inFlight--;
            resolve(response);
          });
          return promise;
        },
      },
      { limits: { largestFrameBytes: 1 << 20, requestsInFlight: 3 } },
    );
    const socket = await dial(door);
    const stream = Buffer.concat(Array.from({ length: 50 }, (_, i) => prefixed(`request ${i}`)));
    socket.write(stream);
    const answer = read(socket, stream.length);
    for (let i = 0; i < 50; i++) {
      await until(() => pending.length > 0);
      pending.shift()!();
    }
    expect(await answer).toEqual(stream);
    expect(most).toBe(3);
  });

  it('serves no more while large responses wait for one before them, and goes on', async () => {
    const first = deferred<readonly Uint8Array[]>();
    const response = prefixed(Buffer.alloc(600 * 1024, 7));
    let served = 0;
    const door = await openDoor({ serve: () => (++served === 1 ? first.promise : [response]) });
    const socket = await dial(door);
    // They come at once, so that nothing but the bound keeps them from being served in one go.
    socket.write(Buffer.concat(Array.from({ length: 10 }, (_, i) => prefixed(String(i)))));
    await until(() => served > 1);
    expect(served).toBe(3);
    first.resolve([prefixed('first')]);
    const expected = Buffer.concat([prefixed('first'), ...Array.from({ length: 9 }, () => response)]);
    expect((await read(socket, expected.length)).equals(expected)).toBe(true);
    expect(served).toBe(10);
  });

  it('holds frames back until they are admitted', async () => {
    let open = false;
    const waiting: (() => void)[] = [];
    const served: string[] = [];
    const door = await openDoor({
      admit: (_frame, proceed) => {
        if (!open) waiting.push(proceed);
        return open;
      },
      serve: (frame) => {
        served.push(Buffer.from(frame).toString());
        return [prefixed(frame)];
      },
    });
    const socket = await dial(door);
    const stream = Buffer.concat([prefixed('one'), prefixed('two'), prefixed('three').subarray(0, 5)]);
    socket.write(stream);
    await until(() => waiting.length === 1);
    expect(served).toEqual([]);
    open = true;
    waiting[0]!();
    socket.write(prefixed('three').subarray(5));
    const whole = Buffer.concat(['one', 'two', 'three'].map(prefixed));
    expect(await read(socket, whole.length)).toEqual(whole);
    expect(served).toEqual(['one', 'two', 'three']);
  });

  it('does not buffer without bound for a client that does not read', async () => {
    let served = 0;
    const response = [Buffer.alloc(512 * 1024, 1)];
    let released = 0;
    const door = await openDoor({
      serve: () => {
        served++;
        return response;
      },
      released: () => void released++,
    });
    const socket = await dial(door);
    socket.pause();
    const total = 400;
    socket.write(Buffer.concat(Array.from({ length: total }, () => prefixed('give'))));
    let before = -1;
    while (served !== before) {
      before = served;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // What the kernel's buffers, the socket's mark and the requests in flight can hold is far from all.
    expect(served).toBeLessThan(total / 2);
    const received = await read(socket, total * response[0]!.length);
    expect(received.length).toBe(total * response[0]!.length);
    await until(() => released === total);
    expect(served).toBe(total);
  });

  it('reads on once a client has taken a response that made it slow', async () => {
    const sizeBytes = 8 << 20;
    const door = await openDoor({ serve: () => [prefixed(Buffer.alloc(sizeBytes))] });
    const socket = await dial(door);
    for (let i = 0; i < 3; i++) {
      socket.write(prefixed('more'));
      expect(await read(socket, sizeBytes + 4)).toHaveLength(sizeBytes + 4);
    }
  });

  it('ends the connection of a request that fails, and no other', async () => {
    const door = await openDoor({
      serve: (frame) => {
        const text = Buffer.from(frame).toString();
        if (text === 'throw') throw new Error('thrown');
        if (text === 'reject') return Promise.reject(new Error('rejected'));
        return [prefixed(frame)];
      },
    });
    const good = await dial(door);
    for (const text of ['throw', 'reject']) {
      const bad = await dial(door);
      bad.write(prefixed(text));
      expect((await read(bad, 1)).length).toBe(0);
    }
    good.write(prefixed('still here'));
    expect(await read(good, 14)).toEqual(prefixed('still here'));
    expect(door.connectionCount).toBe(1);
  });

  it.each([
    [new ConnectionMustClose('API key 99 is not served'), 'warn', 'API key 99 is not served'],
    [new MalformedFrame('a length exceeds the bytes left'), 'warn', 'a length exceeds the bytes left'],
    [new Error('a defect'), 'error', 'a request could not be served'],
  ])('tells what a client did apart from a defect: %s', async (error, level, reason) => {
    const logged: unknown[] = [];
    const log = (at: string) => (fields: LogFields) => void logged.push([at, fields['reason']]);
    const logger = { ...silentLogger, warn: log('warn'), error: log('error') };
    for (const serve of [() => Promise.reject(error), () => fail(error)]) {
      const door = await openDoor({ serve }, { logger });
      const socket = await dial(door);
      socket.write(prefixed('x'));
      await once(socket, 'close');
    }
    expect(logged).toEqual([
      [level, reason],
      [level, reason],
    ]);
  });

  it('ends connections that bring garbage', async () => {
    const door = await openDoor(echo);
    for (const garbage of [
      'GET / HTTP/1.1\r\nHost: here\r\n\r\n',
      '\u0016\u0003\u0001\u0002\u0000',
      '\0\0\0\0',
      '\xff\xff\xff\xff',
    ]) {
      const socket = await dial(door);
      socket.write(Buffer.from(garbage, 'latin1'));
      if (garbage.startsWith('\u0016')) socket.write(Buffer.alloc(8));
      expect((await read(socket, 1)).length).toBe(0);
    }
    await until(() => door.connectionCount === 0);
  });

  it('bounds the memory of many who claim much and send a part', async () => {
    const budget = budgetOf(256 * 1024);
    const door = await openDoor(echo, { budget });
    const liars = await Promise.all(Array.from({ length: 60 }, () => dial(door)));
    const claim = Buffer.alloc(20_000);
    claim.writeInt32BE(1 << 20);
    for (const socket of liars) socket.write(claim);
    await until(() => budget.waitingCount > 0);
    expect(budget.peakBytes).toBeLessThanOrEqual(budget.hardLimitBytes);
    // Who sends whole requests is served all the while.
    const honest = await dial(door);
    honest.write(prefixed('whole'));
    expect(await read(honest, 9)).toEqual(prefixed('whole'));
    for (const socket of liars) socket.destroy();
    await until(() => budget.leasedBytes === 0 && door.connectionCount === 1);
    expect(budget.waitingCount).toBe(0);
  });

  it('holds a thousand idle connections, and closes with them at once', async () => {
    const budget = budgetOf(1 << 20);
    const door = await openDoor(echo, { budget });
    const idle = await Promise.all(Array.from({ length: 1000 }, () => dial(door)));
    await until(() => door.connectionCount === 1000);
    expect(budget.leasedBytes).toBe(0);
    idle[500]!.write(prefixed('awake'));
    expect(await read(idle[500]!, 9)).toEqual(prefixed('awake'));
    const ends = idle.map((socket) => (socket.resume(), once(socket, 'close')));
    await door.close();
    await Promise.all(ends);
    expect(door.connectionCount).toBe(0);
  });

  it('closes idle connections', async () => {
    const door = await openDoor(echo, { idleMs: 40 });
    const socket = await dial(door);
    expect((await read(socket, 1)).length).toBe(0);
    await until(() => door.connectionCount === 0);
  });

  it('answers requests in flight before it closes, and takes no new ones', async () => {
    const { promise, resolve } = deferred<readonly Uint8Array[]>();
    let served = 0;
    const door = await openDoor({
      serve: () => {
        served++;
        return promise;
      },
    });
    const socket = await dial(door);
    socket.write(prefixed('x'));
    await until(() => served === 1);
    const closed = door.close();
    socket.write(prefixed('too late'));
    resolve([prefixed('answer')]);
    const everything = await read(socket, 1000);
    expect(everything).toEqual(prefixed('answer'));
    await closed;
    expect(served).toBe(1);
  });

  it('closes although a request never finishes and a client never reads', async () => {
    let ended = 0;
    const door = await openDoor({
      serve: (_frame, connection) => {
        connection.onClose(() => void ended++);
        return new Promise(() => {});
      },
    });
    const socket = await dial(door);
    socket.write(prefixed('x'));
    const never = await dial(door);
    await until(() => door.connectionCount === 2);
    await door.close();
    expect(ended).toBeLessThanOrEqual(1);
    expect(door.connectionCount).toBe(0);
    never.destroy();
  });

  it('ends a connection that is dropped from within, and gives back what it held', async () => {
    const connections: Connection[] = [];
    let released = 0;
    const door = await openDoor({
      serve: (_, connection) => {
        connections.push(connection);
        return [prefixed(Buffer.alloc(8 << 20))];
      },
      released: () => void released++,
    });
    const stalled = await dial(door);
    stalled.pause();
    for (let i = 0; i < 10; i++) stalled.write(prefixed('more'));
    await until(() => connections.length > 0);
    const served = connections.length;
    connections[0]!.drop('it does not read');
    connections[0]!.drop('twice is once');
    await until(() => released === served && door.connectionCount === 0);
    expect(connections[0]!.open).toBe(false);
  });

  it('gives back responses that waited for one before them when the connection ends', async () => {
    let served = 0;
    let released = 0;
    const door = await openDoor({
      serve: () => (++served === 1 ? new Promise(() => {}) : [prefixed('ready')]),
      released: () => void released++,
    });
    const socket = await dial(door);
    socket.write(Buffer.concat(Array.from({ length: 5 }, () => prefixed('request'))));
    await until(() => served === 5);
    expect(released).toBe(0);
    socket.destroy();
    await until(() => released === 4);
  });

  it('tells the connection when it ends', async () => {
    let connection: Connection | null = null;
    let calls = 0;
    const door = await openDoor({
      serve: (frame, from) => {
        connection = from;
        from.onClose(() => void calls++);
        from.onClose(() => void calls++)();
        return [prefixed(frame)];
      },
    });
    const socket = await dial(door);
    socket.write(prefixed('x'));
    await read(socket, 5);
    expect(connection!.open).toBe(true);
    expect(connection!.advertisedHost).toBe('127.0.0.1');
    expect(connection!.advertisedPort).toBe(door.address.port);
    expect(connection!.clientHost).toBe('127.0.0.1');
    socket.destroy();
    await until(() => !connection!.open);
    expect(calls).toBe(1);
  });

  it('advertises what is configured, and plain IPv4 addresses where it listens on both', async () => {
    const seen: Connection[] = [];
    const service: RequestService = {
      serve: (frame, connection) => {
        seen.push(connection);
        return [prefixed(frame)];
      },
    };
    const both = await openDoor(service, { host: '::' });
    const named = await openDoor(service, { advertised: { host: 'broker.example', port: 1234 } });
    for (const door of [both, named]) {
      const socket = await dial(door);
      socket.write(prefixed('x'));
      await read(socket, 5);
    }
    expect(seen.map((c) => [c.advertisedHost, c.advertisedPort])).toEqual([
      ['127.0.0.1', both.address.port],
      ['broker.example', 1234],
    ]);
  });

  it('refuses connections beyond the bound', async () => {
    const door = await openDoor(echo, { quota: quotaOf(2) });
    const first = await dial(door);
    await dial(door);
    await until(() => door.connectionCount === 2);
    const third = await dial(door);
    expect((await read(third, 1)).length).toBe(0);
    first.destroy();
    await until(() => door.connectionCount === 1);
    const fourth = await dial(door);
    fourth.write(prefixed('in'));
    expect(await read(fourth, 6)).toEqual(prefixed('in'));
  });

  it('refuses more connections from one address than it may have', async () => {
    const door = await openDoor(echo, { quota: quotaOf(10, 1) });
    const first = await dial(door);
    await until(() => door.connectionCount === 1);
    const second = await dial(door);
    expect((await read(second, 1)).length).toBe(0);
    first.destroy();
    await until(() => door.connectionCount === 0);
    const third = await dial(door);
    third.write(prefixed('in'));
    expect(await read(third, 6)).toEqual(prefixed('in'));
  });

  it('says in a sentence that the port is in use, or the address not here', async () => {
    const door = await openDoor(echo);
    const port = door.address.port;
    await expect(openDoor(echo, { port })).rejects.toMatchObject({
      code: EnvironmentErrorCode.ADDRESS_IN_USE,
      message: expect.stringContaining(`127.0.0.1:${port} is in use`),
    });
    await expect(openDoor(echo, { host: '192.0.2.1' })).rejects.toMatchObject({
      code: EnvironmentErrorCode.ADDRESS_UNAVAILABLE,
    });
  });

  it('serves no further request of a connection whose responses are large, until they have left', async () => {
    let served = 0;
    const large = prefixed(Buffer.alloc(2 << 20));
    const door = await openDoor({ serve: () => (served++, [large]) });
    const socket = await dial(door);
    socket.pause();
    socket.write(Buffer.concat(Array.from({ length: 10 }, () => prefixed('more'))));
    await until(() => served > 0);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(served).toBeLessThanOrEqual(4);
    expect((await read(socket, 10 * large.length)).length).toBe(10 * large.length);
    expect(served).toBe(10);
  });

  it('ends the client that keeps the most in memory by not reading, and no other', async () => {
    const responses = new ResponseBudget(8 << 20);
    const service: RequestService = {
      serve: (frame) => [prefixed(Buffer.alloc(Number(Buffer.from(frame).toString())))],
    };
    const limits = { largestFrameBytes: 1 << 20, requestsInFlight: 16, responses };
    const door = await openDoor(service, { limits });
    const sizes = [5 << 20, 6 << 20, 7 << 20];
    const idle: Socket[] = [];
    for (const size of sizes) {
      const socket = await dial(door);
      socket.pause();
      socket.write(prefixed(String(size)));
      idle.push(socket);
    }
    const reader = await dial(door);
    for (let i = 0; i < 3; i++) {
      reader.write(prefixed('1000'));
      expect((await read(reader, 1004)).length).toBe(1004);
    }
    await until(() => door.connectionCount < 4);
    expect(responses.heldBytes).toBeLessThanOrEqual(8 << 20);
    reader.write(prefixed('1000'));
    expect((await read(reader, 1004)).length).toBe(1004);
    reader.destroy();
    for (const socket of idle) socket.destroy();
    await until(() => door.connectionCount === 0);
    expect(responses.heldBytes).toBe(0);
  });

  it('serves others between the requests of one connection that take long', async () => {
    const order: string[] = [];
    const door = await openDoor({
      serve: (frame) => {
        const text = Buffer.from(frame).toString();
        order.push(text);
        // Holds the thread, as checking a batch may.
        const untilMs = performance.now() + (text === 'slow' ? 20 : 0);
        while (performance.now() < untilMs);
        return [prefixed(text)];
      },
    });
    const slow = await dial(door);
    const quick = await dial(door);
    slow.write(Buffer.concat(Array.from({ length: 12 }, () => prefixed('slow'))));
    await until(() => order.length > 0);
    quick.write(prefixed('quick'));
    await read(quick, 9);
    await read(slow, 12 * 8);
    expect(order.indexOf('quick')).toBeLessThan(11);
    expect(order).toHaveLength(13);
  });
});
