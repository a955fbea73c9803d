/** Cases of records a second against Apache Kafka, with clients of others wherever one is fast enough. */

import { probeSyncedWrites } from '../load/disk-probes.ts';
import { javaConsume, javaProduce } from './java-client.ts';
import { kafkaToolsVersion } from './kafka-jars.ts';
import { librdkafkaVersion } from './librdkafka.ts';
import { scaledCount, type Bench, type Floor, type PeerCase } from './peer-case.ts';
import { rdkafkaConsume, rdkafkaProduce, type RdkafkaProduce } from './rdkafka-client.ts';

const rdkafka = `rdkafka_performance ${librdkafkaVersion}`;
const java = `Kafka's own tools ${kafkaToolsVersion}`;
const durable = { 'flush.messages': '1' };
const diskProbeMs = 1000;

interface ProduceCaseShape extends Omit<RdkafkaProduce, 'topic'> {
  readonly name: string;
  readonly title: string;
  readonly partitionCount?: number;
  /** Kafka syncs as well. */
  readonly isKafkaDurable?: boolean;
  readonly floors: readonly Floor[];
  readonly probe?: PeerCase['probe'];
}

export const synced: NonNullable<PeerCase['probe']> = {
  name: '1 MiB writes with fdatasync',
  measure: (folder, { isQuick }) => probeSyncedWrites(folder, isQuick ? diskProbeMs / 20 : diskProbeMs),
};

/** `size` as it stands in names and in words. */
function produceOfBothSizes(make: (recordBytes: number, tag: string, words: string) => ProduceCaseShape[]): PeerCase[] {
  return [...make(100, '100', '100 B'), ...make(1024, '1k', '1 KiB')].map(produceCase);
}

export const throughputCases: readonly PeerCase[] = [
  ...produceOfBothSizes((recordBytes, tag, words) =>
    [1, 12].map((partitionCount) => ({
      name: `produce-${tag}-${partitionCount}p`,
      title: `acks=1, ${words}, ${partitionCount === 1 ? '1 partition' : `${partitionCount} partitions`}`,
      records: recordBytes === 100 ? 4_000_000 : 1_000_000,
      recordBytes,
      acks: 1,
      partitionCount,
      floors:
        recordBytes === 100
          ? [ratioAtLeast(1), { figure: 'brokerCpuSecondsPerGb', atMost: 0.6 }]
          : [ratioAtLeast(1.1), { figure: 'brokerCpuSecondsPerGb', atMost: 0.7 }],
    })),
  ),
  ...produceOfBothSizes((recordBytes, tag, words) => [
    {
      name: `acks-all-${tag}`,
      title: `acks=all, idempotent, ${words}, Millrace synced to disk, Kafka not`,
      ...bulk(recordBytes, 3_000_000, 1_000_000),
      floors: [
        { figure: 'recordsPerSecond', atLeast: 1, orOfProbe: 0.9 },
        { figure: 'brokerCpuSecondsPerGb', atMost: 1 },
      ],
      probe: synced,
    },
    {
      name: `durable-${tag}`,
      title: `acks=all, idempotent, ${words}, both synced (flush.messages=1)`,
      ...bulk(recordBytes, 2_000_000, 500_000),
      isKafkaDurable: true,
      floors: [ratioAtLeast(recordBytes === 100 ? 1.1 : 1.8)],
    },
    {
      name: `lz4-${tag}`,
      title: `acks=1, lz4, ${words}, a payload that repeats`,
      records: recordBytes === 100 ? 4_000_000 : 1_000_000,
      recordBytes,
      acks: 1,
      compression: 'lz4',
      floors: [ratioAtLeast(1), { figure: 'brokerCpuSecondsPerGb', atMost: recordBytes === 100 ? 0.8 : 1.5 }],
    },
  ]),
  readCase('read-100', 'catch-up read, page cache warm, 100 B', 100, 4_000_000, 1, 1.3),
  readCase('read-1k', 'catch-up read, page cache warm, 1 KiB', 1024, 1_000_000, 0.9, 1.8),
  javaProduceCase('java-produce-100', 'acks=1, 100 B, 1 partition', 100, 3_000_000, [
    ratioAtLeast(1),
    { figure: 'brokerCpuSecondsPerGb', atMost: 0.6 },
  ]),
  javaProduceCase('java-produce-1k', 'acks=1, 1 KiB, 1 partition', 1024, 1_000_000, [
    ratioAtLeast(1.1),
    { figure: 'brokerCpuSecondsPerGb', atMost: 0.7 },
  ]),
  {
    name: 'java-read-1k',
    title: 'catch-up read, page cache warm, 1 KiB',
    rival: 'kafka',
    client: java,
    uses: ['rdkafka', 'javaTools'],
    ...sameOnBoth(async (bench) => {
      const load = { records: scaledCount(1_000_000, bench.wholeSizes), recordBytes: 1024 };
      const topic = await filled(bench, load);
      return javaConsume(bench.clients.javaTools(), bench.server, { ...load, topic });
    }),
    floors: [ratioAtLeast(0.9), { figure: 'brokerCpuSecondsPerGb', atMost: 1.8 }],
  },
];

