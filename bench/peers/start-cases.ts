/**
 * Cases of starts against Apache Kafka: from the spawn of the process until its port is open, and until it has acknowledged
 * a record. What formatting Kafka's directory takes is left out.
 */

import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Figures } from '../load/figures.ts';
import { KafkaAdmin } from '../load/kafka-admin.ts';
import { runLoad } from '../load/load-client.ts';
import type { ProduceJob } from '../load/load-job.ts';
import type { ServerUnderTest } from '../load/server-under-test.ts';
import { WireClient } from '../../test/program/wire-client.ts';
import { untilLed } from './led-topic.ts';
import type { Bench, PeerCase, PeerSizes } from './peer-case.ts';
import { sameOnBoth } from './throughput-cases.ts';

const bytesPerMiB = 2 ** 20;
const recordBytes = 1024;
const partitionsPerRequest = 100;
/** Above a bare `node -e 0`. */
const emptyBudgetMs = 80;

const common = { rival: 'kafka', client: "Millrace's own client", isAlone: true, isCold: true } as const;

export const startCases: readonly PeerCase[] = [
  {
    ...common,
    name: 'start-empty',
    title: 'start on an empty directory',
    ...sameOnBoth(async (bench) => {
      await bench.server.stop();
      for (const name of readdirSync(bench.server.directory)) {
        rmSync(join(bench.server.directory, name), { recursive: true });
      }
      return startAgain(bench.server, true);
    }),
    probe: { name: 'node -e 0', measure: bareNode },
    floors: [{ figure: 'readyMs', atMostAbsolute: emptyBudgetMs, plusProbe: true }],
  },
  {
    ...common,
    name: 'start-clean',
    title: 'start after a clean stop, 10,000 partitions with a record each',
    ...sameOnBoth(async (bench) => {
      await fillMany(bench);
      await bench.server.stop();
      return startAgain(bench.server, false);
    }),
    floors: [{ figure: 'readyMs', atMostAbsolute: 2000 }],
  },
  {
    ...common,
    name: 'start-killed',
    title: 'start after kill -9 under full load with acks=1, 10,000 partitions',
    ...sameOnBoth(async (bench) => {
      const topic = await fillMany(bench);
      const began = new Promise<void>((resolve) => {
        // It ends when the broker is killed, which is what it is for.
        runLoad({ ...jobOf(bench, topic), durationMs: Infinity }, resolve).catch(() => {});
      });
      await began;
      await new Promise((resolve) => {
        setTimeout(resolve, bench.sizes.loadMs);
      });
      await bench.server.kill();
      return startAgain(bench.server, false);
    }),
    floors: [{ figure: 'readyMs', atMostAbsolute: 3000 }],
  },
];

const ackTopic = 'first';

async function startAgain(server: ServerUnderTest, isNewTopic: boolean): Promise<Figures> {
  const startedMs = performance.now();
  const readyMs = await server.start();
  const admin = await KafkaAdmin.connect(server.doors);
  if (isNewTopic) await admin.createTopic(ackTopic, 1);
  await untilLed(admin, ackTopic, 1);
  admin.close();
  const client = await WireClient.connect(server.doors.kafka!.port);
  await client.produce(ackTopic, 'x', 1);
  client.socket.destroy();
  return { readyMs, firstAckMs: performance.now() - startedMs, rssMiB: server.memory.rssBytes / bytesPerMiB };
}

/** One record into each of many partitions. Returns their topic. */
async function fillMany(bench: Bench): Promise<string> {
  const { admin, sizes } = bench;
  await admin.createTopic(ackTopic, 1);
  const topic = await bench.newTopic(sizes.manyPartitions);
  await runLoad({ ...jobOf(bench, topic), requests: Math.ceil(sizes.manyPartitions / partitionsPerRequest) });
  admin.close();
  return topic;
}

function jobOf({ server, sizes: { manyPartitions } }: Bench, topic: string): ProduceJob {
  return {
    kind: 'produce',
    doors: server.doors,
    transport: 'tcp',
    topic,
    partitionCount: manyPartitions,
    partitionsPerRequest,
    acks: 1,
    batch: { recordBytes, batchBytes: 0, compression: 'none' },
    connections: 1,
    inFlight: 5,
    idempotent: false,
    requestsPerSecond: null,
    requests: 1e9,
    durationMs: 1e9,
  };
}

function bareNode(_: string, sizes: PeerSizes): Figures {
  const times = Array.from({ length: sizes.isQuick ? 1 : 5 }, () => {
    const startedMs = performance.now();
    spawnSync(process.execPath, ['-e', '0'], { stdio: 'ignore' });
    return performance.now() - startedMs;
  });
  return { readyMs: times.toSorted((a, b) => a - b)[times.length >> 1]! };
}
