/**
 * Every door into a broker whose disk is full: each says so in its own form and goes on, what was acknowledged can be read,
 * and all of them store again by themselves once there is room. A small tmpfs is the disk, which needs root on Linux.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { Client, Producer, text } from '../../src/client/index.ts';
import { ProgramProcess } from '../program/program-process.ts';

const mountPoint = mkdtempSync(join(tmpdir(), 'millrace-full-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mountPoint]).status === 0;
const ballast = join(mountPoint, 'ballast');

afterAll(() => {
  if (mounted) execFileSync('umount', ['-l', mountPoint]);
  rmdirSync(mountPoint);
});

if (!mounted) {
  process.stderr.write('test/faults/doors-full-disk.test.ts is skipped: only root can mount a small tmpfs.\n');
}

/** Null where the record was stored, else the door's own words for why it was not. */
type Send = (value: string) => Promise<string | null>;

interface Door extends AsyncDisposable {
  readonly topic: string;
  readonly send: Send;
}

class Messages {
  readonly socket: WebSocket;
  readonly #received: string[] = [];
  #arrived: () => void = () => {};

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      this.#received.push(String(data));
      this.#arrived();
    });
  }

  static async open(url: string, protocol: string): Promise<Messages> {
    const socket = new WebSocket(url, protocol);
    const messages = new Messages(socket);
    await once(socket, 'open');
    return messages;
  }

  async next(): Promise<string> {
    while (this.#received.length === 0) await new Promise<void>((resolve) => (this.#arrived = resolve));
    return this.#received.shift()!;
  }
}

const nothingToClose = { [Symbol.asyncDispose]: () => Promise.resolve() };

function posting(port: number): Door {
  const topic = 'posted';
  const send: Send = async (value) => {
    const response = await fetch(`http://127.0.0.1:${port}/topics/${topic}`, { method: 'POST', body: value });
    const answer = (await response.json()) as { error?: string; detail?: string };
    if (response.ok) return null;
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(response.status).toBe(503);
    return `${answer.error}: ${answer.detail}`;
  };
  return { topic, send, ...nothingToClose };
}

function lines(port: number): Door {
  const topic = 'lines';
  const send: Send = async (value) => {
    const response = await fetch(`http://127.0.0.1:${port}/topics/${topic}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: `${JSON.stringify(value)}\n`,
    });
    const told = (await response.text()).trim().split('\n');
    const done = JSON.parse(told.at(-1)!) as { done?: boolean; stored: number; failed: number };
    expect(done.done, told.join()).toBe(true);
    return done.stored === 1 ? null : told[0]!;
  };
  return { topic, send, ...nothingToClose };
}

async function json(port: number): Promise<Door> {
  const topic = 'json';
  const messages = await Messages.open(`ws://127.0.0.1:${port}/ws`, 'millrace.v1');
  let id = 0;
  const send: Send = async (value) => {
    messages.socket.send(JSON.stringify({ type: 'publish', id: ++id, topic, text: value }));
    const frame = JSON.parse(await messages.next()) as { type: string; id: number; error?: string; message?: string };
    expect(frame.id).toBe(id);
    return frame.type === 'ack' ? null : `${frame.error}: ${frame.message}`;
  };
  return { topic, send, [Symbol.asyncDispose]: async () => messages.socket.terminate() };
}

async function raw(port: number): Promise<Door> {
  const topic = 'raw';
  const messages = await Messages.open(`ws://127.0.0.1:${port}/topics/${topic}/produce`, 'millrace.raw.v1');
  let number = 0;
  const send: Send = async (value) => {
    messages.socket.send(value);
    number++;
    let failed: string | null = null;
    // What is not stored is named before the numbers go on.
    for (;;) {
      const message = await messages.next();
      if (!message.startsWith('{')) {
        expect(Number(message)).toBe(number);
        return failed;
      }
      expect(JSON.parse(message)).toMatchObject({ from: number, count: 1 });
      failed = message;
    }
  };
  return { topic, send, [Symbol.asyncDispose]: async () => messages.socket.terminate() };
}

function sdk(port: number): Door {
  const topic = 'sdk';
  const client = new Client({ url: `ws://127.0.0.1:${port}/kafka`, webSocket: WebSocket as never });
  const producer = new Producer(client, { value: text, deliveryTimeoutMs: 1000 });
  const send: Send = async (value) => {
    try {
      await producer.send({ topic, value });
      return null;
    } catch (error) {
      return String(error);
    }
  };
  const dispose = async (): Promise<void> => {
    await producer.close().catch(() => {});
    await client.close();
  };
  return { topic, send, [Symbol.asyncDispose]: dispose };
}

async function stored(port: number, topic: string): Promise<string[]> {
  const values: string[] = [];
  for (let from = 'earliest'; ;) {
    const query = `offset=${encodeURIComponent(from)}&maxBytes=1048576&values=text`;
    const response = await fetch(`http://127.0.0.1:${port}/topics/${topic}/records?${query}`);
    const page = (await response.json()) as { records: { text: string }[]; next: string };
    if (page.records.length === 0) return values;
    // A line's value is JSON.
    for (const { text: value } of page.records) values.push(value.replaceAll('"', ''));
    from = page.next;
  }
}

describe.skipIf(!mounted)('a broker whose disk is full', () => {
  let program: ProgramProcess;

  beforeAll(async () => {
    // Given back later: that is how room comes.
    writeFileSync(ballast, Buffer.alloc(3 * 1024 * 1024));
    program = await ProgramProcess.serving(join(mountPoint, 'data'), ['--set', 'num.partitions=1']);
  });

  afterAll(async () => {
    await program.stop('SIGKILL');
  });

  it('says so at every door, and stores through every door once there is room', async () => {
    const port = program.httpPort;
    const doors: Door[] = [posting(port), lines(port), await json(port), await raw(port), sdk(port)];
    const acknowledged = new Map<string, string[]>(doors.map(({ topic }) => [topic, []]));
    const attempt = async ({ topic, send }: Door, value: string): Promise<string | null> => {
      const problem = await send(value);
      if (problem === null) acknowledged.get(topic)!.push(value);
      return problem;
    };
    for (const door of doors) expect(await attempt(door, `${door.topic} before`), door.topic).toBeNull();
    const large = 'x'.repeat(200_000);
    while ((await attempt(doors[0]!, large)) === null);
    for (const door of doors) {
      // The first to be refused takes the partition out of writing; whoever comes then is refused at once.
      for (let i = 0; i < 2; i++)
        expect(await attempt(door, `${large}${i}`), door.topic).toMatch(/KAFKA_STORAGE_ERROR/);
      expect(await stored(port, door.topic), door.topic).toEqual(acknowledged.get(door.topic));
    }
    rmSync(ballast);
    for (const door of doors) {
      for (;;) {
        const problem = await attempt(door, `${door.topic} after`);
        if (problem === null) break;
        expect(problem).toMatch(/KAFKA_STORAGE_ERROR/);
        await sleep(20);
      }
      expect(await stored(port, door.topic), door.topic).toEqual(acknowledged.get(door.topic));
      await door[Symbol.asyncDispose]();
    }
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect(program.log.filter(({ msg }) => /defect/.test(String(msg)))).toEqual([]);
  });
});
