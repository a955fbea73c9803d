/**
 * One partition as a consumer reads it: what was fetched and not handed out, and where it stands. Any thread; owned by a
 * `Consumer`.
 *
 *   handed out │ fetched, waiting here │ not fetched
 *              ^ position              ^ fetchOffset
 *
 * Both only grow while it is read; a seek, and losing the partition to another member, change the version, by which
 * answers to earlier requests are known for what they are.
 */

import { RecordReader } from '../records/record-reader.ts';
import type { Fetched, ReadyBatch } from './fetched-batches.ts';

export class ConsumedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Whether this consumer reads it now. */
  isOwned = false;
  isPaused = false;
  /** The next offset to hand out; -1 while that is not known. */
  position = -1;
  /** The next offset to fetch; -1 while that is not known. */
  fetchOffset = -1;
  /** What the group has committed as far as is known; -1 for nothing. */
  committed = -1;
  /** What was to be committed since then, without an answer that it is or is not. */
  readonly uncertain = new Set<number>();
  /** The leader epoch of the last record handed out, and that of the last one fetched; -1 where there is none. */
  leaderEpoch = -1;
  lastFetchedEpoch = -1;
  version = 0;
  /** After an error nothing is fetched before this, monotonic milliseconds. */
  retryAtMs = 0;
  failures = 0;
  /** The end of what could be read at the last fetch, or -1. */
  highWatermark = -1;
  #batches: ReadyBatch[] = [];
  #bufferedBytes = 0;
  #reader: RecordReader | null = null;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  /** What waits here, in bytes. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  get hasRecords(): boolean {
    return this.#batches.length > 0;
  }

  /** Goes on at `offset`, without what was fetched; -1: nowhere yet. */
  moveTo(offset: number): void {
    this.version++;
    this.position = offset;
    this.fetchOffset = offset;
    this.lastFetchedEpoch = -1;
    this.#clear();
  }

  /** Forgets what was fetched and not handed out. */
  release(): void {
    this.isOwned = false;
    this.moveTo(this.position);
  }

  add({ batches, nextOffset, leaderEpoch }: Fetched): void {
    for (const batch of batches) {
      this.#batches.push(batch);
      this.#bufferedBytes += batch.sizeBytes;
    }
    this.fetchOffset = nextOffset;
    this.lastFetchedEpoch = leaderEpoch;
    if (this.#batches.length === 0) this.position = nextOffset;
  }

  /** The next record, over which the reader stands until the next call; null where none waits. Throws for damaged records. */
  next(): RecordReader | null {
    for (;;) {
      const batch = this.#batches[0];
      if (batch === undefined) {
        // What lies between was not for this reader.
        this.position = Math.max(this.position, this.fetchOffset);
        return null;
      }
      this.#reader ??= new RecordReader(batch.bytes, batch.at, batch.end, batch.body);
      while (this.#reader.next()) {
        const { offset } = this.#reader;
        if (offset < this.position) continue;
        this.position = offset + 1;
        this.leaderEpoch = batch.leaderEpoch;
        return this.#reader;
      }
      this.position = Math.max(this.position, batch.endOffset);
      this.#reader = null;
      this.#batches.shift();
      this.#bufferedBytes -= batch.sizeBytes;
    }
  }

  #clear(): void {
    this.#batches = [];
    this.#bufferedBytes = 0;
    this.#reader = null;
  }
}
