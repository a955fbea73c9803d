/** Compacted logs over a simulated disk: what is appended to them, and what is read back. */

import { expect } from 'vitest';
import type { Offset } from '../../src/base/numbers.ts';
import { buildBatch, type BatchOptions } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import {
  attributesAt,
  baseOffsetAt,
  batchSizeAt,
  compressionOf,
  isControl,
  lastOffsetAt,
  recordCountAt,
} from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import type { CompactionSettings } from '../../src/storage/compactor.ts';
import type { LogConfig } from '../../src/storage/log-config.ts';
import type { IsolationLevel, PartitionLog } from '../../src/storage/partition-log.ts';
import type { FaultHarness } from './fault-harness.ts';
import { append } from './store-harness.ts';

export const compactionSettings: CompactionSettings = {
  mapBytes: 4096,
  loadFactor: 0.9,
  bufferBytes: 512,
  maxBytesPerSecond: Infinity,
  maxBatchBytes: 64 * 1024,
};

export const compacted: Partial<LogConfig> = {
  segmentBytes: 300,
  indexIntervalBytes: 100,
  fileDeleteDelayMs: 1000,
  compactPolicy: true,
  deletePolicy: false,
  minCleanableRatio: 0,
  deleteRetentionMs: 10_000,
  producerExpirationMs: Number.MAX_SAFE_INTEGER,
};

export type Pair = readonly [key: string, value: string | null];

export function keyed(pairs: readonly Pair[], timestampMs = 1000, options: Partial<BatchOptions> = {}): Uint8Array {
  return buildBatch(
    crc32c,
    pairs.map(([key, value]) => ({
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      timestampMs,
    })),
    options,
  );
}

/** All records of the log as `offset:key=value`. */
export async function contents(
  harness: FaultHarness,
  log: PartitionLog,
  isolation: IsolationLevel = 'read_uncommitted',
): Promise<string[]> {
  const found: string[] = [];
  await eachBatch(harness, log, isolation, (bytes, at, sizeBytes) => {
    if (isControl(attributesAt(bytes, at))) return;
    for (const { offset, text } of recordsOf(harness, bytes, at, sizeBytes)) {
      if (offset >= log.logStartOffset) found.push(`${offset}:${text}`);
    }
  });
  return found;
}

/** The log's batches as `first-last what is in it`. */
export async function batchesOf(harness: FaultHarness, log: PartitionLog): Promise<string[]> {
  const found: string[] = [];
  await eachBatch(harness, log, 'read_uncommitted', (bytes, at, sizeBytes) => {
    const [first, last] = [baseOffsetAt(bytes, at), lastOffsetAt(bytes, at)];
    const place = first === last ? `${first}` : `${first}-${last}`;
    const texts = recordsOf(harness, bytes, at, sizeBytes).map(({ text }) => text);
    const content = texts.length === 0 ? 'empty' : texts.join(' ');
    found.push(`${place} ${isControl(attributesAt(bytes, at)) && texts.length > 0 ? 'control' : content}`);
  });
  return found;
}

function recordsOf(harness: FaultHarness, bytes: Uint8Array, at: number, sizeBytes: number) {
  const found: { offset: number; text: string }[] = [];
  const reader = new RecordReader(bytes, at, at + sizeBytes, inflated(harness, bytes, at, sizeBytes));
  for (let i = 0; i < recordCountAt(bytes, at); i++) {
    reader.next();
    const value = reader.value === null ? 'null' : Buffer.from(reader.value).toString();
    found.push({ offset: reader.offset, text: `${Buffer.from(reader.key!).toString()}=${value}` });
  }
  return found;
}

