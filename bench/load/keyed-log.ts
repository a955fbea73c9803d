/**
 * A log of keyed records for compaction: what is written into one partition, and whether what is left after a compaction is
 * what has to be. Main thread. Record `i` has offset `i`; its value begins with `i`, its key is drawn from half as many as
 * there are records, so that most are replaced, some batches as a whole and most in part.
 */

import { crc32c } from '@node-rs/crc32';
import { SeededRandom } from '../../src/base/random.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import { defaultProduceRequest, produceApi } from '../../src/protocol/generated/index.ts';
import { BatchBuilder } from '../../src/records/batch-builder.ts';
import { batchSizeAt, lastOffsetAt } from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { WireClient } from '../../test/program/wire-client.ts';
import type { Doors } from './server-under-test.ts';

const batchBytes = 64 * 1024;
/** A record beside its value, about: its lengths, its key, its place in the batch. */
const overheadBytes = 24;
const produceTimeoutMs = 60_000;
const seed = 1;

export class KeyedLog {
  readonly batches: readonly Uint8Array[];
  /** The key of each record. */
  readonly #keys: Uint32Array;

  /** Makes records with values of `valueBytes`, about `sizeBytes` of them in batches of 64 KiB. */
  constructor(valueBytes: number, sizeBytes: number) {
    const perBatch = Math.max(Math.floor(batchBytes / (valueBytes + overheadBytes)), 1);
    const batchCount = Math.ceil(sizeBytes / (perBatch * (valueBytes + overheadBytes)));
    const recordCount = perBatch * batchCount;
    const random = new SeededRandom(seed);
    this.#keys = Uint32Array.from({ length: recordCount }, () => random.below(Math.ceil(recordCount / 2)));
    const timestampMs = Date.now();
    this.batches = Array.from({ length: batchCount }, (_, batch) => {
      const builder = new BatchBuilder((bytes) => crc32c(bytes));
      for (let i = batch * perBatch; i < (batch + 1) * perBatch; i++) {
        const value = Buffer.alloc(valueBytes, i);
        value.writeUInt32BE(i);
        builder.append({ key: Buffer.from(`key-${this.#keys[i]}`), value, timestampMs });
      }
      return builder.seal();
    });
  }

  get recordCount(): number {
    return this.#keys.length;
  }

  /** Writes everything to partition 0 of the topic, which is empty. */
  async write({ kafka }: Doors, topic: string): Promise<void> {
    const client = await WireClient.connect(kafka!.port);
    // The end of each request would wait for the kernel to acknowledge what stands before it.
    client.socket.setNoDelay(true);
    for (const batch of this.batches) {
      const partitionData = [{ index: 0, records: batch }];
      const topicData = [{ name: topic, topicId: zeroUuid, partitionData }];
      const request = { ...defaultProduceRequest(), acks: 1, timeoutMs: produceTimeoutMs, topicData };
      const { responses } = await client.request(produceApi, 9, request);
      const errorCode = responses[0]?.partitionResponses[0]?.errorCode;
      if (errorCode !== 0) throw new Error(`A produced batch was answered with error ${errorCode}.`);
    }
    client.socket.destroy();
  }

  /**
   * Reads the topic, of which everything before `compactedEnd` was compacted. Throws unless exactly the newest record of
   * each key is there, and behind that offset every record. Returns how many there are before it.
   */
  async check({ kafka }: Doors, topic: string, compactedEnd: number): Promise<number> {
    const newest = new Map<number, number>();
    for (let i = 0; i < compactedEnd; i++) newest.set(this.#keys[i]!, i);
    const client = await WireClient.connect(kafka!.port);
    let left = 0;
    let next = 0;
    while (next < this.recordCount) {
      const bytes = await client.fetch(topic, next);
      const before = next;
      for (let at = 0; ;) {
        const sizeBytes = batchSizeAt(bytes, at, bytes.length);
        if (sizeBytes < 0) break;
        const reader = new RecordReader(bytes, at, at + sizeBytes);
        while (reader.next()) {
          const i = this.#checked(reader);
          if (i >= compactedEnd) continue;
          if (newest.get(this.#keys[i]!) !== i) throw new Error(`The record at ${i} was replaced, and is there.`);
          left++;
        }
        next = lastOffsetAt(bytes, at) + 1;
        at += sizeBytes;
      }
      if (next === before) throw new Error(`The log of ${topic} gives nothing at offset ${next}.`);
    }
    client.socket.destroy();
    if (left !== newest.size) throw new Error(`${newest.size} keys were written, and ${left} are left.`);
    return left;
  }

  /** The place of a record that was read, which has to be as it was written. */
  #checked({ offset, key, value }: RecordReader): number {
    const i = Buffer.from(value!).readUInt32BE(0);
    const expected = `key-${this.#keys[i]}`;
    if (i !== offset || Buffer.from(key!).toString('latin1') !== expected) {
      throw new Error(`At offset ${offset} is another record than was written there.`);
    }
    return i;
  }
}
