/**
 * Runs a produce job. Load thread.
 *
 *   closed loop   as many requests as have room leave, whenever answers came
 *   fixed rate    request i is due at start + i / rate, on connection i mod n; it leaves once it is due and has room,
 *                 and its latency counts from when it was due
 *
 * The event loop's own timers are good to a millisecond only, and what they would be late by would count as the broker's.
 * A thread that spun instead would take one of two cores from the broker, whose threads then wait for each other: its
 * p99 doubles. So the thread naps between looks at what is due and what came, which costs up to 0.1 ms of accuracy.
 */

import { KafkaAdmin } from './kafka-admin.ts';
import { LatencyRecorder } from './latency-recorder.ts';
import { LoadConnection } from './load-connection.ts';
import type { LoadResult, ProduceJob } from './load-job.ts';
import { prepareBatch, type PreparedBatch } from './prepared-batch.ts';
import { ProduceAnswers, ProduceFrames } from './produce-frames.ts';
import { ScheduleLooks } from './schedule-looks.ts';
import { webSocketHeader } from './web-socket-frames.ts';

/** Version 0 of ApiVersions, without a body; every broker answers it, behind what was sent before. */
const barrierFrame = Buffer.from('0000000a0012000000000001ffff', 'hex');
/** What is asked for; the kernel adds some 0.05 ms. */
const napMs = 0.02;
/** With nothing to come it sleeps until so long before the next is due, by how much too long sleeps have been of late. */
const leastEarlyMs = 0.06;
const mostEarlyMs = 1;
/** How fast one long sleep is forgotten. */
const forgetting = 0.98;
const longestSleepMs = 50;
/** Most of a run's latencies have room from the start. */
const expectedLatencies = 1 << 20;

/** What the connections of a run share. */
export interface Schedule {
  /** The next request that nobody sends yet. */
  next: number;
  readonly count: number;
  readonly startedMs: number;
  readonly endMs: number;
  /** Those that are sent behind `endMs` too, and until when. */
  readonly least?: { readonly count: number; readonly endMs: number };
  /** Null in a closed loop. */
  readonly intervalMs: number | null;
  /** Of a rate, whose answers are what it is to keep up with; null in a closed loop. */
  readonly looks: ScheduleLooks | null;
}

/** Whether a request of a closed loop may still leave at `nowMs`. */
export function isOpen({ next, count, endMs, least }: Schedule, nowMs: number): boolean {
  if (next >= count) return false;
  return nowMs < endMs || (least !== undefined && next < least.count && nowMs < least.endMs);
}

export class ProduceConnection {
  readonly #connection: LoadConnection;
  readonly #frames: ProduceFrames;
  readonly #answers: ProduceAnswers;
  readonly #job: ProduceJob;
  readonly #latencies: LatencyRecorder;
  readonly #schedule: Schedule;
  /** Its own next request of a schedule with a rate; others belong to others. */
  #nextDue: number;
  /** When the request in each slot was due, or sent. */
  readonly #dueMs: Float64Array;
  #head = 0;
  #inFlight = 0;
  acknowledged = 0;
  lastAnswerMs = 0;
  #onProgress: () => void = () => {};

