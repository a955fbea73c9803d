/** The load thread: runs the one job that it was started with, tells when the load begins, and what came out. */

import { parentPort, workerData } from 'node:worker_threads';
import { runCatchUp } from './catch-up-run.ts';
import { type CommitOrders, runCommits } from './commit-run.ts';
import type { LoadJob, LoadResult } from './load-job.ts';
import { runProduce } from './produce-run.ts';
import { runTail } from './tail-run.ts';
import { runWideFetches } from './wide-fetch-run.ts';

export type LoadMessage = { readonly began: true } | { readonly result: LoadResult };
/** To a load that goes on until it is ended: what comes from now on is measured, and nothing more comes. */
export type LoadOrder = 'count' | 'end';

post({ result: await run(workerData as LoadJob, () => post({ began: true })) });

function post(message: LoadMessage): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
  parentPort?.postMessage(message);
}

function run(job: LoadJob, onBegin: () => void): Promise<LoadResult> {
  switch (job.kind) {
    case 'produce':
      return runProduce(job, onBegin);
    case 'catch-up':
      return runCatchUp(job, onBegin);
    case 'tail':
      return runTail(job, onBegin);
    case 'wide':
      return runWideFetches(job, onBegin);
    case 'commits':
      return runCommits(job, onBegin, commitOrders());
  }
}

/** Filled as orders come. */
function commitOrders(): CommitOrders {
  const orders: CommitOrders = { countsFromMs: null, isEnded: false };
  const take = (order: LoadOrder): void => {
    if (order === 'count') orders.countsFromMs = performance.now();
    else orders.isEnded = true;
  };
  parentPort?.on('message', take);
  // Orders that might come do not keep it here once it is done.
  parentPort?.unref();
  return orders;
}
