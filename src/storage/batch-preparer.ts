/**
 * Who checks and compresses produced batches that would hold the I/O thread up for long: a worker thread
 * (preparation/worker-preparer.ts). I/O thread. What is asked and answered is plain data over shared memory.
 *
 *   append(batch) ─► false: it takes long ─► prepare ─► whatever comes meanwhile ─► appendPrepared
 *
 * Preparing decides nothing that depends on what was appended before, so it needs no order; whoever appends keeps his. Which
 * batch comes when, and what prepared ones may take together, says `preparation-queue.ts`.
 */

import type { Refusal, ScannedBatch } from './batch-check.ts';
import type { InlineBounds } from './inline-bounds.ts';
import type { LogConfig } from './log-config.ts';

export interface PreparationTask {
  /** One whole batch, in memory of its own (`sharedCopy`), which is the preparer's until it answers. */
  readonly batch: Uint8Array<SharedArrayBuffer>;
  readonly origin: 'client' | 'coordinator';
  /** False for a batch that has no CRC yet. */
  readonly sealed: boolean;
  /** The largest batch that the log has room for. */
  readonly storedBytesMax: number;
  /** The settings that it is checked and compressed with. */
  readonly config: LogConfig;
  /** The wall clock, for bounds of timestamps. */
  readonly nowMs: number;
}

/** What became of a batch. */
export interface PreparationOutcome {
  /** The batch as it is to be stored, but for what the log assigns; empty where it is refused. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** What it says, its records included, or why it is refused. */
  readonly outcome: ScannedBatch | Refusal;
}

/** A batch for `PartitionLog.appendPrepared`. */
export interface PreparedBatch extends PreparationOutcome {
  /** What it was prepared with; null where it was not looked at, and is refused whatever the settings. */
  readonly config: LogConfig | null;
}

export interface BatchPreparer {
  /** It is asked for what is beyond them. */
  readonly bounds: InlineBounds;
  /**
   * Prepares a batch; the next is asked for once this one is answered. Never rejects: a defect is told to the log, and the
   * batch is refused with UNKNOWN_SERVER_ERROR.
   */
  prepare(task: PreparationTask): Promise<PreparationOutcome>;
  /** Gives up what it has, and leaves no thread behind but one that cannot be ended soon: that ends with what it does. */
  close(): Promise<void>;
}

const wordSizeBytes = 8;
const nothing = new Uint8Array(new SharedArrayBuffer(0));

/** The settings that say whether a batch is taken, and as what it is stored, besides what it is compressed with. */
const settingsOfChecks = [
  'maxMessageBytes',
  'segmentBytes',
  'maxDecompressedBytes',
  'compactPolicy',
  'compression',
  'timestampType',
  'timestampBeforeMaxMs',
  'timestampAfterMaxMs',
] as const satisfies readonly (keyof LogConfig)[];

/** Whether a batch that was prepared with `one` is what it would be with `other`. */
export function preparesAlike(one: LogConfig, other: LogConfig): boolean {
  if (one === other) return true;
  const { gzip, zstd } = other.compressionLevels;
  const isSameEffort = one.compressionLevels.gzip === gzip && one.compressionLevels.zstd === zstd;
  return isSameEffort && settingsOfChecks.every((name) => one[name] === other[name]);
}

/** A copy in memory that threads may share. */
export function sharedCopy(source: Uint8Array): Uint8Array<SharedArrayBuffer> {
  // V8 copies to shared memory by words only where both sides lie alike within a word, else single bytes.
  const shift = source.byteOffset % wordSizeBytes;
  const copy = new Uint8Array(new SharedArrayBuffer(shift + source.length), shift);
  copy.set(source);
  return copy;
}

/** A batch that is refused. */
export function refusedBatch(refusal: Refusal): PreparationOutcome {
  return { bytes: nothing, outcome: refusal };
}
