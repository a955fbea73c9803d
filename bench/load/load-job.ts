/**
 * What the load client is asked to do, and what it answers: plain data, because it travels between threads.
 *
 *   produce    prepared batches, closed loop or at a fixed rate
 *   catch-up   everything that a topic holds, from its start
 *   tail       produce at a fixed rate while a consumer waits at the end: from intended send to arrival
 *   wide       fetches that each name every partition
 *   commits    offsets of a group, at a fixed rate, beside another load
 */

import type { Latencies } from './latency-recorder.ts';
import type { Doors } from './server-under-test.ts';

export type Transport = 'tcp' | 'websocket';
export type BatchCompression = 'none' | 'lz4' | 'zstd';

/** Where a job's connections go. */
export interface JobTarget {
  readonly doors: Doors;
  /** Which of the doors the load goes through; whatever else is asked goes over TCP. */
  readonly transport: Transport;
  /** It exists. */
  readonly topic: string;
  /** All from 0 are used. */
  readonly partitionCount: number;
}

export interface BatchShape {
  /** Of a value; a record needs some 7 bytes more. */
  readonly recordBytes: number;
  /** Records are put in while they fit; at least one is. Before compression. */
  readonly batchBytes: number;
  readonly compression: BatchCompression;
}

export interface ProduceJob extends JobTarget {
  readonly kind: 'produce';
  readonly acks: -1 | 0 | 1;
  readonly batch: BatchShape;
  readonly connections: number;
  /** Requests that wait for their answers, on each connection, at most. */
  readonly inFlight: number;
  /** One batch for each; partitions take turns. */
  readonly partitionsPerRequest: number;
  /** Each connection is a producer with sequence numbers. */
  readonly idempotent: boolean;
  /** Requests a second over all connections, or null: the next as soon as there is room (a closed loop). */
  readonly requestsPerSecond: number | null;
  /** Ends after so many requests, or so long, whichever comes first. */
  readonly requests: number;
  readonly durationMs: number;
  /** Of a closed loop: goes on beyond `durationMs` until there are so many requests, or so long is over. */
  readonly least?: { readonly requests: number; readonly withinMs: number };
}

export interface CatchUpJob extends JobTarget {
  readonly kind: 'catch-up';
  /** Of the values that the topic holds. */
  readonly recordBytes: number;
  /** Partitions are shared out among them. */
  readonly connections: number;
  /** Begins again at the start, until so long is over; absent: reads everything once. */
  readonly durationMs?: number;
  /** The most that one fetch returns, all partitions together. */
  readonly fetchBytes: number;
  readonly partitionFetchBytes: number;
}

/** One connection, one partition. */
export interface TailJob extends JobTarget {
  readonly kind: 'tail';
  readonly acks: -1 | 0 | 1;
  readonly batch: BatchShape;
  readonly requestsPerSecond: number;
  readonly requests: number;
}

export interface WideFetchJob extends JobTarget {
  readonly kind: 'wide';
  readonly recordBytes: number;
  readonly connections: number;
  /** On each connection, one after the other. */
  readonly fetches: number;
  readonly fetchBytes: number;
}

/** Goes on until it is ended. Connections and partitions take turns; a request commits some partitions of one after the other. */
export interface CommitJob extends JobTarget {
  readonly kind: 'commits';
  readonly connections: number;
  readonly groupId: string;
  /** Of which `partitionCount` is a multiple. */
  readonly partitionsPerRequest: number;
  readonly requestsPerSecond: number;
}

export type LoadJob = ProduceJob | CatchUpJob | TailJob | WideFetchJob | CommitJob;

export interface LoadResult {
  /** Answered without an error; with acks=0: sent, and taken by the broker before it answered what was sent behind. */
  readonly requests: number;
  readonly records: number;
  /** Of whole batches as they travelled. */
  readonly bytes: number;
  /** From the first byte sent to the last answer. */
  readonly elapsedMs: number;
  /** At a fixed rate from the intended send times; in a closed loop from when each was sent. Null for reading alone. */
  readonly latencies: Latencies | null;
  /** A tail's: from the intended send times to the arrival at the consumer. */
  readonly deliveryLatencies: Latencies | null;
  /** Of a fixed rate with an end, see `schedule-looks.ts`; a tail's of what arrived. */
  readonly rateReached?: number;
}

/** A produce job that gives each partition of a topic one record of 1 KiB, as soon as it can. */
export function oneRecordEach(doors: Doors, topic: string, partitionCount: number): ProduceJob {
  const partitionsPerRequest = Math.min(partitionCount, 100);
  return {
    kind: 'produce',
    doors,
    transport: 'tcp',
    topic,
    partitionCount,
    partitionsPerRequest,
    acks: 1,
    batch: { recordBytes: 1024, batchBytes: 0, compression: 'none' },
    connections: 1,
    inFlight: 5,
    idempotent: false,
    requestsPerSecond: null,
    requests: Math.ceil(partitionCount / partitionsPerRequest),
    durationMs: Infinity,
  };
}
