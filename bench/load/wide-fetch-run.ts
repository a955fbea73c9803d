/** Connections that each fetch from every partition of a topic, all at once, from the start. Load thread. */

import { readFetchAnswer } from './fetch-answer.ts';
import { fetchFrame } from './fetch-frames.ts';
import { LoadConnection } from './load-connection.ts';
import type { LoadResult, WideFetchJob } from './load-job.ts';

/** An answer names every partition, whether it has records or not. */
const partitionAnswerBytes = 64;

export async function runWideFetches(job: WideFetchJob, onBegin: () => void): Promise<LoadResult> {
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => {});
  const answerBytes = job.fetchBytes + job.partitionCount * partitionAnswerBytes;
  const connections: LoadConnection[] = [];
  for (let i = 0; i < job.connections; i++) connections.push(await LoadConnection.open(job, answerBytes, fail));
  const places = Array.from({ length: job.partitionCount }, (_, partition) => ({ partition, offset: 0 }));
  const bounds = { maxWaitMs: 500, fetchBytes: job.fetchBytes, partitionFetchBytes: job.fetchBytes };
  const frame = fetchFrame(job, bounds, places);
  let records = 0;
  let bytes = 0;
  onBegin();
  const startedMs = performance.now();
  const runs = connections.map(
    (connection) =>
      new Promise<void>((resolve) => {
        let left = job.fetches;
        const ask = (): void => {
          if (left-- === 0) return resolve();
          connection.write(frame);
        };
        connection.listen((answer, start) => {
          const before = records;
          readFetchAnswer(answer, start, (_, __, recordCount, sizeBytes) => {
            records += recordCount;
            bytes += sizeBytes;
          });
          if (records === before) throw new Error('A fetch of partitions that all hold records brought none.');
        }, ask);
        ask();
      }),
  );
  await Promise.race([Promise.all(runs), failed]);
  const elapsedMs = performance.now() - startedMs;
  for (const connection of connections) connection.close();
  const requests = job.connections * job.fetches;
  return { requests, records, bytes, elapsedMs, latencies: null, deliveryLatencies: null };
}
