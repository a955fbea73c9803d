/**
 * The offsets that groups have committed, which of them are about to change, and those that are committed once a
 * transaction is. I/O thread.
 * What can be read is durable; a change that is on its way is only counted, so that whoever deletes a group finds the
 * offsets that will be there in a moment, and so that metadata on its way takes of the room there is. It does not know who
 * may commit, nor how much room there is (offset-commits.ts).
 */

import { assert, present } from '../../base/assert.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import { OffsetRecord, type CommittedOffset, type OffsetName, type PendingOffsetName } from './group-records.ts';
import { OffsetSlots, setPending, type OffsetSlot, type UnderWay } from './offset-slots.ts';

/** A slot of which a transaction has a pending offset. */
export interface PendingSlot {
  readonly group: string;
  readonly slot: OffsetSlot;
}

export class OffsetStore {
  #metadataLength = 0;
  readonly #groups = new Map<string, OffsetSlots>();
  /** By producer id: slots with an offset that is pending in its transaction. */
  readonly #pending = new Map<number, Map<OffsetSlot, PendingSlot>>();

  /**
   * What the metadata of all offsets has together, of those that are pending too, in characters. An offset that is about to
   * change counts as what it is or may become, whichever is longer.
   */
  get metadataLength(): number {
    return this.#metadataLength;
  }

  /** The same of one group. */
  metadataLengthOf(group: string): number {
    return this.#groups.get(group)?.metadataLength ?? 0;
  }

  /** By how much metadata of `length` characters makes the group's grow, where it is committed so. */
  addedLength({ group, topicId, partition, producerId }: OffsetName, length: number): number {
    const slot = this.slot(group, topicId, partition);
    return slot === null ? length : Math.max(0, length - countedLength(slot, producerId));
  }

  /** Groups that have offsets, or will. */
  groups(): IterableIterator<string> {
    return this.#groups.keys();
  }

  has(group: string): boolean {
    return this.#groups.has(group);
  }

  get(group: string, topicId: Uuid, partition: number): CommittedOffset | null {
    return this.slot(group, topicId, partition)?.committed ?? null;
  }

  /** The group's slots, those among them that are empty as yet included. */
  slots(group: string): Iterable<OffsetSlot> {
    return this.#groups.get(group) ?? [];
  }

  slot(group: string, topicId: Uuid, partition: number): OffsetSlot | null {
    return this.#groups.get(group)?.get(topicId, partition) ?? null;
  }

  /** A record of this name was sent to the log. */
  changeBegins({ group, topicId, partition, producerId }: OffsetName): void {
    const slot = this.#slotFor(group, topicId, partition);
    slot.changesUnderWay++;
    if (producerId === null) return;
    underWayOf(slot, producerId).changes++;
  }

  /** Metadata of `length` characters is on its way there, with a change that began: it takes of the room until all of the name have ended. */
  reserve({ group, topicId, partition, producerId }: OffsetName, length: number): void {
    const slot = present(this.slot(group, topicId, partition), 'the change began');
    assert(slot.changesUnderWay > 0, 'the change began');
    const before = countedLength(slot, producerId);
    const underWay = underWayOf(slot, producerId);
    underWay.length = Math.max(underWay.length, length);
    this.#count(group, countedLength(slot, producerId) - before);
  }

  /** The record is durable and applied, or failed. */
  changeEnds({ group, topicId, partition, producerId }: OffsetName): void {
    const slot = present(this.slot(group, topicId, partition), 'the change began');
    assert(slot.changesUnderWay > 0, 'the change began');
    slot.changesUnderWay--;
    if (producerId !== null) {
      const underWay = present(slot.underWay?.get(producerId), 'the change began');
      underWay.changes--;
      if (underWay.changes === 0) this.#endUnderWay(group, slot, producerId);
    }
    // Of those that count at once nobody knows more than that there are none while nothing is under way.
    if (slot.changesUnderWay === 0 && slot.underWay !== null) this.#endUnderWay(group, slot, null);
    this.#dropIfEmpty(group, slot);
  }

