/**
 * The offsets that groups have committed, and which of them are about to change. I/O thread.
 * What can be read is durable; a change that is on its way is only counted, so that whoever deletes a group finds the
 * offsets that will be there in a moment. It does not know who may commit (offset-commits.ts).
 */

import { assert, present } from '../../base/assert.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import { offsetKey, offsetRecord, type CommittedOffset } from './group-records.ts';

/** The offset of one group in one partition. */
export interface OffsetSlot {
  readonly topicId: Uuid;
  readonly partition: number;
  /** Null where nothing durable is there. */
  committed: CommittedOffset | null;
  /** Records of this key that are on their way. */
  changesUnderWay: number;
}

type SlotsByPartition = Map<number, OffsetSlot>;

export class OffsetStore {
  readonly #groups = new Map<string, Map<Uuid, SlotsByPartition>>();

  /** Groups that have offsets, or will. */
  groups(): IterableIterator<string> {
    return this.#groups.keys();
  }

  has(group: string): boolean {
    return this.#groups.has(group);
  }

  get(group: string, topicId: Uuid, partition: number): CommittedOffset | null {
    return this.#groups.get(group)?.get(topicId)?.get(partition)?.committed ?? null;
  }

  /** The group's slots, those among them that are empty as yet included. */
  *slots(group: string): Generator<OffsetSlot> {
    for (const partitions of this.#groups.get(group)?.values() ?? []) yield* partitions.values();
  }

  slot(group: string, topicId: Uuid, partition: number): OffsetSlot | null {
    return this.#groups.get(group)?.get(topicId)?.get(partition) ?? null;
  }

  /** A record of this key was sent to the log. */
  changeBegins(group: string, topicId: Uuid, partition: number): void {
    this.#slotFor(group, topicId, partition).changesUnderWay++;
  }

  /** The record is durable and applied, or failed. */
  changeEnds(group: string, topicId: Uuid, partition: number): void {
    const slot = present(this.slot(group, topicId, partition), 'the change began');
    assert(slot.changesUnderWay > 0, 'the change began');
    slot.changesUnderWay--;
    this.#dropIfEmpty(group, slot);
  }

  /** Takes over a durable record; null takes the offset away. */
  apply(group: string, topicId: Uuid, partition: number, committed: CommittedOffset | null): void {
    const slot = this.#slotFor(group, topicId, partition);
    slot.committed = committed;
    this.#dropIfEmpty(group, slot);
  }

  /** The records that rebuild the store. */
  *snapshot(): Generator<KeyedRecord> {
    for (const group of this.#groups.keys()) {
      for (const { topicId, partition, committed } of this.slots(group)) {
        if (committed !== null) yield offsetRecord(offsetKey(group, topicId, partition), committed);
      }
    }
  }

  #slotFor(group: string, topicId: Uuid, partition: number): OffsetSlot {
    let topics = this.#groups.get(group);
    if (topics === undefined) this.#groups.set(group, (topics = new Map()));
    let partitions = topics.get(topicId);
    if (partitions === undefined) topics.set(topicId, (partitions = new Map()));
    let slot = partitions.get(partition);
    if (slot === undefined) {
      partitions.set(partition, (slot = { topicId, partition, committed: null, changesUnderWay: 0 }));
    }
    return slot;
  }

  #dropIfEmpty(group: string, slot: OffsetSlot): void {
    if (slot.committed !== null || slot.changesUnderWay > 0) return;
    const topics = present(this.#groups.get(group), 'the slot is there');
    const partitions = present(topics.get(slot.topicId), 'the slot is there');
    partitions.delete(slot.partition);
    if (partitions.size === 0) topics.delete(slot.topicId);
    if (topics.size === 0) this.#groups.delete(group);
  }
}
