/**
 * A stream that is copied exactly once: numbers 0, 1, 2 … that producers of one transactional id write to a topic, some
 * in each transaction, together with the offset of the next in a group. Pure, but for reading the logs at the end.
 *
 *   transaction   3 ─► partition 1, 4 ─► partition 0, 5 ─► partition 0, offset 6 ─► group       all or nothing
 *
 * So at the end the topic has, for those who read what is committed, each number below the group's offset once, in order
 * within its partition, and nothing else: a lost, torn, aborted or doubled write, and one of a producer that was fenced,
 * shows. Offsets that were answered to be committed are never behind.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import type { Uuid } from '../../src/base/uuid.ts';
import { CommittedBatches } from '../../src/records/committed-batches.ts';
import {
  attributesAt,
  batchSizeAt,
  isControl,
  isTransactional,
  lastOffsetAt,
  producerIdAt,
} from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { readControlRecord } from '../../src/records/transaction-marker.ts';
import type { PartitionLog } from '../../src/storage/partition-log.ts';
import type { SeenRecord } from './anomaly-checker.ts';
import type { BrokerProcess } from './broker-process.ts';
import { readRecords } from './read-records.ts';
import type { World } from './world.ts';

export const copyPartitions = 2;

export class CopyStream {
  readonly name: string;
  readonly topicName: string;
  readonly group: string;
  topicId: Uuid | null = null;
  readonly #world: World;
  /** What the group's offset was answered to be. */
  #answered = 0;
  /** By partition: what readers of committed records were given, by offset, and up to where. */
  readonly #read = Array.from({ length: copyPartitions }, () => ({ end: 0, values: new Map<number, string>() }));
  #attempts = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.topicName = `${name}-topic`;
    this.group = `${name}-group`;
  }

  /** Makes its topic; resolves once it is there. */
  async create(): Promise<void> {
    const spec = { name: this.topicName, partitionCount: copyPartitions, replicationFactor: 1, configs: [] };
    while (this.topicId === null) {
      const process = await this.#world.serving();
      const { topic } = await process.broker.topics.create(spec);
      this.topicId = topic?.id ?? process.broker.topics.topic(this.topicName)?.id ?? null;
      if (this.topicId === null) await this.#world.sleep(20, this.name);
    }
  }

  /** The value of a number in one more attempt to write it. */
  value(number: number): string {
    return `${this.name}#${number}!${this.#attempts++}`;
  }

  /** A transaction that moved the offset to `offset` was answered to be committed. */
  committed(offset: number): void {
    this.#answered = Math.max(this.#answered, offset);
  }

  /** A producer was told that the group's offset, with nothing pending, is `offset`. */
  resumed(offset: number): void {
    if (offset >= this.#answered) return;
    this.#world.breakPromise(`${this.name} resumes at ${offset}, but was committed up to ${this.#answered}`);
  }

  /** A reader of committed records was given `records` of the offsets from `from` to `end`, and nothing else of them. */
  readAsCommitted(partition: number, from: number, end: number, records: readonly SeenRecord[]): void {
    const read = this.#read[partition]!;
    const seen = new Map(records.map(({ offset, value }) => [offset, value]));
    for (let offset = from; offset < end; offset++) {
      const value = seen.get(offset);
      const before = read.values.get(offset);
      if (offset < read.end && value !== before) {
        this.#world.breakPromise(
          `${this.name}-${partition} @${offset}: was read as committed as ${before ?? 'nothing'}, now as ${value ?? 'nothing'}`,
        );
      }
      if (value !== undefined) read.values.set(offset, value);
    }
    // Readers begin at 0 and go back at most, so that nothing between is left out.
    read.end = Math.max(read.end, end);
  }

  /** Holds what is there against what it should be. Nothing else goes on, and no transaction is open. */
  async judge({ broker }: BrokerProcess): Promise<void> {
    const world = this.#world;
    const topic = broker.topics.topicById(this.topicId!);
    if (topic === null) return world.breakPromise(`the topic of ${this.name} is gone`);
    const end = broker.groups.commits.get(this.group, { topicId: topic.id, partition: 0 })?.offset ?? 0;
    this.resumed(end);
    const seen = new Map<number, string>();
    for (let partition = 0; partition < copyPartitions; partition++) {
      const log = broker.topics.partition(topic, partition)!;
      if (log.lastStableOffset !== log.highWatermark) {
        world.breakPromise(`${this.name}-${partition}: a transaction is still open at ${log.lastStableOffset}`);
      }
      let last = -1;
      const committed = await committedValues(log);
      this.#judgeRead(partition, committed);
      await this.#judgeReading(log, committed);
      for (const { value } of committed) {
        const number = Number(/#(\d+)!/.exec(value)?.[1]);
        if (number <= last) world.breakPromise(`${this.name}-${partition}: ${value} stands behind ${last}`);
        if (seen.has(number)) world.breakPromise(`${this.name}: ${value} and ${seen.get(number)} are both committed`);
        if (number >= end) world.breakPromise(`${this.name}: ${value} is committed, but the offset is ${end}`);
        seen.set(number, value);
        last = number;
      }
    }
    for (let number = 0; number < end; number++) {
      if (!seen.has(number)) world.breakPromise(`${this.name}: ${number} is missing below the offset ${end}`);
    }
    world.count('copied numbers', end);
  }

  /** Holds what readers were given against what is committed. */
  #judgeRead(partition: number, committed: readonly SeenRecord[]): void {
    const { end, values } = this.#read[partition]!;
    const wanted = new Map(committed.map(({ offset, value }) => [offset, value]));
    for (const [offset, value] of values) {
      if (wanted.get(offset) === value) continue;
      this.#world.breakPromise(
        `${this.name}-${partition} @${offset}: ${value} was read as committed, and ${wanted.get(offset) ?? 'nothing'} is`,
      );
    }
    for (const [offset, value] of wanted) {
      if (offset < end && !values.has(offset)) {
        this.#world.breakPromise(`${this.name}-${partition} @${offset}: ${value} is committed, and was left out`);
      }
    }
  }

  /** Reads the log as committed from its start, and holds that against what is. */
  async #judgeReading(log: PartitionLog, committed: readonly SeenRecord[]): Promise<void> {
    const { topic, partition } = log;
    const found: string[] = [];
    for (let offset = log.logStartOffset; offset < log.lastStableOffset;) {
      const result = await log.read({ offset, maxBytes: 4096, minOneBatch: true, isolation: 'read_committed' });
      if (result.errorCode !== ErrorCode.NONE || result.records.length === 0) {
        const why = result.errorCode === ErrorCode.NONE ? 'nothing comes' : errorName(result.errorCode);
        return this.#world.breakPromise(`${topic}-${partition} cannot be read as committed at ${offset}: ${why}`);
      }
      const { records: bytes } = result;
      const batches = new CommittedBatches(result.abortedTransactions);
      for (let at = 0, size = 0; (size = batchSizeAt(bytes, at, bytes.length)) > 0; at += size) {
        const seen = batches.hides(bytes, at, size) ? [] : readRecords(bytes.subarray(at, at + size), offset);
        found.push(...seen.map((record) => `${record.offset}: ${record.value}`));
        offset = asOffset(lastOffsetAt(bytes, at) + 1);
      }
      result.release();
    }
    const wanted = committed.toSorted((a, b) => a.offset - b.offset).map(({ offset, value }) => `${offset}: ${value}`);
    if (found.join() === wanted.join()) return;
    const odd = [...found.filter((one) => !wanted.includes(one)), ...wanted.filter((one) => !found.includes(one))];
    this.#world.breakPromise(`${topic}-${partition}: what is read as committed is not what is: ${odd.join(', ')}`);
  }
}

