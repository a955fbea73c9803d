/**
 * Who compacts for the store: a worker thread (compaction/worker-compactor.ts), or this thread in steps
 * (compaction/in-thread-compactor.ts). I/O thread. What is asked and answered is plain data.
 *
 *   begin(plan) ─► readKeys: the newest offset of each key, as far as the map holds them
 *               ─► clean(group), one group after the other: each becomes one segment in `.cleaned` files, synced
 *               ─► end
 *
 * A compactor reads the log's files and writes `.cleaned` files beside them, and nothing else; which segments replace
 * which is decided and done by the I/O thread (`segment-swap.ts`).
 */

import type { Offset } from '../base/numbers.ts';
import type { AbortedTransaction } from './partition-log.ts';
import type { SegmentState } from './segment.ts';

/** A segment that has ended. */
export interface SourceSegment {
  readonly baseOffset: Offset;
  /** Where the next one begins. */
  readonly endOffset: Offset;
  readonly sizeBytes: number;
}

/** What is kept of an idempotent producer that may go on: its last batch says its sequence, or a marker its epoch. */
export interface LastOfProducer {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** Of its last batch; -1 where it has none in its epoch. */
  readonly lastOffset: number;
  /** Whether the batch's last record is what says whose it is (`records/named-records.ts`). */
  readonly isNamed: boolean;
}

export interface CompactionPlan {
  /** The partition's directory. */
  readonly directory: string;
  /** All from the log's begin that may be compacted, the oldest first. */
  readonly segments: readonly SourceSegment[];
  /** Nothing before it has a key that is newer than what stands there. */
  readonly firstDirtyOffset: Offset;
  /** The wall clock: from it the time of tombstones and markers is counted. */
  readonly nowMs: number;
  readonly deleteRetentionMs: number;
  /** Transactions that were aborted and touch the segments, in the order of their first offsets. */
  readonly aborted: readonly AbortedTransaction[];
  readonly producers: readonly LastOfProducer[];
}

/** Kafka's `log.cleaner.*`, for one thread. */
export interface CompactionSettings {
  /** Memory for the keys. */
  readonly mapBytes: number;
  /** How full that may become, above 0 and below 1. */
  readonly loadFactor: number;
  /** What is read and written at once, about. */
  readonly bufferBytes: number;
  /** Read and written; Infinity for no bound. */
  readonly maxBytesPerSecond: number;
  /** The largest batch that is taken, as it lies in the file and inflated. */
  readonly maxBatchBytes: number;
}

/** What became of a group of segments. */
export interface CleanedSegment {
  /** Of the segment that takes their place. */
  readonly state: SegmentState;
  /** Whether anything is other than it was. */
  readonly hasChanged: boolean;
  readonly readBytes: number;
  readonly removedRecords: number;
}

export interface CompactionRun {
  /** Resolves with the offset up to which the newest of each key are known. Rejects for what cannot be read. */
  readKeys(): Promise<Offset>;
  /** Rejects for what cannot be read or written; what it wrote until then is left. */
  clean(group: readonly SourceSegment[]): Promise<CleanedSegment>;
  /** Ends it, also while something is under way, which then rejects; afterwards nothing of it is left. */
  end(): Promise<void>;
}

export interface Compactor {
  begin(plan: CompactionPlan, settings: CompactionSettings): Promise<CompactionRun>;
}
