/**
 * Records in bulk with batches of 1 MiB that were prepared in advance, five requests under way: what brokers do where the client
 * is not the limit. librdkafka takes a core for records of 100 B, and with idempotence has one request of 1 MB under way.
 */

import { durable, ownProduce, recordFigures } from './own-client-cases.ts';
import type { Floor, PeerCase } from './peer-case.ts';
import { synced } from './throughput-cases.ts';

/** As large as Kafka takes them by default, header and all. */
export const preparedBatchBytes = 2 ** 20;

const sizes = [
  { tag: '100', words: '100 B', recordBytes: 100, rate: 1, cpu: 0.6, durableRate: 1.1 },
  { tag: '1k', words: '1 KiB', recordBytes: 1024, rate: 1.1, cpu: 0.7, durableRate: 1.8 },
] as const;

export const preparedCases: readonly PeerCase[] = sizes.flatMap(
  ({ tag, words, recordBytes, rate, cpu, durableRate }) => {
    const batch = { recordBytes, batchBytes: preparedBatchBytes };
    const idempotent = { ...batch, acks: -1, idempotent: true } as const;
    return [
      {
        name: `prepared-${tag}`,
        title: `acks=1, ${words}, 1 partition`,
        ...ownProduce(batch, recordFigures),
        floors: [atLeast(rate), { figure: 'brokerCpuSecondsPerGb', atMost: cpu }],
      },
      {
        name: `prepared-all-${tag}`,
        title: `acks=all, idempotent, ${words}, Millrace synced to disk, Kafka not`,
        ...ownProduce(idempotent, recordFigures),
        probe: synced,
        floors: [
          { figure: 'recordsPerSecond', atLeast: 1, orOfProbe: 0.9 },
          { figure: 'brokerCpuSecondsPerGb', atMost: 1 },
        ],
      },
      {
        name: `prepared-durable-${tag}`,
        title: `acks=all, idempotent, ${words}, both synced (flush.messages=1)`,
        ...ownProduce(idempotent, recordFigures, durable),
        floors: [atLeast(durableRate)],
      },
    ];
  },
);

function atLeast(ratio: number): Floor {
  return { figure: 'recordsPerSecond', atLeast: ratio };
}
