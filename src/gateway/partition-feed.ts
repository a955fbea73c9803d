/**
 * One partition for all its readers: what one of them has read the others share, and those at its end hear when more is
 * there. I/O thread. It lives while somebody reads the partition.
 *
 *   readers at the end ──┐                        ┌─ blocks read last, newest first: whoever asks for an offset in one of
 *   log.onAdvance ─► once after the drain ─► read ─┘  them gets that block
 */

import { EnvironmentError } from '../base/environment-error.ts';
import { ErrorCode, errorName } from '../base/error-code.ts';
import type { Logger } from '../base/logger.ts';
import type { Offset } from '../base/numbers.ts';
import { PlacedList, type Placed } from '../base/placed-list.ts';
import { MalformedRecordsError } from '../records/varint.ts';
import type { IsolationLevel, PartitionLog, ReadResult } from '../storage/partition-log.ts';
import type { Turns } from '../storage/turns.ts';
import type { BlockCache, BlockHolder } from './block-cache.ts';
import { RecordBlock, type Inflate } from './record-block.ts';
import type { Problem } from './topic-creation.ts';

/** A block that holds the offset asked for, or why there is none. Null: nothing is there yet. */
export type FeedRead = RecordBlock | Problem | null;

/** Who waits at the partition's end. */
export interface FeedWaiter extends Placed {
  /** More may be there. */
  advanced(): void;
}

export interface FeedOptions {
  readonly inflate: Inflate;
  readonly logger: Logger;
  /** Of all feeds. */
  readonly cache: BlockCache;
  /** For reads of files: so many readers that are behind would take too much memory at once. */
  readonly turns: Turns;
  /** Nobody reads the partition any more. */
  readonly unused: () => void;
}

/** What one read takes of the log: with what comes before it in a file it fills a buffer of 128 KiB. */
const blockBytes = 120 * 1024;
export function isProblem(read: FeedRead): read is Problem {
  return read !== null && 'errorCode' in read;
}

export class PartitionFeed implements BlockHolder {
  readonly log: PartitionLog;
  readonly #options: FeedOptions;
  readonly #stopListening: () => void;
  #blocks: RecordBlock[] = [];
  /** Reads under way, by offset and isolation. */
  readonly #reading = new Map<string, Promise<FeedRead>>();
  readonly #waiters = new PlacedList<FeedWaiter>();
  #users = 0;
  #wakeScheduled = false;

  constructor(log: PartitionLog, options: FeedOptions) {
    this.log = log;
    this.#options = options;
    this.#stopListening = log.onAdvance(() => this.#advanced());
  }

  use(): void {
    this.#users++;
  }

  /** Of a reader that was counted by `use`. */
  leave(waiter: FeedWaiter): void {
    this.#waiters.delete(waiter);
    if (--this.#users > 0) return;
    this.#stopListening();
    for (const block of this.#blocks) this.#options.cache.remove(block);
    this.#blocks = [];
    this.#options.unused();
  }

  /** As `BlockHolder`. */
  forget(block: RecordBlock): void {
    const i = this.#blocks.indexOf(block);
    if (i >= 0) this.#blocks.splice(i, 1);
  }

  /** Up to where it can be read. */
  endOffset(isolation: IsolationLevel): Offset {
    return isolation === 'read_committed' ? this.log.lastStableOffset : this.log.highWatermark;
  }

  /** Calls `waiter.advanced` once, when there may be more. */
  wait(waiter: FeedWaiter): void {
    if (waiter.place < 0) this.#waiters.add(waiter);
  }

  /**
   * A block that holds the record at `offset`, or what follows it: at once where it was read lately or still lies in the
   * ring. `isBehind` says that what was read before came from files, so that this waits for its turn.
   */
  read(offset: Offset, isolation: IsolationLevel, isBehind = false): FeedRead | Promise<FeedRead> {
    const end = this.endOffset(isolation);
    if (offset === end) return null;
    if (offset >= this.log.logStartOffset) {
      const known = this.#blocks.find(
        (block) =>
          offset >= block.startOffset && offset < block.endOffset && (block.onlyFor ?? isolation) === isolation,
      );
      if (known !== undefined && known.endOffset <= end) {
        this.#options.cache.used(known);
        return known;
      }
    }
    const key = `${offset} ${isolation}`;
    const underWay = this.#reading.get(key);
    if (underWay !== undefined) return underWay;
    try {
      const options = { offset, maxBytes: blockBytes, minOneBatch: true, isolation };
      const result = isBehind ? this.#options.turns.run(async () => this.log.read(options)) : this.log.read(options);
      if (!(result instanceof Promise)) return this.#took(offset, result);
      const reading = result
        .then((found) => this.#took(offset, found))
        .catch((error: unknown) => this.#failed(offset, error))
        .finally(() => this.#reading.delete(key));
      this.#reading.set(key, reading);
      return reading;
    } catch (error) {
      return this.#failed(offset, error);
    }
  }

  #took(offset: Offset, result: ReadResult): FeedRead {
    const { topic, partition, logStartOffset } = this.log;
    try {
      const { errorCode } = result;
      if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
        const message = `The offset ${offset} is not in partition ${partition} of ${topic}, which has ${logStartOffset} to ${this.log.endOffset}.`;
        return { errorCode, message };
      }
      if (errorCode !== ErrorCode.NONE)
        return { errorCode, message: `${errorName(errorCode)}: ${topic}-${partition}.` };
      if (result.records.length === 0) return null;
      const bytes = result.records.slice();
      const { highWatermark, abortedTransactions } = result;
      const { inflate } = this.#options;
      const block = new RecordBlock(topic, partition, offset, highWatermark, bytes, abortedTransactions, inflate);
      this.#blocks.unshift(block);
      this.#options.cache.add(block, this);
      return block;
    } finally {
      result.release();
    }
  }

  #failed(offset: Offset, error: unknown): Problem {
    const { topic, partition } = this.log;
    this.#options.logger.error({ topic, partition, offset, error }, 'Records could not be read.');
    const where = `Partition ${partition} of ${topic} cannot be read at offset ${offset}`;
    if (error instanceof MalformedRecordsError) {
      return { errorCode: ErrorCode.CORRUPT_MESSAGE, message: `${where}: ${error.message}.` };
    }
    const isEnvironment = error instanceof EnvironmentError;
    const errorCode = isEnvironment ? ErrorCode.KAFKA_STORAGE_ERROR : ErrorCode.UNKNOWN_SERVER_ERROR;
    return { errorCode, message: `${where}; see the broker's log.` };
  }

  #advanced(): void {
    if (this.#wakeScheduled || this.#waiters.size === 0) return;
    this.#wakeScheduled = true;
    // Several batches may have become readable in one go.
    queueMicrotask(() => {
      this.#wakeScheduled = false;
      for (const waiter of this.#waiters.takeAll()) waiter.advanced();
    });
  }
}
