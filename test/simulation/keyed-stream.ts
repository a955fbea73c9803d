/**
 * A compacted topic of one partition, written by one producer, and what must be read from it: of each key nothing older
 * than what was acknowledged before the reading began, and nothing of a key only where a tombstone allows it. Pure, but
 * for reading the log at the end.
 *
 *   sent   a#0  b#1  a#2  a—3  b#4  …        numbers grow; — is a tombstone
 *   read   b#1  a—3  b#4                     whole passes from the log's begin to its end
 *
 * A reader that takes longer than `delete.retention.ms` for a pass may miss a tombstone after it was given what that
 * deletes, as in Kafka. Compaction that never comes would keep all of this, so the judgement wants it to have come.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import type { Uuid } from '../../src/base/uuid.ts';
import { batchSizeAt, lastOffsetAt } from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import type { PartitionLog } from '../../src/storage/partition-log.ts';
import type { BrokerProcess } from './broker-process.ts';
import type { World } from './world.ts';

export const deleteRetentionMs = 600;

/** A record as it was read; `number` is -1 of a tombstone. */
export interface KeyedRecord {
  readonly offset: number;
  readonly key: string;
  readonly number: number;
}

interface KeyState {
  /** The newest number that was acknowledged; -1 for none. */
  acknowledged: number;
  /** The newest tombstone that was sent; -1 for none. */
  tombstone: number;
  readonly sent: Set<number>;
}

