/** Scenarios that read: from the start, at the tail, and while others write. */

import type { Figures } from './figures.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import type { ProduceJob, Transport } from './load-job.ts';
import { checkRecords, measureLoad } from './measured-load.ts';
import { only, percentileNames, roundsOf, rowOf, threadFigureNames, throughputFigures } from './produce-case.ts';
import { alternate, together } from './rounds.ts';
import { rateMsOf, type Scenario, type ScenarioContext, sizeName } from './scenario.ts';
import { ServerUnderTest } from './server-under-test.ts';

const topic = 'load';
const fetchBytes = 8 * 2 ** 20;
const partitionFetchBytes = 2 ** 20;
const readConnections = 2;

/** Fills a topic with batches of 16 KiB, as many as are `sizeBytes` together. */
function fillingJob(
  server: ServerUnderTest,
  recordBytes: number,
  sizeBytes: number,
  partitionCount: number,
): ProduceJob {
  const batchBytes = 16 * 1024;
  return {
    kind: 'produce',
    doors: server.doors,
    transport: 'tcp',
    topic,
    partitionCount,
    acks: 1,
    batch: { recordBytes, batchBytes, compression: 'none' },
    connections: 1,
    inFlight: 64,
    partitionsPerRequest: 1,
    idempotent: false,
    requestsPerSecond: null,
    requests: Math.ceil(sizeBytes / batchBytes),
    durationMs: Infinity,
  };
}

/** With `isByThread` the topic is read over one connection, so that a request is a fetch of one partition. */
export async function catchUpRound(
  context: ScenarioContext,
  recordBytes: number,
  transport: Transport,
  partitionCount: number,
  isByThread = false,
): Promise<Figures> {
  const { sizes, dataParent } = context;
  await using server = await ServerUnderTest.start(context.millrace(), dataParent);
  const admin = await KafkaAdmin.connect(server.doors);
  await admin.createTopic(topic, partitionCount);
  const filling = fillingJob(server, recordBytes, sizes.catchUpBytes, partitionCount);
  const { result: filled } = await measureLoad(server, filling);
  await checkRecords(admin, filling, filled.records);
  admin.close();
  const reading = {
    kind: 'catch-up',
    doors: server.doors,
    transport,
    topic,
    partitionCount,
    recordBytes,
    connections: isByThread ? 1 : Math.min(readConnections, partitionCount),
    fetchBytes,
    partitionFetchBytes,
  } as const;
  const { result, figures } = await measureLoad(server, reading, { isByThread });
  if (result.records !== filled.records) {
    throw new Error(`${filled.records} records were written, and ${result.records} were read.`);
  }
  return only(figures, isByThread ? threadFigureNames : throughputFigures);
}

const catchUp: Scenario = {
  name: 'catch-up',
  title: 'everything that a topic holds, from its start, with the page cache warm',
  async run(context) {
    const cases = context.sizes.recordBytes.flatMap((recordBytes) =>
      (
        [
          ['tcp', 1],
          ['tcp', 12],
          ['websocket', 12],
        ] as const
      ).map(([transport, partitionCount]) => ({
        what: `${sizeName(recordBytes)}, ${transport}, ${partitionCount} partitions`,
        round: () => catchUpRound(context, recordBytes, transport, partitionCount),
        sweep: {
          title: 'what is read from its start',
          at: `${transport}, ${partitionCount}`,
          line: sizeName(recordBytes),
          figures: ['bytesPerSecond', 'brokerCpuSecondsPerGb'],
        } as const,
      })),
    );
    const rows = [];
    for (const { what, round, sweep } of cases.filter((each) => context.includes(each.what))) {
      context.note(`catch-up: ${what}`);
      const [result] = await alternate([{ name: context.millrace().name, round }], roundsOf(context));
      rows.push(rowOf('catch-up', { what, sweep }, result!));
    }
    return rows;
  },
};

async function tailRound(context: ScenarioContext, recordsPerSecond: number, transport: Transport): Promise<Figures> {
  const { sizes, dataParent } = context;
  await using server = await ServerUnderTest.start(context.millrace(), dataParent);
  const admin = await KafkaAdmin.connect(server.doors);
  const job = {
    kind: 'tail',
    doors: server.doors,
    transport,
    topic,
    partitionCount: 1,
    acks: 1,
    batch: { recordBytes: 1024, batchBytes: 0, compression: 'none' },
    requestsPerSecond: recordsPerSecond,
    requests: Math.ceil((recordsPerSecond * rateMsOf(sizes, recordsPerSecond)) / 1000),
  } as const;
  if (sizes.warmUpMs > 0) {
    await admin.createTopic('warm-up', 1);
    const requests = Math.ceil((recordsPerSecond * sizes.warmUpMs) / 1000);
    await measureLoad(server, { ...job, topic: 'warm-up', requests });
  }
  await admin.createTopic(topic, 1);
  const { result, figures } = await measureLoad(server, job);
  await checkRecords(admin, job, result.records);
  admin.close();
  return only(figures, [...percentileNames, 'rateReached', 'brokerCpuMicrosecondsPerRequest']);
}

