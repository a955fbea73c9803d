/**
 * Reads everything that a topic holds, each connection its share of the partitions, one fetch at a time. Load thread.
 * It counts records and bytes and decodes none; that nothing is missing shows in the offsets.
 */

import { readFetchAnswer } from './fetch-answer.ts';
import { fetchFrame } from './fetch-frames.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import { LoadConnection } from './load-connection.ts';
import type { CatchUpJob, LoadResult } from './load-job.ts';

/** A fetch without a session names each partition, so it names few at a time. */
const partitionsAtOnce = 50;
const maxWaitMs = 500;

interface Place {
  readonly partition: number;
  offset: number;
  readonly endOffset: number;
}

class CatchUpReader {
  readonly #connection: LoadConnection;
  readonly #job: CatchUpJob;
  readonly #all: readonly Place[];
  readonly #places: Map<number, Place>;
  records = 0;
  bytes = 0;
  requests = 0;

  constructor(connection: LoadConnection, job: CatchUpJob, places: readonly Place[]) {
    this.#connection = connection;
    this.#job = job;
    this.#all = places;
    this.#places = new Map();
    this.#begin();
  }

  /** Reads everything once, and again while the time of `endMs` is not there yet. */
  run(endMs: number): Promise<void> {
    const isRepeating = this.#job.durationMs !== undefined;
    return new Promise((resolve) => {
      const next = (): void => {
        const isOver = isRepeating ? performance.now() >= endMs : this.#places.size === 0;
        if (isOver) return resolve();
        if (this.#places.size === 0) this.#begin();
        this.#ask();
      };
      this.#connection.listen((bytes, start) => {
        this.requests++;
        readFetchAnswer(bytes, start, (partition, lastOffset, recordCount, sizeBytes) =>
          this.#take(partition, lastOffset, recordCount, sizeBytes),
        );
      }, next);
      next();
    });
  }

  close(): void {
    this.#connection.close();
  }

  #begin(): void {
    for (const place of this.#all) this.#places.set(place.partition, { ...place });
  }

  #take(partition: number, lastOffset: number, recordCount: number, sizeBytes: number): void {
    const place = this.#places.get(partition);
    // A place that was finished by an earlier batch of the same answer.
    if (place === undefined) return;
    if (lastOffset + 1 - recordCount !== place.offset) {
      throw new Error(`Partition ${partition} gave offset ${lastOffset + 1 - recordCount} after ${place.offset - 1}.`);
    }
    place.offset = lastOffset + 1;
    this.records += recordCount;
    this.bytes += sizeBytes;
    if (place.offset >= place.endOffset) this.#places.delete(partition);
  }

  #ask(): void {
    const places: Place[] = [];
    for (const place of this.#places.values()) {
      places.push(place);
      if (places.length === partitionsAtOnce) break;
    }
    const { fetchBytes, partitionFetchBytes } = this.#job;
    this.#connection.write(fetchFrame(this.#job, { maxWaitMs, fetchBytes, partitionFetchBytes }, places));
  }
}

export async function runCatchUp(job: CatchUpJob, onBegin: () => void): Promise<LoadResult> {
  const places = await placesOf(job);
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => {});
  const readers = await Promise.all(
    Array.from({ length: job.connections }, async (_, i) => {
      const own = places.filter(({ partition }) => partition % job.connections === i);
      return new CatchUpReader(await LoadConnection.open(job, job.fetchBytes, fail), job, own);
    }),
  );
  onBegin();
  const startedMs = performance.now();
  await Promise.race([Promise.all(readers.map((reader) => reader.run(startedMs + (job.durationMs ?? 0)))), failed]);
  const elapsedMs = performance.now() - startedMs;
  for (const reader of readers) reader.close();
  const sum = (of: (reader: CatchUpReader) => number): number => readers.reduce((total, one) => total + of(one), 0);
  return {
    requests: sum((reader) => reader.requests),
    records: sum((reader) => reader.records),
    bytes: sum((reader) => reader.bytes),
    elapsedMs,
    latencies: null,
    deliveryLatencies: null,
  };
}

async function placesOf({ doors, topic, partitionCount }: CatchUpJob): Promise<Place[]> {
  const admin = await KafkaAdmin.connect(doors);
  const ends = await admin.endOffsets(topic, partitionCount);
  admin.close();
  return ends
    .map((endOffset, partition) => ({ partition, offset: 0, endOffset }))
    .filter(({ endOffset }) => endOffset > 0);
}
