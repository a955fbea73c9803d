/**
 * Compares a segment's two index files with its batches, in step with the scan of the log. Offline, any thread.
 *
 *   .index      each entry: the position where a batch begins, and that batch's last offset
 *   .timeindex  each entry: a timestamp, and the offset in the batch that was the first to bring one so large
 *
 * Entries may be missing, since an index is sparse; what is there must be right. The formats stand in
 * `storage/segment-index.ts`.
 */

import { readInt32, readInt64 } from '../records/big-endian.ts';
import { offsetEntrySizeBytes, timeEntrySizeBytes } from '../storage/segment-index.ts';
import type { FileBatch } from '../storage/segment-scan.ts';

/** What is wrong, and at which byte of the index file. */
export interface IndexProblem {
  readonly position: number;
  readonly offset: number | null;
  readonly what: string;
}

/** Checks the offset index `bytes` of the segment at `baseOffset` while `take` is given the segment's batches. */
export class OffsetIndexCheck {
  problem: IndexProblem | null = null;
  readonly #bytes: Uint8Array;
  readonly #baseOffset: number;
  #at = 0;

  constructor(bytes: Uint8Array, baseOffset: number) {
    this.#bytes = bytes;
    this.#baseOffset = baseOffset;
  }

  take(batch: FileBatch): void {
    if (this.problem !== null || this.#at + offsetEntrySizeBytes > this.#bytes.length) return;
    const position = readInt32(this.#bytes, this.#at + 4);
    if (position > batch.position) return;
    const lastOffset = this.#baseOffset + readInt32(this.#bytes, this.#at);
    if (position < batch.position) {
      this.#found(
        lastOffset,
        `the entry points at position ${position}, where no batch begins or an entry before it led`,
      );
    } else if (lastOffset !== batch.lastOffset) {
      this.#found(
        lastOffset,
        `the entry for position ${position} says offset ${lastOffset}, and the batch there ends at ${batch.lastOffset}`,
      );
    }
    this.#at += offsetEntrySizeBytes;
  }

  /** All batches were taken; `sizeBytes` is where they end. */
  end(sizeBytes: number): void {
    if (this.problem !== null) return;
    if (this.#at + offsetEntrySizeBytes <= this.#bytes.length) {
      const position = readInt32(this.#bytes, this.#at + 4);
      this.#found(null, `the entry points at position ${position}, and the batches end at ${sizeBytes}`);
    } else if (this.#at < this.#bytes.length) {
      this.#found(
        null,
        `its last entry is not whole: ${this.#bytes.length - this.#at} of ${offsetEntrySizeBytes} bytes`,
      );
    }
  }

  #found(offset: number | null, what: string): void {
    this.problem = { position: this.#at, offset, what };
  }
}

/** Checks the time index, as above. */
export class TimeIndexCheck {
  problem: IndexProblem | null = null;
  /** The timestamp of the last entry; -1 where there is none. */
  lastTimestampMs = -1;
  readonly #bytes: Uint8Array;
  readonly #baseOffset: number;
  #at = 0;
  #largestMs = -1;

  constructor(bytes: Uint8Array, baseOffset: number) {
    this.#bytes = bytes;
    this.#baseOffset = baseOffset;
  }

  take(batch: FileBatch): void {
    if (batch.maxTimestamp > this.#largestMs) this.#largestMs = batch.maxTimestamp;
    while (this.problem === null && this.#at + timeEntrySizeBytes <= this.#bytes.length) {
      const timestampMs = readInt64(this.#bytes, this.#at);
      const offset = this.#baseOffset + readInt32(this.#bytes, this.#at + 8);
      if (offset > batch.lastOffset) return;
      if (offset < batch.baseOffset) {
        return this.#found(
          offset,
          `the entry points at offset ${offset}, which lies before that of the entry before it`,
        );
      }
      if (timestampMs <= this.lastTimestampMs) {
        return this.#found(offset, `the timestamp ${timestampMs} is not larger than the one before it`);
      }
      if (timestampMs !== batch.maxTimestamp || timestampMs !== this.#largestMs) {
        return this.#found(
          offset,
          `the entry says timestamp ${timestampMs} for offset ${offset}, and the largest up to there is ${this.#largestMs}`,
        );
      }
      this.lastTimestampMs = timestampMs;
      this.#at += timeEntrySizeBytes;
    }
  }

  /** All batches were taken; a segment that is `sealed` has its largest timestamp in its last entry. */
  end(sealed: boolean): void {
    if (this.problem !== null) return;
    if (this.#at + timeEntrySizeBytes <= this.#bytes.length) {
      const offset = this.#baseOffset + readInt32(this.#bytes, this.#at + 8);
      this.#found(offset, `the entry points at offset ${offset}, which the segment does not have`);
    } else if (this.#at < this.#bytes.length) {
      this.#found(null, `its last entry is not whole: ${this.#bytes.length - this.#at} of ${timeEntrySizeBytes} bytes`);
    } else if (sealed && this.lastTimestampMs < this.#largestMs) {
      this.#found(
        null,
        `its last entry says ${this.lastTimestampMs}, and the segment's largest timestamp is ${this.#largestMs}`,
      );
    }
  }

  #found(offset: number | null, what: string): void {
    this.problem = { position: this.#at, offset, what };
  }
}
