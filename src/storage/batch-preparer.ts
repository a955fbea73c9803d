/**
 * Who checks and compresses produced batches that would hold the I/O thread up for long: a worker thread
 * (preparation/worker-preparer.ts). I/O thread. What is asked and answered is plain data over shared memory.
 *
 *   append(batch) ─► false: it takes long ─► prepare ─► whatever comes meanwhile ─► appendPrepared
 *
 * Preparing decides nothing that depends on what was appended before, so it needs no order; whoever appends keeps his.
 */

import type { Refusal, ScannedBatch } from './batch-check.ts';
import type { InlineBounds } from './inline-bounds.ts';
import type { LogConfig } from './log-config.ts';

export interface PreparationTask {
  /** One whole batch, in memory of its own (`sharedCopy`), which is the preparer's from now on. */
  readonly batch: Uint8Array<SharedArrayBuffer>;
  readonly origin: 'client' | 'coordinator';
  /** False for a batch that has no CRC yet. */
  readonly sealed: boolean;
  /** The largest batch that the log has room for. */
  readonly storedBytesMax: number;
  /** The settings that hold, whatever becomes of them meanwhile. */
  readonly config: LogConfig;
  /** The wall clock, for bounds of timestamps. */
  readonly nowMs: number;
}

/** What became of a batch. */
export interface PreparedBatch {
  /** The batch as it is to be stored, but for what the log assigns; empty where it is refused. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** What it says, its records included, or why it is refused. */
  readonly outcome: ScannedBatch | Refusal;
}

export interface BatchPreparer {
  /** It is asked for what is beyond them. */
  readonly bounds: InlineBounds;
  /**
   * Prepares a batch, after those that were asked for before. Where `isWanted` says no once it is its turn, it is refused
   * instead. Never rejects: a defect is told to the log, and the batch is refused with UNKNOWN_SERVER_ERROR.
   */
  prepare(task: PreparationTask, isWanted: () => boolean): Promise<PreparedBatch>;
  /** Refuses all that is not done, and leaves no thread behind. */
  close(): Promise<void>;
}

const wordSizeBytes = 8;
const nothing = new Uint8Array(new SharedArrayBuffer(0));

/** A copy in memory that threads may share. */
export function sharedCopy(source: Uint8Array): Uint8Array<SharedArrayBuffer> {
  // V8 copies to shared memory by words only where both sides lie alike within a word, else single bytes.
  const shift = source.byteOffset % wordSizeBytes;
  const copy = new Uint8Array(new SharedArrayBuffer(shift + source.length), shift);
  copy.set(source);
  return copy;
}

/** A batch that is refused. */
export function refusedBatch(refusal: Refusal): PreparedBatch {
  return { bytes: nothing, outcome: refusal };
}
