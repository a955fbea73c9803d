/** Starts of a server that is measured: from the spawn until its port is open, and until it has acknowledged a record. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { WireClient } from '../../test/program/wire-client.ts';
import type { Figures } from './figures.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import { untilLed } from './led-topic.ts';
import { runLoad } from './load-client.ts';
import type { ProduceJob } from './load-job.ts';
import type { ServerUnderTest } from './server-under-test.ts';

/** What the record that is waited for goes to. */
export const ackTopic = 'first';
/** What a start on an empty directory may take beyond a bare `node -e 0`. */
export const emptyBudgetMs = 80;

const bytesPerMiB = 2 ** 20;

/** Starts it on what its directory holds, and has it acknowledge one record with acks=1; `isNewTopic`: in a topic made then. */
export async function startAgain(server: ServerUnderTest, isNewTopic: boolean): Promise<Figures> {
  const readyMs = await server.start();
  const servedMs = performance.now();
  const admin = await KafkaAdmin.connect(server.doors);
  if (isNewTopic) await admin.createTopic(ackTopic, 1);
  await untilLed(admin, ackTopic, 1);
  admin.close();
  const client = await WireClient.connect(server.doors.kafka!.port);
  await client.produce(ackTopic, 'x', 1);
  client.socket.destroy();
  return { readyMs, firstAckMs: readyMs + performance.now() - servedMs, rssMiB: server.memory.rssBytes / bytesPerMiB };
}

/** Stops the server, empties its directory, and starts it. */
export async function startEmpty(server: ServerUnderTest): Promise<Figures> {
  await server.stop();
  for (const name of readdirSync(server.directory)) rmSync(join(server.directory, name), { recursive: true });
  return startAgain(server, true);
}

/** Kills the server while `job`, which has no end of its own, has run for `loadMs`, and starts it. */
export async function startAfterKill(server: ServerUnderTest, job: ProduceJob, loadMs: number): Promise<Figures> {
  await new Promise<void>((resolve) => {
    // It ends when the broker is killed, which is what it is for.
    runLoad({ ...job, durationMs: Infinity }, resolve).catch(() => {});
  });
  await new Promise((resolve) => {
    setTimeout(resolve, loadMs);
  });
  await server.kill();
  return startAgain(server, false);
}

/** From the spawn of `node -e 0` to its end, spawned as a server is. */
export async function bareNode(): Promise<Figures> {
  const startedMs = performance.now();
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  return { readyMs: performance.now() - startedMs };
}
