/** One producer beside many commits of offsets, against Apache Kafka, with the project's own client. */

import { measureBesideCommits } from '../load/beside-commits.ts';
import type { Figures } from '../load/figures.ts';
import type { ProduceJob } from '../load/load-job.ts';
import { measureLoad } from '../load/measured-load.ts';
import { only } from '../load/produce-case.ts';
import type { Bench, PeerCase } from './peer-case.ts';
import { sameOnBoth } from './throughput-cases.ts';

/** Of one group, as consumers outside of a membership send them. */
const commits = { groupId: 'commits', connections: 200, partitionsPerRequest: 1, requestsPerSecond: 10_000 };
const committedPartitions = 100;
const quickCommitsPerSecond = 500;
const warmUpMs = 1000;
/** Of the rate, for latencies to mean anything. */
const reachedShare = 0.98;
const kibibyte = 1024;

export const commitCase: PeerCase = {
  name: 'commits',
  rate: commits.requestsPerSecond,
  title:
    "acks=1, 1 KiB, batches of 64 KiB from one producer, beside 10,000 commits of an offset each a second over 200 connections, Millrace's synced to disk, Kafka's not; latencies of the commits",
  rival: 'kafka',
  client: "Millrace's prepared-batch client",
  ...sameOnBoth(besideCommits),
  floors: [{ figure: 'rateKept', atLeastAbsolute: 0.9 }],
};

/** The same producer alone, then beside the commits. */
async function besideCommits({ server, admin, sizes, newTopic, acknowledged }: Bench): Promise<Figures> {
  await admin.untilCoordinated(commits.groupId);
  const job: ProduceJob = {
    kind: 'produce',
    doors: server.doors,
    transport: 'tcp',
    topic: await newTopic(1),
    partitionCount: 1,
    acks: 1,
    batch: { recordBytes: kibibyte, batchBytes: 64 * kibibyte, compression: 'none' },
    connections: 1,
    inFlight: 16,
    partitionsPerRequest: 1,
    idempotent: false,
    requestsPerSecond: null,
    requests: 1e9,
    durationMs: sizes.loadMs,
  };
  const committed = { topic: await newTopic(committedPartitions), partitionCount: committedPartitions };
  const rate = sizes.isQuick ? { requestsPerSecond: quickCommitsPerSecond } : {};
  const alone = await measureLoad(server, job);
  const beside = await measureBesideCommits(server, job, { ...commits, ...committed, ...rate }, warmUpMs);
  acknowledged(job.topic, alone.result.records + beside.result.records);
  const { rateReached = 0, ...latencies } = beside.commits;
  const { rssMiB } = beside.figures;
  if (rateReached < reachedShare) return { rateReached, rssMiB: rssMiB! };
  const rateKept = beside.figures.recordsPerSecond! / alone.figures.recordsPerSecond!;
  const names = ['recordsPerSecond', 'rateKept', 'brokerCpuSecondsPerGb', 'clientCpuSecondsPerGb'] as const;
  return only({ ...beside.figures, ...latencies, rateKept }, [...names, 'p50Ms', 'p99Ms', 'rssMiB']);
}
