/**
 * What the log of groups says of share groups: the last record of each key, and of each partition the changes since its
 * last record. I/O thread. Bytes are kept as they are: nobody reads them before a partition is brought into use.
 *
 * A change may come before the record that it changes: where the log begins with a snapshot, it is one that the snapshot
 * has. The record that follows has it as well, and takes its place.
 */

import type { KeyedRecord } from '../../keyed-batch.ts';
import { PartedGroups, type GroupValues } from '../parted-groups.ts';
import {
  partitionRecord,
  placeNamed,
  readPartitionChange,
  readStoredPartition,
  shareKeys,
  type SharePart,
  type ShareRecordKey,
} from './share-records.ts';
import { unreadPartition, withChanges, type StoredPartition } from './stored-partition.ts';

export class ShareState {
  readonly #records = new PartedGroups<SharePart>();
  /** Since the last record of a partition, by group and by its name. */
  readonly #changes = new Map<string, Map<string, Uint8Array[]>>();

  ids(): IterableIterator<string> {
    return this.#records.ids();
  }

  has(group: string): boolean {
    return this.#records.has(group);
  }

  /** The records of the group, or null where it has none; of its partitions they may not be the newest. */
  values(group: string): GroupValues<SharePart> | null {
    return this.#records.values(group);
  }

  /** How far the group has come in the partition of that name. Throws as what reads records does. */
  partition(group: string, name: string): StoredPartition {
    const bytes = this.#records.values(group)?.get('partition')?.get(name);
    if (bytes === undefined) return unreadPartition;
    const changes = this.#changes.get(group)?.get(name);
    const stored = readStoredPartition(bytes);
    return changes === undefined ? stored : withChanges(stored, changes.map(readPartitionChange));
  }

  apply(key: ShareRecordKey, value: Uint8Array | null): void {
    const { group, part, name } = key;
    if (part === 'change') {
      if (value !== null) this.#addChange(group, name, value);
      return;
    }
    if (part === 'partition') this.#dropChanges(group, name);
    this.#records.apply(key, value);
  }

  /** The records that rebuild this state. */
  *snapshot(): Generator<KeyedRecord> {
    for (const { group, part, name, value } of this.#records.all()) {
      const isChanged = part === 'partition' && this.#changes.get(group)?.has(name) === true;
      if (isChanged) yield partitionRecord(group, placeNamed(name), this.partition(group, name));
      else yield { key: shareKeys.of(part, group, name), value };
    }
  }

  #addChange(group: string, name: string, value: Uint8Array): void {
    let changes = this.#changes.get(group);
    if (changes === undefined) this.#changes.set(group, (changes = new Map()));
    const known = changes.get(name);
    if (known === undefined) changes.set(name, [value]);
    else known.push(value);
  }

  #dropChanges(group: string, name: string): void {
    const changes = this.#changes.get(group);
    if (changes?.delete(name) === true && changes.size === 0) this.#changes.delete(group);
  }
}
