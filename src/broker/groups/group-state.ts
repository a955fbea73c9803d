/**
 * What the log of groups says: each group's last record, and the committed offsets. I/O thread.
 * The groups that live (group-coordinator.ts) may be ahead of it by what is not durable yet; a restart begins here.
 */

import type { KeyedRecord } from '../keyed-batch.ts';
import type { KeyedState } from '../state-log.ts';
import { groupKey, readGroupRecordKey, readGroupValue, readOffsetValue, type StoredGroup } from './group-records.ts';
import { OffsetStore } from './offset-store.ts';

export class GroupState implements KeyedState {
  readonly offsets = new OffsetStore();
  /** The values of the groups' records, as bytes: nobody reads them before the next start. */
  readonly #groups = new Map<string, Uint8Array>();

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
    } else if (value === null) this.#groups.delete(group);
    else this.#groups.set(group, value);
  }

  /** The records that rebuild this state. */
  *snapshot(): Generator<KeyedRecord> {
    for (const [group, value] of this.#groups) yield { key: groupKey(group), value };
    yield* this.offsets.snapshot();
  }

  groupIds(): IterableIterator<string> {
    return this.#groups.keys();
  }

  hasGroup(id: string): boolean {
    return this.#groups.has(id);
  }

  /** The group as its record has it, or null where it has none. Throws as `apply`. */
  group(id: string): StoredGroup | null {
    const value = this.#groups.get(id);
    return value === undefined ? null : readGroupValue(value);
  }
}
