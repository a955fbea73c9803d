/**
 * The offsets of one group, by topic and partition. I/O thread.
 *
 *   few    a list, which is looked through: most groups have an offset or two, and there may be a million groups
 *   many   topic id ─► partition ─► slot
 *
 * It counts nothing and decides nothing (offset-store.ts).
 */

import { present } from '../../base/assert.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { CommittedOffset } from './group-records.ts';

/** The offset of one group in one partition. */
export interface OffsetSlot {
  readonly topicId: Uuid;
  readonly partition: number;
  /** Null where nothing durable is there. */
  committed: CommittedOffset | null;
  /** Records of this key that are on their way. */
  changesUnderWay: number;
  /** By producer id, in the order in which they came: what becomes valid with that producer's transaction. */
  pending: Map<number, PendingOffset>;
  /**
   * By producer id, null for none: what is on its way of it; null while there is nothing. A producer that is about to have
   * something pending there stands in it also where that has no metadata.
   */
  underWay: Map<number | null, UnderWay> | null;
}

/** Changes of one producer's offset that are under way, or of the one that counts at once. */
export interface UnderWay {
  /** How many; not counted of what counts at once, which stays until nothing is under way in the slot. */
  changes: number;
  /** The longest metadata that any of them has. */
  length: number;
}

export interface PendingOffset {
  readonly offset: CommittedOffset;
  /** Whether another offset has been committed since, which then stays. */
  isSuperseded: boolean;
}

/** From here on looking through all of them takes longer than two maps. */
const mostListed = 8;
/** Shared by all slots that have none; nobody puts anything into it. */
const nonePending = new Map<number, PendingOffset>();

export class OffsetSlots {
  /** What the metadata of all of them has together, in characters. */
  metadataLength = 0;
  #few: readonly OffsetSlot[] = [];
  #many: Map<Uuid, Map<number, OffsetSlot>> | null = null;

  get isEmpty(): boolean {
    return this.#many === null ? this.#few.length === 0 : this.#many.size === 0;
  }

  get(topicId: Uuid, partition: number): OffsetSlot | null {
    if (this.#many !== null) return this.#many.get(topicId)?.get(partition) ?? null;
    for (const slot of this.#few) if (slot.partition === partition && slot.topicId === topicId) return slot;
    return null;
  }

  /** An empty slot for a partition that has none. */
  add(topicId: Uuid, partition: number): OffsetSlot {
    const slot = {
      topicId,
      partition,
      committed: null,
      changesUnderWay: 0,
      pending: nonePending,
      underWay: null,
    };
    if (this.#many !== null) this.#index(this.#many, slot);
    else if (this.#few.length < mostListed) {
      // A list that grows takes room for sixteen more, one that is made of two none.
      this.#few = this.#few.length === 0 ? [slot] : this.#few.concat([slot]);
    } else {
      this.#many = new Map();
      for (const listed of this.#few) this.#index(this.#many, listed);
      this.#index(this.#many, slot);
      this.#few = [];
    }
    return slot;
  }

  delete({ topicId, partition }: OffsetSlot): void {
    if (this.#many === null) {
      this.#few = this.#few.filter((slot) => slot.partition !== partition || slot.topicId !== topicId);
      return;
    }
    const partitions = present(this.#many.get(topicId), 'the slot is there');
    partitions.delete(partition);
    if (partitions.size === 0) this.#many.delete(topicId);
  }

  *[Symbol.iterator](): Generator<OffsetSlot> {
    if (this.#many === null) yield* this.#few;
    else for (const partitions of this.#many.values()) yield* partitions.values();
  }

  #index(many: Map<Uuid, Map<number, OffsetSlot>>, slot: OffsetSlot): void {
    const partitions = many.get(slot.topicId);
    if (partitions === undefined) many.set(slot.topicId, new Map([[slot.partition, slot]]));
    else partitions.set(slot.partition, slot);
  }
}

/** Puts what is pending in the producer's transaction behind what is there, or takes it away. */
export function setPending(slot: OffsetSlot, producerId: number, offset: CommittedOffset | null): void {
  const pending = slot.pending === nonePending ? new Map<number, PendingOffset>() : slot.pending;
  pending.delete(producerId);
  if (offset !== null) pending.set(producerId, { offset, isSuperseded: false });
  slot.pending = pending.size === 0 ? nonePending : pending;
}