async function eachBatch(
  harness: FaultHarness,
  log: PartitionLog,
  isolation: IsolationLevel,
  take: (bytes: Uint8Array, at: number, sizeBytes: number) => void,
): Promise<void> {
  let next = log.logStartOffset;
  const end = isolation === 'read_committed' ? log.lastStableOffset : log.highWatermark;
  while (next < end) {
    const result = await settled(
      harness,
      Promise.resolve(log.read({ offset: next, maxBytes: 1000, minOneBatch: true, isolation })),
    );
    expect(result.errorCode).toBe(0);
    expect(result.records.length).toBeGreaterThan(0);
    for (let at = 0; at < result.records.length;) {
      const size = batchSizeAt(result.records, at, result.records.length);
      take(result.records, at, size);
      next = (lastOffsetAt(result.records, at) + 1) as Offset;
      at += size;
    }
    result.release();
  }
}

/** The records of a batch that is compressed; null for a plain one. */
function inflated({ store }: FaultHarness, bytes: Uint8Array, at: number, sizeBytes: number): Uint8Array | null {
  return compressionOf(attributesAt(bytes, at)) === 0 ? null : store.inflate(bytes, at, sizeBytes);
}

export async function settled<T>(harness: FaultHarness, promise: Promise<T>): Promise<T> {
  let done = false;
  const outcome = promise.finally(() => (done = true));
  outcome.catch(() => {});
  await harness.until(() => done);
  return outcome;
}

/** One record as it was read. */
export interface FoundRecord {
  readonly offset: number;
  readonly key: string;
  /** Null for a tombstone. */
  readonly value: string | null;
}

export function parsed(texts: readonly string[]): FoundRecord[] {
  return texts.map((text) => {
    const [, offset, key, value] = /^(\d+):(.*)=(.*)$/.exec(text)!;
    return { offset: Number(offset), key: key!, value: value === 'null' ? null : value! };
  });
}

/** What was appended to one compacted log, and what of it was acknowledged. */
export class KeyedLedger {
  /** By what was written: nothing else may ever be read. */
  readonly #attempted = new Map<string, string>();
  /** By offset. */
  readonly acknowledged = new Map<number, FoundRecord>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Appends one batch of records, some of which are tombstones. */
  async append(log: PartitionLog, keys: readonly (readonly [key: string, isTombstone: boolean])[], timestampMs = 1000) {
    const pairs = keys.map(([key, isTombstone]): Pair => [key, isTombstone ? null : `value-${this.#count++}`]);
    for (const [key, value] of pairs) this.#attempted.set(`${key}=${value}`, key);
    const result = await append(log, keyed(pairs, timestampMs));
    expect(result.errorCode).toBe(0);
    for (const [i, [key, value]] of pairs.entries()) {
      this.acknowledged.set(result.baseOffset + i, { offset: result.baseOffset + i, key, value });
    }
    return result;
  }

  /** Holds what is read against what was acknowledged. */
  expectIn(texts: readonly string[], what: string): void {
    const found = parsed(texts);
    const byOffset = new Map(found.map((record) => [record.offset, record]));
    expect(byOffset.size, `${what}: each offset comes once, in order`).toBe(found.length);
    expect(found.map(({ offset }) => offset)).toEqual([...byOffset.keys()].toSorted((a, b) => a - b));
    const newest = new Map<string, FoundRecord>();
    for (const record of this.acknowledged.values()) {
      if (record.offset > (newest.get(record.key)?.offset ?? -1)) newest.set(record.key, record);
    }
    for (const record of found) {
      const known = this.acknowledged.get(record.offset);
      if (known !== undefined) expect(record, `${what}: offset ${record.offset}`).toEqual(known);
      else expect(this.#attempted.has(`${record.key}=${record.value}`), `${what}: ${record.key}`).toBe(true);
    }
    for (const [key, record] of newest) {
      const later = found.some((other) => other.key === key && other.offset > record.offset);
      if (byOffset.has(record.offset) || later) continue;
      expect(record.value, `${what}: the newest of ${key}, at offset ${record.offset}, is gone`).toBeNull();
      const older = found.filter((other) => other.key === key);
      expect(older, `${what}: ${key} was deleted, and an older value is there again`).toEqual([]);
    }
  }
}
