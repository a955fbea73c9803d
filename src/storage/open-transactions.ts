/**
 * The transactions of one partition that hold consumers back who read committed: those that are open, and those whose
 * marker consumers do not see yet. I/O thread, one per partition; part of `producer-state.ts`.
 *
 *   begin ──► open ── end(marker) ──► ended ──► forgotten, once the high watermark is past the marker
 *     └ unbegin    └──── reopen ───────┘                     a write failed: as if it never was
 *
 * Offsets only grow, so the transactions stand in the order of their first offsets, and the first one decides where the
 * last stable offset is (KIP-98). It does not know how a transaction ended.
 */

import { assert, present } from '../base/assert.ts';
import type { Offset } from '../base/numbers.ts';
import { LazyMap } from '../base/lazy-map.ts';

interface UndecidedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** The offset of its marker; -1 while it is open. */
  markerOffset: number;
}

const noMarker = -1;
const noTransaction = -1;
const noProducer = -1;

export class OpenTransactions {
  /** By first offset, ascending. */
  readonly #transactions = new LazyMap<number, UndecidedTransaction>();
  /** Those that have a marker, in the order of their markers. */
  #ended: UndecidedTransaction[] = [];
  #toldFirst = noTransaction;

  /**
   * Until `load` all that is known is where the oldest one that is open began, -1 for none: so a log that nobody wrote
   * to since the start needs no file for it.
   */
  tell(firstOffset: number): void {
    this.#toldFirst = firstOffset;
  }

  /** A transaction of `producerId` begins with the batch at `firstOffset`, the last of the log. */
  begin(producerId: number, firstOffset: number): void {
    this.#transactions.set(firstOffset, { producerId, firstOffset, markerOffset: noMarker });
  }

  /** The batch that began it was not written. */
  unbegin(firstOffset: number): void {
    this.#transactions.delete(firstOffset);
  }

  /** The marker at `markerOffset`, the last batch of the log, ends the one that began at `firstOffset`. */
  end(firstOffset: number, markerOffset: number): void {
    const transaction = present(this.#transactions.get(firstOffset), 'a transaction that ends is open');
    transaction.markerOffset = markerOffset;
    this.#ended.push(transaction);
  }

  /** The last marker, which ended the one that began at `firstOffset`, was not written. */
  reopen(firstOffset: number): void {
    const transaction = this.#ended.pop();
    assert(transaction?.firstOffset === firstOffset, 'markers are taken back from the last on');
    transaction.markerOffset = noMarker;
  }

  /** Replaces everything by the open transactions of a snapshot, in any order. */
  load(open: readonly { readonly producerId: number; readonly firstOffset: number }[]): void {
    this.#toldFirst = noTransaction;
    this.#transactions.clear();
    this.#ended = [];
    for (const { producerId, firstOffset } of open.toSorted((a, b) => a.firstOffset - b.firstOffset)) {
      this.begin(producerId, firstOffset);
    }
  }

  /** The first offset of the oldest one that consumers up to `highWatermark` see no marker of; -1 where there is none. */
  firstUndecided(highWatermark: Offset): number {
    let seen = 0;
    while (seen < this.#ended.length && this.#ended[seen]!.markerOffset < highWatermark) {
      this.#transactions.delete(this.#ended[seen]!.firstOffset);
      seen++;
    }
    if (seen > 0) this.#ended.splice(0, seen);
    for (const firstOffset of this.#transactions.keys()) return firstOffset;
    return this.#toldFirst;
  }

  /** The first offset of the oldest one that is open; -1 where there is none. */
  get firstOpen(): number {
    return this.#toldFirst >= 0 ? this.#toldFirst : this.firstOpenBeside(noProducer);
  }

  /** The first offset of the oldest open one that is not `producerId`'s; -1 where there is none. */
  firstOpenBeside(producerId: number): number {
    for (const transaction of this.#transactions.values()) {
      if (transaction.markerOffset === noMarker && transaction.producerId !== producerId) {
        return transaction.firstOffset;
      }
    }
    return noTransaction;
  }
}