const tail: Scenario = {
  name: 'tail',
  title: 'from the intended send to the arrival at a consumer, single records of 1 KiB, acks=1',
  async run(context) {
    const rows = [];
    for (const recordsPerSecond of context.sizes.rates) {
      for (const transport of ['tcp', 'websocket'] as const) {
        const what = `${recordsPerSecond}/s, ${transport}`;
        if (!context.includes(what)) continue;
        context.note(`tail: ${what}`);
        const round = (): Promise<Figures> => tailRound(context, recordsPerSecond, transport);
        const [result] = await alternate([{ name: context.millrace().name, round }], roundsOf(context));
        const figures = ['p50Ms', 'p99Ms'] as const;
        const sweep = { title: 'rate at the tail', at: `${recordsPerSecond}/s`, line: transport, figures };
        rows.push(rowOf('tail', { what, sweep }, result!));
      }
    }
    return rows;
  },
};

/** A topic is filled and read from its start, again and again, while another is written as fast as it goes, as long. */
async function mixedRound(context: ScenarioContext): Promise<Figures[]> {
  const { sizes, dataParent } = context;
  const partitionCount = 12;
  await using server = await ServerUnderTest.start(context.millrace(), dataParent);
  const admin = await KafkaAdmin.connect(server.doors);
  await admin.createTopic(topic, partitionCount);
  await admin.createTopic('written', partitionCount);
  const filling = fillingJob(server, 1024, sizes.catchUpBytes, partitionCount);
  await checkRecords(admin, filling, (await measureLoad(server, filling)).result.records);
  const durationMs = sizes.loadMs;
  const writing = { ...filling, topic: 'written', requests: 1e9, durationMs };
  const [write, read] = await Promise.all([
    measureLoad(server, writing),
    measureLoad(server, {
      kind: 'catch-up',
      durationMs,
      recordBytes: 1024,
      doors: server.doors,
      transport: 'tcp',
      topic,
      partitionCount,
      connections: readConnections,
      fetchBytes,
      partitionFetchBytes,
    }),
  ]);
  await checkRecords(admin, writing, write.result.records);
  admin.close();
  const rates = ({ recordsPerSecond, bytesPerSecond }: Figures) => ({ recordsPerSecond, bytesPerSecond }) as Figures;
  // Both took the same time of the same broker.
  const brokerSeconds = Math.max(write.brokerSeconds, read.brokerSeconds);
  const both = {
    bytesPerSecond: write.figures.bytesPerSecond! + read.figures.bytesPerSecond!,
    brokerCpuSecondsPerGb: (brokerSeconds * 1e9) / ((write.result.records + read.result.records) * 1024),
    rssMiB: read.figures.rssMiB!,
  };
  return [rates(write.figures), rates(read.figures), both];
}

const mixed: Scenario = {
  name: 'mixed',
  title: 'one topic written while another is read from its start, 1 KiB, 12 partitions, acks=1',
  async run(context) {
    const results = await together(['written', 'read', 'both'], () => mixedRound(context), roundsOf(context));
    return results.map((result) => rowOf('mixed', { what: 'at the same time' }, result));
  },
};

/** Each partition gets a record; then many fetch from all of them at once while a consumer waits at another's tail. */
async function wideRound(context: ScenarioContext): Promise<Figures[]> {
  const { sizes, dataParent } = context;
  const partitionCount = sizes.manyPartitions.at(-1)!;
  await using server = await ServerUnderTest.start(context.millrace(), dataParent);
  const admin = await KafkaAdmin.connect(server.doors);
  await admin.createTopic(topic, partitionCount);
  await admin.createTopic('tail', 1);
  const partitionsPerRequest = Math.min(partitionCount, 100);
  const batch = { recordBytes: 100, batchBytes: 0, compression: 'none' } as const;
  const filling = {
    ...fillingJob(server, 100, 0, partitionCount),
    batch,
    partitionsPerRequest,
    requests: Math.ceil(partitionCount / partitionsPerRequest),
  };
  const { result } = await measureLoad(server, filling);
  await checkRecords(admin, filling, result.records);
  admin.close();
  const common = { doors: server.doors, transport: 'tcp' } as const;
  const requestsPerSecond = 200;
  const [wide, tailed] = await Promise.all([
    measureLoad(server, {
      kind: 'wide',
      ...common,
      topic,
      partitionCount,
      recordBytes: batch.recordBytes,
      connections: Math.min(sizes.crowds.at(-1)!, 200),
      fetches: 1,
      fetchBytes: 2 ** 18,
    }),
    measureLoad(server, {
      kind: 'tail',
      ...common,
      topic: 'tail',
      partitionCount: 1,
      acks: 1,
      batch,
      requestsPerSecond,
      requests: Math.ceil((requestsPerSecond * sizes.loadMs) / 1000),
    }),
  ]);
  const { requestsPerSecond: rate, brokerCpuMicrosecondsPerRequest, rssMiB, peakRssMb } = wide.figures;
  return [
    { requestsPerSecond: rate, brokerCpuMicrosecondsPerRequest, rssMiB, peakRssMb } as Figures,
    only(tailed.figures, ['p50Ms', 'p99Ms', 'maxMs', 'rateReached']),
  ];
}

const wide: Scenario = {
  name: 'wide-fetches',
  title: 'a crowd that fetches from every partition of a large topic at once, beside the tail of another topic',
  async run(context) {
    const what = `${context.sizes.manyPartitions.at(-1)} partitions a fetch`;
    const results = await together(['the crowd', 'the tail'], () => wideRound(context), roundsOf(context));
    return results.map((result) => rowOf('wide-fetches', { what }, result));
  },
};

export const readScenarios: readonly Scenario[] = [catchUp, tail, mixed, wide];