  constructor(
    connection: LoadConnection,
    frames: ProduceFrames,
    job: ProduceJob,
    schedule: Schedule,
    latencies: LatencyRecorder,
    index: number,
  ) {
    this.#connection = connection;
    this.#frames = frames;
    this.#answers = new ProduceAnswers(job);
    this.#job = job;
    this.#schedule = schedule;
    this.#latencies = latencies;
    this.#nextDue = index;
    this.#dueMs = new Float64Array(frames.slots);
    connection.listen(
      (bytes, start) => {
        this.#answers.check(bytes, start);
        this.#finished(1, performance.now());
      },
      () => this.#continue(),
    );
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Resolves once nothing is to be sent and everything is answered. */
  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#onProgress = () => {
        if (this.#inFlight === 0 && !this.#hasMore(performance.now())) resolve();
      };
      this.#continue();
    });
  }

  /** Waits until the broker has read everything before. */
  barrier(): Promise<void> {
    return new Promise((resolve) => {
      this.#connection.listen(
        () => resolve(),
        () => {},
      );
      this.#connection.write(
        this.#job.transport === 'tcp'
          ? barrierFrame
          : Buffer.concat([webSocketHeader(barrierFrame.length), barrierFrame]),
      );
    });
  }

  close(): void {
    this.#connection.close();
  }

  /** Sends what is due and has room. Returns when the next is due: Infinity where that depends on answers, null where all left. */
  pump(nowMs: number): number | null {
    const { intervalMs, startedMs, count } = this.#schedule;
    const { slots } = this.#frames;
    if (intervalMs === null) {
      this.#send(this.#claim(slots - this.#inFlight, nowMs), () => nowMs);
      return Infinity;
    }
    const step = this.#job.connections;
    let sendable = 0;
    while (
      sendable < slots - this.#inFlight &&
      this.#nextDue + sendable * step < count &&
      startedMs + (this.#nextDue + sendable * step) * intervalMs <= nowMs
    ) {
      sendable++;
    }
    if (sendable > 0) {
      const first = this.#nextDue;
      this.#nextDue += sendable * step;
      this.#send(sendable, (i) => startedMs + (first + i * step) * intervalMs);
    }
    if (this.#nextDue >= count) return null;
    if (this.#inFlight === slots) return Infinity;
    return startedMs + this.#nextDue * intervalMs;
  }

  #continue(): void {
    this.pump(performance.now());
    this.#onProgress();
  }

  #hasMore(nowMs: number): boolean {
    const { intervalMs, count } = this.#schedule;
    return intervalMs === null ? isOpen(this.#schedule, nowMs) : this.#nextDue < count;
  }

  /** How many of `wanted` requests of a closed loop are this connection's. */
  #claim(wanted: number, nowMs: number): number {
    const schedule = this.#schedule;
    const claimed = isOpen(schedule, nowMs) ? Math.min(wanted, schedule.count - schedule.next) : 0;
    schedule.next += claimed;
    return claimed;
  }

  #send(count: number, dueMs: (i: number) => number): void {
    const { slots } = this.#frames;
    for (let sent = 0; sent < count;) {
      const part = Math.min(count - sent, slots - this.#head);
      for (let i = 0; i < part; i++) this.#dueMs[this.#head + i] = dueMs(sent + i);
      const bytes = this.#frames.take(this.#head, part);
      this.#head = (this.#head + part) % slots;
      this.#inFlight += part;
      sent += part;
      if (this.#job.acks !== 0) this.#connection.write(bytes);
      else this.#connection.write(bytes, () => this.#unansweredLeft(part));
    }
  }

  /** Requests with acks=0 are done with once they are the kernel's. */
  #unansweredLeft(count: number): void {
    this.#finished(count, performance.now());
    // Not within the write that called back at once.
    setImmediate(() => this.#continue());
  }

  #finished(count: number, nowMs: number): void {
    const { slots } = this.#frames;
    for (let i = 0; i < count; i++) {
      this.#schedule.looks?.answered(nowMs);
      this.#latencies.add(nowMs - this.#dueMs[(this.#head - this.#inFlight + i + slots) % slots]!);
    }
    this.#inFlight -= count;
    this.acknowledged += count;
    this.lastAnswerMs = nowMs;
  }
}

/** Opens the connections of `job` and prepares what they send; `begin` then sets the schedule. */
export async function runProduce(job: ProduceJob, onBegin: () => void): Promise<LoadResult> {
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => {});
  const opened = await openAll(job, fail);
  const latencies = new LatencyRecorder(Math.min(job.requests, expectedLatencies));
  onBegin();
  const startedMs = performance.now();
  const intervalMs = job.requestsPerSecond === null ? null : 1000 / job.requestsPerSecond;
  const count = intervalMs === null ? job.requests : Math.min(job.requests, Math.floor(job.durationMs / intervalMs));
  const looks = intervalMs === null ? null : new ScheduleLooks(startedMs, count, intervalMs);
  const least =
    job.least === undefined ? {} : { least: { count: job.least.requests, endMs: startedMs + job.least.withinMs } };
  const schedule: Schedule = {
    next: 0,
    count,
    startedMs,
    endMs: startedMs + job.durationMs,
    ...least,
    intervalMs,
    looks,
  };
  const connections = opened.map(
    ({ connection, frames }, i) => new ProduceConnection(connection, frames, job, schedule, latencies, i),
  );
  const runs = Promise.all(connections.map((connection) => connection.run()));
  if (intervalMs !== null) pace(connections, () => connections.every(({ inFlight }) => inFlight === 0));
  await Promise.race([runs, failed]);
  let lastMs = Math.max(...connections.map(({ lastAnswerMs }) => lastAnswerMs));
  if (job.acks === 0) {
    await Promise.race([Promise.all(connections.map((connection) => connection.barrier())), failed]);
    lastMs = performance.now();
  }
  for (const connection of connections) connection.close();
  const { batch } = opened[0]!;
  const requests = connections.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  const batches = requests * job.partitionsPerRequest;
  return {
    requests,
    records: batches * batch.recordCount,
    bytes: batches * batch.bytes.length,
    elapsedMs: lastMs - startedMs,
    latencies: latencies.summary(),
    deliveryLatencies: null,
    ...(looks === null ? {} : { rateReached: looks.rateReached() }),
  };
}

