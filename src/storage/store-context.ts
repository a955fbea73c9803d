/**
 * What all logs of one store share. I/O thread. It only holds: each part says itself what it does.
 */

import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { RecencyLinks } from '../base/recency-list.ts';
import type { RandomSource } from '../base/random.ts';
import type { ArenaHeap } from '../memory/arena-heap.ts';
import type { Arena } from '../memory/arena.ts';
import type { IngestRing } from '../memory/ingest-ring.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { FileSystem } from './file-system.ts';
import type { FlushChannel } from './flush-channel.ts';
import type { IndexCache } from './index-cache.ts';
import type { NameBudget } from './named-producers.ts';
import type { RecordValidator } from './record-validation.ts';
import type { SegmentFiles } from './segment-files.ts';
import type { TailSet } from './unsettled-tail.ts';

export interface StoreContext {
  /** The data directory. */
  readonly directory: string;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly arena: Arena;
  readonly heap: ArenaHeap;
  readonly ring: IngestRing;
  /** One for each flush worker. */
  readonly channels: readonly FlushChannel[];
  readonly segmentFiles: SegmentFiles;
  readonly indexes: IndexCache;
  readonly buffers: BufferPool;
  readonly validator: RecordValidator;
  /** Of named producers. */
  readonly names: NameBudget;
  /** What is not settled since the start. */
  readonly tails: TailSet;
  /** Of this run. */
  readonly leaderEpoch: number;
  /** Why nothing is written in this run, as a sentence; null where it is. */
  readonly refusal: string | null;
  /** A number that no log of this run had as its slot. */
  takeSlot(): number;
  /** A log was bound to its worker, or a batch was appended to it; bounds how many are. */
  used(log: Closable): void;
  /** There is a log whose recovery point should move at once. */
  checkpointSoon(): void;
  /** Changes of log start offsets are durable once this resolves. Rejects with the file system's error. */
  saveLogStartOffsets(): Promise<void>;
}

/** A log whose descriptors can be closed while it is idle. */
export interface Closable extends RecencyLinks<Closable> {
  /** Resolves with whether none are open; never rejects. */
  closeFilesIfIdle(): Promise<boolean>;
}
