/**
 * What commits of offsets cost those who produce: the same producers alone, and beside 10,000 offsets a second that one
 * group commits, one a request and as a consumer of ten partitions does; and how fast the commits are answered then. Beside
 * as many commits of nothing, which are read and answered and no more, the producers show what of that is the sockets'.
 * Main thread.
 */

import type { Figures, FigureName, ResultRow } from './figures.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import { runLoad } from './load-client.ts';
import type { CommitJob, ProduceJob } from './load-job.ts';
import { checkRecords, latencyFigures, measureLoad } from './measured-load.ts';
import { latencyFigureNames, only, roundsOf, rowOf, throughputFigures } from './produce-case.ts';
import { alternate } from './rounds.ts';
import type { Scenario, ScenarioContext } from './scenario.ts';
import { ServerUnderTest } from './server-under-test.ts';

const topic = 'load';
const committedTopic = 'committed';
const committedPartitions = 100;
/** A broker answers the requests of one connection in their order; so many consumers commit beside each other. */
const connections = 200;
const commitsPerSecond = 10_000;
const quickCommitsPerSecond = 500;
/** Of the rate: commits that come later are those of a broker that cannot keep up. */
const reachedShare = 0.95;
const partitionsOfConsumer = 10;

const figureNames: readonly FigureName[] = [...new Set([...throughputFigures, ...latencyFigureNames])];

interface Commits {
  readonly requestsPerSecond: number;
  /** How many offsets a request has. */
  readonly each: number;
}

/** Latencies are those of the commits. */
async function round(context: ScenarioContext, { requestsPerSecond, each }: Commits): Promise<Figures> {
  const { sizes, dataParent } = context;
  await using server = await ServerUnderTest.start(context.millrace(), dataParent);
  const admin = await KafkaAdmin.connect(server.doors);
  await admin.createTopic(topic, 1);
  await admin.createTopic(committedTopic, committedPartitions);
  const target = { doors: server.doors, transport: 'tcp' } as const;
  const job: ProduceJob = {
    ...target,
    kind: 'produce',
    topic,
    partitionCount: 1,
    partitionsPerRequest: 1,
    acks: 1,
    batch: { recordBytes: 1024, batchBytes: 64 * 1024, compression: 'none' },
    connections: 1,
    inFlight: 16,
    idempotent: false,
    requestsPerSecond: null,
    requests: sizes.requests,
    durationMs: sizes.loadMs,
  };
  let sent = 0;
  if (sizes.warmUpMs > 0) sent += (await runLoad({ ...job, durationMs: sizes.warmUpMs })).records;
  const commits = requestsPerSecond === 0 ? null : runLoad(commitJob(target, requestsPerSecond, each, sizes.loadMs));
  const { result, figures } = await measureLoad(server, job);
  await checkRecords(admin, job, sent + result.records);
  admin.close();
  const committed = await commits;
  if (committed === null) return figures;
  if ((committed.requests * 1000) / committed.elapsedMs < requestsPerSecond * reachedShare) {
    context.note(`commits: ${committed.requests} took ${Math.round(committed.elapsedMs)} ms`);
  }
  return { ...figures, ...latencyFigures(committed.latencies!) };
}

function commitJob(
  target: Pick<CommitJob, 'doors' | 'transport'>,
  requestsPerSecond: number,
  partitionsPerRequest: number,
  durationMs: number,
): CommitJob {
  const partitionCount = committedPartitions;
  const job = { kind: 'commits', topic: committedTopic, partitionCount, groupId: 'load' } as const;
  return { ...target, ...job, connections, partitionsPerRequest, requestsPerSecond, durationMs };
}

export const commitScenario: Scenario = {
  name: 'commits',
  title: 'producers of 1 KiB, acks=1, alone and beside commits of offsets',
  async run(context): Promise<ResultRow[]> {
    const rate = context.sizes.isQuick ? quickCommitsPerSecond : commitsPerSecond;
    const contenders = [
      { name: 'producers alone', commits: { requestsPerSecond: 0, each: 1 } },
      { name: `beside ${rate} commits of nothing/s`, commits: { requestsPerSecond: rate, each: 0 } },
      { name: `beside ${rate} commits/s`, commits: { requestsPerSecond: rate, each: 1 } },
      {
        name: `beside ${rate} offsets/s, ${partitionsOfConsumer} a commit`,
        commits: { requestsPerSecond: rate / partitionsOfConsumer, each: partitionsOfConsumer },
      },
    ].map(({ name, commits }) => ({ name, round: async () => only(await round(context, commits), figureNames) }));
    const what = 'batches of 64 KiB, 1 partition; latencies of the commits';
    return (await alternate(contenders, roundsOf(context))).map((result) => rowOf('commits', { what }, result));
  },
};
