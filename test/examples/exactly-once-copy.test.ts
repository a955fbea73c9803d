/** The copy of examples/exactly-once-copy, killed again and again, and the broker beside it: each record is there once. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Client, Consumer, createTopics, Producer, text } from '../../src/client/index.ts';
import { Program } from '../clients/program.ts';

const script = fileURLToPath(new URL('../../examples/exactly-once-copy/copy.js', import.meta.url));
const partitionCount = 2;
const recordCount = 6000;

it('copies each record once, in order, through kills of both', async () => {
  await using program = await Program.start();
  const url = `ws://${program.http}/kafka`;
  await using client = new Client({ url });
  await createTopics(
    client,
    ['orders', 'copied'].map((name) => ({ name, partitionCount })),
  );
  await using producer = new Producer(client, { value: text });
  const numbers = Array.from({ length: recordCount }, (_, i) => i);
  for (const number of numbers) {
    await producer.enqueue({ topic: 'orders', partition: number % partitionCount, value: `${number}` });
  }
  await producer.flush();
  await using reader = new Consumer(client, { topics: ['copied'], value: text });
  const copied: number[][] = Array.from({ length: partitionCount }, () => []);
  let copier: ChildProcess | null = null;
  const start = (): void => {
    copier = spawn(process.execPath, [script, url, 'orders', 'copied'], { stdio: 'ignore' });
  };
  const kill = async (): Promise<void> => {
    const ended = once(copier!, 'exit');
    copier!.kill('SIGKILL');
    await ended;
  };
  start();
  let seen = 0;
  let kills = 0;
  try {
    for await (const { partition, value } of reader) {
      copied[partition]!.push(Number(value));
      // What is read has been committed: it stays, whoever is killed now.
      if (++seen === recordCount) break;
      if (seen < (kills + 1) * 900) continue;
      kills++;
      if (kills % 2 === 1) await kill();
      if (kills % 3 !== 1) {
        await program.kill();
        await program.restart();
      }
      if (kills % 2 === 1) start();
    }
  } finally {
    await kill();
  }
  expect(kills).toBeGreaterThanOrEqual(5);
  for (const [partition, values] of copied.entries()) {
    expect(values).toEqual(numbers.filter((number) => number % partitionCount === partition));
  }
});
