/**
 * What the log of groups says: the last record of each key, and the committed offsets. I/O thread.
 * The groups that live (group-coordinator.ts) may be ahead of it by what is not durable yet; a restart begins here.
 */

import { consumerKey, type ConsumerRecordKey, type ConsumerRecordPart } from './consumer/consumer-records.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import type { KeyedState } from '../state-log.ts';
import { groupKey, readGroupRecordKey, readGroupValue, readOffsetValue, type StoredGroup } from './group-records.ts';
import { OffsetStore } from './offset-store.ts';

/** The values of a consumer group's records, by what they are about and then by name. */
export type ConsumerGroupValues = ReadonlyMap<ConsumerRecordPart, ReadonlyMap<string, Uint8Array>>;

export class GroupState implements KeyedState {
  readonly offsets = new OffsetStore();
  /** The values of the groups' records, as bytes: nobody reads them before the next start. */
  readonly #groups = new Map<string, Uint8Array>();
  readonly #consumerGroups = new Map<string, Map<ConsumerRecordPart, Map<string, Uint8Array>>>();

  /** Takes over one record. Throws `EnvironmentError` DATA_CORRUPT or DATA_DIRECTORY_NEWER. */
  apply({ key, value }: KeyedRecord): void {
    const parsed = readGroupRecordKey(key);
    const { group } = parsed;
    if (parsed.kind === 'offset') {
      const committed = value === null ? null : readOffsetValue(value);
      this.offsets.apply(group, parsed.topicId, parsed.partition, committed);
    } else if (parsed.kind === 'pending offset') {
      const pending = value === null ? null : readOffsetValue(value);
      this.offsets.applyPending(group, parsed.topicId, parsed.partition, parsed.producerId, pending);
    } else if (parsed.kind === 'consumer') this.#applyConsumer(parsed, value);
    else if (value === null) this.#groups.delete(group);
    else this.#groups.set(group, value);
  }

  /** The records that rebuild this state. */
  *snapshot(): Generator<KeyedRecord> {
    for (const [group, value] of this.#groups) yield { key: groupKey(group), value };
    for (const [group, parts] of this.#consumerGroups) {
      for (const [part, values] of parts) {
        for (const [name, value] of values) yield { key: consumerKey(part, group, name), value };
      }
    }
    yield* this.offsets.snapshot();
  }

  /** Groups of either protocol that have records. */
  *groupIds(): Generator<string> {
    yield* this.#groups.keys();
    yield* this.#consumerGroups.keys();
  }

  hasGroup(id: string): boolean {
    return this.#groups.has(id) || this.#consumerGroups.has(id);
  }

  /** The classic group as its record has it, or null where it has none. Throws as `apply`. */
  group(id: string): StoredGroup | null {
    const value = this.#groups.get(id);
    return value === undefined ? null : readGroupValue(value);
  }

  /** The records of the consumer group, or null where it has none. */
  consumerGroup(id: string): ConsumerGroupValues | null {
    return this.#consumerGroups.get(id) ?? null;
  }

  #applyConsumer({ group, part, name }: ConsumerRecordKey, value: Uint8Array | null): void {
    let parts = this.#consumerGroups.get(group);
    if (value !== null) {
      if (parts === undefined) this.#consumerGroups.set(group, (parts = new Map()));
      const values = parts.get(part);
      if (values === undefined) parts.set(part, new Map([[name, value]]));
      else values.set(name, value);
      return;
    }
    const values = parts?.get(part);
    if (parts === undefined || values === undefined) return;
    values.delete(name);
    if (values.size === 0) parts.delete(part);
    if (parts.size === 0) this.#consumerGroups.delete(group);
  }
}
