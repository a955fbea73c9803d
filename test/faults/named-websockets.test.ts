/**
 * WebSockets against the real program, which is killed or stopped while they send: named producers, raw and in JSON, have
 * each number stored once, with the value that was sent; and a stop stores what it told of, and no more.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { SeededRandom } from '../../src/base/random.ts';
import { ProgramProcess } from '../program/program-process.ts';

const rounds = Number(process.env.CRASH_ROUNDS ?? 3);
const random = new SeededRandom(11);
const topic = 'orders';

let data: string;
const programs: ProgramProcess[] = [];

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'millrace-sockets-'));
});

afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop('SIGKILL');
  rmSync(data, { recursive: true, force: true });
});

async function serving(): Promise<ProgramProcess> {
  const program = await ProgramProcess.serving(data);
  programs.push(program);
  return program;
}

/** The values of all records of the topic, in order. */
async function stored(port: number): Promise<string[]> {
  const values: string[] = [];
  for (let from = 'earliest'; ;) {
    const query = `offset=${encodeURIComponent(from)}&limit=10000&maxBytes=16777216&values=text`;
    const response = await fetch(`http://127.0.0.1:${port}/topics/${topic}/records?${query}`);
    const page = (await response.json()) as { records: { text: string }[]; next: string };
    if (page.records.length === 0) return values;
    for (const { text } of page.records) values.push(text);
    from = page.next;
  }
}

/** One who numbers what it sends, and sends again what it was not told of. */
abstract class Sender {
  readonly name: string;
  /** The first number that is not known to be stored. */
  next = 1;
  /** The largest number that was ever sent. */
  sent = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Sends over one connection until that is gone. */
  async sendUntilCut(port: number): Promise<void> {
    const socket = this.open(port);
    await new Promise<void>((resolve) => {
      let number = -1;
      const pump = (): void => {
        // Bursts, with a bound on what is not acknowledged.
        for (let i = 1 + random.below(40); i > 0 && number - this.next < 500; i--) this.send(socket, number++);
        this.sent = Math.max(this.sent, number - 1);
        if (socket.readyState === WebSocket.OPEN) setTimeout(pump, random.below(3));
      };
      socket.on('message', (message: Buffer) => {
        const last = this.heard(message.toString());
        if (last === null) return;
        this.next = Math.max(this.next, last + 1);
        if (number >= 0) return;
        number = this.next;
        pump();
      });
      socket.on('open', () => this.opened(socket));
      socket.on('error', () => {});
      socket.on('close', () => resolve());
    });
  }

  valueOf(number: number): string {
    return `${this.name}:${number}:${'x'.repeat(number % 50)}`;
  }

  abstract open(port: number): WebSocket;
  abstract opened(socket: WebSocket): void;
  abstract send(socket: WebSocket, number: number): void;
  /** The last number that a message says is stored; null where it says nothing of it. */
  abstract heard(message: string): number | null;
}

class RawSender extends Sender {
  open(port: number): WebSocket {
    return new WebSocket(
      `ws://127.0.0.1:${port}/topics/${topic}/produce?producer=${this.name}&first=${this.next}`,
      'millrace.raw.v1',
    );
  }

  opened(): void {
    // It is told the last number first of all.
  }

  send(socket: WebSocket, number: number): void {
    socket.send(this.valueOf(number));
  }

  heard(message: string): number | null {
    if (!message.startsWith('{')) return Number(message);
    const { last, error } = JSON.parse(message) as { last?: number; error?: string };
    expect(error, message).toBeUndefined();
    // The numbers of this connection begin where its URL says.
    expect(Math.max(last!, 0)).toBeGreaterThanOrEqual(this.next - 1);
    return this.next - 1;
  }
}

class JsonSender extends Sender {
  readonly #waiting = new Map<number, number>();

  open(port: number): WebSocket {
    this.#waiting.clear();
    return new WebSocket(`ws://127.0.0.1:${port}/ws`, 'millrace.v1');
  }

  opened(socket: WebSocket): void {
    socket.send(JSON.stringify({ type: 'producer', id: 0, producer: this.name, topic }));
  }

