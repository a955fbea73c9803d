/**
 * The offsets that groups have committed, which of them are about to change, and those that are committed once a
 * transaction is. I/O thread.
 * What can be read is durable; a change that is on its way is only counted, so that whoever deletes a group finds the
 * offsets that will be there in a moment. It does not know who may commit (offset-commits.ts).
 */

import { assert, present } from '../../base/assert.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import { OffsetRecord, type CommittedOffset, type OffsetName } from './group-records.ts';

/** The offset of one group in one partition. */
export interface OffsetSlot {
  readonly topicId: Uuid;
  readonly partition: number;
  /** Null where nothing durable is there. */
  committed: CommittedOffset | null;
  /** Records of this key that are on their way. */
  changesUnderWay: number;
  /** By producer id, in the order in which they came: what becomes valid with that producer's transaction. */
  readonly pending: Map<number, PendingOffset>;
}

export interface PendingOffset {
  readonly offset: CommittedOffset;
  /** Whether another offset has been committed since, which then stays. */
  isSuperseded: boolean;
}

/** A slot of which a transaction has a pending offset. */
export interface PendingSlot {
  readonly group: string;
  readonly slot: OffsetSlot;
}

type SlotsByPartition = Map<number, OffsetSlot>;

export class OffsetStore {
  /** What the metadata of all offsets has together, of those that are pending too, in characters. */
  metadataLength = 0;
  readonly #groups = new Map<string, Map<Uuid, SlotsByPartition>>();
  /** By producer id: slots with an offset that is pending in its transaction. */
  readonly #pending = new Map<number, Map<OffsetSlot, PendingSlot>>();

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
  apply({ group, topicId, partition, producerId }: OffsetName, committed: CommittedOffset | null): void {
    const slot = this.#slotFor(group, topicId, partition);
    if (producerId !== null) this.#applyPending(group, slot, producerId, committed);
    else {
      this.metadataLength += lengthOf(committed) - lengthOf(slot.committed);
      slot.committed = committed;
      // The order of the log decides; wall clocks jump.
      if (committed !== null) for (const pending of slot.pending.values()) pending.isSuperseded = true;
    }
    this.#dropIfEmpty(group, slot);
  }

  #applyPending(group: string, slot: OffsetSlot, producerId: number, pending: CommittedOffset | null): void {
    const ofProducer = this.#pending.get(producerId);
    this.metadataLength += lengthOf(pending) - lengthOf(slot.pending.get(producerId)?.offset ?? null);
    slot.pending.delete(producerId);
    if (pending !== null) {
      slot.pending.set(producerId, { offset: pending, isSuperseded: false });
      if (ofProducer === undefined) this.#pending.set(producerId, new Map([[slot, { group, slot }]]));
      else ofProducer.set(slot, { group, slot });
      return;
    }
    ofProducer?.delete(slot);
    if (ofProducer?.size === 0) this.#pending.delete(producerId);
  }

  /** The slots with an offset that is pending in the producer's transaction. */
  pendingOf(producerId: number): Iterable<PendingSlot> {
    return this.#pending.get(producerId)?.values() ?? [];
  }

  /** The records that rebuild the store. */
  *snapshot(): Generator<KeyedRecord> {
    for (const group of this.#groups.keys()) {
      for (const { topicId, partition, committed, pending } of this.slots(group)) {
        const all = [...pending].map(([producerId, { offset, isSuperseded }]) => {
          return { isSuperseded, record: new OffsetRecord({ group, topicId, partition, producerId }, offset) };
        });
        for (const { record, isSuperseded } of all) if (isSuperseded) yield record;
        if (committed !== null) yield new OffsetRecord({ group, topicId, partition, producerId: null }, committed);
        for (const { record, isSuperseded } of all) if (!isSuperseded) yield record;
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
      slot = { topicId, partition, committed: null, changesUnderWay: 0, pending: new Map() };
      partitions.set(partition, slot);
    }
    return slot;
  }

  #dropIfEmpty(group: string, slot: OffsetSlot): void {
    if (slot.committed !== null || slot.changesUnderWay > 0 || slot.pending.size > 0) return;
    const topics = present(this.#groups.get(group), 'the slot is there');
    const partitions = present(topics.get(slot.topicId), 'the slot is there');
    partitions.delete(slot.partition);
    if (partitions.size === 0) topics.delete(slot.topicId);
    if (topics.size === 0) this.#groups.delete(group);
  }
}

function lengthOf(offset: CommittedOffset | null): number {
  return offset?.metadata.length ?? 0;
}
