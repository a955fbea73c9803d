/** Cases against NATS JetStream: each side has the client that makes it fastest, because no client speaks to both. */

import { natsClientVersion } from './nats-server.ts';
import { natsProduce, type NatsMode } from './nats-client.ts';
import { type Bench, type Measure, type PeerCase, scaledCount } from './peer-case.ts';
import { latencyFigures, measureLoad } from '../load/measured-load.ts';
import { only } from '../load/produce-case.ts';
import { ownClient, ownProduce, recordFigures } from './own-client-cases.ts';
import { preparedBatchBytes } from './prepared-cases.ts';
import type { Figures } from '../load/figures.ts';

const clients = `${ownClient} against nats ${natsClientVersion} bench`;

const sizes = [
  [100, '100', '100 B'],
  [1024, '1k', '1 KiB'],
] as const;

/** What NATS can send in bulk with, as people read it. */
const bulkModes = {
  atomic: 'atomic batches of 500',
  fast: 'fast batches of 500',
  async: 'a window of 500 single messages',
} as const;
/** Messages that each mode is tried with, and how long the fastest one then takes. */
const trialMessages = { nats: 100_000, 'nats-synced': 5000 } as const;
const bulkSeconds = 4;
const singleMessages = 15_000;

export const natsCases: readonly PeerCase[] = sizes.flatMap(([recordBytes, tag, words]): PeerCase[] => [
  {
    name: `nats-synced-${tag}`,
    title: `${words}, acks=all against sync_interval: always, in the fastest of NATS's bulk modes, and against a window of single messages`,
    rival: 'nats-synced',
    client: clients,
    uses: ['nats'],
    millrace: async (bench) => {
      const figures = await inBulk(recordBytes, -1)(bench);
      return { ...figures, singlesPerSecond: figures.recordsPerSecond! };
    },
    // The floor speaks of single messages; batches share a sync, as Millrace's records do.
    peer: async (bench) => ({
      ...(await fastestBulk(bench, recordBytes, 'nats-synced')),
      singlesPerSecond: (await peerProduce(bench, recordBytes, 'async', singleMessages)).recordsPerSecond!,
    }),
    floors: [
      { figure: 'recordsPerSecond', atLeast: 10 },
      { figure: 'singlesPerSecond', atLeast: 10 },
    ],
  },
  {
    name: `nats-one-${tag}`,
    title: `${words}, one client with one in flight, acks=all against sync_interval: always`,
    rival: 'nats-synced',
    client: clients,
    uses: ['nats'],
    millrace: (bench) => oneInFlight(bench, recordBytes),
    peer: (bench) => peerProduce(bench, recordBytes, 'sync', 8000),
    floors: [{ figure: 'recordsPerSecond', atLeast: 1 }],
  },
  {
    name: `nats-${tag}`,
    title: `${words}, acks=1 against NATS at its defaults, in the fastest of its bulk modes`,
    rival: 'nats',
    client: clients,
    uses: ['nats'],
    millrace: inBulk(recordBytes, 1),
    peer: (bench) => fastestBulk(bench, recordBytes, 'nats'),
    floors: [{ figure: 'recordsPerSecond', atLeast: 4 }],
  },
]);

/** Tries each bulk mode on this server once it is warm, and measures the one that was fastest. */
async function fastestBulk(bench: Bench, messageBytes: number, kind: keyof typeof trialMessages): Promise<Figures> {
  const modes = ['atomic', 'fast', 'async'] as const;
  // Whoever goes first would find the server cold.
  for (const mode of modes) await peerProduce(bench, messageBytes, mode, trialMessages[kind]);
  let fastest = { mode: 'atomic' as keyof typeof bulkModes, perSecond: 0 };
  for (const mode of modes) {
    const { recordsPerSecond } = await peerProduce(bench, messageBytes, mode, trialMessages[kind]);
    if (recordsPerSecond! > fastest.perSecond) fastest = { mode, perSecond: recordsPerSecond! };
  }
  const count = Math.round(fastest.perSecond * bulkSeconds);
  return {
    ...(await peerProduce(bench, messageBytes, fastest.mode, count)),
    how: `NATS with ${bulkModes[fastest.mode]}`,
  };
}

/** Batches as large as brokers take them, five under way, in place of NATS's of 500. */
function inBulk(recordBytes: number, acks: -1 | 1): Measure {
  const shape = { recordBytes, batchBytes: preparedBatchBytes, acks, idempotent: acks === -1 };
  return ownProduce(shape, recordFigures).millrace;
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

async function oneInFlight(
  { server, sizes: { loadMs }, newTopic, acknowledged }: Bench,
  recordBytes: number,
): Promise<Figures> {
  const topic = await newTopic(1);
  const { figures, result } = await measureLoad(server, {
    kind: 'produce',
    doors: server.doors,
    transport: 'tcp',
    topic,
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
  acknowledged(topic, result.records);
  return only({ ...figures, ...latencyFigures(result.latencies!) }, [...recordFigures, 'p50Ms', 'p99Ms']);
}
