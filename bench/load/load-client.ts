/**
 * The project's own client for load, in a thread of its own: prepared requests, so that it costs little beside the broker.
 * Main thread. What it is asked is in `load-job.ts`.
 */

import { Worker } from 'node:worker_threads';
import type { LoadJob, LoadResult } from './load-job.ts';
import type { LoadMessage } from './load-worker.ts';

/** Runs `job`; `onBegin` is called when everything is prepared and the load begins. Rejects where a request fails. */
export async function runLoad(job: LoadJob, onBegin: () => void = () => {}): Promise<LoadResult> {
  const worker = new Worker(new URL('./load-worker.js', import.meta.url), { workerData: job });
  return new Promise((resolve, reject) => {
    worker.on('message', (message: LoadMessage) => {
      if ('result' in message) resolve(message.result);
      else onBegin();
    });
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error('The load thread ended without a result.')));
  });
}
