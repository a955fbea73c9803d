/** A produce load as scenarios name it, and one round of it on a fresh server. Main thread. */

import type { Figures, FigureName, ResultRow, Sweep } from './figures.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import { runLoad } from './load-client.ts';
import type { BatchCompression, ProduceJob, Transport } from './load-job.ts';
import { checkRecords, measureLoad } from './measured-load.ts';
import { alternate, type Contender, type RoundsOptions, type RoundsResult } from './rounds.ts';
import { ratioOf, type RowFloor, withFloors } from './row-floors.ts';
import { rateMsOf, type ScenarioContext, type Sizes } from './scenario.ts';
import { type ServerKind, ServerUnderTest } from './server-under-test.ts';

export interface ProduceCase {
  readonly what: string;
  readonly recordBytes: number;
  /** 0: one record. */
  readonly batchBytes: number;
  readonly acks: -1 | 0 | 1;
  readonly idempotent?: boolean;
  readonly compression?: BatchCompression;
  readonly transport?: Transport;
  readonly partitionCount?: number;
  readonly partitionsPerRequest?: number;
  readonly connections?: number;
  readonly inFlight?: number;
  /** Null or absent: a closed loop. */
  readonly recordsPerSecond?: number | null;
  readonly sweep?: Sweep;
  /** As of `measureLoad`. */
  readonly isByThread?: boolean;
}

/** As librdkafka and Java's producer have it where they are idempotent. */
const defaultInFlight = 5;
const topic = 'load';
const warmUpTopic = 'warm-up';
const warmPartitions = 12;

type Job = Omit<ProduceJob, 'doors'>;

export function jobOf(one: ProduceCase, sizes: Sizes): Job {
  const rate = one.recordsPerSecond ?? null;
  return {
    kind: 'produce',
    topic,
    transport: one.transport ?? 'tcp',
    acks: one.acks,
    batch: { recordBytes: one.recordBytes, batchBytes: one.batchBytes, compression: one.compression ?? 'none' },
    partitionCount: one.partitionCount ?? 1,
    partitionsPerRequest: one.partitionsPerRequest ?? 1,
    connections: one.connections ?? 1,
    inFlight: one.inFlight ?? defaultInFlight,
    idempotent: one.idempotent ?? false,
    requestsPerSecond: rate,
    // A crowd sends at least one each.
    requests: rate === null ? Math.max(sizes.requests, one.connections ?? 1) : 1e9,
    durationMs: rate === null ? sizes.loadMs : rateMsOf(sizes, rate),
  };
}

/** A fresh server, a load that is not measured, then the one that is; throws where the log holds something else. */
export async function produceRound(
  kind: ServerKind,
  one: ProduceCase,
  { sizes, dataParent }: Pick<ScenarioContext, 'sizes' | 'dataParent'>,
): Promise<Figures> {
  await using server = await ServerUnderTest.start(kind, dataParent);
  const admin = await KafkaAdmin.connect(server.doors);
  const job = { ...jobOf(one, sizes), doors: server.doors };
  if (sizes.warmUpMs > 0) {
    const partitionCount = Math.min(job.partitionCount, warmPartitions);
    await admin.createTopic(warmUpTopic, partitionCount);
    const partitionsPerRequest = Math.min(job.partitionsPerRequest, partitionCount);
    const warmUp = { ...job, topic: warmUpTopic, partitionCount, partitionsPerRequest, durationMs: sizes.warmUpMs };
    await runLoad(warmUp);
  }
  await admin.createTopic(topic, job.partitionCount);
  // The first write to a partition makes its files, which is another matter.
  const before = job.partitionCount > warmPartitions ? await writeToEach(job) : 0;
  const { result, figures } = await measureLoad(server, job, { isByThread: one.isByThread ?? false });
  await checkRecords(admin, job, before + result.records);
  admin.close();
  return figures;
}

