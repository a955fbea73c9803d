/**
 * Cases against Apache Kafka with the project's own client, where no other fits: many connections, single records, fixed
 * rates with latencies from the intended send times. Those of many partitions are in `turn-cases.ts`.
 */

import { bareLoad } from '../load/ceiling-scenario.ts';
import type { FigureName, Figures } from '../load/figures.ts';
import type { ProduceJob, TailJob } from '../load/load-job.ts';
import { latencyFigures, measureLoad } from '../load/measured-load.ts';
import { only } from '../load/produce-case.ts';
import { probeSmallSyncs } from '../load/disk-probes.ts';
import type { Bench, Floor, PeerCase, PeerSizes } from './peer-case.ts';
import { sameOnBoth } from './throughput-cases.ts';

const bareWarmUpMs = 1000;
export const ownClient = "Millrace's prepared-batch client";
export const durable = { 'flush.messages': '1' };
const kibibyte = 1024;
const crowd = 100;
/** As librdkafka and Java's producer have it. */
const lingerMs = 5;
/** Of requests, a second. */
const lingeredRate = 1000 / lingerMs;
/** More than a broker that keeps up ever leaves unanswered. */
const openEnded = 1024;

type Shape = Partial<Omit<ProduceJob, 'kind' | 'doors' | 'topic'>> & {
  readonly recordBytes: number;
  /** 0: one record. */
  readonly batchBytes?: number;
  readonly compression?: ProduceJob['batch']['compression'];
};

const requestFigures: readonly FigureName[] = [
  'requestsPerSecond',
  'brokerCpuMicrosecondsPerRequest',
  'clientCpuMicrosecondsPerRequest',
  'p50Ms',
  'p99Ms',
  'rssMiB',
];
export const recordFigures: readonly FigureName[] = [
  'recordsPerSecond',
  'bytesPerSecond',
  'brokerCpuSecondsPerGb',
  'clientCpuSecondsPerGb',
  'rssMiB',
];
const pacedFigures: readonly FigureName[] = ['p50Ms', 'p99Ms', 'brokerCpuMicrosecondsPerRequest', 'rssMiB'];
/** What a round that misses its rate has. */
const missedRateFigures: readonly FigureName[] = ['rateReached', 'rssMiB'];

const tailFloors: readonly Floor[] = [
  { figure: 'brokerCpuMicrosecondsPerRequest', atMost: 0.7 },
  ...halved('p50Ms', 'p99Ms'),
];

export const ownClientCases: readonly PeerCase[] = [
  {
    name: 'crowd-durable',
    title: 'acks=all, 100 connections with one 1 KiB record in flight each, both synced',
    ...ownProduce({ recordBytes: kibibyte, acks: -1, connections: crowd, inFlight: 1 }, requestFigures, durable),
    floors: [
      { figure: 'requestsPerSecond', atLeast: 5 },
      { figure: 'p99Ms', atMost: 0.3 },
    ],
  },
  {
    name: 'pipelined',
    title: 'acks=1, one 100 B record a request, 100 connections, 16 in flight each',
    ...ownProduce({ recordBytes: 100, connections: crowd, inFlight: 16 }, requestFigures),
    floors: [
      { figure: 'requestsPerSecond', atLeast: 1.2 },
      { figure: 'brokerCpuMicrosecondsPerRequest', atMost: 0.8 },
    ],
  },
  ...([100, kibibyte] as const).map((recordBytes) => ({
    name: `lz4-json-${recordBytes === 100 ? '100' : '1k'}`,
    title: `acks=1, lz4, ${recordBytes === 100 ? '100 B' : '1 KiB'} of JSON, batches of 256 KiB`,
    ...ownProduce({ recordBytes, batchBytes: 256 * kibibyte, compression: 'lz4' }, recordFigures),
    floors: [
      { figure: 'recordsPerSecond', atLeast: 1 },
      { figure: 'brokerCpuSecondsPerGb', atMost: recordBytes === 100 ? 0.8 : 1.5 },
    ] as const,
  })),
  ...[1000, 20_000].flatMap((rate) => [
    {
      name: `latency-${rate / 1000}k`,
      rate,
      title: `acks=1, ${rate} requests/s of one 1 KiB record over ${connectionsFor(rate)}`,
      ...paced(atRate(rate)),
      floors: halved('p50Ms', 'p99Ms'),
    },
    {
      name: `latency-${rate / 1000}k-linger`,
      rate: lingeredRate,
      title: `acks=1, ${rate} records/s of 1 KiB, ${lingeredRate} requests/s (linger ${lingerMs} ms, which is not counted)`,
      ...paced((sizes) => lingering(rate, sizes)),
      floors: halved('p99Ms'),
    },
  ]),
  {
    name: 'latency-acks-all',
    rate: 1000,
    title: 'acks=all, 1,000 requests/s of one 1 KiB record, Millrace synced to disk, Kafka not',
    ...ownProduce({ ...atRate(1000), acks: -1 }, pacedFigures),
    probe: { name: 'fdatasync behind 1 KiB', measure: (folder) => probeSmallSyncs(folder) },
    floors: [
      { figure: 'p50Ms', atMost: 1, plusProbe: true },
      { figure: 'p99Ms', atMost: 1, plusProbe: true },
    ],
  },
  ...[1000, 20_000].map((rate) => ({
    ...tailCase(`tail-${rate / 1000}k`, `${rate} records/s of 1 KiB, acks=1, one a request`, rate, 0),
    floors: rate > 1000 ? halved('p50Ms', 'p99Ms') : tailFloors,
  })),
  // With one record a request a rival that answers one by one does not reach that rate over one connection, so that this is
  // what its floors are held against.
  {
    ...tailCase(
      'tail-20k-linger',
      `20000 records/s of 1 KiB, acks=1, ${lingeredRate} requests/s (linger ${lingerMs} ms, which is not counted)`,
      lingeredRate,
      lingeredBatchBytes(20_000),
    ),
    floors: tailFloors,
  },
];

