/**
 * What commits of offsets cost those who produce: the same producers alone, and beside 10,000 offsets a second that one
 * group commits, one a request and as a consumer of ten partitions does; and how fast the commits are answered then. Beside
 * as many commits of nothing, which are read and answered and no more, the producers show what of that is the sockets'.
 *
 *   producers   as many as come through: what they lose of their rate · at a fixed rate: what they wait longer
 *
 * Main thread.
 */

import { type Commits, measureBesideCommits } from './beside-commits.ts';
import type { Figures, FigureName, ResultRow } from './figures.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import { runLoad } from './load-client.ts';
import type { ProduceJob } from './load-job.ts';
import { checkRecords, measureLoad } from './measured-load.ts';
import { judgedRoundsOf, latencyFigureNames, only, rowOf, throughputFigures } from './produce-case.ts';
import { alternate } from './rounds.ts';
import { ratioOf, type RowFloor, withFloors } from './row-floors.ts';
import type { Scenario, ScenarioContext } from './scenario.ts';
import { ServerUnderTest } from './server-under-test.ts';

const topic = 'load';
const committedTopic = 'committed';
const committedPartitions = 100;
/** A broker answers the requests of one connection in their order; so many consumers commit beside each other. */
const connections = 200;
const commitsPerSecond = 10_000;
const quickCommitsPerSecond = 500;
const partitionsOfConsumer = 10;
/** Of producers that leave the machine room: batches of 64 records, 100 MB/s. */
const fixedRequestsPerSecond = 1563;
/** Several syncs in the background are to lie in each measurement. */
const lastsLoads = 4;

const figureNames: readonly FigureName[] = [
  ...new Set<FigureName>([...throughputFigures, 'rateKept', 'rateReached', ...latencyFigureNames]),
];
const floors: readonly RowFloor[] = [
  { figure: 'rateKept', atLeast: 0.9 },
  { figure: 'rateReached', atLeast: 0.98 },
];

interface Contender {
  readonly name: string;
  /** Null: nobody commits. */
  readonly commits: Commits | null;
}

async function round(
  context: ScenarioContext,
  { commits }: Contender,
  requestsPerSecond: number | null,
): Promise<Figures> {
  const { sizes, dataParent } = context;
  await using server = await ServerUnderTest.start(context.millrace(), dataParent);
  const admin = await KafkaAdmin.connect(server.doors);
  await admin.createTopic(topic, 1);
  await admin.createTopic(committedTopic, committedPartitions);
  const job: ProduceJob = {
    doors: server.doors,
    transport: 'tcp',
    kind: 'produce',
    topic,
    partitionCount: 1,
    partitionsPerRequest: 1,
    acks: 1,
    batch: { recordBytes: 1024, batchBytes: 64 * 1024, compression: 'none' },
    connections: 1,
    inFlight: 16,
    idempotent: false,
    requestsPerSecond,
    requests: sizes.requests,
    durationMs: sizes.isQuick ? sizes.loadMs : lastsLoads * sizes.loadMs,
  };
  let sent = 0;
  if (sizes.warmUpMs > 0) sent += (await runLoad({ ...job, durationMs: sizes.warmUpMs })).records;
  const measured =
    commits === null
      ? { ...(await measureLoad(server, job)), commits: {} }
      : await measureBesideCommits(server, job, commits, sizes.warmUpMs);
  await checkRecords(admin, job, sent + measured.result.records);
  admin.close();
  // Of producers at a fixed rate the latencies are what is looked at, of others those of the commits.
  return requestsPerSecond === null ? { ...measured.figures, ...measured.commits } : measured.figures;
}

export const commitScenario: Scenario = {
  name: 'commits',
  title: 'producers of 1 KiB, acks=1, alone and beside commits of offsets',
  async run(context): Promise<ResultRow[]> {
    const rate = context.sizes.isQuick ? quickCommitsPerSecond : commitsPerSecond;
    const contenders: readonly Contender[] = [
      { name: 'producers alone', commits: null },
      { name: `beside ${rate} commits of nothing/s`, commits: commitsOf(rate, 0) },
      { name: `beside ${rate} commits/s`, commits: commitsOf(rate, 1) },
      {
        name: `beside ${rate} offsets/s, ${partitionsOfConsumer} a commit`,
        commits: commitsOf(rate / partitionsOfConsumer, partitionsOfConsumer),
      },
    ];
    const batches = 'batches of 64 KiB, 1 partition';
    return [
      ...(await rows(context, `${batches}; latencies of the commits`, contenders, null)),
      ...(await rows(context, `100 MB/s, ${batches}; latencies of the producers`, contenders, fixedRequestsPerSecond)),
    ];
  },
};

function commitsOf(requestsPerSecond: number, partitionsPerRequest: number): Commits {
  const committed = { topic: committedTopic, partitionCount: committedPartitions, groupId: 'load' };
  return { ...committed, connections, requestsPerSecond, partitionsPerRequest };
}

/** `requestsPerSecond` of the producers; null for as many as come through. */
async function rows(
  context: ScenarioContext,
  what: string,
  contenders: readonly Contender[],
  requestsPerSecond: number | null,
): Promise<ResultRow[]> {
  if (!context.includes(what)) return [];
  context.note(`commits: ${what}`);
  const measured = contenders.map((contender) => ({
    name: contender.name,
    round: async () => only(await round(context, contender, requestsPerSecond), figureNames),
  }));
  const results = await alternate(measured, judgedRoundsOf(context));
  return results.map((result, i) => {
    if (i === 0 || requestsPerSecond !== null) return rowOf('commits', { what }, result);
    const rateKept = ratioOf(result, results[0]!, 'recordsPerSecond');
    const row = rowOf('commits', { what }, { ...result, figures: { ...result.figures, rateKept } });
    return contenders[i]!.commits!.partitionsPerRequest === 0 ? row : withFloors(row, floors, context.machine.commit);
  });
}
