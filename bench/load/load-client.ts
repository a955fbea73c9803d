/**
 * The project's own client for load, in a thread of its own: prepared requests, so that it costs little beside the broker.
 * Main thread. What it is asked is in `load-job.ts`.
 */

import { Worker } from 'node:worker_threads';
import type { CommitJob, LoadJob, LoadResult } from './load-job.ts';
import type { LoadMessage, LoadOrder } from './load-worker.ts';

/** A load that goes on beside another one, which is the one that is measured. */
export interface RunningLoad {
  /** What comes from now on is measured. Not twice. */
  count(): void;
  /** Sends nothing more; resolves with what was measured once all of it is answered. Rejects where a request failed. */
  end(): Promise<LoadResult>;
}

/** Begins `job`, which goes on until it is ended; resolves once its connections are open and its requests leave. */
export async function beginLoad(job: CommitJob): Promise<RunningLoad> {
  let worker: Worker;
  let result: Promise<LoadResult>;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has no origin
  const tell = (order: LoadOrder): void => worker.postMessage(order);
  await new Promise<void>((resolve, reject) => {
    ({ worker, result } = start(job, resolve));
    result.catch(reject);
  });
  return {
    count: () => tell('count'),
    end: () => {
      tell('end');
      return result;
    },
  };
}

/** Runs `job`; `onBegin` is called when everything is prepared and the load begins. Rejects where a request fails. */
export async function runLoad(job: Exclude<LoadJob, CommitJob>, onBegin: () => void = () => {}): Promise<LoadResult> {
  return start(job, onBegin).result;
}

function start(job: LoadJob, onBegin: () => void): { readonly worker: Worker; readonly result: Promise<LoadResult> } {
  const worker = new Worker(new URL('./load-worker.js', import.meta.url), { workerData: job });
  const result = new Promise<LoadResult>((resolve, reject) => {
    worker.on('message', (message: LoadMessage) => {
      if ('result' in message) resolve(message.result);
      else onBegin();
    });
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error('The load thread ended without a result.')));
  });
  return { worker, result };
}
