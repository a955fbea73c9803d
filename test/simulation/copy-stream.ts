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
import { attributesAt, batchSizeAt, isControl, isTransactional, producerIdAt } from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { readControlRecord } from '../../src/records/transaction-marker.ts';
import type { PartitionLog } from '../../src/storage/partition-log.ts';
import type { BrokerProcess } from './broker-process.ts';
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
      for (const value of await committedValues(log)) {
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
}

/** The values of committed transactions, as the markers in the log say. */
async function committedValues(log: PartitionLog): Promise<string[]> {
  const values: string[] = [];
  const open = new Map<number, string[]>();
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
          if (!isControl(attributes)) own.push(Buffer.from(reader.value ?? []).toString('latin1'));
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
