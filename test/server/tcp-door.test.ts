/** The TCP door with real sockets: what it answers, in which order, and who has a turn. */

import { once } from 'node:events';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger, type LogFields } from '../../src/base/logger.ts';
import { ConnectionMustClose } from '../../src/broker/request-context.ts';
import { MalformedFrame } from '../../src/protocol/reader.ts';
import { closeAll, deferred, dial, echo, fail, openDoor, prefixed, read, until } from './tcp-door-harness.ts';

afterEach(closeAll);

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

  it('serves nothing of a muted connection, reads no more of it than fits on the way, and goes on afterwards', async () => {
    const unmutes: (() => void)[] = [];
    const served: string[] = [];
    const door = await openDoor({
      serve: (frame, connection) => {
        const name = Buffer.from(frame.subarray(0, 5)).toString();
        served.push(name);
        if (name === 'mutes') unmutes.push(connection.mute(), connection.mute());
        return [prefixed(name)];
      },
    });
    const socket = await dial(door);
    const large = Buffer.alloc(512 * 1024, 'l');
    socket.write(Buffer.concat(['first', 'mutes', 'after'].map(prefixed)));
    expect((await read(socket, 18)).toString('latin1')).toMatch(/first.*mutes$/s);
    for (let i = 0; i < 64; i++) socket.write(prefixed(large));
    // Who is muted does not hold up others, and what it sends stays with it once the system's buffers are full.
    const other = await dial(door);
    for (let i = 0; i < 50; i++) {
      other.write(prefixed('other'));
      await read(other, 9);
    }
    expect(served.filter((name) => name !== 'other')).toEqual(['first', 'mutes']);
    expect(socket.writableLength).toBeGreaterThan(16 << 20);
    unmutes[0]!();
    unmutes[0]!();
    other.write(prefixed('other'));
    await read(other, 9);
    expect(served).not.toContain('after');
    unmutes[1]!();
    await read(socket, 65 * 9);
    expect(served.filter((name) => name === 'lllll')).toHaveLength(64);
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