/** A load of produce requests, the same on both sides; `kafkaConfigs` are for Kafka's topic alone. */
export function ownProduce(
  shape: Shape | ((sizes: PeerSizes) => Shape),
  names: readonly FigureName[],
  kafkaConfigs: Readonly<Record<string, string>> = {},
): Pick<PeerCase, 'rival' | 'client' | 'millrace' | 'peer'> {
  const measure = async (bench: Bench): Promise<Figures> => {
    const { server, sizes, newTopic } = bench;
    const job = jobOf(shape, sizes, '');
    const topic = await newTopic(job.partitionCount, kafkaConfigs);
    return measured(bench, { ...job, doors: server.doors, topic }, names);
  };
  return { rival: 'kafka', client: ownClient, ...sameOnBoth(measure) };
}

function jobOf(
  shape: Shape | ((sizes: PeerSizes) => Shape),
  sizes: PeerSizes,
  topic: string,
): Omit<ProduceJob, 'doors'> {
  const {
    recordBytes,
    batchBytes = 0,
    compression = 'none',
    ...rest
  } = typeof shape === 'function' ? shape(sizes) : shape;
  return {
    kind: 'produce',
    transport: 'tcp',
    topic,
    partitionCount: 1,
    acks: 1,
    batch: { recordBytes, batchBytes, compression },
    connections: 1,
    inFlight: 5,
    partitionsPerRequest: 1,
    idempotent: false,
    requestsPerSecond: null,
    requests: 1e9,
    durationMs: sizes.loadMs,
    ...rest,
  };
}

/** Requests at a rate, with what a bare socket that answers at once has of the same client: nobody is sooner. */
function paced(
  shape: Shape | ((sizes: PeerSizes) => Shape),
): Pick<PeerCase, 'rival' | 'client' | 'millrace' | 'peer' | 'probe'> {
  return {
    ...ownProduce(shape, pacedFigures),
    probe: {
      name: 'a bare socket',
      measure: async (folder, sizes) => {
        const figures = await bareLoad(
          'discard',
          jobOf(shape, sizes, 'bare'),
          folder,
          sizes.isQuick ? 0 : bareWarmUpMs,
        );
        return only(figures, ['p50Ms', 'p99Ms', 'brokerCpuMicrosecondsPerRequest']);
      },
    },
  };
}

/** One record a request. The higher rate has several connections, or a rival that answers one by one could not reach it. */
function atRate(requestsPerSecond: number): Shape {
  const connections = requestsPerSecond > 1000 ? 10 : 1;
  return { recordBytes: kibibyte, requestsPerSecond, connections, inFlight: Math.ceil(openEnded / connections) };
}

function connectionsFor(rate: number): string {
  return rate > 1000 ? '10 connections' : '1 connection';
}

/**
 * A client with a linger sends what came within it as one batch; how long a record waited for that is the client's. Twice
 * as long as other loads, or there were too few requests for a p99.
 */
function lingering(recordsPerSecond: number, { loadMs }: PeerSizes): Shape {
  const batchBytes = lingeredBatchBytes(recordsPerSecond);
  return { recordBytes: kibibyte, batchBytes, requestsPerSecond: lingeredRate, inFlight: 64, durationMs: 2 * loadMs };
}

/** What comes within a linger, as one batch. */
function lingeredBatchBytes(recordsPerSecond: number): number {
  return Math.ceil((recordsPerSecond / lingeredRate) * (kibibyte + 18));
}

/** `batchBytes` 0: one record a request. A load of few requests takes twice as long, for a p99. */
function tailCase(name: string, what: string, requestsPerSecond: number, batchBytes: number): Omit<PeerCase, 'floors'> {
  const measure = async (bench: Bench): Promise<Figures> => {
    const durationMs = bench.sizes.loadMs * (batchBytes === 0 ? 1 : 2);
    const job: TailJob = {
      kind: 'tail',
      doors: bench.server.doors,
      transport: 'tcp',
      topic: await bench.newTopic(1),
      partitionCount: 1,
      acks: 1,
      batch: { recordBytes: kibibyte, batchBytes, compression: 'none' },
      requestsPerSecond,
      requests: Math.ceil((requestsPerSecond * durationMs) / 1000),
    };
    return measured(bench, job, pacedFigures);
  };
  return {
    name,
    rate: requestsPerSecond,
    title: `produce to consume at the tail, ${what}`,
    rival: 'kafka',
    client: ownClient,
    ...sameOnBoth(measure),
  };
}

async function measured(
  { server, acknowledged }: Bench,
  job: ProduceJob | TailJob,
  names: readonly FigureName[],
): Promise<Figures> {
  const { figures, result } = await measureLoad(server, job);
  acknowledged(job.topic, result.records);
  const isLoop = job.requestsPerSecond === null && result.latencies !== null;
  const all: Figures = isLoop ? { ...figures, ...latencyFigures(result.latencies!) } : figures;
  return only(all, all.rateReached === undefined ? names : missedRateFigures);
}

function halved(...figures: FigureName[]): Floor[] {
  return figures.map((figure) => ({ figure, atMost: 0.5 }));
}
