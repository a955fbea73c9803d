/**
 * The batches that one gathered write takes to the active segment of a partition, and what they add to its indexes. Flush
 * thread. It is there from the first batch to the write: a partition keeps none, of thousands that are written in turn.
 * It writes nothing; see `partition-writer.ts`.
 */

/** An entry counts once the batch at this place in the group is whole in the file; -1: it was before there was a group. */
interface EntryOfBatch {
  readonly at: number;
}

export interface GatheredOffsetEntry extends EntryOfBatch {
  readonly relativeOffset: number;
  readonly position: number;
}

export interface GatheredTimeEntry extends EntryOfBatch {
  readonly timestamp: number;
  readonly relativeOffset: number;
}

export interface GatheredTransactionEntry extends EntryOfBatch {
  readonly entry: Uint8Array;
}

export class WriteGroup {
  readonly sources: Uint8Array[] = [];
  /** Of each source, exclusive. */
  readonly endOffsets: number[] = [];
  readonly offsetEntries: GatheredOffsetEntry[] = [];
  readonly timeEntries: GatheredTimeEntry[] = [];
  readonly transactionEntries: GatheredTransactionEntry[] = [];
  sizeBytes = 0;
  /** Of batches that a sync is to follow. */
  syncedBytes = 0;

  /** Adds a batch; `synced`: a sync is to follow it. */
  add(batch: Uint8Array, endOffset: number, synced: boolean): void {
    this.sources.push(batch);
    this.endOffsets.push(endOffset);
    this.sizeBytes += batch.length;
    if (synced) this.syncedBytes += batch.length;
  }

  /** Whether a sync follows the write. */
  get synced(): boolean {
    return this.syncedBytes > 0;
  }

  /** Whether most of it waits for the disk. */
  get isMostlySynced(): boolean {
    return this.syncedBytes * 2 > this.sizeBytes;
  }

  /** The place of the batch that was added last. */
  get lastPlace(): number {
    return this.sources.length - 1;
  }

  /** How many batches are whole in the first `writtenBytes`, and how many bytes those have. */
  wholeBatches(writtenBytes: number): { readonly count: number; readonly sizeBytes: number } {
    let count = 0;
    let sizeBytes = 0;
    while (count < this.sources.length && sizeBytes + this.sources[count]!.length <= writtenBytes) {
      sizeBytes += this.sources[count]!.length;
      count++;
    }
    return { count, sizeBytes };
  }
}
