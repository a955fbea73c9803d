/**
 * Compares the transaction indexes of a partition's segments with its markers, in step with the scan of the log. Offline,
 * any thread. The format stands in `storage/transaction-index.ts`.
 *
 *   abort marker, with batches of its producer before it ─► an entry for them: what is missing would be shown
 *   entry ─► the abort marker at its last offset
 *
 * Entries say what the log says, but may tell of what was deleted with the log's beginning, and in a compacted log of
 * more than is left.
 */

import { isControl, isTransactional } from '../records/record-batch.ts';
import { RecordReader } from '../records/record-reader.ts';
import { readControlRecord } from '../records/transaction-marker.ts';
import type { FileBatch } from '../storage/segment-scan.ts';
import type { Offset } from '../base/numbers.ts';
import {
  readTransactionEntries,
  transactionEntrySizeBytes,
  type FoundTransactions,
  type TransactionEntry,
} from '../storage/transaction-index.ts';
import type { IndexProblem } from './index-check.ts';

/** What a marker aborts. */
interface Aborted {
  /** Null where nothing of it is in the log. */
  readonly firstOffset: number | null;
  readonly lastStableOffset: number;
}

/** The open transactions of a partition's log, as far as it was scanned. */
export class TransactionsOfLog {
  /** Whether compaction took some of it. */
  hasGaps = false;
  /** Where the log begins; what an entry says of before cannot be compared. */
  firstOffset = -1;
  readonly #bytes: Uint8Array;
  #nextOffset = -1;
  /** First offsets by producer id, ascending. */
  readonly #open = new Map<number, number>();

  /** `bytes` are the arena's, where batches stand that are taken. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Takes the next batch. Returns what it aborts, null where it is no abort marker. */
  take(batch: FileBatch): Aborted | null {
    const { producerId, attributes, baseOffset, lastOffset } = batch;
    if (this.firstOffset < 0) this.firstOffset = baseOffset;
    else if (baseOffset !== this.#nextOffset) this.hasGaps = true;
    this.#nextOffset = lastOffset + 1;
    if (producerId < 0) return null;
    if (!isControl(attributes)) {
      if (isTransactional(attributes) && !this.#open.has(producerId)) this.#open.set(producerId, baseOffset);
      return null;
    }
    const outcome = this.#outcomeOf(batch);
    if (outcome === null) return null;
    const firstOffset = this.#open.get(producerId) ?? null;
    this.#open.delete(producerId);
    if (outcome === 'commit') return null;
    const [nextOpen] = this.#open.values();
    return { firstOffset, lastStableOffset: nextOpen ?? baseOffset + 1 };
  }

  #outcomeOf({ address, sizeBytes, recordCount }: FileBatch) {
    if (recordCount === 0) return null;
    const record = new RecordReader(this.#bytes, address, address + sizeBytes);
    return record.next() ? (readControlRecord(record)?.outcome ?? null) : null;
  }
}

/** Checks the transaction index of the segment at `baseOffset` while `take` is given the segment's batches. */
export class TransactionIndexCheck {
  problem: IndexProblem | null = null;
  readonly #log: TransactionsOfLog;
  readonly #found: FoundTransactions;
  #next = 0;

  constructor(bytes: Uint8Array, baseOffset: Offset, log: TransactionsOfLog) {
    this.#log = log;
    this.#found = readTransactionEntries(bytes, baseOffset, Infinity);
  }

  take(batch: FileBatch): void {
    const aborted = this.#log.take(batch);
    let entry = this.#found.entries[this.#next];
    // Compaction took the marker.
    while (entry !== undefined && entry.lastOffset < batch.baseOffset) entry = this.#found.entries[++this.#next];
    if (entry === undefined || entry.lastOffset > batch.lastOffset) {
      if (aborted === null || aborted.firstOffset === null) return;
      return this.#wrong(
        batch.baseOffset,
        `it has no entry for the marker at offset ${batch.baseOffset}, so that what producer ${batch.producerId} wrote from offset ${aborted.firstOffset} on would be read`,
      );
    }
    this.#next++;
    if (aborted === null || entry.producerId !== batch.producerId) {
      return this.#wrong(
        entry.lastOffset,
        `the entry says that producer ${entry.producerId} aborted at offset ${entry.lastOffset}, where the log has no such marker`,
      );
    }
    this.#compare(entry, aborted);
  }

  #compare({ firstOffset, lastOffset, lastStableOffset }: TransactionEntry, aborted: Aborted): void {
    const began = aborted.firstOffset;
    const { hasGaps } = this.#log;
    const isKnown = (offset: number): boolean => !hasGaps && offset >= this.#log.firstOffset;
    if ((isKnown(firstOffset) && firstOffset !== began) || (began !== null && firstOffset > began)) {
      this.#wrong(
        lastOffset,
        `the entry says that the transaction which ended at offset ${lastOffset} began at ${firstOffset}, and the log that it did at ${began ?? 'none'}`,
      );
    } else if (isKnown(lastStableOffset) && lastStableOffset !== aborted.lastStableOffset) {
      this.#wrong(
        lastOffset,
        `the entry says that the last stable offset behind ${lastOffset} was ${lastStableOffset}, and it was ${aborted.lastStableOffset}`,
      );
    }
  }

  /** All batches of the segment were taken, which ends before `endOffset`. */
  end(endOffset: Offset): void {
    const { entries, problem } = this.#found;
    const left = entries[this.#next];
    if (left !== undefined && left.lastOffset >= endOffset) {
      this.#wrong(left.lastOffset, `an entry ends at offset ${left.lastOffset}, and the segment at ${endOffset}`);
    }
    if (problem !== null) this.#wrong(null, problem, entries.length);
  }

  #wrong(offset: number | null, what: string, entry = Math.max(this.#next - 1, 0)): void {
    this.problem ??= { position: entry * transactionEntrySizeBytes, offset, what };
  }
}
