/**
 * Named producers for tests that kill the broker: they number what they send, and send again what they were not told of,
 * over raw messages, JSON frames or HTTP. Senders of one name may share how far it has come.
 */

import { expect } from 'vitest';
import WebSocket from 'ws';
import type { SeededRandom } from '../../src/base/random.ts';

export const topic = 'orders';

/** The values of all records of the topic, in order. */
export async function stored(port: number): Promise<string[]> {
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

/** How far a name has come. */
export class Progress {
  readonly name: string;
  /** The first number that is not known to be stored. */
  next = 1;
  /** The largest number that was ever sent. */
  sent = 0;

  constructor(name: string) {
    this.name = name;
  }

  valueOf(number: number): string {
    return `${this.name}:${number}:${'x'.repeat(number % 50)}`;
  }

  /** `last` and all before it are stored. */
  reached(last: number): void {
    this.next = Math.max(this.next, last + 1);
  }

  /** Each of its numbers is once among `all`, in order, with what was sent, as far as it was told and no further. */
  check(all: readonly string[]): void {
    const own = all.filter((value) => value.startsWith(`${this.name}:`));
    expect(own).toEqual(own.map((_, i) => this.valueOf(i + 1)));
    expect(own.length, `${this.name}: all that was acknowledged`).toBeGreaterThanOrEqual(this.next - 1);
    expect(own.length, `${this.name}: nothing that was not sent`).toBeLessThanOrEqual(this.sent);
  }
}

/** One way to send what comes next of a name. */
export interface Sender {
  /** Sends until the connection is gone, or `enough`. */
  send(port: number, enough?: () => boolean): Promise<void>;
}

abstract class SocketSender implements Sender {
  protected readonly progress: Progress;
  readonly #random: SeededRandom;

  constructor(progress: Progress, random: SeededRandom) {
    this.progress = progress;
    this.#random = random;
  }

  async send(port: number, enough: () => boolean = () => false): Promise<void> {
    const { progress } = this;
    const random = this.#random;
    const socket = this.open(port);
    await new Promise<void>((resolve) => {
      let number = -1;
      const pump = (): void => {
        if (enough()) return socket.close();
        // Bursts, with a bound on what is not acknowledged.
        for (let i = 1 + random.below(40); i > 0 && number - progress.next < 500; i--) this.put(socket, number++);
        progress.sent = Math.max(progress.sent, number - 1);
        if (socket.readyState === WebSocket.OPEN) setTimeout(pump, random.below(3));
      };
      socket.on('message', (message: Buffer) => {
        const last = this.heard(message.toString());
        progress.reached(last);
        if (number >= 0) return;
        number = Math.max(last + 1, 1);
        pump();
      });
      socket.on('open', () => this.opened(socket));
      socket.on('error', () => {});
      socket.on('close', () => resolve());
    });
  }

  protected abstract open(port: number): WebSocket;
  protected abstract opened(socket: WebSocket): void;
  protected abstract put(socket: WebSocket, number: number): void;
  /** The last number that a message says is stored; before the first is sent, the one before it. */
  protected abstract heard(message: string): number;
}

export class RawSender extends SocketSender {
  #first = 1;

  protected open(port: number): WebSocket {
    this.#first = this.progress.next;
    return new WebSocket(
      `ws://127.0.0.1:${port}/topics/${topic}/produce?producer=${this.progress.name}&first=${this.#first}`,
      'millrace.raw.v1',
    );
  }

  protected opened(): void {
    // It is told the last number first of all.
  }

  protected put(socket: WebSocket, number: number): void {
    socket.send(this.progress.valueOf(number));
  }

  protected heard(message: string): number {
    if (!message.startsWith('{')) return Number(message);
    const { last, error } = JSON.parse(message) as { last?: number; error?: string };
    expect(error, message).toBeUndefined();
    // The numbers of this connection begin where its URL says.
    expect(Math.max(last!, 0)).toBeGreaterThanOrEqual(this.#first - 1);
    return this.#first - 1;
  }
}

export class JsonSender extends SocketSender {
  protected open(port: number): WebSocket {
    return new WebSocket(`ws://127.0.0.1:${port}/ws`, 'millrace.v1');
  }

  protected opened(socket: WebSocket): void {
    socket.send(JSON.stringify({ type: 'producer', id: 0, producer: this.progress.name, topic }));
  }

  protected put(socket: WebSocket, number: number): void {
    const frame = { type: 'publish', id: number, topic, producer: this.progress.name, sequence: number };
    socket.send(JSON.stringify({ ...frame, text: this.progress.valueOf(number) }));
  }

  protected heard(message: string): number {
    const { type, id, last } = JSON.parse(message) as { type: string; id: number; last?: number };
    expect(['ack', 'last'], message).toContain(type);
    // Acknowledgements come in the order of frames.
    return type === 'last' ? last! : id;
  }
}

export class HttpSender implements Sender {
  readonly #progress: Progress;
  readonly #random: SeededRandom;

  constructor(progress: Progress, random: SeededRandom) {
    this.#progress = progress;
    this.#random = random;
  }

  async send(port: number, enough: () => boolean = () => false): Promise<void> {
    const origin = `http://127.0.0.1:${port}`;
    try {
      if (this.#random.chance(0.5)) await this.#resume(origin);
      while (!enough()) await this.#post(origin, 1 + this.#random.below(20));
    } catch (error) {
      // What fetch says when the connection ends, with why; anything else is a defect.
      if (!(error instanceof TypeError) || error.cause === undefined) throw error;
    }
  }

  async #resume(origin: string): Promise<void> {
    const { name, next } = this.#progress;
    const response = await fetch(`${origin}/topics/${topic}/producers/${name}`);
    const { sequence } = (await response.json()) as { sequence: number | null };
    expect(sequence ?? 0, `${name} is told what was acknowledged`).toBeGreaterThanOrEqual(next - 1);
    this.#progress.reached(sequence ?? 0);
  }

  async #post(origin: string, count: number): Promise<void> {
    const progress = this.#progress;
    const first = progress.next;
    progress.sent = Math.max(progress.sent, first + count - 1);
    const response = await fetch(`${origin}/topics/${topic}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/vnd.millrace.v1+json',
        'millrace-producer': progress.name,
        'millrace-sequence': String(first),
      },
      body: JSON.stringify(Array.from({ length: count }, (_, i) => ({ text: progress.valueOf(first + i) }))),
    });
    const answer = await response.text();
    expect(response.status, answer).toBe(200);
    progress.reached(first + count - 1);
  }
}
