/**
 * Whether a file is read at once, by the thread that asks, or by one of libuv's. I/O thread; one pace per open file, one
 * allowance per store.
 *
 *   ─► later ── quick ─► at once ── quick ─► at once …
 *        ▲                  │ slow
 *        └── twice as many ─┘
 *
 * What is in the page cache is copied by this thread in less time than handing it to another takes: that one's wake-up, its
 * answer, and bytes that lie in the wrong core's cache. What is not there would hold everybody up, and nothing in Node asks
 * the kernel which it is. So the last reads of the same file say it: somebody who reads on finds what follows as the kernel kept it or
 * read it ahead. A file's first read is never at once; one that was slow has the next ones done by the other threads, one at first, and
 * twice as many each time, until many were quick in a row.
 *
 * It knows neither files nor their bytes.
 */

import type { Clock } from '../base/clock.ts';

/** From the page cache a MiB takes 0.1 to 0.3 ms, and a thread's wake-ups as long again. */
const quickAtOnceMs = 0.5;
const quickLaterMs = 1;
/** More is for other threads, however quick. */
const mostBytesAtOnce = 2 * 1024 * 1024;
/** Reads that look quick before it is tried again, at most. */
const mostTrials = 1024;
/** So many quick ones in a row halve that: this thread may have lost its core during a read. */
const forgivenAfter = 64;
/** Of its time this thread reads for so large a share, and for so long in a row. */
const allowedShare = 0.5;
const allowedMs = 2;

/** How long this thread may read for now: as a bucket that fills with time. */
export class ReadAllowance {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #leftMs = allowedMs;
  #seenMs: number;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
    this.#seenMs = clock.monotonicMs();
  }

  /** Milliseconds, as the clock has them. */
  get nowMs(): number {
    return this.#clock.monotonicMs();
  }

  hasLeft(nowMs: number): boolean {
    this.#leftMs = Math.min(this.#leftMs + (nowMs - this.#seenMs) * allowedShare, allowedMs);
    this.#seenMs = nowMs;
    return this.#leftMs > 0;
  }

  spend(tookMs: number): void {
    this.#leftMs -= tookMs;
  }
}

export class ReadPace {
  readonly #allowance: ReadAllowance;
  /** Quick reads by other threads that are missing before one is done at once. */
  #missing = 1;
  #trials = 1;
  #quickInRow = 0;

  constructor(allowance: ReadAllowance) {
    this.#allowance = allowance;
  }

  /** Whether the next read, of so many bytes, is done at once. */
  isAtOnce(sizeBytes: number, nowMs: number): boolean {
    return this.#missing === 0 && sizeBytes <= mostBytesAtOnce && this.#allowance.hasLeft(nowMs);
  }

  /** A read was done at once, and took so long. */
  readAtOnce(tookMs: number): void {
    this.#allowance.spend(tookMs);
    if (tookMs > quickAtOnceMs) {
      this.#quickInRow = 0;
      this.#missing = this.#trials;
      this.#trials = Math.min(this.#trials * 2, mostTrials);
    } else if (++this.#quickInRow % forgivenAfter === 0) this.#trials = Math.max(this.#trials / 2, 1);
  }

  /** Another thread did one, and it took so long until this one knew. */
  readLater(tookMs: number): void {
    if (tookMs > quickLaterMs) this.#missing = Math.max(this.#missing, 1);
    else if (this.#missing > 0) this.#missing--;
  }
}