/** Gives each partition of the topic a batch; returns how many records that were. */
async function writeToEach(job: ProduceJob): Promise<number> {
  const requests = Math.ceil(job.partitionCount / job.partitionsPerRequest);
  return (await runLoad({ ...job, connections: 1, requestsPerSecond: null, requests, durationMs: Infinity })).records;
}

/** Runs the cases one after the other, and keeps the figures that `names` names. */
export async function produceRows(
  scenario: string,
  cases: readonly ProduceCase[],
  names: readonly FigureName[],
  context: ScenarioContext,
): Promise<ResultRow[]> {
  const rows: ResultRow[] = [];
  for (const one of cases.filter(({ what }) => context.includes(what))) {
    context.note(`${scenario}: ${one.what}`);
    const kind = context.millrace();
    const contender = { name: kind.name, round: async () => only(await produceRound(kind, one, context), names) };
    const [result] = await alternate([contender], roundsOf(context));
    rows.push(rowOf(scenario, one, result!));
  }
  return rows;
}

export function roundsOf({ sizes, note }: ScenarioContext): RoundsOptions {
  return { rounds: sizes.rounds, isStrict: !sizes.isQuick, onNote: note };
}

/** As many as a floor needs. */
export function judgedRoundsOf(context: ScenarioContext): RoundsOptions {
  return { ...roundsOf(context), rounds: context.sizes.judgedRounds };
}

/**
 * Rounds in turn, as rows: each but the first has the ratio of the first one's bytes a second to its own, and the floors
 * that are there for it by its name.
 */
export async function comparedRows(
  scenario: string,
  one: Pick<ProduceCase, 'what'>,
  contenders: readonly (Contender & Pick<ProduceCase, 'sweep'>)[],
  floors: Readonly<Record<string, RowFloor>>,
  context: ScenarioContext,
): Promise<ResultRow[]> {
  context.note(`${scenario}: ${one.what}`);
  const results = await alternate(contenders, judgedRoundsOf(context));
  const [first] = results;
  return results.map((result, i) => {
    const ratio = i === 0 ? {} : { ratio: ratioOf(first!, result, 'bytesPerSecond') };
    const { sweep } = contenders[i]!;
    const named = sweep === undefined ? one : { ...one, sweep };
    const row = rowOf(scenario, named, { ...result, figures: { ...result.figures, ...ratio } });
    const floor = floors[result.name];
    return floor === undefined ? row : withFloors(row, [floor], context.machine.commit);
  });
}

export function rowOf(
  scenario: string,
  { what, sweep }: Pick<ProduceCase, 'what' | 'sweep'>,
  { name, ...result }: RoundsResult,
): ResultRow {
  return { scenario, what, who: name, ...result, ...(sweep === undefined ? {} : { sweep }) };
}

/** Those of `figures` that `names` names. */
export function only(figures: Figures, names: readonly FigureName[]): Figures {
  return Object.fromEntries(names.map((name) => [name, figures[name]]).filter(([, value]) => value !== undefined));
}

export const throughputFigures: readonly FigureName[] = [
  'recordsPerSecond',
  'bytesPerSecond',
  'brokerCpuSecondsPerGb',
  'clientCpuSecondsPerGb',
  'rssMiB',
];
export const threadFigureNames: readonly FigureName[] = [
  'bytesPerSecond',
  'brokerCpuMicrosecondsPerRequest',
  'ioMicroseconds',
  'workerMicroseconds',
  'otherMicroseconds',
  'directFiles',
];
export const requestFigures: readonly FigureName[] = [
  'requestsPerSecond',
  'brokerCpuMicrosecondsPerRequest',
  'clientCpuMicrosecondsPerRequest',
  'bytesPerSecond',
  'rssMiB',
];
export const percentileNames: readonly FigureName[] = ['p50Ms', 'p90Ms', 'p99Ms', 'p999Ms', 'p9999Ms', 'maxMs'];
export const latencyFigureNames: readonly FigureName[] = [
  'recordsPerSecond',
  'rateReached',
  'brokerCpuMicrosecondsPerRequest',
  ...percentileNames,
];
