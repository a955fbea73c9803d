/**
 * What the log of groups says: the last record of each key, and the committed offsets. I/O thread.
 * The groups that live (group-coordinator.ts) may be ahead of it by what is not durable yet; a restart begins here.
 */

import { consumerKeys, type ConsumerRecordPart } from './consumer/consumer-records.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import type { KeyedState } from '../state-log.ts';
import {
  checkEndedValue,
  groupKey,
  OffsetRecord,
  readGroupRecordKey,
  readGroupValue,
  readOffsetValue,
  type PendingOffsetName,
  type StoredGroup,
} from './group-records.ts';
import { OffsetStore } from './offset-store.ts';
import { PartedGroups } from './parted-groups.ts';
import { ShareState } from './share/share-state.ts';
import { streamsKeys, type StreamsRecordPart } from './streams/streams-records.ts';

export class GroupState implements KeyedState {
  readonly offsets = new OffsetStore();
  readonly consumers = new PartedGroups<ConsumerRecordPart>();
  readonly shares = new ShareState();
  readonly streams = new PartedGroups<StreamsRecordPart>();
  /** The values of the classic groups' records, as bytes: nobody reads them before the next start. */
  readonly #groups = new Map<string, Uint8Array>();

  /** Takes over one record. Throws `EnvironmentError` DATA_CORRUPT or DATA_DIRECTORY_NEWER. */
  apply(record: KeyedRecord): void {
    if (record instanceof OffsetRecord) return this.offsets.apply(record.name, record.committed);
    const { key, value } = record;
    const parsed = readGroupRecordKey(key);
    const { group } = parsed;
    if (parsed.kind === 'offset') this.offsets.apply(parsed, value === null ? null : readOffsetValue(value));
    else if (parsed.kind === 'ended') this.#end(parsed, value);
    else if (parsed.kind === 'consumer') this.consumers.apply(parsed, value);
    else if (parsed.kind === 'share') this.shares.apply(parsed, value);
    else if (parsed.kind === 'streams') this.streams.apply(parsed, value);
    else if (value === null) this.#groups.delete(group);
    else this.#groups.set(group, value);
  }

  #end(name: PendingOffsetName, value: Uint8Array | null): void {
    // Nobody takes an end away.
    if (value === null) return;
    checkEndedValue(value);
    this.offsets.makeValid(name);
  }

  /** The records that rebuild this state. */
  *snapshot(): Generator<KeyedRecord | readonly KeyedRecord[]> {
    for (const [group, value] of this.#groups) yield { key: groupKey(group), value };
    yield* this.consumers.snapshot(consumerKeys);
    yield* this.shares.snapshot();
    yield* this.streams.snapshot(streamsKeys);
    yield* this.offsets.snapshot();
  }

  /** Groups of all protocols that have records. */
  *groupIds(): Generator<string> {
    yield* this.#groups.keys();
    yield* this.consumers.ids();
    yield* this.shares.ids();
    yield* this.streams.ids();
  }

  hasGroup(id: string): boolean {
    return [this.#groups, this.consumers, this.shares, this.streams].some((groups) => groups.has(id));
  }

  /** The classic group as its record has it, or null where it has none. Throws as `apply`. */
  group(id: string): StoredGroup | null {
    const value = this.#groups.get(id);
    return value === undefined ? null : readGroupValue(value);
  }
}
