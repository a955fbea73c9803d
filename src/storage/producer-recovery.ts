/**
 * The idempotent producers of a partition while it is recovered: the snapshot that holds at the recovery point, and the
 * batches behind it; the named ones among them by what the batches' last records say. At the start, synchronous.
 */

import type { Offset } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import { isControl, isTransactional } from '../records/record-batch.ts';
import { RecordReader } from '../records/record-reader.ts';
import { readControlRecord } from '../records/transaction-marker.ts';
import { isNamedProducerId, noRecordNumber, readIdentity } from '../records/named-records.ts';
import type { FileSystem } from './file-system.ts';
import { NamedProducers } from './named-producers.ts';
import { encodeProducers, readProducers, type ProducerFiles } from './producer-files.ts';
import { ProducerState } from './producer-state.ts';
import type { FileBatch } from './segment-scan.ts';
import type { TransactionEntry } from './transaction-index.ts';

/** What the recovery of producers needs. */
export interface ProducerRecoveryTools {
  readonly fileSystem: FileSystem;
  readonly arena: Arena;
  /** The wall clock: when a batch came the log does not say, so none expires earlier than if it came just now. */
  readonly nowMs: number;
}

export class ProducerRecovery {
  readonly #tools: ProducerRecoveryTools;
  readonly #directory: string;
  readonly #state = new ProducerState();
  readonly #named = new NamedProducers({ used: 0, max: Infinity });
  #savedAs: Offset | null = null;
  #changed = false;

  constructor(tools: ProducerRecoveryTools, directory: string) {
    this.#tools = tools;
    this.#directory = directory;
  }

  /** The offset that the snapshot is named after which holds now; null where no producer is known. */
  get savedAs(): Offset | null {
    return this.#savedAs;
  }

  /** Where the oldest transaction began that is open; -1 where none is. */
  get firstOpenTransaction(): number {
    return this.#state.transactions.firstOpen;
  }

  /** Reads the snapshot named after `offset`, nothing for null; false where it cannot be used. */
  load(offset: Offset | null): boolean {
    if (offset === null) return true;
    const found = readProducers(this.#tools.fileSystem, this.#directory, offset);
    if (found.damage !== null) return false;
    this.#state.load(found.entries);
    this.#named.load(found.named);
    this.#savedAs = offset;
    return true;
  }

  /** Forgets everything, to begin from the first batch. */
  clear(): void {
    this.#state.load([]);
    this.#named.clear();
    this.#savedAs = null;
    this.#changed = true;
  }

  /** Takes the next batch of the log; returns the transaction that it aborts, or null. */
  take(batch: FileBatch): TransactionEntry | null {
    if (batch.producerId < 0) return null;
    this.#changed = true;
    const endOffset = (batch.lastOffset + 1) as Offset;
    const { producerId, producerEpoch, baseSequence, lastOffsetDelta, maxTimestamp, attributes } = batch;
    if (isNamedProducerId(producerId)) {
      this.#takeNamed(batch);
      this.#named.settleUpTo(endOffset);
      return null;
    }
    let aborted: TransactionEntry | null = null;
    if (isControl(attributes)) aborted = this.#takeMarker(batch);
    else {
      this.#state.apply(
        {
          producerId,
          producerEpoch,
          baseSequence,
          lastOffsetDelta,
          maxTimestampMs: maxTimestamp,
          isTransactional: isTransactional(attributes),
        },
        batch.baseOffset,
      );
    }
    this.#state.settleUpTo(endOffset);
    // Nobody is told a last stable offset here, so what has ended need not be kept until somebody asks.
    this.#state.transactions.firstUndecided(endOffset);
    return aborted;
  }

  #takeMarker(batch: FileBatch): TransactionEntry | null {
    const { address, sizeBytes, recordCount, producerId, producerEpoch, maxTimestamp, baseOffset } = batch;
    // Compaction leaves an empty batch of a marker that nobody needs any more.
    if (recordCount === 0) return null;
    const { bytes } = this.#tools.arena;
    const record = new RecordReader(bytes, address, address + sizeBytes);
    const marker = record.next() ? readControlRecord(record) : null;
    if (marker === null) return null;
    const ended = marker.outcome === 'abort' ? this.#state.endedBy(producerId, baseOffset) : null;
    this.#state.applyMarker({ producerId, producerEpoch, timestampMs: maxTimestamp, ...marker }, baseOffset);
    return ended === null ? null : { producerId, lastOffset: baseOffset, ...ended };
  }

  #takeNamed(batch: FileBatch): void {
    const { bytes } = this.#tools.arena;
    const identity = readIdentity(bytes, batch.address, batch.address + batch.sizeBytes);
    // Only the store gives such ids out, to batches that say whose they are.
    if (identity === null) return;
    const { name, number } = identity;
    const { producerId, producerEpoch, baseSequence, baseOffset, lastOffsetDelta } = batch;
    const recordCount = lastOffsetDelta + 1;
    const firstNumber = recordCount === 1 ? number : noRecordNumber;
    this.#named.apply(
      { name, firstNumber, lastNumber: number },
      { producerId, producerEpoch, baseSequence, baseOffset, recordCount, timestampMs: batch.maxTimestamp },
      this.#tools.nowMs,
    );
  }

  /** The snapshot as of `endOffset`, to be written by the caller; null where the last one still holds, or none is needed. */
  snapshotAt(endOffset: Offset): ProducerFiles | null {
    if (!this.#changed) return null;
    if (this.#state.size + this.#named.size === 0) {
      this.#savedAs = null;
      return null;
    }
    this.#savedAs = endOffset;
    return encodeProducers(this.#state, this.#named);
  }
}