function ratioAtLeast(atLeast: number): Floor {
  return { figure: 'recordsPerSecond', atLeast };
}

function bulk(recordBytes: number, smallRecords: number, largeRecords: number) {
  return {
    records: recordBytes === 100 ? smallRecords : largeRecords,
    recordBytes,
    acks: -1,
    isIdempotent: true,
  } as const;
}

export function sameOnBoth(measure: PeerCase['millrace']): Pick<PeerCase, 'millrace' | 'peer'> {
  return { millrace: measure, peer: measure };
}

function produceCase({ name, title, floors, probe, ...shape }: ProduceCaseShape): PeerCase {
  return {
    name,
    title,
    rival: 'kafka',
    client: rdkafka,
    uses: ['rdkafka'],
    ...sameOnBoth(async ({ clients, server, sizes, newTopic, acknowledged }) => {
      const topic = await newTopic(shape.partitionCount ?? 1, shape.isKafkaDurable ? durable : {});
      const records = scaledCount(shape.records, sizes);
      const figures = await rdkafkaProduce(clients.rdkafka(), server, { ...shape, records, topic });
      acknowledged(topic, records);
      return figures;
    }),
    ...(probe === undefined ? {} : { probe }),
    floors,
  };
}

function readCase(
  name: string,
  title: string,
  recordBytes: number,
  fullRecords: number,
  rate: number,
  cpu: number,
): PeerCase {
  return {
    name,
    title,
    rival: 'kafka',
    client: rdkafka,
    uses: ['rdkafka'],
    ...sameOnBoth(async (bench) => {
      // The tools read on to the end of a batch: other counts than all would not be what was asked for.
      const load = { records: scaledCount(fullRecords, bench.wholeSizes), recordBytes };
      const topic = await filled(bench, load);
      return rdkafkaConsume(bench.clients.rdkafka(), bench.server, { ...load, topic });
    }),
    floors: [ratioAtLeast(rate), { figure: 'brokerCpuSecondsPerGb', atMost: cpu }],
  };
}

function javaProduceCase(
  name: string,
  title: string,
  recordBytes: number,
  fullRecords: number,
  floors: readonly Floor[],
): PeerCase {
  return {
    name,
    title,
    rival: 'kafka',
    client: java,
    uses: ['javaTools'],
    ...sameOnBoth(async ({ clients, server, sizes, newTopic, acknowledged }) => {
      const topic = await newTopic(1);
      const records = scaledCount(fullRecords, sizes);
      const figures = await javaProduce(clients.javaTools(), server, { topic, records, recordBytes, acks: 1 });
      acknowledged(topic, records);
      return figures;
    }),
    floors,
  };
}

/** A topic of one partition with so many records, the same for every case that reads as many. */
export function filled(
  { clients, server, filledTopic, acknowledged }: Bench,
  { records, recordBytes }: { readonly records: number; readonly recordBytes: number },
): Promise<string> {
  return filledTopic(`${records} of ${recordBytes} B`, async (topic) => {
    await rdkafkaProduce(clients.rdkafka(), server, { topic, records, recordBytes, acks: 1 });
    acknowledged(topic, records);
  });
}