  send(socket: WebSocket, number: number): void {
    const frame = { type: 'publish', id: number, topic, producer: this.name, sequence: number };
    socket.send(JSON.stringify({ ...frame, text: this.valueOf(number) }));
  }

  heard(message: string): number | null {
    const { type, id, last } = JSON.parse(message) as { type: string; id: number; last?: number };
    expect(['ack', 'last'], message).toContain(type);
    // Acknowledgements come in the order of frames.
    return type === 'last' ? last! : id;
  }
}

describe('named producers over WebSocket', () => {
  it(
    'have each number stored once through kill -9, in order, with what was sent',
    async () => {
      const senders = [1, 2, 3].flatMap((i) => [new RawSender(`raw-${i}`), new JsonSender(`json-${i}`)]);
      for (let round = 0; round < rounds; round++) {
        const program = await serving();
        const before = senders.map(({ next }) => next);
        const sending = Promise.all(senders.map((sender) => sender.sendUntilCut(program.httpPort)));
        while (senders.some(({ next }, i) => next < before[i]! + 20)) await sleep(5);
        // The moment is what is tried out here.
        await sleep(random.below(500));
        await program.stop('SIGKILL');
        await sending;
      }
      const program = await serving();
      const all = await stored(program.httpPort);
      for (const sender of senders) {
        const own = all.filter((value) => value.startsWith(`${sender.name}:`));
        expect(own).toEqual(own.map((_, i) => sender.valueOf(i + 1)));
        expect(own.length, `${sender.name}: all that was acknowledged`).toBeGreaterThanOrEqual(sender.next - 1);
        expect(own.length, `${sender.name}: nothing that was not sent`).toBeLessThanOrEqual(sender.sent);
      }
    },
    60_000 + rounds * 15_000,
  );
});

describe('a stop while much is sent', () => {
  it('has stored what it told of, and no more, of lines over HTTP', async () => {
    const program = await serving();
    const socket = connect(program.httpPort, '127.0.0.1');
    let received = '';
    socket.on('data', (bytes) => (received += bytes.toString('latin1')));
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.write(
      `POST /topics/${topic} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    let count = 0;
    const send = (): void => {
      if (socket.destroyed || received.includes('"done"')) return;
      const lines = Array.from({ length: 500 }, () => `"line ${count++}"\n`).join('');
      socket.write(`${lines.length.toString(16)}\r\n${lines}\r\n`, () => setImmediate(send));
    };
    send();
    while (!/"acknowledged":\d{4}/.test(received)) await sleep(5);
    const stopped = program.stop('SIGTERM');
    await closed;
    expect(await stopped).toEqual({ code: 0, signal: null });
    const told = /\{"done":false,"stored":(\d+),"failed":0,"error":"BROKER_NOT_AVAILABLE"[^}]*\}/.exec(received);
    expect(told, received.slice(-500)).not.toBeNull();
    const again = await serving();
    const all = await stored(again.httpPort);
    expect(all).toEqual(Array.from({ length: Number(told![1]) }, (_, i) => `"line ${i}"`));
  });

  it('has stored what it acknowledged, and no more, of raw messages', async () => {
    const program = await serving();
    const socket = new WebSocket(`ws://127.0.0.1:${program.httpPort}/topics/${topic}/produce`, 'millrace.raw.v1');
    let acknowledged = 0;
    let count = 0;
    const closed = new Promise<number>((resolve) => socket.on('close', resolve));
    socket.on('message', (message: Buffer) => (acknowledged = Number(message.toString())));
    const send = (): void => {
      for (let i = 0; i < 100; i++) socket.send(`${++count}`);
      if (socket.readyState === WebSocket.OPEN) setImmediate(send);
    };
    socket.on('open', send);
    while (acknowledged < 1000) await sleep(5);
    await program.stop('SIGTERM');
    expect(await closed).toBe(1001);
    const again = await serving();
    const all = await stored(again.httpPort);
    expect(all).toEqual(Array.from({ length: acknowledged }, (_, i) => String(i + 1)));
  });
});
