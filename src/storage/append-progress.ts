/**
 * How far a partition's log has come, and who waits for it to come further. I/O thread.
 *
 *   start ── synced ── written ── end        synced ≤ written ≤ end, all end offsets (exclusive)
 *
 * The high watermark is `written`, but stops before the first acks=all batch that is not synced: a consumer never
 * sees what its producer was not yet promised. Each waiter is answered once, in offset order among those who wait for
 * the same thing; an acks=1 append does not wait behind an acks=all one.
 * It does not assign offsets nor know files.
 */

import { assert } from '../base/assert.ts';
import type { Offset } from '../base/numbers.ts';

/** What a waiter waits for. */
export type Stage = 'written' | 'synced';

/** Called once with true when the stage was reached, with false when it never will be. */
export type StageListener = (reached: boolean) => void;

interface Waiter {
  readonly endOffset: Offset;
  readonly listener: StageListener;
}

interface UnsyncedBatch {
  readonly baseOffset: Offset;
  readonly endOffset: Offset;
}

export class AppendProgress {
  #written: Offset;
  #synced: Offset;
  #end: Offset;
  // Lists are null while they are empty: thousands of partitions that are written in turn would each keep some.
  #waitForWritten: Waiter[] | null = null;
  #waitForSynced: Waiter[] | null = null;
  /** The acks=all batches that are not synced, oldest first. */
  #unsynced: UnsyncedBatch[] | null = null;

  /** A log that ends at `endOffset`, all of it on disk. */
  constructor(endOffset: Offset) {
    this.#written = endOffset;
    this.#synced = endOffset;
    this.#end = endOffset;
  }

  get written(): Offset {
    return this.#written;
  }

  get synced(): Offset {
    return this.#synced;
  }

  /** The offset after the last that was assigned. */
  get end(): Offset {
    return this.#end;
  }

  get highWatermark(): Offset {
    const first = this.#unsynced?.[0];
    return first !== undefined && first.baseOffset < this.#written ? first.baseOffset : this.#written;
  }

  /** A batch got the offsets up to `endOffset`. `holdsBack`: consumers see it only once it is synced (acks=all). */
  assigned(endOffset: Offset, holdsBack: boolean): void {
    assert(endOffset > this.#end, 'a batch has at least one offset');
    if (holdsBack) {
      const batch = { baseOffset: this.#end, endOffset };
      if (this.#unsynced === null) this.#unsynced = [batch];
      else this.#unsynced.push(batch);
    }
    this.#end = endOffset;
  }

  /**
   * Calls `listener` once everything below `endOffset` has reached `stage`; at once where it has. `endOffset` may lie
   * before that of others who wait: a retry waits for the batch that it repeats.
   */
  await(endOffset: Offset, stage: Stage, listener: StageListener): void {
    assert(endOffset <= this.#end, 'nobody waits for an offset that was not assigned');
    if (endOffset <= this.#reached(stage)) {
      listener(true);
      return;
    }
    const waiter = { endOffset, listener };
    const waiters = this.#waiters(stage);
    if (waiters === null) return this.#setWaiters(stage, [waiter]);
    let at = waiters.length;
    while (at > 0 && waiters[at - 1]!.endOffset > endOffset) at--;
    waiters.splice(at, 0, waiter);
  }

  /** Everything below `endOffset` is in the file. */
  reachedWritten(endOffset: Offset): void {
    assert(endOffset >= this.#written && endOffset <= this.#end, 'written grows and stays within what was assigned');
    this.#written = endOffset;
    this.#answer('written');
  }

  /** Everything below `endOffset` is on disk. */
  reachedSynced(endOffset: Offset): void {
    assert(endOffset >= this.#synced && endOffset <= this.#written, 'synced grows and stays within what is written');
    this.#synced = endOffset;
    if (this.#unsynced !== null) this.#unsynced = withoutFirst(this.#unsynced, reachedBy(this.#unsynced, endOffset));
    this.#answer('synced');
  }

  /** What is not written never will be: offsets go back to `written`, and who waits for them is told. */
  rollBackToWritten(): void {
    this.#end = this.#written;
    if (this.#unsynced !== null) {
      const written = reachedBy(this.#unsynced, this.#written);
      this.#unsynced = written === 0 ? null : this.#unsynced.slice(0, written);
    }
    this.#abandon('written', this.#written);
    this.#abandon('synced', this.#written);
  }

  /** Nothing more will be synced: every waiter for that is told. The high watermark stays where it is. */
  abandonSync(): void {
    this.#abandon('synced', this.#synced);
  }

  #reached(stage: Stage): Offset {
    return stage === 'written' ? this.#written : this.#synced;
  }

  #waiters(stage: Stage): Waiter[] | null {
    return stage === 'written' ? this.#waitForWritten : this.#waitForSynced;
  }

  #setWaiters(stage: Stage, waiters: Waiter[] | null): void {
    if (stage === 'written') this.#waitForWritten = waiters;
    else this.#waitForSynced = waiters;
  }

  #answer(stage: Stage): void {
    const waiters = this.#waiters(stage);
    if (waiters === null) return;
    const count = reachedBy(waiters, this.#reached(stage));
    if (count === 0) return;
    // Cut out first: a listener may append again.
    const answered = waiters.slice(0, count);
    this.#setWaiters(stage, withoutFirst(waiters, count));
    for (const waiter of answered) waiter.listener(true);
  }

  #abandon(stage: Stage, aboveOffset: Offset): void {
    const waiters = this.#waiters(stage);
    if (waiters === null) return;
    const kept = reachedBy(waiters, aboveOffset);
    this.#setWaiters(stage, kept === 0 ? null : waiters.slice(0, kept));
    for (const waiter of waiters.slice(kept)) waiter.listener(false);
  }
}

/** How many of `ascending` end at or before `endOffset`. */
function reachedBy(ascending: readonly { readonly endOffset: Offset }[], endOffset: Offset): number {
  let count = 0;
  while (count < ascending.length && ascending[count]!.endOffset <= endOffset) count++;
  return count;
}

/** What is left of `items` without the first `count`; null where that is nothing. */
function withoutFirst<Item>(items: Item[], count: number): Item[] | null {
  if (count === items.length) return null;
  if (count > 0) items.splice(0, count);
  return items;
}
