/**
 * Commits of offsets at a fixed rate, some partitions each, or none, as consumers outside of a membership send them, until
 * they are ended. Load thread.
 *
 *   frame:  size │ header │ group, members │ topic │ partition, offset, metadata │ …
 *                                                               ^ patched: one more with each commit
 *
 *   begin ── nothing counts: both sides get warm ── count ── latencies of what falls due ── end ── until all are answered
 *
 * What is due is sent every few milliseconds with one system call a connection, so that the client costs little beside
 * the load that it is measured with.
 */

import { setTimeout } from 'node:timers/promises';
import { zeroUuid } from '../../src/base/uuid.ts';
import { defaultOffsetCommitRequest, offsetCommitApi } from '../../src/protocol/generated/index.ts';
import { encodeRequestHeader } from '../../src/protocol/headers.ts';
import { Writer } from '../../src/protocol/writer.ts';
import { LatencyRecorder } from './latency-recorder.ts';
import { LoadConnection } from './load-connection.ts';
import type { CommitJob, LoadResult } from './load-job.ts';

/** The newest without compact fields that has no epoch behind the offset. */
const version = 5;
const napMs = 4;
/** Partition, offset, and the length of the metadata, which is empty. */
const partitionBytes = 4 + 8 + 2;
const offsetAt = 4;
/** Partition and error code. */
const answerBytes = 4 + 2;
const errorAt = 4;
/** More is not sent until answers come, so that a broker that stalls has no queue without end. */
const mostInFlight = 4096;
const openedAtOnce = 40;

/** What was ordered so far. */
export interface CommitOrders {
  /** By `performance.now()`: what falls due from then on counts; null for as long as nothing does. */
  countsFromMs: number | null;
  isEnded: boolean;
}

interface Progress {
  readonly latencies: LatencyRecorder;
  readonly orders: Readonly<CommitOrders>;
  readonly intervalMs: number;
  readonly startedMs: number;
  answered: number;
}

export async function runCommits(
  job: CommitJob,
  onBegin: () => void,
  orders: Readonly<CommitOrders>,
): Promise<LoadResult> {
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => {});
  const connections: LoadConnection[] = [];
  // A broker's queue of those that wait to be accepted has an end; that of Kafka has 50 places.
  while (connections.length < job.connections) {
    const length = Math.min(openedAtOnce, job.connections - connections.length);
    const opening = Array.from({ length }, () => LoadConnection.open(job, 1024, fail));
    connections.push(...(await Promise.all(opening)));
  }
  const intervalMs = 1000 / job.requestsPerSecond;
  const latencies = new LatencyRecorder();
  onBegin();
  const progress: Progress = { latencies, orders, intervalMs, startedMs: performance.now(), answered: 0 };
  for (const [index, connection] of connections.entries()) listen(connection, index, job, progress);
  await Promise.race([send(connections, job, progress), failed]);
  const elapsedMs = performance.now() - (orders.countsFromMs ?? progress.startedMs);
  for (const connection of connections) connection.close();
  const none = { records: 0, bytes: 0, deliveryLatencies: null };
  return { ...none, requests: latencies.count, elapsedMs, latencies: latencies.summary() };
}

/** Connections take turns, so that the number of an answer on its connection says which commit it is of. */
function listen(
  connection: LoadConnection,
  index: number,
  { connections, partitionsPerRequest }: CommitJob,
  progress: Progress,
): void {
  const { latencies, orders, intervalMs, startedMs } = progress;
  let commit = index;
  connection.listen(
    (bytes, _, end) => {
      // The partitions end the answer.
      for (let i = 1; i <= partitionsPerRequest; i++) {
        const errorCode = bytes.readInt16BE(end - i * answerBytes + errorAt);
        if (errorCode !== 0) throw new Error(`A commit was answered with error ${errorCode}.`);
      }
      const dueMs = startedMs + commit * intervalMs;
      if (orders.countsFromMs !== null && dueMs >= orders.countsFromMs) latencies.add(performance.now() - dueMs);
      progress.answered++;
      commit += connections;
    },
    () => {},
  );
}

/** Resolves once it is ended and all that was sent is answered. */
async function send(connections: readonly LoadConnection[], job: CommitJob, progress: Progress): Promise<void> {
  const { partitionsPerRequest } = job;
  const { orders, intervalMs, startedMs } = progress;
  const frameCount = job.partitionCount / Math.max(partitionsPerRequest, 1);
  const frames = Array.from({ length: frameCount }, (_, i) => frameOf(job, i * partitionsPerRequest));
  const parts: Buffer[][] = connections.map(() => []);
  let sent = 0;
  while (!orders.isEnded || progress.answered < sent) {
    const due = orders.isEnded ? 0 : Math.floor((performance.now() - startedMs) / intervalMs);
    for (const end = Math.min(due, progress.answered + mostInFlight); sent < end; sent++) {
      const frame = Buffer.from(frames[sent % frames.length]!);
      for (let i = 1; i <= partitionsPerRequest; i++) {
        frame.writeBigInt64BE(BigInt(sent), frame.length - i * partitionBytes + offsetAt);
      }
      parts[sent % connections.length]!.push(frame);
    }
    for (const [index, connection] of connections.entries()) {
      const own = parts[index]!.splice(0);
      if (own.length > 0) connection.write(Buffer.concat(own));
    }
    await setTimeout(napMs);
  }
}

function frameOf({ topic, groupId, partitionsPerRequest }: CommitJob, firstPartition: number): Buffer {
  const writer = new Writer(true);
  const start = { apiKey: offsetCommitApi.apiKey, apiVersion: version, correlationId: 0, clientId: 'load' };
  encodeRequestHeader(writer, start, false);
  const partitions = Array.from({ length: partitionsPerRequest }, (_, i) => ({
    partitionIndex: firstPartition + i,
    committedOffset: 0,
    committedLeaderEpoch: -1,
    committedMetadata: '',
  }));
  const topics = partitions.length === 0 ? [] : [{ name: topic, topicId: zeroUuid, partitions }];
  offsetCommitApi.encodeRequest(writer, { ...defaultOffsetCommitRequest(), groupId, topics }, version);
  return Buffer.concat(writer.finish());
}
