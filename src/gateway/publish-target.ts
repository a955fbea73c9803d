/**
 * Where records of one topic go: the topic as it is, its partitions' lanes, and which of them a record without a
 * partition takes. I/O thread. It is asked for by name and outlives the topic: one that was deleted and made again, or
 * got more partitions, is found again.
 */

import type { TopicImage } from '../broker/metadata-image.ts';
import { partitionOfKey } from '../records/murmur2.ts';
import type { Durability } from '../storage/partition-log.ts';
import type { PublishLane } from './publish-lane.ts';

const durabilities: readonly Durability[] = ['none', 'written', 'synced'];

export class PublishTarget {
  readonly name: string;
  /** Null where there is none yet. */
  topic: TopicImage | null = null;
  /** The turn in which `topic` was looked up. */
  turn = -1;
  /**
   * The one that records go to: another of the same name where this one was asked for while there was no such topic. So
   * a named producer's records are put in order in one place, whoever brings them.
   */
  kept: PublishTarget = this;
  /** The topic is being created, and records wait for it. */
  isMissing = false;
  #nextPartition = 0;
  #lanes: (PublishLane | undefined)[][] = [[], [], []];
  readonly #namedLanes = new Map<string, PublishLane>();

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

  lane(partition: number, durability: Durability): PublishLane | undefined {
    return this.#lanes[durabilities.indexOf(durability)]![partition];
  }

  namedLane(partition: number, name: string): PublishLane | undefined {
    return this.#namedLanes.get(`${partition} ${name}`);
  }

  /** Takes a named producer's lane away once nothing is in it: there is no end to names. */
  dropIfEmpty(lane: PublishLane): void {
    const place = `${lane.log.partition} ${lane.name}`;
    if (lane.open === null && lane.waiting === 0 && this.#namedLanes.get(place) === lane) {
      this.#namedLanes.delete(place);
    }
  }

  addLane(lane: PublishLane): void {
    if (lane.name !== null) {
      this.#namedLanes.set(`${lane.log.partition} ${lane.name}`, lane);
      return;
    }
    this.#lanes[durabilities.indexOf(lane.durability)]![lane.log.partition] = lane;
  }
}
