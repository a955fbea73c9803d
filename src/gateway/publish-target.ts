/**
 * Where records of one topic go: the topic as it is, its partitions' lanes, and which of them a record without a
 * partition takes. I/O thread. It is asked for by name and outlives the topic: one that was deleted and made again, or
 * got more partitions, is found again.
 */

import type { TopicImage } from '../broker/metadata-image.ts';
import { partitionOfKey } from '../records/murmur2.ts';
import type { Durability, NamedAppend, PartitionLog } from '../storage/partition-log.ts';
import type { BatchEncoder } from './batch-encoder.ts';
import type { NamedProducer } from './named-producers.ts';
import type { PublishOutcome } from './publish-outcome.ts';
import type { PublishStream } from './publish-stream.ts';
import type { RecordHeader } from '../records/record-reader.ts';

/** The open batch of one partition and durability. */
export interface OpenBatch {
  readonly encoder: BatchEncoder;
  readonly outcome: PublishOutcome;
  /** Those with records in it; one may come more than once. */
  readonly streams: PublishStream[];
  /** Whose it is, where it is a named producer's; its last number grows with it. */
  readonly named: { -readonly [Field in keyof NamedAppend]: NamedAppend[Field] } | null;
}

/** One partition's way to the log with one durability; or that of one named producer, one batch after the other. */
export interface Lane {
  readonly target: PublishTarget;
  readonly log: PartitionLog;
  /** Changes only in a named producer's lane, between batches. */
  durability: Durability;
  /** The named producer, whose lane goes when nothing is in it; null where it is everybody's. */
  readonly name: string | null;
  /** The largest number that was handed in, of a named producer. */
  lastNumber: number;
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
  readonly producer: NamedProducer | null;
  readonly number: number;
  readonly previousNumber: number | null;
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
  readonly #namedLanes = new Map<string, Lane>();

  constructor(name: string) {
    this.name = name;
  }

  /** Takes the topic as it is in this turn. */
  refresh(topic: TopicImage | null, turn: number): void {
    if (topic?.id !== this.topic?.id) {
      this.#lanes = [[], [], []];
      this.#namedLanes.clear();
    }
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

  namedLane(partition: number, name: string): Lane | undefined {
    return this.#namedLanes.get(`${partition} ${name}`);
  }

  /** Takes a named producer's lane away once nothing is in it: there is no end to names. */
  dropIfEmpty(lane: Lane): void {
    const place = `${lane.log.partition} ${lane.name}`;
    if (lane.open === null && lane.waiting === 0 && this.#namedLanes.get(place) === lane) {
      this.#namedLanes.delete(place);
    }
  }

  addLane(lane: Lane): void {
    if (lane.name !== null) {
      this.#namedLanes.set(`${lane.log.partition} ${lane.name}`, lane);
      return;
    }
    this.#lanes[durabilities.indexOf(lane.durability)]![lane.log.partition] = lane;
  }
}
