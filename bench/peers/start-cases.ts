/**
 * Cases of starts against Apache Kafka: from the spawn of the process until its port is open, and until it has acknowledged
 * a record. What formatting Kafka's directory takes is left out.
 */

import { type Figures, spreadOf } from '../load/figures.ts';
import { KafkaAdmin } from '../load/kafka-admin.ts';
import { untilLed } from '../load/led-topic.ts';
import { runLoad } from '../load/load-client.ts';
import { oneRecordEach, type ProduceJob } from '../load/load-job.ts';
import { ackTopic, bareNode, emptyBudgetMs, startAfterKill, startAgain, startEmpty } from '../load/starts.ts';
import type { Bench, PeerCase, PeerSizes } from './peer-case.ts';
import { sameOnBoth } from './throughput-cases.ts';

const common = { rival: 'kafka', client: "Millrace's own client", isAlone: true, isCold: true } as const;

export const startCases: readonly PeerCase[] = [
  {
    ...common,
    name: 'start-empty',
    title: 'start on an empty directory',
    ...sameOnBoth(({ server }) => startEmpty(server)),
    probe: { name: 'node -e 0', measure: bareNodes },
    floors: [{ figure: 'readyMs', atMostAbsolute: emptyBudgetMs, plusProbe: true }],
  },
  {
    ...common,
    name: 'start-clean',
    title: 'start after a clean stop, 10,000 partitions with a record each',
    ...sameOnBoth(async (bench) => {
      const topic = await fillMany(bench);
      await bench.server.stop();
      const figures = await startAgain(bench.server, false);
      await checkFilled(bench, topic);
      return figures;
    }),
    floors: [{ figure: 'readyMs', atMostAbsolute: 2000 }],
  },
  {
    ...common,
    name: 'start-killed',
    title: 'start after kill -9 under full load with acks=1, 10,000 partitions',
    ...sameOnBoth(async (bench) => {
      const topic = await fillMany(bench);
      const figures = await startAfterKill(bench.server, jobOf(bench, topic), bench.sizes.loadMs);
      await checkFilled(bench, topic);
      return figures;
    }),
    floors: [{ figure: 'readyMs', atMostAbsolute: 3000 }],
  },
];

/** One record into each of many partitions. Returns their topic. */
async function fillMany(bench: Bench): Promise<string> {
  const { admin, sizes } = bench;
  await admin.createTopic(ackTopic, 1);
  const topic = await bench.newTopic(sizes.manyPartitions);
  await runLoad(oneRecordEach(bench.server.doors, topic, sizes.manyPartitions));
  admin.close();
  return topic;
}

/** Throws where a partition does not have the record that it was filled with. */
async function checkFilled({ server, sizes: { manyPartitions } }: Bench, topic: string): Promise<void> {
  const admin = await KafkaAdmin.connect(server.doors);
  await untilLed(admin, topic, manyPartitions);
  const ends = await admin.endOffsets(topic, manyPartitions);
  admin.close();
  const empty = ends.filter((end) => end < 1).length;
  if (empty > 0) throw new Error(`${empty} of ${manyPartitions} partitions lost an acknowledged record in the start.`);
}

/** Writes to all partitions in turn, without an end. */
function jobOf({ server, sizes: { manyPartitions } }: Bench, topic: string): ProduceJob {
  return { ...oneRecordEach(server.doors, topic, manyPartitions), requests: 1e9 };
}

async function bareNodes(_: string, sizes: PeerSizes): Promise<Figures> {
  const each: number[] = [];
  for (let i = 0; i < (sizes.isQuick ? 1 : 5); i++) each.push((await bareNode()).readyMs!);
  return { readyMs: spreadOf(each).median };
}
