/**
 * The settings of one partition's log, decoded: what the storage needs of a topic's Kafka configs. Plain data.
 * Names, defaults and bounds of the texts stand in `broker/topic-config.ts`.
 */

import type { Compression } from '../records/record-batch.ts';
import { defaultCompressionLevels, type CompressionLevels } from './batch-deflater.ts';

export interface LogConfig {
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly segmentJitterMs: number;
  readonly segmentIndexBytes: number;
  readonly indexIntervalBytes: number;
  /** -1: no bound. */
  readonly retentionMs: number;
  /** -1: no bound. */
  readonly retentionBytes: number;
  readonly deletePolicy: boolean;
  readonly compactPolicy: boolean;
  /** Of a compacted log: how much of it must be dirty, from 0 to 1, before it is compacted. */
  readonly minCleanableRatio: number;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  /** How long tombstones stay after they were first compacted. */
  readonly deleteRetentionMs: number;
  readonly maxMessageBytes: number;
  readonly maxDecompressedBytes: number;
  readonly fileDeleteDelayMs: number;
  /** What batches are compressed with when they are stored; null: as they came. */
  readonly compression: Compression | null;
  readonly compressionLevels: CompressionLevels;
  readonly timestampType: 'CreateTime' | 'LogAppendTime';
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  readonly flushMessages: number;
  readonly flushMs: number;
  /** How long a producer that sends nothing is remembered. */
  readonly producerExpirationMs: number;
  /** `always`: acks=all waits for fdatasync; `interval`: for the write, the background sync follows. */
  readonly syncPolicy: 'always' | 'interval';
}

/** Kafka's defaults. */
export const defaultLogConfig: LogConfig = {
  segmentBytes: 1024 ** 3,
  segmentMs: 604_800_000,
  segmentJitterMs: 0,
  segmentIndexBytes: 10 * 1024 * 1024,
  indexIntervalBytes: 4096,
  retentionMs: 604_800_000,
  retentionBytes: -1,
  deletePolicy: true,
  compactPolicy: false,
  minCleanableRatio: 0.5,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
  deleteRetentionMs: 86_400_000,
  maxMessageBytes: 1_048_588,
  maxDecompressedBytes: 2 ** 31 - 9,
  fileDeleteDelayMs: 60_000,
  compression: null,
  compressionLevels: defaultCompressionLevels,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: 3_600_000,
  flushMessages: Number.MAX_SAFE_INTEGER,
  flushMs: Number.MAX_SAFE_INTEGER,
  producerExpirationMs: 86_400_000,
  syncPolicy: 'always',
};
