/**
 * Which batches of a fetch a reader of committed records leaves out: markers, and what an aborted transaction wrote
 * (KIP-98). Any thread; for whoever reads batches without Kafka's client.
 *
 *   aborted transactions of the fetch, by first offset ─► producers whose batches are aborted from there on ─┐
 *   batches, in order: an abort marker ends that for its producer                                          ◄─┘
 *
 * It does not know where the last stable offset is: what lies behind it is not in such a fetch.
 */

import { attributesAt, isControl, isTransactional, lastOffsetAt, producerIdAt, recordCountAt } from './record-batch.ts';
import { RecordReader } from './record-reader.ts';
import { readControlRecord } from './transaction-marker.ts';

/** As a fetch answers it. */
export interface AbortedRange {
  readonly producerId: number;
  readonly firstOffset: number;
}

const nothingAborted: readonly AbortedRange[] = [];

export class CommittedBatches {
  readonly #aborted: readonly AbortedRange[];
  #next = 0;
  readonly #producers = new Set<number>();

  /** For the batches of one fetch that answered with `aborted`; null where it read what is not committed too. */
  constructor(aborted: readonly AbortedRange[] | null) {
    this.#aborted =
      aborted === null || aborted.length === 0
        ? nothingAborted
        : aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  /**
   * Whether the whole batch of `sizeBytes` at `at` holds no record for the reader. Ask for each batch of the fetch once,
   * in order. Throws `MalformedRecordsError` where a control batch does not parse.
   */
  hides(bytes: Uint8Array, at: number, sizeBytes: number): boolean {
    const attributes = attributesAt(bytes, at);
    if (this.#aborted.length === 0) return isControl(attributes);
    const lastOffset = lastOffsetAt(bytes, at);
    while (this.#next < this.#aborted.length && this.#aborted[this.#next]!.firstOffset <= lastOffset) {
      this.#producers.add(this.#aborted[this.#next++]!.producerId);
    }
    const producerId = producerIdAt(bytes, at);
    if (!isControl(attributes)) return isTransactional(attributes) && this.#producers.has(producerId);
    if (this.#producers.has(producerId) && isAbortMarker(bytes, at, sizeBytes)) this.#producers.delete(producerId);
    return true;
  }
}

function isAbortMarker(bytes: Uint8Array, at: number, sizeBytes: number): boolean {
  // Compaction leaves a marker's batch without its record.
  if (recordCountAt(bytes, at) === 0) return false;
  const record = new RecordReader(bytes, at, at + sizeBytes);
  return record.next() && readControlRecord(record)?.outcome === 'abort';
}
