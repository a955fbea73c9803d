/**
 * Produces at a fixed rate to one partition while a consumer waits at its end: what one record takes from when it was to
 * be sent until it arrived. Load thread. Offsets say which request a batch came from, so that nothing is written into it.
 */

import { readFetchAnswer } from './fetch-answer.ts';
import { fetchFrame } from './fetch-frames.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import { LatencyRecorder } from './latency-recorder.ts';
import { LoadConnection } from './load-connection.ts';
import type { LoadResult, ProduceJob, TailJob } from './load-job.ts';
import { prepareBatch } from './prepared-batch.ts';
import { ProduceFrames } from './produce-frames.ts';
import { pace, ProduceConnection } from './produce-run.ts';
import { ScheduleLooks } from './schedule-looks.ts';

const bounds = { maxWaitMs: 500, fetchBytes: 4 * 1024 * 1024, partitionFetchBytes: 1024 * 1024 };
/** More than a broker that keeps up ever leaves unanswered. */
const inFlight = 1024;
/** The consumer waits at the end before the first record comes. */
const leadMs = 50;

export async function runTail(job: TailJob, onBegin: () => void): Promise<LoadResult> {
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => {});
  const admin = await KafkaAdmin.connect(job.doors);
  const [firstOffset] = await admin.endOffsets(job.topic, 1);
  admin.close();
  const batch = await prepareBatch(job.batch);
  const produceJob: ProduceJob = {
    ...job,
    kind: 'produce',
    partitionCount: 1,
    partitionsPerRequest: 1,
    connections: 1,
    inFlight,
    idempotent: false,
    durationMs: Infinity,
  };
  const frames = new ProduceFrames(produceJob, batch, inFlight, false, 0);
  const producing = await LoadConnection.open(job, 1024, fail);
  const consuming = await LoadConnection.open(job, bounds.fetchBytes, fail);
  onBegin();
  const startedMs = performance.now() + leadMs;
  const intervalMs = 1000 / job.requestsPerSecond;
  const deliveries = new LatencyRecorder(job.requests);
  const looks = new ScheduleLooks(startedMs, job.requests, intervalMs);
  const consumed = consume(consuming, job, firstOffset!, batch.recordCount, (request) => {
    const nowMs = performance.now();
    deliveries.add(nowMs - startedMs - request * intervalMs);
    looks.answered(nowMs);
  });
  const latencies = new LatencyRecorder(job.requests);
  const schedule = { next: 0, count: job.requests, startedMs, endMs: Infinity, intervalMs, looks: null };
  const producer = new ProduceConnection(producing, frames, produceJob, schedule, latencies, 0);
  const produced = producer.run();
  // A record is on its way until the consumer has it as well.
  pace([producer], () => producer.inFlight === 0 && deliveries.count === producer.acknowledged);
  await Promise.race([Promise.all([produced, consumed]), failed]);
  const elapsedMs = performance.now() - startedMs;
  producing.close();
  consuming.close();
  return {
    requests: job.requests,
    records: job.requests * batch.recordCount,
    bytes: job.requests * batch.bytes.length,
    elapsedMs,
    latencies: latencies.summary(),
    deliveryLatencies: deliveries.summary(),
    rateReached: looks.rateReached(),
  };
}

/** Resolves once the batch of the last request has arrived. */
function consume(
  connection: LoadConnection,
  job: TailJob,
  firstOffset: number,
  recordsPerRequest: number,
  onArrival: (request: number) => void,
): Promise<void> {
  return new Promise((resolve) => {
    let offset = firstOffset;
    const endOffset = firstOffset + job.requests * recordsPerRequest;
    const ask = (): void => {
      if (offset >= endOffset) resolve();
      else connection.write(fetchFrame(job, bounds, [{ partition: 0, offset }]));
    };
    connection.listen((bytes, start) => {
      readFetchAnswer(bytes, start, (_, lastOffset, recordCount) => {
        const batchOffset = lastOffset + 1 - recordCount;
        if (batchOffset !== offset) throw new Error(`The tail gave offset ${batchOffset} after ${offset - 1}.`);
        onArrival((batchOffset - firstOffset) / recordsPerRequest);
        offset = lastOffset + 1;
      });
    }, ask);
    ask();
  });
}
