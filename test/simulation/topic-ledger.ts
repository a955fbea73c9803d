/**
 * What clients were promised of topics, and what may have happened to them without an answer. Pure.
 * A created topic exists until it is deleted; one whose deletion was answered never comes back; log starts move only
 * where somebody asked for it or retention may.
 */

import type { Uuid } from '../../src/base/uuid.ts';

export interface Topic {
  readonly name: string;
  readonly id: Uuid;
  readonly partitionCount: number;
  /** Whether retention may move its log starts. */
  mayExpire: boolean;
  /** Whether acks=all there promises no more than acks=1. */
  readonly syncsLater: boolean;
  /** Whether another topic had or will have its name, so that only its id names it. */
  readonly needsIds: boolean;
  state: 'there' | 'perhaps deleted' | 'deleted';
}

/** One partition of a topic, as actors write to it and read from it. */
export interface TopicPartition {
  readonly topic: Topic;
  readonly partition: number;
  /** Its name in histories. */
  readonly log: string;
}

export class TopicLedger {
  readonly #topics = new Map<Uuid, Topic>();
  readonly #starts = new Map<string, number>();
  readonly #producerIds = new Set<number>();
  readonly #breakPromise: (message: string) => void;

  constructor(breakPromise: (message: string) => void) {
    this.#breakPromise = breakPromise;
  }

  add(topic: Topic): void {
    this.#topics.set(topic.id, topic);
  }

  /** A producer was given an id, which nobody may have been given before. */
  given(producerId: number): void {
    if (this.#producerIds.has(producerId)) this.#breakPromise(`producer id ${producerId} was given twice`);
    this.#producerIds.add(producerId);
  }

  /** DeleteRecords was answered: what stands below `offset` is gone for good. */
  startRaised(log: string, offset: number): void {
    this.#starts.set(log, Math.max(this.#starts.get(log) ?? 0, offset));
  }

  /** A started broker's log begins at `offset`. */
  startFound(log: string, offset: number): void {
    const raised = this.#starts.get(log) ?? 0;
    if (offset < raised) this.#breakPromise(`${log} begins at ${offset} although it was raised to ${raised}`);
  }

  get all(): readonly Topic[] {
    return [...this.#topics.values()];
  }

  /** The partitions of all topics that nobody wants to delete. */
  partitions(): TopicPartition[] {
    return this.all.filter((topic) => topic.state === 'there').flatMap((topic) => partitionsOf(topic));
  }

  /** Holds a started broker's topics against what was promised. */
  check(exists: (id: Uuid) => boolean): void {
    for (const topic of this.#topics.values()) {
      const isThere = exists(topic.id);
      if (topic.state === 'there' && !isThere) this.#breakPromise(`topic ${topic.name} (${topic.id}) is gone`);
      if (topic.state === 'deleted' && isThere) this.#breakPromise(`deleted topic ${topic.name} (${topic.id}) is back`);
      // What is not known now is known from here on: nothing of an earlier process is under way any more.
      if (topic.state === 'perhaps deleted') topic.state = isThere ? 'there' : 'deleted';
    }
  }
}

export function partitionsOf(topic: Topic): TopicPartition[] {
  return Array.from({ length: topic.partitionCount }, (_, partition) => ({
    topic,
    partition,
    log: `${topic.name}/${topic.id.slice(0, 4)}-${partition}`,
  }));
}
