/**
 * Cases against Apache Kafka of one record after the other to each of many partitions, with the project's own client.
 *
 *   first turn: makes files │ for a second, a turn at least: not counted │ for three seconds, two turns at least
 *
 * By the clock alone a server that takes seconds for a turn would be measured by a part of one, and with hardly more
 * requests than it was warmed up with.
 */

import type { FigureName, Figures } from '../load/figures.ts';
import { runLoad } from '../load/load-client.ts';
import { oneRecordEach, type ProduceJob } from '../load/load-job.ts';
import { measureLoad } from '../load/measured-load.ts';
import { only } from '../load/produce-case.ts';
import { durable, ownClient, recordFigures } from './own-client-cases.ts';
import type { Bench, PeerCase } from './peer-case.ts';
import { sameOnBoth } from './throughput-cases.ts';

const common = { rival: 'kafka', client: ownClient, isUnrehearsed: true } as const;
/** Of a load's time. */
const uncountedShare = 1 / 3;
const leastTurns = 2;
/** In loads' times: one that is not over by then ends. */
const slowestLoads = 10;
/** As large as the whole process may ever have been. */
const mostMb = 300;
const quickPartitions = 50;

export const turnCases: readonly PeerCase[] = [
  {
    ...common,
    name: 'many-partitions-first',
    title: 'a topic of 10,000 partitions made, and one 1 KiB record written to each, 100 a request, acks=1',
    isAlone: true,
    ...sameOnBoth(firstWrites),
    floors: [],
  },
  {
    ...common,
    name: 'many-partitions',
    title:
      '10,000 partitions that have a record each, written in turn, one 1 KiB record each, 100 a request, acks=1; Millrace has just started',
    isAlone: true,
    isColdHere: true,
    ...sameOnBoth((bench) => inTurns(bench, bench.sizes.manyPartitions, 1, [...recordFigures, 'peakRssMb'])),
    floors: [
      { figure: 'recordsPerSecond', atLeast: 1.2 },
      { figure: 'peakRssMb', atMostAbsolute: mostMb },
    ],
  },
  // As above, each has a record before: Apache Kafka makes the files of a partition with the topic, which is not measured,
  // and ext4 takes milliseconds for each of them where the files of the round before were deleted just now (it looks for an
  // inode that was not, one by one: 250 partitions a second against 5,000).
  ...[1, 12, 1000].map((count) => ({
    ...common,
    name: `durable-${count}p`,
    title: `acks=all over ${count === 1 ? '1 partition that has' : `${count} partitions that have`} a record, in turn, one 1 KiB record each, both synced`,
    ...sameOnBoth((bench) =>
      inTurns(bench, bench.sizes.isQuick ? Math.min(count, quickPartitions) : count, -1, recordFigures, durable),
    ),
    floors: [{ figure: 'recordsPerSecond', atLeast: 2 }] as const,
  })),
];

/**
 * Counts from the request that makes the topic: Apache Kafka makes a partition's files then, Millrace with the first
 * record, and either may take most of the time.
 */
async function firstWrites({ server, sizes: { manyPartitions }, newTopic, acknowledged }: Bench): Promise<Figures> {
  const startedMs = performance.now();
  const topic = await newTopic(manyPartitions);
  const { records } = await runLoad(oneRecordEach(server.doors, topic, manyPartitions));
  const recordsPerSecond = (records * 1000) / (performance.now() - startedMs);
  acknowledged(topic, records);
  return { recordsPerSecond, rssMiB: server.memory.rssBytes / 2 ** 20 };
}

/** Where two turns do not come within ten loads' times, what came counts, and `how` says so. */
async function inTurns(
  { server, sizes: { loadMs }, newTopic, acknowledged }: Bench,
  partitionCount: number,
  acks: ProduceJob['acks'],
  names: readonly FigureName[],
  kafkaConfigs: Readonly<Record<string, string>> = {},
): Promise<Figures> {
  const topic = await newTopic(partitionCount, kafkaConfigs);
  const turn: ProduceJob = { ...oneRecordEach(server.doors, topic, partitionCount), acks };
  const turns = (durationMs: number, leastCount: number): ProduceJob => ({
    ...turn,
    requests: 1e9,
    durationMs,
    least: { requests: leastCount * turn.requests, withinMs: slowestLoads * loadMs },
  });
  for (const job of [turn, turns(loadMs * uncountedShare, 1)]) acknowledged(topic, (await runLoad(job)).records);
  const { figures, result } = await measureLoad(server, turns(loadMs, leastTurns));
  acknowledged(topic, result.records);
  const done = result.requests / turn.requests;
  const how = `${server.kind.name} ended before ${leastTurns} turns`;
  return { ...only(figures, names), turns: done, ...(done < leastTurns ? { how } : {}) };
}
