/**
 * Where records of one topic go: the topic as it is, its partitions' lanes, and which of them a record without a
 * partition takes. I/O thread. It is asked for by name and outlives the topic: one that was deleted and made again, or
 * got more partitions, is found again.
 */

import type { TopicImage } from '../broker/metadata-image.ts';
import { partitionOfKey } from '../records/murmur2.ts';
import type { Durability, PartitionLog } from '../storage/partition-log.ts';
import type { BatchEncoder } from './batch-encoder.ts';
import type { PublishOutcome } from './publish-outcome.ts';
import type { PublishStream } from './publish-stream.ts';
import type { RecordHeader } from '../records/record-reader.ts';

/** The open batch of one partition and durability. */
export interface OpenBatch {
  readonly encoder: BatchEncoder;
  readonly outcome: PublishOutcome;
  /** Those with records in it; one may come more than once. */
  readonly streams: PublishStream[];
}

/** One partition's way to the log with one durability. */
export interface Lane {
  readonly log: PartitionLog;
  readonly durability: Durability;
  open: OpenBatch | null;
  /** Batches that wait for room in the ring. */
  waiting: number;
  /** What the last batch took, for the first buffer of the next. */
  lastSizeBytes: number;
  /** The turn in which the following was taken from the topic's settings. */
  turn: number;
  maxRecordBytes: number;
  maxBatchBytes: number;
  needsKey: boolean;
}

/** A record that waits for its topic to be created. */
export interface HeldRecord {
  readonly stream: PublishStream;
  readonly run: number;
  readonly partition: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestampMs: number;
  readonly headers: readonly RecordHeader[] | null;
}

const durabilities: readonly Durability[] = ['none', 'written', 'synced'];

export class PublishTarget {
  readonly name: string;
  /** Null where there is none yet. */
  topic: TopicImage | null = null;
  /** The turn in which `topic` was looked up. */
  turn = -1;
  /** Records that wait for the topic's creation, which is under way; null where none is. */
  held: HeldRecord[] | null = null;
  #nextPartition = 0;
  #lanes: (Lane | undefined)[][] = [[], [], []];

  constructor(name: string) {
    this.name = name;
  }

  /** Takes the topic as it is in this turn. */
  refresh(topic: TopicImage | null, turn: number): void {
    if (topic?.id !== this.topic?.id) this.#lanes = [[], [], []];
    this.topic = topic;
    this.turn = turn;
    this.#nextPartition++;
  }

  /** The partition of a record that names none. */
  choose(key: Uint8Array | null, { partitionCount }: TopicImage): number {
    return key === null ? this.#nextPartition % partitionCount : partitionOfKey(key, partitionCount);
  }

  /** Has records without a key go to the next partition. */
  moveOn(): void {
    this.#nextPartition++;
  }

  lane(partition: number, durability: Durability): Lane | undefined {
    return this.#lanes[durabilities.indexOf(durability)]![partition];
  }

  addLane(lane: Lane): void {
    this.#lanes[durabilities.indexOf(lane.durability)]![lane.log.partition] = lane;
  }
}
