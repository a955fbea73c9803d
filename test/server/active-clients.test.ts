/** When the I/O thread may wait for the disk, and that it does so for a client that is alone. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { QuickCalls } from '../../src/base/quick-calls.ts';
import { startBroker, type RunningBroker, type StartOptions } from '../../src/index.ts';
import { FlushQueue } from '../../src/memory/flush-queue.ts';
import { ActiveClients } from '../../src/server/active-clients.ts';
import { LoneSync } from '../../src/storage/lone-sync.ts';
import { ManualClock } from '../broker/manual-clock.ts';
import { WireClient } from '../program/wire-client.ts';

describe('this thread', () => {
  it('may wait once for what one client sends, until another one sends something, and once that is a while ago', () => {
    const clock = new ManualClock();
    const clients = new ActiveClients(clock);
    const sends = (id: number): boolean => {
      clients.active(id);
      return clients.mayWait();
    };
    expect(clients.mayWait()).toBe(false);
    expect(sends(1)).toBe(true);
    clock.advance(1000);
    // Nobody has sent anything since.
    expect(clients.mayWait()).toBe(false);
    expect(sends(1)).toBe(true);
    expect(sends(2)).toBe(false);
    clock.advance(99);
    expect(sends(2)).toBe(false);
    clock.advance(1);
    expect(sends(2)).toBe(true);
    // With two in turn it never may.
    for (let i = 0; i < 50; i++) {
      expect(sends(1 + (i % 2))).toBe(false);
      clock.advance(50);
    }
  });

  it('may not while a request over HTTP is under way, nor right behind it', () => {
    const clock = new ManualClock();
    const clients = new ActiveClients(clock);
    clients.active(1);
    clients.began();
    clock.advance(5000);
    expect(clients.mayWait()).toBe(false);
    clients.ended();
    clock.advance(99);
    expect(clients.mayWait()).toBe(false);
    clock.advance(1);
    expect(clients.mayWait()).toBe(true);
  });
});

describe('a broker', () => {
  const directories: string[] = [];
  const ends: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
    for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
    vi.restoreAllMocks();
  });

  async function start(options: StartOptions): Promise<RunningBroker> {
    const data = mkdtempSync(join(tmpdir(), 'millrace-alone-'));
    directories.push(data);
    const broker = await startBroker({ data, kafka: '127.0.0.1:0', http: false, ...options });
    ends.push(() => broker.close());
    return broker;
  }

  /** However long the disk takes here, and this thread. */
  function haveDiskQuick(): void {
    vi.spyOn(QuickCalls.prototype, 'areQuick', 'get').mockReturnValue(true);
    vi.spyOn(LoneSync.prototype, 'took').mockReturnValue();
  }

  async function connected(broker: RunningBroker): Promise<WireClient> {
    const client = await WireClient.connect(broker.kafka!.port);
    ends.push(() => void client.socket.destroy());
    return client;
  }

  /** How many groups were synced where they were written, of so many that `write` has written. */
  async function syncedInPlace(write: (round: number) => Promise<unknown>): Promise<number> {
    const written = vi.spyOn(FlushQueue.prototype, 'publishWritten');
    for (let round = 0; round < 200; round++) await write(round);
    const count = written.mock.calls.filter(([, sync]) => sync !== null).length;
    written.mockRestore();
    return count;
  }

  it('syncs in its own thread for a client that is alone, and no more once another one sends something', async () => {
    haveDiskQuick();
    vi.spyOn(systemClock, 'monotonicMs').mockReturnValue(1000);
    const broker = await start({ ownsThread: true });
    const client = await connected(broker);
    await client.createTopic('orders');
    const value = 'x'.repeat(500);
    expect(await syncedInPlace(() => client.produce('orders', value))).toBeGreaterThan(100);
    const other = await connected(broker);
    const write = (round: number): Promise<number> => (round % 2 === 0 ? other : client).produce('orders', value);
    expect(await syncedInPlace(write)).toBe(0);
  });

  /** A client that is alone, beside what comes over the HTTP port. */
  async function besideHttp() {
    haveDiskQuick();
    const time = vi.spyOn(systemClock, 'monotonicMs').mockReturnValue(1000);
    const broker = await start({ ownsThread: true, http: '127.0.0.1:0' });
    const client = await connected(broker);
    await client.createTopic('orders');
    const value = 'x'.repeat(500);
    const url = `http://127.0.0.1:${broker.http!.port}/topics/orders`;
    return { time, url, produce: () => client.produce('orders', value) };
  }

  it('syncs in its own thread beside who only listens to events', async () => {
    const { time, url, produce } = await besideHttp();
    const ending = new AbortController();
    const events = await fetch(`${url}/events`, { signal: ending.signal });
    ends.push(() => ending.abort());
    expect(events.status).toBe(200);
    const reader = events.body!.getReader();
    await reader.read();
    // Right behind its request the thread waits for nothing.
    expect(await syncedInPlace(produce)).toBe(0);
    time.mockReturnValue(2000);
    expect(await syncedInPlace(produce)).toBeGreaterThan(100);
    expect((await reader.read()).value!.length).toBeGreaterThan(0);
  });

  it('leaves syncs to its workers while requests over HTTP are served', async () => {
    const { url, produce } = await besideHttp();
    expect(await syncedInPlace(produce)).toBeGreaterThan(100);
    const post = async (): Promise<void> => {
      const response = await fetch(url, { method: 'POST', body: '1', headers: { 'content-type': 'application/json' } });
      expect(response.status).toBe(200);
      await response.text();
    };
    await post();
    expect(await syncedInPlace((round) => (round % 2 === 0 ? post() : produce()))).toBe(0);
  });

  it('leaves syncs to its workers in a process that has more to do', async () => {
    const broker = await start({});
    const client = await connected(broker);
    await client.createTopic('orders');
    expect(await syncedInPlace(() => client.produce('orders', 'x'.repeat(500)))).toBe(0);
  });
});
