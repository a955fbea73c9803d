/** How long a start takes until the broker serves, and until it has acknowledged a record: empty, full, and after a crash. */

import { spawnSync } from 'node:child_process';
import type { Figures } from './figures.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import { runLoad } from './load-client.ts';
import { jobOf, type ProduceCase, roundsOf, rowOf } from './produce-case.ts';
import { alternate } from './rounds.ts';
import type { Scenario, ScenarioContext } from './scenario.ts';
import { ServerUnderTest } from './server-under-test.ts';
import { WireClient } from '../../test/program/wire-client.ts';

const ackTopic = 'first';
const bytesPerMiB = 2 ** 20;

/** What writes while the broker is killed. */
const load: ProduceCase = { what: '', recordBytes: 1024, batchBytes: 64 * 1024, acks: 1, inFlight: 16 };

/** Starts it again and has it acknowledge one record; acks=1. */
async function startAgain(server: ServerUnderTest): Promise<Figures> {
  const startedMs = performance.now();
  const readyMs = await server.start();
  await acknowledgeOne(server);
  return { readyMs, firstAckMs: performance.now() - startedMs, rssMiB: server.memory.rssBytes / bytesPerMiB };
}

async function acknowledgeOne({ doors }: ServerUnderTest): Promise<void> {
  const client = await WireClient.connect(doors.kafka!.port);
  await client.produce(ackTopic, 'x', 1);
  client.socket.destroy();
}

async function afterCleanStop({ millrace, dataParent }: ScenarioContext, partitionCount: number): Promise<Figures> {
  await using server = await ServerUnderTest.start(millrace(), dataParent);
  const admin = await KafkaAdmin.connect(server.doors);
  await admin.createTopic(ackTopic, 1);
  if (partitionCount > 0) await admin.createTopic('many', partitionCount);
  admin.close();
  if (partitionCount > 0) {
    // Partitions that were never written are nothing to open.
    const many = { ...load, batchBytes: 0, partitionCount, partitionsPerRequest: Math.min(partitionCount, 50) };
    const job = jobOf(many, fixedSizes(Math.ceil(partitionCount / many.partitionsPerRequest)));
    await runLoad({ ...job, topic: 'many', doors: server.doors });
  }
  await server.stop();
  return await startAgain(server);
}

/** Killed while `load` runs as fast as it goes, with many partitions beside the one that is written. */
async function afterKill({ millrace, dataParent, sizes }: ScenarioContext, partitionCount: number): Promise<Figures> {
  await using server = await ServerUnderTest.start(millrace(), dataParent);
  const admin = await KafkaAdmin.connect(server.doors);
  await admin.createTopic(ackTopic, 1);
  await admin.createTopic('load', partitionCount);
  admin.close();
  const endless = { ...sizes, requests: 1e9, loadMs: 1e9 };
  const job = { ...jobOf({ ...load, partitionCount }, endless), doors: server.doors };
  const began = new Promise<void>((resolve) => {
    // It ends when the broker is killed, which is what it is for.
    runLoad(job, resolve).catch(() => {});
  });
  await began;
  await new Promise((resolve) => {
    setTimeout(resolve, sizes.loadMs);
  });
  await server.kill();
  return await startAgain(server);
}

function fixedSizes(requests: number) {
  return { requests, loadMs: Infinity } as ScenarioContext['sizes'];
}

function bareNode(): Figures {
  const startedMs = performance.now();
  spawnSync(process.execPath, ['-e', '0'], { stdio: 'ignore' });
  return { readyMs: performance.now() - startedMs };
}

async function coldStart({ millrace, dataParent }: ScenarioContext): Promise<Figures> {
  const startedMs = performance.now();
  await using server = await ServerUnderTest.start(millrace(), dataParent);
  const readyMs = performance.now() - startedMs;
  // Its topic is created by the asking, as clients do it.
  const admin = await KafkaAdmin.connect(server.doors);
  await admin.createTopic(ackTopic, 1);
  admin.close();
  await acknowledgeOne(server);
  return { readyMs, firstAckMs: performance.now() - startedMs, rssMiB: server.memory.rssBytes / bytesPerMiB };
}

const start: Scenario = {
  name: 'start',
  title: 'from the spawn until the broker serves and has acknowledged a record',
  async run(context) {
    const many = context.sizes.manyPartitions.at(-1)!;
    const cases = [
      { what: 'bare Node', round: () => Promise.resolve(bareNode()) },
      { what: 'empty directory', round: () => coldStart(context) },
      { what: 'after a clean stop', round: () => afterCleanStop(context, 0) },
      { what: `after a clean stop, ${many} partitions`, round: () => afterCleanStop(context, many) },
      { what: 'after kill -9 under acks=1 load', round: () => afterKill(context, 1) },
      { what: `the same, ${many} partitions`, round: () => afterKill(context, many) },
    ];
    const rows = [];
    for (const { what, round } of cases.filter((each) => context.includes(each.what))) {
      context.note(`start: ${what}`);
      const who = what === 'bare Node' ? 'Node' : context.millrace().name;
      const [result] = await alternate([{ name: who, round }], roundsOf(context));
      rows.push(rowOf('start', { what }, result!));
    }
    return rows;
  },
};

export const startScenarios: readonly Scenario[] = [start];
