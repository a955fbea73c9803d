/** Named producers over HTTP against the real program, which is killed while they send. */

import { mkdtempSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { ProgramProcess } from '../program/program-process.ts';

const rounds = Number(process.env.CRASH_ROUNDS ?? 3);
const producerCount = 6;

interface Page {
  readonly records: readonly { readonly value: { readonly name: string; readonly number: number } }[];
  readonly next: string;
}

class Sender {
  readonly name: string;
  next = 1;
  /** Numbers that were acknowledged, and how often each. */
  readonly acknowledged = new Map<number, number>();
  duplicates = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Sends bodies of a few records until the broker is gone: the first is one that it was not told of before. */
  async sendUntilCut(origin: string, random: SeededRandom): Promise<void> {
    try {
      if (random.chance(0.5)) await this.#resume(origin);
      for (;;) await this.#send(origin, 1 + random.below(5));
    } catch (error) {
      // What fetch says when the connection ends; anything else is a defect.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  async sendOnce(origin: string): Promise<void> {
    await this.#send(origin, 5);
  }

  async #resume(origin: string): Promise<void> {
    const response = await fetch(`${origin}/topics/orders/producers/${this.name}`);
    const { sequence } = (await response.json()) as { sequence: number | null };
    const last = sequence ?? 0;
    expect(last, `${this.name} is told what was acknowledged`).toBeGreaterThanOrEqual(this.next - 1);
    while (this.next <= last) this.#acknowledge(this.next);
  }

  async #send(origin: string, count: number): Promise<void> {
    const first = this.next;
    const values = Array.from({ length: count }, (_, i) => ({ name: this.name, number: first + i }));
    const response = await fetch(`${origin}/topics/orders`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'millrace-producer': this.name,
        'millrace-sequence': String(first),
      },
      body: JSON.stringify(values),
    });
    const { records } = (await response.json()) as { records: { offset: number | null; duplicate?: true }[] };
    expect(response.status).toBe(200);
    this.duplicates += records.filter(({ duplicate }) => duplicate).length;
    for (let i = 0; i < count; i++) this.#acknowledge(first + i);
  }

  #acknowledge(number: number): void {
    this.acknowledged.set(number, (this.acknowledged.get(number) ?? 0) + 1);
    this.next = number + 1;
  }
}

async function stored(origin: string): Promise<{ name: string; number: number }[]> {
  const values: { name: string; number: number }[] = [];
  let from = 'offset=earliest';
  for (;;) {
    const response = await fetch(`${origin}/topics/orders/records?${from}&limit=10000`);
    const { records, next } = (await response.json()) as Page;
    if (records.length === 0) return values;
    values.push(...records.map(({ value }) => value));
    from = `offset=${encodeURIComponent(next)}`;
  }
}

it(
  'stores each number of a named producer once through kill -9, in order',
  async () => {
    const random = new SeededRandom(7);
    const data = mkdtempSync(join(tmpdir(), 'millrace-named-'));
    const senders = Array.from({ length: producerCount }, (_, i) => new Sender(`sensor-${i}`));
    try {
      for (let round = 0; round < rounds; round++) {
        const program = await ProgramProcess.serving(data);
        const origin = `http://127.0.0.1:${program.httpPort}`;
        const sending = Promise.all(senders.map((sender) => sender.sendUntilCut(origin, random)));
        // The moment is what is tried out here.
        await sleep(200 + random.below(800));
        program.child.kill('SIGKILL');
        await program.ended;
        await sending;
      }
      const program = await ProgramProcess.serving(data);
      const origin = `http://127.0.0.1:${program.httpPort}`;
      for (const sender of senders) await sender.sendOnce(origin);
      const all = await stored(origin);
      for (const { name, acknowledged, next } of senders) {
        const numbers = all.filter((value) => value.name === name).map(({ number }) => number);
        expect(numbers, `${name}: each number once, in order`).toEqual(
          Array.from({ length: next - 1 }, (_, i) => i + 1),
        );
        expect([...acknowledged.values()].every((times) => times === 1)).toBe(true);
      }
      expect(all.length).toBeGreaterThan(rounds * 20);
      program.child.kill('SIGTERM');
      await program.ended;
    } finally {
      rmSync(data, { recursive: true, force: true });
    }
  },
  60_000 + rounds * 10_000,
);