interface Opened {
  readonly connection: LoadConnection;
  readonly frames: ProduceFrames;
  readonly batch: PreparedBatch;
}

/** Opens connections a few at a time: a broker's queue of those that wait to be accepted has an end. */
async function openAll(job: ProduceJob, fail: (error: Error) => void): Promise<Opened[]> {
  const atOnce = 100;
  const opened: Opened[] = [];
  const shared = job.idempotent ? null : await prepareBatch(job.batch);
  while (opened.length < job.connections) {
    const from = opened.length;
    const part = Array.from({ length: Math.min(atOnce, job.connections - from) }, async (_, i) => {
      const batch = shared ?? (await prepareBatch(job.batch, await producerOf(job)));
      const firstPartition = Math.floor(((from + i) * job.partitionCount) / job.connections);
      const frames = new ProduceFrames(job, batch, job.inFlight, job.idempotent, firstPartition);
      return { connection: await LoadConnection.open(job, 1024, fail), frames, batch };
    });
    opened.push(...(await Promise.all(part)));
  }
  return opened;
}

/** A new producer's id and epoch. */
async function producerOf({
  doors,
}: ProduceJob): Promise<{ producerId: number; producerEpoch: number; baseSequence: 0 }> {
  const admin = await KafkaAdmin.connect(doors);
  const { producerId, producerEpoch } = await admin.newProducer();
  admin.close();
  return { producerId, producerEpoch, baseSequence: 0 };
}

/** With one under way a nap, which is longer than it is asked to be, would be much of what is measured. */
function napMsOf(connections: readonly ProduceConnection[]): number {
  let inFlight = 0;
  for (const connection of connections) inFlight += connection.inFlight;
  return inFlight <= 1 ? 0 : napMs;
}

/**
 * Sends what falls due, until all has been sent. `isQuiet`: nothing can come that is to be seen at once; then it sleeps until
 * so long before the next is due as sleeps have lately been too long, because to send late would be the client's latency.
 */
export function pace(connections: readonly ProduceConnection[], isQuiet: () => boolean): void {
  const cell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  let earlyMs = leastEarlyMs;
  // It runs all the time, and makes no garbage to be collected meanwhile.
  const step = (): void => {
    const nowMs = performance.now();
    let isDone = true;
    let nextMs = Infinity;
    for (const connection of connections) {
      const dueMs = connection.pump(nowMs);
      if (dueMs === null) continue;
      isDone = false;
      nextMs = Math.min(nextMs, dueMs);
    }
    if (isDone) return;
    const startedMs = performance.now();
    const untilDueMs = nextMs - startedMs;
    const quiet = isQuiet();
    const sleepMs = quiet ? Math.min(untilDueMs - earlyMs, longestSleepMs) : Math.min(untilDueMs, napMsOf(connections));
    if (sleepMs > 0) {
      // Nobody wakes it: it is a sleep finer than a timer's.
      Atomics.wait(cell, 0, 0, sleepMs);
      const tooLongMs = performance.now() - startedMs - sleepMs;
      if (quiet) earlyMs = Math.min(Math.max(tooLongMs, earlyMs * forgetting, leastEarlyMs), mostEarlyMs);
    }
    setImmediate(step);
  };
  step();
}
