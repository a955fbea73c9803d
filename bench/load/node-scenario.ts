/**
 * What spreading partitions over several I/O threads could give, told by processor time: two Millraces of half the
 * partitions each against one that has them all, at the same rate, which either keeps up with. Main thread.
 *
 *   ratio = 2 × processor time a request of one ÷ that of two: how many times as much two of them do with all of two cores
 *
 * It is the most that such threads could give: two processes share nothing, where threads would share groups, transactions
 * and what is known of topics. More than the disk takes neither writes.
 */

import type { FigureName, Figures, ResultRow } from './figures.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import { runLoad } from './load-client.ts';
import { checkRecords, type MeasuredLoad, measureLoad } from './measured-load.ts';
import { jobOf, judgedRoundsOf, only, type ProduceCase, rowOf } from './produce-case.ts';
import { alternate } from './rounds.ts';
import { ratioOf, type RowFloor, withFloors } from './row-floors.ts';
import { acksName, type Scenario, type ScenarioContext } from './scenario.ts';
import { ServerUnderTest } from './server-under-test.ts';

const partitionCount = 12;
const microsecondsPerSecond = 1e6;
/** What two I/O threads are to do at least of what one does. */
const floor: RowFloor = {
  figure: 'ratio',
  atLeast: 1.6,
  remark: 'the most that io.threads could give, which is not built',
};
const figureNames: readonly FigureName[] = ['requestsPerSecond', 'brokerCpuMicrosecondsPerRequest', 'rssMiB'];

const cases: readonly ProduceCase[] = (
  [
    { batchBytes: 16 * 1024, acks: 1, recordsPerSecond: 4000, connections: 2 },
    { batchBytes: 16 * 1024, acks: -1, recordsPerSecond: 1000, connections: 2 },
    { batchBytes: 0, acks: 1, recordsPerSecond: 8000, connections: 100 },
  ] as const
).map((one) => ({
  ...one,
  what: `${one.batchBytes === 0 ? 'single records of 1 KiB' : 'batches of 16 KiB'}, ${acksName(one.acks)}, ${one.recordsPerSecond} requests/s over ${one.connections} connections`,
  recordBytes: 1024,
  partitionCount,
  inFlight: 64,
}));

/** One share of the load, on a server of its own. */
async function share(server: ServerUnderTest, one: ProduceCase, { sizes }: ScenarioContext): Promise<MeasuredLoad> {
  const admin = await KafkaAdmin.connect(server.doors);
  const job = { ...jobOf(one, sizes), doors: server.doors };
  await admin.createTopic(job.topic, job.partitionCount);
  const before = sizes.warmUpMs > 0 ? (await runLoad({ ...job, durationMs: sizes.warmUpMs })).records : 0;
  const measured = await measureLoad(server, job);
  await checkRecords(admin, job, before + measured.result.records);
  admin.close();
  return measured;
}

async function round(one: ProduceCase, processes: 1 | 2, context: ScenarioContext): Promise<Figures> {
  const start = (): Promise<ServerUnderTest> => ServerUnderTest.start(context.millrace(), context.dataParent);
  await using first = await start();
  await using second = processes === 1 ? null : await start();
  const started = second === null ? [first] : [first, second];
  const part = {
    ...one,
    partitionCount: partitionCount / processes,
    connections: one.connections! / processes,
    recordsPerSecond: one.recordsPerSecond! / processes,
  };
  const shares = await Promise.all(started.map((server) => share(server, part, context)));
  const sum = (figure: (measured: MeasuredLoad) => number): number =>
    shares.reduce((all, each) => all + figure(each), 0);
  const requests = sum(({ result }) => result.requests);
  return {
    requestsPerSecond: sum(({ figures }) => figures.requestsPerSecond!),
    brokerCpuMicrosecondsPerRequest: (sum(({ brokerSeconds }) => brokerSeconds) * microsecondsPerSecond) / requests,
    rssMiB: sum(({ figures }) => figures.rssMiB!),
  };
}

const nodes: Scenario = {
  name: 'nodes',
  title: 'two processes with half the partitions each, and one; ratio: 2 × processor time a request of one over two',
  async run(context) {
    const rows: ResultRow[] = [];
    for (const one of cases.filter(({ what }) => context.includes(what))) {
      context.note(`nodes: ${one.what}`);
      const contenders = ([1, 2] as const).map((processes) => ({
        name: processes === 1 ? 'one Millrace' : 'two, half each',
        round: async () => only(await round(one, processes, context), figureNames),
      }));
      const [single, both] = await alternate(contenders, judgedRoundsOf(context));
      const ratio = ratioOf(single!, both!, 'brokerCpuMicrosecondsPerRequest');
      const doubled = { median: 2 * ratio.median, low: 2 * ratio.low, high: 2 * ratio.high };
      rows.push(rowOf('nodes', one, single!));
      const shared = rowOf('nodes', one, { ...both!, figures: { ...both!.figures, ratio: doubled } });
      rows.push(withFloors(shared, [floor], context.machine.commit));
    }
    return rows;
  },
};

export const nodeScenarios: readonly Scenario[] = [nodes];
