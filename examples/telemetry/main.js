// An ingestion endpoint for telemetry at full speed: `node examples/telemetry/main.js [MEASUREMENTS] [SENDERS]`.
// It starts a broker with a topic, has senders stream measurements to it over HTTP, and tells how fast they got to disk.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBroker } from 'millrace';
import { Telemetry } from './telemetry.js';

const count = Number(process.argv[2] ?? 1_000_000);
const senders = Number(process.argv[3] ?? 4);
const directory = await mkdtemp(join(tmpdir(), 'telemetry-'));
const broker = await startBroker({ data: join(directory, 'data'), kafka: 'off', http: '127.0.0.1:0' });
const url = `http://127.0.0.1:${broker.http?.port}`;
const beganMs = performance.now();

/** @param {number} sensor */
async function measure(sensor) {
  const telemetry = new Telemetry({ url, topic: 'telemetry' });
  for (let i = 0; i < count / senders; i++) {
    const measurement = { sensor, number: i, atMs: Date.now(), celsius: Math.round(Math.random() * 400) / 10 };
    if (!telemetry.send(measurement)) await telemetry.writable();
  }
  return telemetry.end();
}

const results = await Promise.all(Array.from({ length: senders }, (_, sensor) => measure(sensor)));
const stored = results.reduce((sum, result) => sum + result.stored, 0);
const seconds = (performance.now() - beganMs) / 1000;
console.log(`${stored} measurements on disk in ${seconds.toFixed(2)} s, ${Math.round(stored / seconds)} a second`);

await broker.close();
await rm(directory, { recursive: true, force: true });
