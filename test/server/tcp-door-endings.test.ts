/** The TCP door with real sockets: where it listens, whom it refuses, and how connections and the door end. */

import { afterEach, describe, expect, it } from 'vitest';
import { EnvironmentErrorCode } from '../../src/base/environment-error.ts';
import { ConnectionQuota } from '../../src/server/connection-quota.ts';
import type { Connection } from '../../src/server/connection.ts';
import type { RequestService } from '../../src/server/request-pipeline.ts';
import { ManualClock } from '../broker/manual-clock.ts';
import { closeAll, deferred, dial, echo, openDoor, prefixed, quotaOf, read, until } from './tcp-door-harness.ts';

afterEach(closeAll);

describe('the endings of a TcpDoor', () => {
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

  it('closes idle connections', async () => {
    const door = await openDoor(echo, { idleMs: 40 });
    const socket = await dial(door);
    expect((await read(socket, 1)).length).toBe(0);
    await until(() => door.connectionCount === 0);
  });

  it('lets no address take all places of those that wait to come in', async () => {
    const [placesOfAddress, dialed] = [256, 300];
    const quota = new ConnectionQuota({
      largestCount: () => 5000,
      largestCountPerAddress: () => 5000,
      waitMs: () => 1000,
    });
    const clock = new ManualClock();
    const door = await openDoor(echo, { clock, quota });
    const many = await Promise.all(Array.from({ length: dialed }, () => dial(door)));
    for (const socket of many) socket.resume();
    await until(() => many.filter(({ destroyed }) => destroyed).length === dialed - placesOfAddress);
    expect(quota.count).toBe(placesOfAddress);
    const other = await dial(door, '127.0.0.2');
    await until(() => quota.count === placesOfAddress + 1);
    other.write(prefixed('let in'));
    clock.advance((placesOfAddress + 1) * 1000);
    expect(await read(other, 10)).toEqual(prefixed('let in'));
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
});

describe('connections that come too early', () => {
  it('are held up without being read, count as long, and are closed then', async () => {
    const clock = new ManualClock();
    const early = [0, 500];
    const quota = new ConnectionQuota({
      ...{ largestCount: () => 100, largestCountPerAddress: () => 100 },
      throttleMs: () => early.shift() ?? 0,
    });
    const door = await openDoor(echo, { quota, clock });
    const first = await dial(door);
    const second = await dial(door);
    let isClosed = false;
    second.on('close', () => (isClosed = true));
    second.resume();
    second.write(prefixed('nobody reads this'));
    first.write(prefixed('first'));
    await read(first, 9);
    await until(() => quota.count === 2);
    expect(door.connectionCount).toBe(1);
    clock.advance(499);
    first.write(prefixed('again'));
    await read(first, 9);
    expect(isClosed).toBe(false);
    clock.advance(1);
    await until(() => isClosed);
    expect(quota.count).toBe(1);
  });

  it('do not keep the door from closing', async () => {
    const quota = new ConnectionQuota({
      ...{ largestCount: () => 100, largestCountPerAddress: () => 100 },
      throttleMs: () => 3_600_000,
    });
    const door = await openDoor(echo, { quota });
    await dial(door);
    await until(() => quota.count === 1);
    await door.close();
    await until(() => quota.count === 0);
  });

  it('wait where the broker has too many in a second, in their order, and come in then', async () => {
    const clock = new ManualClock();
    const waits = [0, 300, 200, 0];
    const bounds = { largestCount: () => 100, largestCountPerAddress: () => 100 };
    const quota = new ConnectionQuota({ ...bounds, waitMs: () => waits.shift() ?? 0 });
    const door = await openDoor(echo, { quota, clock });
    const [first, second, third, fourth] = [await dial(door), await dial(door), await dial(door), await dial(door)];
    const answers: number[] = [];
    for (const [i, client] of [first, second, third, fourth].entries()) {
      client.on('data', () => answers.push(i));
      client.write(prefixed(`${i}`));
    }
    await until(() => quota.count === 4 && answers.length === 1);
    expect(door.connectionCount).toBe(1);
    clock.advance(299);
    expect(door.connectionCount).toBe(1);
    clock.advance(1);
    await until(() => answers.length === 2);
    expect(door.connectionCount).toBe(2);
    // The last one waited for the third, and for nothing else.
    clock.advance(200);
    await until(() => answers.length === 4);
    expect(answers.slice(0, 2)).toEqual([0, 1]);
    expect(quota.count).toBe(4);
  });

  it('that wait do not keep the door from closing', async () => {
    const bounds = { largestCount: () => 100, largestCountPerAddress: () => 100 };
    const quota = new ConnectionQuota({ ...bounds, waitMs: () => 3_600_000 });
    const door = await openDoor(echo, { quota });
    await dial(door);
    await dial(door);
    await until(() => quota.count === 2);
    await door.close();
    expect(quota.count).toBe(0);
  });
});
