/** Compacted logs over a simulated disk: what is appended to them, and what is read back. */

import { expect } from 'vitest';
import type { Offset } from '../../src/base/numbers.ts';
import { buildBatch, type BatchOptions } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { batchSizeAt, lastOffsetAt, recordCountAt } from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import type { CompactionSettings } from '../../src/storage/compactor.ts';
import type { LogConfig } from '../../src/storage/log-config.ts';
import type { PartitionLog } from '../../src/storage/partition-log.ts';
import type { FaultHarness } from './fault-harness.ts';

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
export async function contents(harness: FaultHarness, log: PartitionLog): Promise<string[]> {
  const found: string[] = [];
  let next = log.logStartOffset;
  while (next < log.highWatermark) {
    const result = await settled(
      harness,
      Promise.resolve(log.read({ offset: next, maxBytes: 1000, minOneBatch: true, isolation: 'read_uncommitted' })),
    );
    expect(result.errorCode).toBe(0);
    expect(result.records.length).toBeGreaterThan(0);
    for (let at = 0; at < result.records.length;) {
      const size = batchSizeAt(result.records, at, result.records.length);
      const reader = new RecordReader(result.records, at, at + size);
      for (let i = 0; i < recordCountAt(result.records, at); i++) {
        reader.next();
        const value = reader.value === null ? 'null' : Buffer.from(reader.value).toString();
        if (reader.offset >= next) found.push(`${reader.offset}:${Buffer.from(reader.key!).toString()}=${value}`);
      }
      next = (lastOffsetAt(result.records, at) + 1) as Offset;
      at += size;
    }
    result.release();
  }
  return found;
}

export async function settled<T>(harness: FaultHarness, promise: Promise<T>): Promise<T> {
  let done = false;
  const outcome = promise.finally(() => (done = true));
  outcome.catch(() => {});
  await harness.until(() => done);
  return outcome;
}
