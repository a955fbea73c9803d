/** How long a start takes until the broker serves, and until it has acknowledged a record: empty, full, and after a crash. */

import { type Figures, plain, type ResultRow } from './figures.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import { runLoad } from './load-client.ts';
import { oneRecordEach } from './load-job.ts';
import { jobOf, judgedRoundsOf, type ProduceCase, roundsOf, rowOf } from './produce-case.ts';
import { alternate } from './rounds.ts';
import { withFloors } from './row-floors.ts';
import type { Scenario, ScenarioContext } from './scenario.ts';
import { ServerUnderTest } from './server-under-test.ts';
import { ackTopic, bareNode, emptyBudgetMs, startAfterKill, startAgain, startEmpty } from './starts.ts';

const manyTopic = 'many';
const clean = { line: 'after a clean stop' } as const;
const killed = { line: 'after kill -9' } as const;

/** What writes while the broker is killed. */
const load: ProduceCase = { what: '', recordBytes: 1024, batchBytes: 64 * 1024, acks: 1, inFlight: 16 };

/** A server with a topic of its own for the first record, and another of `partitionCount` with a record each. */
async function filledServer({ millrace, dataParent }: ScenarioContext, partitionCount: number) {
  const server = await ServerUnderTest.start(millrace(), dataParent);
  const admin = await KafkaAdmin.connect(server.doors);
  await admin.createTopic(ackTopic, 1);
  if (partitionCount > 0) await admin.createTopic(manyTopic, partitionCount);
  admin.close();
  // Partitions that were never written are nothing to open.
  if (partitionCount > 0) await runLoad(oneRecordEach(server.doors, manyTopic, partitionCount));
  return server;
}

async function emptyDirectory({ millrace, dataParent }: ScenarioContext): Promise<Figures> {
  await using server = await ServerUnderTest.start(millrace(), dataParent);
  return await startEmpty(server);
}

async function afterCleanStop(context: ScenarioContext, partitionCount: number): Promise<Figures> {
  await using server = await filledServer(context, partitionCount);
  await server.stop();
  return await startAgain(server, false);
}

async function afterKill(context: ScenarioContext, partitionCount: number): Promise<Figures> {
  await using server = await filledServer(context, partitionCount);
  const job = { ...jobOf({ ...load, partitionCount }, context.sizes), topic: manyTopic, requests: 1e9 };
  return await startAfterKill(server, { ...job, doors: server.doors }, context.sizes.loadMs);
}

/** A bare Node is measured in turn with the start that is held against it. */
async function besideBareNode(context: ScenarioContext): Promise<ResultRow[]> {
  const what = 'empty directory';
  if (!context.includes(what)) return [];
  context.note(`start: ${what}`);
  const contenders = [
    { name: context.millrace().name, round: () => emptyDirectory(context) },
    { name: 'node -e 0', round: bareNode },
  ];
  const [ours, bare] = await alternate(contenders, judgedRoundsOf(context));
  const bareMs = bare!.figures.readyMs!.median;
  const remark = `the bare one's ${plain(bareMs)} and ${emptyBudgetMs} more`;
  const floor = { figure: 'readyMs', atMost: emptyBudgetMs + bareMs, remark } as const;
  return [
    withFloors(rowOf('start', { what }, ours!), [floor], context.machine.commit),
    rowOf('start', { what: 'a bare Node' }, bare!),
  ];
}

const start: Scenario = {
  name: 'start',
  title: 'from the spawn until the broker serves and has acknowledged a record',
  async run(context) {
    const many = context.sizes.startPartitions;
    const cases = [
      { ...clean, what: 'after a clean stop', at: '1', round: () => afterCleanStop(context, 0) },
      {
        ...clean,
        what: `after a clean stop, ${many} partitions`,
        at: `${many}`,
        round: () => afterCleanStop(context, many),
      },
      { ...killed, what: 'after kill -9 under acks=1 load', at: '1', round: () => afterKill(context, 1) },
      { ...killed, what: `the same, ${many} partitions`, at: `${many}`, round: () => afterKill(context, many) },
    ];
    const rows = await besideBareNode(context);
    for (const { what, at, line, round } of cases.filter((each) => context.includes(each.what))) {
      context.note(`start: ${what}`);
      const [result] = await alternate([{ name: context.millrace().name, round }], roundsOf(context));
      const sweep = { title: 'partitions at the start', at, line, figures: ['readyMs', 'firstAckMs'] } as const;
      rows.push(rowOf('start', { what, sweep }, result!));
    }
    return rows;
  },
};

export const startScenarios: readonly Scenario[] = [start];
