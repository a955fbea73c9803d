/**
 * Fetch sessions (KIP-227): what a client said of its partitions and what it was told of them last, so that the next
 * fetch and its response name only what changed. I/O thread.
 *
 *   session id 0: none    epoch 0: make one (and close the one named)    epoch -1: none from here on    else: the next
 *
 * A session's partitions are in the order in which the next fetch reads them: those whose records were sent go to the
 * end, so that none starves. It does not read logs (fetch-read.ts) nor requests (fetch-context.ts).
 */

import type { Clock } from '../base/clock.ts';
import type { RandomSource } from '../base/random.ts';
import type { Uuid } from '../base/uuid.ts';
import type { FetchRequestTopicsPartitions, FetchResponseResponsesPartitions } from '../protocol/generated/index.ts';

export const noSessionId = 0;
export const initialSessionEpoch = 0;
export const finalSessionEpoch = -1;
const firstIncrementalEpoch = 1;
const largestInt32 = 0x7fff_ffff;

/** A session unused for so long, or as old, may go for another, as in Kafka. */
const evictionMs = 120_000;
/** As many partitions as all sessions together remember; a client that has more fetches without a session. */
const defaultMaxPartitions = 1_000_000;

/** The epoch that follows; it wraps to 1, since 0 and -1 mean something else. */
export function nextSessionEpoch(epoch: number): number {
  return epoch === largestInt32 ? firstIncrementalEpoch : epoch + 1;
}

/** One partition that a fetch asks for, and in a session what its client was told of it. */
export class FetchPartition {
  /** From version 13 on null until the id was found to be a topic's. */
  topicName: string | null;
  /** Zero in versions that name topics. */
  readonly topicId: Uuid;
  /** What it is known by within one fetch. */
  readonly key: string;
  readonly index: number;
  fetchOffset = 0;
  maxBytes = 0;
  /** -1: the client did not say. */
  currentLeaderEpoch = -1;
  /** -1: the client did not say. */
  lastFetchedEpoch = -1;
  #toldHighWatermark = -1;
  #toldLogStartOffset = -1;

  constructor(topicName: string | null, topicId: Uuid, key: string, index: number) {
    this.topicName = topicName;
    this.topicId = topicId;
    this.key = key;
    this.index = index;
  }

  update(asked: FetchRequestTopicsPartitions): void {
    this.fetchOffset = asked.fetchOffset;
    this.maxBytes = Math.max(0, asked.partitionMaxBytes);
    this.currentLeaderEpoch = asked.currentLeaderEpoch;
    this.lastFetchedEpoch = asked.lastFetchedEpoch;
  }

  /** Takes note of what the client is about to be told; false where it knows all of it and need not be told. */
  tell(response: FetchResponseResponsesPartitions): boolean {
    const { errorCode, highWatermark, logStartOffset, records, divergingEpoch } = response;
    const changed =
      (records !== null && records.length > 0) ||
      errorCode !== 0 ||
      divergingEpoch.endOffset >= 0 ||
      highWatermark !== this.#toldHighWatermark ||
      logStartOffset !== this.#toldLogStartOffset;
    // After an error the partition is told again once the error is gone.
    this.#toldHighWatermark = errorCode === 0 ? highWatermark : -1;
    this.#toldLogStartOffset = logStartOffset;
    return changed;
  }
}

/** The key of a partition within one fetch; `topic` is its name or id, whichever the version has. */
export function partitionKey(topic: string, index: number): string {
  return `${index}/${topic}`;
}

export class FetchSession {
  readonly id: number;
  readonly usesTopicIds: boolean;
  readonly createdMs: number;
  lastUsedMs: number;
  /** The epoch of the next request. */
  epoch = firstIncrementalEpoch;
  /** In the order in which the next fetch reads them. */
  readonly partitions: Map<string, FetchPartition>;
  /** How many of them the cache has counted. */
  countedPartitions = 0;

  constructor(id: number, usesTopicIds: boolean, partitions: Map<string, FetchPartition>, nowMs: number) {
    this.id = id;
    this.usesTopicIds = usesTopicIds;
    this.partitions = partitions;
    this.createdMs = nowMs;
    this.lastUsedMs = nowMs;
  }

  /** Has `partition` read after all others next time. */
  moveToEnd(partition: FetchPartition): void {
    const { key } = partition;
    if (this.partitions.delete(key)) this.partitions.set(key, partition);
  }
}

/**
 * The sessions of all clients, at most `slots`. One more takes the place of the longest unused where that is older than
 * two minutes, else of the smallest among those that had their two minutes, where it is not larger than the new one.
 */
export class FetchSessionCache {
  readonly #slots: number;
  readonly #maxPartitions: number;
  readonly #clock: Clock;
  readonly #random: RandomSource;
  /** Longest unused first. */
  readonly #sessions = new Map<number, FetchSession>();
  #partitionCount = 0;

  constructor(slots: number, clock: Clock, random: RandomSource, maxPartitions = defaultMaxPartitions) {
    this.#slots = slots;
    this.#maxPartitions = maxPartitions;
    this.#clock = clock;
    this.#random = random;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** The partitions of all sessions together. */
  get partitionCount(): number {
    return this.#partitionCount;
  }

  get(id: number): FetchSession | null {
    return this.#sessions.get(id) ?? null;
  }

  /** Makes a session of `partitions`, or none where there is no room for it. */
  create(partitions: Map<string, FetchPartition>, usesTopicIds: boolean): FetchSession | null {
    if (this.#partitionCount + partitions.size > this.#maxPartitions) return null;
    if (this.#sessions.size >= this.#slots && !this.#evictFor(partitions.size)) return null;
    const session = new FetchSession(this.#newId(), usesTopicIds, partitions, this.#clock.monotonicMs());
    this.touch(session);
    return session;
  }

  /** Takes note that a session was used, and of how many partitions it has now; it ends where those are too many. */
  touch(session: FetchSession): void {
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
    session.lastUsedMs = this.#clock.monotonicMs();
    this.#partitionCount += session.partitions.size - session.countedPartitions;
    session.countedPartitions = session.partitions.size;
    if (this.#partitionCount > this.#maxPartitions) this.remove(session.id);
  }

  remove(id: number): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    this.#partitionCount -= session.countedPartitions;
    session.countedPartitions = 0;
  }

  #evictFor(partitionCount: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    const [longestUnused] = this.#sessions.values();
    if (longestUnused === undefined) return false;
    let victim: FetchSession | null = null;
    if (nowMs - longestUnused.lastUsedMs > evictionMs) victim = longestUnused;
    else {
      for (const session of this.#sessions.values()) {
        // Whether a session had its time is judged by when it was last used, as in Kafka.
        if (session.lastUsedMs - session.createdMs <= evictionMs) continue;
        if (victim === null || isLess(session, victim)) victim = session;
      }
      if (victim !== null && victim.countedPartitions > partitionCount) victim = null;
    }
    if (victim === null) return false;
    this.remove(victim.id);
    return true;
  }

  #newId(): number {
    const bytes = new Uint8Array(4);
    for (;;) {
      this.#random.fill(bytes);
      const id = new DataView(bytes.buffer).getInt32(0) & largestInt32;
      if (id !== noSessionId && !this.#sessions.has(id)) return id;
    }
  }
}

function isLess(a: FetchSession, b: FetchSession): boolean {
  if (a.countedPartitions !== b.countedPartitions) return a.countedPartitions < b.countedPartitions;
  return a.id < b.id;
}
