/**
 * Follows transactions through a log that is walked from its begin, to tell what an aborted one wrote, and which markers
 * nothing is left for. The rules are Kafka's (KIP-98, KIP-534). Of whoever runs the compaction.
 */

import type { TransactionOutcome } from '../records/transaction-marker.ts';
import type { AbortedTransaction } from '../storage/partition-log.ts';

/** What a control batch says; `other` ends no transaction, and of `gone` the record was removed. */
export type ControlContent = TransactionOutcome | 'other' | 'gone';

export class TransactionsSeen {
  readonly #aborted: readonly AbortedTransaction[];
  #next = 0;
  readonly #openAborted = new Map<number, { hasBatches: boolean }>();
  /** Producers with batches of a transaction that was committed, or is not known to be aborted. */
  readonly #openCommitted = new Set<number>();

  /** `aborted` in the order of their first offsets. */
  constructor(aborted: readonly AbortedTransaction[]) {
    this.#aborted = aborted;
  }

  /** A batch of records ends at `lastOffset`; whether an aborted transaction wrote it. */
  isAborted(producerId: number, lastOffset: number, isTransactional: boolean): boolean {
    this.#open(lastOffset);
    if (!isTransactional) return false;
    const aborted = this.#openAborted.get(producerId);
    if (aborted === undefined) {
      this.#openCommitted.add(producerId);
      return false;
    }
    aborted.hasBatches = true;
    return true;
  }

  /** A control batch ends at `lastOffset`; whether nothing is left that needs it. */
  isSpent(producerId: number, lastOffset: number, content: ControlContent): boolean {
    this.#open(lastOffset);
    if (content === 'gone') return true;
    if (content === 'commit') return !this.#openCommitted.delete(producerId);
    if (content !== 'abort') return false;
    const aborted = this.#openAborted.get(producerId);
    this.#openAborted.delete(producerId);
    this.#openCommitted.delete(producerId);
    return aborted === undefined || !aborted.hasBatches;
  }

  #open(offset: number): void {
    for (let range = this.#aborted[this.#next]; range !== undefined && range.firstOffset <= offset;) {
      if (!this.#openAborted.has(range.producerId)) this.#openAborted.set(range.producerId, { hasBatches: false });
      range = this.#aborted[++this.#next];
    }
  }
}
