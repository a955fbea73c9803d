/** The TCP door with real sockets: what those may cost who do not read, claim much or are many. */

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Connection } from '../../src/server/connection.ts';
import type { RequestService } from '../../src/server/request-pipeline.ts';
import { ResponseBudget } from '../../src/server/response-budget.ts';
import { budgetOf, closeAll, deferred, dial, echo, openDoor, prefixed, read, until } from './tcp-door-harness.ts';

afterEach(closeAll);

describe('the memory of a TcpDoor', () => {
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
});
