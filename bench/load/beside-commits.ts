/**
 * Producers beside commits of offsets, once both have been at it for a while: a broker, and a client, that meet a request
 * for the first times take several times as long for it. Main thread.
 */

import { setTimeout } from 'node:timers/promises';
import type { Figures } from './figures.ts';
import { beginLoad } from './load-client.ts';
import type { CommitJob, ProduceJob } from './load-job.ts';
import { latencyFigures, type MeasuredLoad, measureLoad } from './measured-load.ts';
import type { ServerUnderTest } from './server-under-test.ts';

/** Commits of offsets in a topic that exists. */
export type Commits = Omit<CommitJob, 'kind' | 'doors' | 'transport'>;

export interface MeasuredBesideCommits extends MeasuredLoad {
  /** How much of their rate the commits reached, and their latencies. */
  readonly commits: Figures;
}

/** Measures `job` beside `commits`, which begin `warmUpMs` before it. */
export async function measureBesideCommits(
  server: ServerUnderTest,
  job: ProduceJob,
  commits: Commits,
  warmUpMs: number,
): Promise<MeasuredBesideCommits> {
  const { doors, transport } = job;
  const running = await beginLoad({ kind: 'commits', doors, transport, ...commits });
  await setTimeout(warmUpMs);
  const measured = await measureLoad(server, job, { onBegin: () => running.count() });
  const { requests, elapsedMs, latencies } = await running.end();
  const rateReached = (requests * 1000) / elapsedMs / commits.requestsPerSecond;
  return { ...measured, commits: { rateReached, ...(latencies === null ? {} : latencyFigures(latencies)) } };
}
