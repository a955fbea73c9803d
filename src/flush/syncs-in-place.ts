/**
 * Whether the flush worker may do a sync itself, rather than by another thread. Flush thread, one per worker; pure.
 *
 *   nothing waits ── syncs take less than half a millisecond ──────────────────────► here: two wake-ups less
 *        │         └ up to two, and nothing came during any of the last ones ──────► here as well
 *        └─ else, and wherever something waits ────────────────────────────────────► another thread
 *
 * Whatever comes meanwhile waits for the sync to end, and so do its acknowledgements: a producer with several requests under
 * way loses more by that than two wake-ups take. One that sends the next request when it has the answer loses nothing,
 * however long the sync: librdkafka with idempotence and batches of a megabyte does so.
 */

import { QuickCalls } from '../base/quick-calls.ts';

/** What others may wait, of whom nothing is known. */
const quickMs = 0.5;
/** What they may, where there seem to be none. */
const quietMs = 2;
/**
 * Or not often: where syncs take a quarter of a millisecond, one in twenty takes twice as long. By way of another thread they
 * take 0.2 ms more, so that for want of quick ones most of those behind it would go that way, though nobody else waits.
 */
const slowInARow = 3;
/** After so many during which nothing came, nothing is expected during the next. */
const quietInARow = 8;

export class SyncsInPlace {
  readonly #quick = new QuickCalls(quickMs, false, slowInARow);
  readonly #bearable = new QuickCalls(quietMs, false, slowInARow);
  #quiet = 0;

  /** Whether the next sync may be done here, where nothing waits now. */
  get areAllowed(): boolean {
    return this.#quick.areQuick || (this.#quiet >= quietInARow && this.#bearable.areQuick);
  }

  /** A sync took so long, here or there; `isQuiet`: no submission came meanwhile. */
  took(durationMs: number, isQuiet: boolean): void {
    this.#quick.took(durationMs);
    this.#bearable.took(durationMs);
    this.#quiet = isQuiet ? Math.min(this.#quiet + 1, quietInARow) : 0;
  }
}