  /** Takes over a durable record; null takes the offset away. */
  apply({ group, topicId, partition, producerId }: OffsetName, committed: CommittedOffset | null): void {
    const slot = this.#slotFor(group, topicId, partition);
    const before = countedLength(slot, producerId);
    if (producerId !== null) this.#applyPending(group, slot, producerId, committed);
    else {
      slot.committed = committed;
      // The order of the log decides; wall clocks jump.
      if (committed !== null) for (const pending of slot.pending.values()) pending.isSuperseded = true;
    }
    this.#count(group, countedLength(slot, producerId) - before);
    this.#dropIfEmpty(group, slot);
  }

  /**
   * Takes over that the producer's transaction is committed. What is pending of it here is valid from now on, unless something
   * that stands behind the pending one in the log is; where nothing is pending, as behind a deletion, nothing happens.
   */
  makeValid({ group, topicId, partition, producerId }: PendingOffsetName): void {
    const slot = this.slot(group, topicId, partition);
    const ended = slot?.pending.get(producerId);
    if (slot === null || ended === undefined) return;
    const before = countedLength(slot, producerId) + countedLength(slot, null);
    if (!ended.isSuperseded) {
      slot.committed = ended.offset;
      for (const earlier of slot.pending.values()) {
        if (earlier === ended) break;
        earlier.isSuperseded = true;
      }
    }
    this.#applyPending(group, slot, producerId, null);
    this.#count(group, countedLength(slot, producerId) + countedLength(slot, null) - before);
    this.#dropIfEmpty(group, slot);
  }

  #endUnderWay(group: string, slot: OffsetSlot, producerId: number | null): void {
    const { underWay } = slot;
    if (underWay === null) return;
    const before = countedLength(slot, producerId);
    underWay.delete(producerId);
    if (underWay.size === 0) slot.underWay = null;
    this.#count(group, countedLength(slot, producerId) - before);
  }

  #count(group: string, addedLength: number): void {
    if (addedLength === 0) return;
    this.#metadataLength += addedLength;
    present(this.#groups.get(group), 'its slot is there').metadataLength += addedLength;
  }

  #applyPending(group: string, slot: OffsetSlot, producerId: number, pending: CommittedOffset | null): void {
    const ofProducer = this.#pending.get(producerId);
    setPending(slot, producerId, pending);
    if (pending !== null) {
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

  /**
   * The records that rebuild the store; those of a slot together, because what the end of a transaction makes valid depends
   * on which of them was said last.
   */
  *snapshot(): Generator<readonly KeyedRecord[]> {
    for (const group of this.#groups.keys()) {
      for (const { topicId, partition, committed, pending } of this.slots(group)) {
        const records: KeyedRecord[] = [];
        const add = (producerId: number | null, offset: CommittedOffset): void => {
          records.push(new OffsetRecord({ group, topicId, partition, producerId }, offset));
        };
        for (const [producerId, { offset, isSuperseded }] of pending) if (isSuperseded) add(producerId, offset);
        if (committed !== null) add(null, committed);
        for (const [producerId, { offset, isSuperseded }] of pending) if (!isSuperseded) add(producerId, offset);
        if (records.length > 0) yield records;
      }
    }
  }

  #slotFor(group: string, topicId: Uuid, partition: number): OffsetSlot {
    let slots = this.#groups.get(group);
    if (slots === undefined) this.#groups.set(group, (slots = new OffsetSlots()));
    return slots.get(topicId, partition) ?? slots.add(topicId, partition);
  }

  #dropIfEmpty(group: string, slot: OffsetSlot): void {
    if (slot.committed !== null || slot.changesUnderWay > 0 || slot.pending.size > 0) return;
    const slots = present(this.#groups.get(group), 'the slot is there');
    slots.delete(slot);
    if (slots.isEmpty) this.#groups.delete(group);
  }
}

function underWayOf(slot: OffsetSlot, producerId: number | null): UnderWay {
  slot.underWay ??= new Map();
  let underWay = slot.underWay.get(producerId);
  if (underWay === undefined) slot.underWay.set(producerId, (underWay = { changes: 0, length: 0 }));
  return underWay;
}

/** What the metadata of a slot's offset counts, of the producer's pending one or with null of the committed one. */
function countedLength({ committed, pending, underWay }: OffsetSlot, producerId: number | null): number {
  const offset = producerId === null ? committed : pending.get(producerId)?.offset;
  return Math.max(offset?.metadata.length ?? 0, underWay?.get(producerId)?.length ?? 0);
}
