/** Cases against NATS JetStream: each side has the client that makes it fastest, because no client speaks to both. */

import { librdkafkaVersion } from './librdkafka.ts';
import { natsClientVersion } from './nats-server.ts';
import { natsProduce, type NatsMode } from './nats-client.ts';
import { type Bench, type PeerCase, scaledCount } from './peer-case.ts';
import { rdkafkaProduce } from './rdkafka-client.ts';
import { measureLoad } from '../load/measured-load.ts';
import type { Figures } from '../load/figures.ts';

const clients = `rdkafka_performance ${librdkafkaVersion} against nats ${natsClientVersion} bench`;

const sizes = [
  [100, '100', '100 B'],
  [1024, '1k', '1 KiB'],
] as const;

export const natsCases: readonly PeerCase[] = sizes.flatMap(([recordBytes, tag, words]): PeerCase[] => [
  {
    name: `nats-synced-${tag}`,
    title: `${words}, acks=all against sync_interval: always, batches of 500 in NATS's fast mode`,
    rival: 'nats-synced',
    client: clients,
    millrace: (bench) => millraceProduce(bench, recordBytes, -1),
    peer: (bench) => peerProduce(bench, recordBytes, 'fast', 30_000),
    floors: [{ figure: 'recordsPerSecond', atLeast: 10 }],
  },
  {
    name: `nats-atomic-${tag}`,
    title: `${words}, acks=all against sync_interval: always, NATS's atomic batches of 500, one sync each`,
    rival: 'nats-synced',
    client: clients,
    millrace: (bench) => millraceProduce(bench, recordBytes, -1),
    peer: (bench) => peerProduce(bench, recordBytes, 'atomic', 300_000),
    floors: [],
  },
  {
    name: `nats-one-${tag}`,
    title: `${words}, one client with one in flight, acks=all against sync_interval: always`,
    rival: 'nats-synced',
    client: `Millrace's prepared-batch client against nats ${natsClientVersion} bench`,
    millrace: (bench) => oneInFlight(bench, recordBytes),
    peer: (bench) => peerProduce(bench, recordBytes, 'sync', 8000),
    floors: [{ figure: 'recordsPerSecond', atLeast: 1 }],
  },
  {
    name: `nats-${tag}`,
    title: `${words}, acks=1 against NATS at its defaults, in its fast mode`,
    rival: 'nats',
    client: clients,
    millrace: (bench) => millraceProduce(bench, recordBytes, 1),
    peer: (bench) => peerProduce(bench, recordBytes, 'fast', 1_000_000),
    floors: [{ figure: 'recordsPerSecond', atLeast: 4 }],
  },
]);

async function millraceProduce(bench: Bench, recordBytes: number, acks: -1 | 1): Promise<Figures> {
  const records = scaledCount(recordBytes === 100 ? 3_000_000 : 1_000_000, bench.sizes);
  const program = bench.clients.rdkafka();
  const topic = await bench.newTopic(1);
  return rdkafkaProduce(program, bench.server, { topic, records, recordBytes, acks, isIdempotent: acks === -1 });
}

function peerProduce(
  { clients: { nats }, server, sizes: size }: Bench,
  messageBytes: number,
  mode: NatsMode,
  count: number,
) {
  const messages = Math.max(scaledCount(count, size), 1000);
  return natsProduce(nats(), server, { mode, messages, messageBytes });
}

async function oneInFlight({ server, sizes: { loadMs }, newTopic }: Bench, recordBytes: number): Promise<Figures> {
  const { figures, result } = await measureLoad(server, {
    kind: 'produce',
    doors: server.doors,
    transport: 'tcp',
    topic: await newTopic(1),
    partitionCount: 1,
    partitionsPerRequest: 1,
    acks: -1,
    batch: { recordBytes, batchBytes: 0, compression: 'none' },
    connections: 1,
    inFlight: 1,
    idempotent: false,
    requestsPerSecond: null,
    requests: 1e9,
    durationMs: loadMs,
  });
  const { p50, p99 } = result.latencies!;
  return { ...figures, p50Ms: p50, p99Ms: p99 };
}