export class KeyedStream {
  readonly name: string;
  readonly topicName: string;
  topicId: Uuid | null = null;
  readonly #world: World;
  readonly #keys = new Map<string, KeyState>();
  /** What was seen at an offset; an offset never has another record. */
  readonly #standing = new Map<number, string>();

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.topicName = `${name}-topic`;
  }

  /** Makes its topic; resolves once it is there. */
  async create(): Promise<void> {
    const configs = [
      ['cleanup.policy', 'compact'],
      ['min.cleanable.dirty.ratio', '0'],
      ['delete.retention.ms', String(deleteRetentionMs)],
    ] as const;
    const spec = { name: this.topicName, partitionCount: 1, replicationFactor: 1, configs };
    while (this.topicId === null) {
      const process = await this.#world.serving();
      const { topic } = await process.broker.topics.create(spec);
      this.topicId = topic?.id ?? process.broker.topics.topic(this.topicName)?.id ?? null;
      if (this.topicId === null) await this.#world.sleep(20, this.name);
    }
  }

  sent(key: string, number: number, isTombstone: boolean): void {
    const state = this.#keys.get(key) ?? { acknowledged: -1, tombstone: -1, sent: new Set() };
    this.#keys.set(key, state);
    if (isTombstone) state.tombstone = number;
    else state.sent.add(number);
  }

  acknowledged(key: string, number: number): void {
    this.#keys.get(key)!.acknowledged = number;
  }

  /** Of each key the newest number that was acknowledged by now. */
  promised(): Map<string, number> {
    return new Map([...this.#keys].map(([key, { acknowledged }]) => [key, acknowledged]));
  }

  /** Holds a whole pass against what was promised when it began. `who` read it in `tookMs`. */
  checkPass(who: string, records: readonly KeyedRecord[], promised: ReadonlyMap<string, number>, tookMs: number): void {
    const newest = new Map<string, KeyedRecord>();
    const highest = new Map<string, number>();
    let lastOffset = -1;
    for (const record of records) {
      const { offset, key, number } = record;
      if (offset <= lastOffset) this.#break(who, `offset ${offset} comes after ${lastOffset}`);
      lastOffset = offset;
      const text = number < 0 ? `${key}—` : `${key}#${number}`;
      const before = this.#standing.get(offset);
      if (before !== undefined && before !== text) this.#break(who, `@${offset} is ${text}, and was ${before}`);
      this.#standing.set(offset, text);
      const state = this.#keys.get(key);
      if (state === undefined || (number >= 0 && !state.sent.has(number))) this.#break(who, `${text} was never sent`);
      if (number >= 0 && number < (highest.get(key) ?? -1)) this.#break(who, `${text} is behind ${highest.get(key)}`);
      if (number >= 0) highest.set(key, number);
      newest.set(key, record);
    }
    for (const [key, number] of promised) this.#checkKey(who, key, number, newest.get(key), tookMs);
  }

  #checkKey(who: string, key: string, promised: number, found: KeyedRecord | undefined, tookMs: number): void {
    const { tombstone } = this.#keys.get(key)!;
    if (promised < 0 || (found !== undefined && found.number >= promised)) return;
    // A tombstone as new as what was promised explains that nothing is there, or that it is what is there.
    const isDeleted = tombstone >= promised;
    if (isDeleted && (found === undefined || found.number < 0 || tookMs > deleteRetentionMs)) return;
    const what = found === undefined ? 'nothing' : found.number < 0 ? 'a tombstone' : `#${found.number}`;
    this.#break(who, `of ${key} ${what} is the newest, but #${promised} was acknowledged`);
  }

  /** Holds what is there against what should be. Nothing else goes on; `wasCompacted`: the log had the time for it. */
  async judge({ broker }: BrokerProcess, wasCompacted: boolean): Promise<void> {
    const topic = broker.topics.topicById(this.topicId!);
    if (topic === null) return this.#break('the judge', 'the topic is gone');
    const log = broker.topics.partition(topic, 0)!;
    const records = await this.#readAll(log);
    if (records === null) return;
    this.checkPass('the judge', records, this.promised(), 0);
    const removed = log.highWatermark - records.length;
    this.#world.count('keyed records', records.length);
    if (removed > 0) this.#world.count('records compacted away', removed);
    else if (wasCompacted && this.#hasOld(records)) this.#break('the judge', `all ${records.length} records are there`);
  }

  /** Whether so much is there more than once that some of it must be in a segment that has ended, and was compacted. */
  #hasOld(records: readonly KeyedRecord[]): boolean {
    const doubled = records.length - new Set(records.map(({ key }) => key)).size;
    return doubled * smallestRecordBytes > 2 * this.#world.profile.segmentBytes;
  }

  async #readAll(log: PartitionLog): Promise<KeyedRecord[] | null> {
    const records: KeyedRecord[] = [];
    for (let offset = log.logStartOffset; offset < log.highWatermark;) {
      const result = await log.read({ offset, maxBytes: 16_384, minOneBatch: true, isolation: 'read_uncommitted' });
      try {
        if (result.errorCode !== ErrorCode.NONE || result.records.length === 0) {
          const why = result.errorCode === ErrorCode.NONE ? 'nothing comes' : errorName(result.errorCode);
          this.#break('the judge', `cannot be read at ${offset}: ${why}`);
          return null;
        }
        const read = readKeyedRecords(result.records, offset);
        records.push(...read.records);
        offset = asOffset(read.nextOffset);
      } finally {
        result.release();
      }
    }
    return records;
  }

  #break(who: string, message: string): void {
    this.#world.breakPromise(`${this.name}, ${who}: ${message}`);
  }
}

/** A lower bound of what a record takes in a log, its share of the batch's header not counted. */
const smallestRecordBytes = 10;

/** The records of whole batches from `offset` on, and where the next read begins. */
export function readKeyedRecords(
  bytes: Uint8Array,
  offset: number,
): { readonly records: KeyedRecord[]; readonly nextOffset: number } {
  const records: KeyedRecord[] = [];
  let nextOffset = offset;
  for (let at = 0, size = 0; (size = batchSizeAt(bytes, at, bytes.length)) > 0; at += size) {
    const reader = new RecordReader(bytes, at, at + size);
    while (reader.next()) {
      if (reader.offset < offset) continue;
      const key = Buffer.from(reader.key ?? []).toString('latin1');
      const value = reader.value;
      const number = value === null ? -1 : Number(/^#(\d+)/.exec(Buffer.from(value).toString('latin1'))?.[1]);
      records.push({ offset: reader.offset, key, number });
    }
    nextOffset = Math.max(nextOffset, lastOffsetAt(bytes, at) + 1);
  }
  return { records, nextOffset };
}
