/**
 * One load on one server, measured: what came through, what it cost both sides, and whether the log holds what was
 * acknowledged. Main thread.
 */

import type { Figures } from './figures.ts';
import type { KafkaAdmin } from './kafka-admin.ts';
import type { Latencies } from './latency-recorder.ts';
import { runLoad } from './load-client.ts';
import type { CommitJob, JobTarget, LoadJob, LoadResult, ProduceJob, TailJob } from './load-job.ts';
import { directDescriptorsOf, sumOf, threadTimesOf } from './process-usage.ts';
import type { ServerUnderTest } from './server-under-test.ts';

const bytesPerGb = 1e9;
const microsecondsPerSecond = 1e6;
const bytesPerMiB = 2 ** 20;
const bytesPerMb = 1e6;
const pollMs = 20;
/** Of a rate, which a side has to reach for its latencies and its costs to mean anything (`schedule-looks.ts`). */
const reachedShare = 0.98;
/** Ten values lie above a percentile of so many. */
export const latenciesForP90 = 100;
export const latenciesForP99 = 1000;
/** For so long no record came: none will. */
const standstillMs = 15_000;

/** Of commits nothing but their latencies is looked at. */
type MeasuredJob = Exclude<LoadJob, CommitJob>;

export interface MeasureOptions {
  /** Whether each thread of the server, which is a Millrace, is looked at by itself. */
  readonly isByThread?: boolean;
  /** Called when the load begins. */
  readonly onBegin?: () => void;
}

export interface MeasuredLoad {
  readonly result: LoadResult;
  /** CPU time of the broker while it ran. */
  readonly brokerSeconds: number;
  readonly figures: Figures;
}

/**
 * Runs `job` and measures from when its load begins. One that misses its rate has `rateReached` in place of latencies and of
 * what a request cost: of a queue that only grows neither means anything. Bytes a second are of batches as they travelled; CPU seconds are per
 * GB of values, as those of other people's clients are, whatever they were compressed to.
 */
export async function measureLoad(
  server: ServerUnderTest,
  job: MeasuredJob,
  { isByThread = false, onBegin = () => {} }: MeasureOptions = {},
): Promise<MeasuredLoad> {
  let brokerBefore = 0;
  let threadsBefore = new Map<number, number>();
  let clientBefore = process.cpuUsage();
  const result = await runLoad(job, () => {
    brokerBefore = sumOf(server.cpuTime);
    if (isByThread) threadsBefore = threadTimesOf(server.pid);
    clientBefore = process.cpuUsage();
    server.loadBegins();
    onBegin();
  });
  const brokerSeconds = sumOf(server.cpuTime) - brokerBefore;
  const { user, system } = process.cpuUsage(clientBefore);
  await server.loadEnds();
  const perSecond = (count: number): number => (count * 1000) / result.elapsedMs;
  const valueBytes = result.records * recordBytesOf(job);
  const perGb = (seconds: number): number => (seconds * bytesPerGb) / valueBytes;
  const { rssBytes, peakRssBytes } = server.memory;
  const latencies = result.deliveryLatencies ?? (isPaced(job) || isOneByOne(job) ? result.latencies : null);
  const { rateReached = 1 } = result;
  const keptUp = {
    brokerCpuMicrosecondsPerRequest: (brokerSeconds * microsecondsPerSecond) / result.requests,
    ...(latencies === null ? {} : latencyFigures(latencies)),
  };
  return {
    result,
    brokerSeconds,
    figures: {
      recordsPerSecond: perSecond(result.records),
      requestsPerSecond: perSecond(result.requests),
      bytesPerSecond: perSecond(result.bytes),
      brokerCpuSecondsPerGb: perGb(brokerSeconds),
      // The pacing of a fixed rate takes most of it, which says nothing.
      ...(isPaced(job)
        ? {}
        : {
            clientCpuSecondsPerGb: perGb((user + system) / microsecondsPerSecond),
            clientCpuMicrosecondsPerRequest: (user + system) / result.requests,
          }),
      rssMiB: rssBytes / bytesPerMiB,
      peakRssMb: peakRssBytes / bytesPerMb,
      ...(rateReached < reachedShare ? { rateReached } : keptUp),
      ...(isByThread ? threadFigures(server.pid, threadsBefore, result.requests) : {}),
    },
  };
}

/**
 * What a request took of the threads of a Millrace: its I/O thread is the process's first, its flush worker the busiest of
 * the others, which are helpers of V8 and libuv.
 */
function threadFigures(pid: number, before: ReadonlyMap<number, number>, requests: number): Figures {
  const after = threadTimesOf(pid);
  const perRequest = (seconds: number): number => (seconds * microsecondsPerSecond) / requests;
  const took = [...after].map(([thread, seconds]) => ({ thread, seconds: seconds - (before.get(thread) ?? 0) }));
  const others = took
    .filter(({ thread }) => thread !== pid)
    .map(({ seconds }) => seconds)
    .toSorted((a, b) => b - a);
  return {
    ioMicroseconds: perRequest(took.find(({ thread }) => thread === pid)!.seconds),
    workerMicroseconds: perRequest(others[0] ?? 0),
    otherMicroseconds: perRequest(others.slice(1).reduce((sum, seconds) => sum + seconds, 0)),
    directFiles: directDescriptorsOf(pid),
  };
}

/** Percentiles above which fewer than ten values lie are left out: they would be the longest by another name. */
export function latencyFigures({ count, p50, p90, p99, p999, p9999, max }: Latencies): Figures {
  return {
    p50Ms: p50,
    ...(count >= latenciesForP90 ? { p90Ms: p90 } : {}),
    ...(count >= latenciesForP99 ? { p99Ms: p99 } : {}),
    ...(count >= 10_000 ? { p999Ms: p999 } : {}),
    ...(count >= 100_000 ? { p9999Ms: p9999 } : {}),
    maxMs: max,
  };
}

/**
 * Waits until consumers see `expected` records in the topic, which follows an acknowledgement of acks=0 some time later
 * only, and throws where there are more, or where for long none come any more: a disk that has too much to write may take none
 * for seconds.
 */
export async function checkRecords(
  admin: KafkaAdmin,
  { topic, partitionCount }: Pick<JobTarget, 'topic' | 'partitionCount'>,
  expected: number,
): Promise<void> {
  let before = -1;
  let movedMs = performance.now();
  for (;;) {
    const ends = await admin.endOffsets(topic, partitionCount);
    const found = ends.reduce((sum, end) => sum + end, 0);
    if (found === expected) return;
    if (found !== before) movedMs = performance.now();
    if (found > expected || performance.now() - movedMs > standstillMs) {
      throw new Error(`${expected} records were acknowledged, and the log of ${topic} has ${found}.`);
    }
    before = found;
    await new Promise((resolve) => {
      setTimeout(resolve, pollMs);
    });
  }
}

function recordBytesOf(job: MeasuredJob): number {
  return 'batch' in job ? job.batch.recordBytes : job.recordBytes;
}

/** With more in flight on a connection a latency is that of a queue of the client's making. */
function isOneByOne(job: LoadJob): boolean {
  return job.kind === 'produce' && job.inFlight === 1;
}

function isPaced(job: LoadJob): job is TailJob | ProduceJob {
  return job.kind === 'tail' || (job.kind === 'produce' && job.requestsPerSecond !== null);
}
