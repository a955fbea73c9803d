/**
 * The idempotent producers of a partition while it is recovered: the snapshot that holds at the recovery point, and the
 * batches behind it. At the start, synchronous.
 */

import type { Offset } from '../base/numbers.ts';
import { replaceFile, readWholeFile } from './checkpoint-file.ts';
import type { FileSystem } from './file-system.ts';
import { decodeProducerSnapshot, encodeProducerSnapshot } from './producer-snapshot.ts';
import { ProducerState } from './producer-state.ts';
import type { FileBatch } from './segment-scan.ts';
import { segmentFileName } from './segment-name.ts';

const largestSnapshotBytes = 512 * 1024 * 1024;

export class ProducerRecovery {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #state = new ProducerState();
  #savedAs: Offset | null = null;
  #changed = false;

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
  }

  /** The offset that the snapshot is named after which holds now; null where no producer is known. */
  get savedAs(): Offset | null {
    return this.#savedAs;
  }

  /** Reads the snapshot named after `offset`, nothing for null; false where it cannot be used. */
  load(offset: Offset | null): boolean {
    if (offset === null) return true;
    const entries = readProducerSnapshot(this.#fileSystem, this.#directory, offset);
    if (entries === null) return false;
    this.#state.load(entries);
    this.#savedAs = offset;
    return true;
  }

  /** Forgets everything, to begin from the first batch. */
  clear(): void {
    this.#state.load([]);
    this.#savedAs = null;
    this.#changed = true;
  }

  take(batch: FileBatch): void {
    if (batch.producerId < 0) return;
    this.#state.apply(
      {
        producerId: batch.producerId,
        producerEpoch: batch.producerEpoch,
        baseSequence: batch.baseSequence,
        lastOffsetDelta: batch.lastOffsetDelta,
        maxTimestampMs: batch.maxTimestamp,
      },
      batch.baseOffset,
    );
    this.#state.settleUpTo((batch.lastOffset + 1) as Offset);
    this.#changed = true;
  }

  /** Writes a snapshot as of `endOffset`, durably, where the last one no longer holds. */
  save(endOffset: Offset): void {
    if (!this.#changed) return;
    if (this.#state.size === 0) {
      this.#savedAs = null;
      return;
    }
    const path = `${this.#directory}/${segmentFileName(endOffset, 'snapshot')}`;
    replaceFile(this.#fileSystem, path, encodeProducerSnapshot(this.#state.entries()));
    this.#savedAs = endOffset;
  }
}

/** The entries of the snapshot named after `offset`; null where it is missing or damaged. */
export function readProducerSnapshot(fileSystem: FileSystem, directory: string, offset: Offset) {
  const path = `${directory}/${segmentFileName(offset, 'snapshot')}`;
  const bytes = readWholeFile(fileSystem, path, largestSnapshotBytes);
  return bytes === null ? null : decodeProducerSnapshot(bytes).entries;
}
