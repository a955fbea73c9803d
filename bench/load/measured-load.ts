/**
 * One load on one server, measured: what came through, what it cost both sides, and whether the log holds what was
 * acknowledged. Main thread.
 */

import type { Figures } from './figures.ts';
import type { KafkaAdmin } from './kafka-admin.ts';
import type { Latencies } from './latency-recorder.ts';
import { runLoad } from './load-client.ts';
import type { LoadJob, LoadResult, ProduceJob, TailJob } from './load-job.ts';
import { sumOf } from './process-usage.ts';
import type { ServerUnderTest } from './server-under-test.ts';

const bytesPerGb = 1e9;
const microsecondsPerSecond = 1e6;
const bytesPerMiB = 2 ** 20;
const pollMs = 20;

export interface MeasuredLoad {
  readonly result: LoadResult;
  readonly figures: Figures;
}

/** Runs `job` and measures from when its load begins. CPU seconds are per GB of batches as they travelled. */
export async function measureLoad(server: ServerUnderTest, job: LoadJob): Promise<MeasuredLoad> {
  let brokerBefore = 0;
  let clientBefore = process.cpuUsage();
  const result = await runLoad(job, () => {
    brokerBefore = sumOf(server.cpuTime);
    clientBefore = process.cpuUsage();
  });
  const brokerSeconds = sumOf(server.cpuTime) - brokerBefore;
  const { user, system } = process.cpuUsage(clientBefore);
  const perSecond = (count: number): number => (count * 1000) / result.elapsedMs;
  const perGb = (seconds: number): number => (seconds * bytesPerGb) / result.bytes;
  const { rssBytes, peakRssBytes } = server.memory;
  const latencies = result.deliveryLatencies ?? (isPaced(job) || isOneByOne(job) ? result.latencies : null);
  return {
    result,
    figures: {
      recordsPerSecond: perSecond(result.records),
      requestsPerSecond: perSecond(result.requests),
      bytesPerSecond: perSecond(result.bytes),
      brokerCpuSecondsPerGb: perGb(brokerSeconds),
      // The pacing of a fixed rate takes most of it, which says nothing.
      ...(isPaced(job) ? {} : { clientCpuSecondsPerGb: perGb((user + system) / microsecondsPerSecond) }),
      brokerCpuMicrosecondsPerRequest: (brokerSeconds * microsecondsPerSecond) / result.requests,
      rssMiB: rssBytes / bytesPerMiB,
      peakRssMiB: peakRssBytes / bytesPerMiB,
      ...(latencies === null ? {} : latencyFigures(latencies)),
    },
  };
}

export function latencyFigures({ p50, p90, p99, p999, p9999, max }: Latencies): Figures {
  return { p50Ms: p50, p90Ms: p90, p99Ms: p99, p999Ms: p999, p9999Ms: p9999, maxMs: max };
}

/**
 * Waits until consumers see `expected` records in the topic, which follows an acknowledgement of acks=0 some time later
 * only, and throws where there are more, or where none come any more.
 */
export async function checkRecords(
  admin: KafkaAdmin,
  { topic, partitionCount }: ProduceJob | TailJob,
  expected: number,
): Promise<void> {
  for (let before = -1; ;) {
    const ends = await admin.endOffsets(topic, partitionCount);
    const found = ends.reduce((sum, end) => sum + end, 0);
    if (found === expected) return;
    if (found > expected || found === before) {
      throw new Error(`${expected} records were acknowledged, and the log of ${topic} has ${found}.`);
    }
    before = found;
    await new Promise((resolve) => {
      setTimeout(resolve, pollMs);
    });
  }
}

/** With more in flight a latency is that of a queue of the client's making. */
function isOneByOne(job: LoadJob): boolean {
  return job.kind === 'produce' && job.connections === 1 && job.inFlight === 1;
}

function isPaced(job: LoadJob): boolean {
  return job.kind === 'tail' || (job.kind === 'produce' && job.requestsPerSecond !== null);
}
