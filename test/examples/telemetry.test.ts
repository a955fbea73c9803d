/** The ingestion endpoint of examples/telemetry: everything sent is stored, in each sender's order, and the program ends. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { JsonClient, startDoors } from '../server/door-harness.ts';

interface TelemetryLike {
  readonly acknowledged: number;
  send(measurement: object): boolean;
  writable(): Promise<void>;
  end(): Promise<{ readonly stored: number; readonly failed: number }>;
}
type TelemetryClass = new (options: { url: string; topic: string }) => TelemetryLike;

const folder = '../../examples/telemetry';

it('stores what several senders stream, each in its order', async () => {
  const { Telemetry } = (await import(`${folder}/telemetry.js`)) as { Telemetry: TelemetryClass };
  await using doors = await startDoors();
  const url = doors.url.replace('ws:', 'http:');
  const count = 20_000;
  const senders = [0, 1, 2];
  await Promise.all(
    senders.map(async (sensor) => {
      const telemetry = new Telemetry({ url, topic: 'telemetry' });
      for (let number = 0; number < count; number++) {
        if (!telemetry.send({ sensor, number })) await telemetry.writable();
      }
      expect(await telemetry.end()).toEqual({ stored: count, failed: 0 });
      expect(telemetry.acknowledged).toBe(count);
    }),
  );
  await using reader = await JsonClient.open(doors.url);
  await reader.ask({ type: 'subscribe', subscription: 's', topics: ['telemetry'], from: 'earliest' });
  const next = [0, 0, 0];
  for (const { value } of await reader.records(count * senders.length)) {
    const { sensor, number } = value as { sensor: number; number: number };
    expect(number).toBe(next[sensor]);
    next[sensor] = number + 1;
  }
  expect(next).toEqual([count, count, count]);
});

it('says what is wrong where the broker refuses', async () => {
  const { Telemetry } = (await import(`${folder}/telemetry.js`)) as { Telemetry: TelemetryClass };
  await using doors = await startDoors();
  const telemetry = new Telemetry({ url: doors.url.replace('ws:', 'http:'), topic: 'no topic' });
  telemetry.send({ celsius: 20 });
  await expect(telemetry.end()).rejects.toThrow('400');
});

it('runs as a program', async () => {
  const main = fileURLToPath(new URL(`${folder}/main.js`, import.meta.url));
  const child = spawn(process.execPath, [main, '20000', '2'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(0);
  expect(printed).toMatch(/^20000 measurements on disk in /);
});