/** The records of committed transactions, as the markers in the log say, in the order of the markers. */
async function committedValues(log: PartitionLog): Promise<SeenRecord[]> {
  const values: SeenRecord[] = [];
  const open = new Map<number, SeenRecord[]>();
  let offset = log.logStartOffset;
  while (offset < log.highWatermark) {
    const result = await log.read({ offset, maxBytes: 16_384, minOneBatch: true, isolation: 'read_uncommitted' });
    try {
      if (result.errorCode !== ErrorCode.NONE)
        throw new Error(`${log.topic}: ${errorName(result.errorCode)} at ${offset}`);
      const { records: bytes } = result;
      let at = 0;
      for (let size = batchSizeAt(bytes, 0, bytes.length); size > 0; size = batchSizeAt(bytes, at, bytes.length)) {
        const producerId = producerIdAt(bytes, at);
        const attributes = attributesAt(bytes, at);
        const own = open.get(producerId) ?? [];
        if (isTransactional(attributes)) open.set(producerId, own);
        const reader = new RecordReader(bytes, at, at + size);
        while (reader.next()) {
          offset = asOffset(reader.offset + 1);
          const value = Buffer.from(reader.value ?? []).toString('latin1');
          if (!isControl(attributes)) own.push({ offset: reader.offset, leaderEpoch: -1, value });
          else if (open.delete(producerId) && readControlRecord(reader)?.outcome === 'commit') values.push(...own);
        }
        at += size;
      }
    } finally {
      result.release();
    }
  }
  return values;
}
