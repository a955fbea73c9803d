/**
 * WebSockets against the real program, which is killed or stopped while they send: named producers, raw and in JSON, and
 * from door to door, have each number stored once, with the value that was sent; and a stop stores what it told of, and
 * no more.
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
import { HttpSender, JsonSender, Progress, RawSender, stored, topic } from './named-senders.ts';

const rounds = Number(process.env.CRASH_ROUNDS ?? 3);
const random = new SeededRandom(11);
const doors = [RawSender, JsonSender, HttpSender];

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

describe('named producers over WebSocket', () => {
  it(
    'have each number stored once through kill -9, in order, with what was sent',
    async () => {
      const names = [1, 2, 3].flatMap((i) => [new Progress(`raw-${i}`), new Progress(`json-${i}`)]);
      const senders = names.map((progress, i) => new (i % 2 === 0 ? RawSender : JsonSender)(progress, random));
      for (let round = 0; round < rounds; round++) {
        const program = await serving();
        const before = names.map(({ next }) => next);
        const sending = Promise.all(senders.map((sender) => sender.send(program.httpPort)));
        while (names.some(({ next }, i) => next < before[i]! + 20)) await sleep(5);
        // The moment is what is tried out here.
        await sleep(random.below(500));
        await program.stop('SIGKILL');
        await sending;
      }
      const all = await stored((await serving()).httpPort);
      for (const progress of names) progress.check(all);
    },
    60_000 + rounds * 15_000,
  );

  it(
    'may go from door to door, over two connections at once, and through kill -9',
    async () => {
      const names = ['a', 'b', 'c'].map((name) => new Progress(name));
      for (let round = 0; round < rounds; round++) {
        const program = await serving();
        const before = names.map(({ next }) => next);
        let isKilled = false;
        const wander = async (progress: Progress): Promise<void> => {
          while (!isKilled) {
            const end = progress.next + 1 + random.below(60);
            const door = doors[random.below(doors.length)]!;
            await new door(progress, random).send(program.httpPort, () => progress.next >= end);
          }
        };
        const wandering = Promise.all([...names, ...names].map(wander));
        while (names.some(({ next }, i) => next < before[i]! + 200)) await sleep(5);
        await sleep(random.below(300));
        isKilled = true;
        await program.stop('SIGKILL');
        await wandering;
      }
      const all = await stored((await serving()).httpPort);
      for (const progress of names) progress.check(all);
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
