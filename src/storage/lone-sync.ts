/**
 * Whether the I/O thread may sync a log itself right behind a write, and that sync: two wake-ups of threads less, or four,
 * for the only client that does anything. I/O thread, one per flush queue; `in-place-writer.ts` asks.
 *
 *   one client alone of late ── syncs quick of late ── nothing but the log is to be synced ── the write changes no size
 *      └─ all of it ─► fdatasync here         └─ else ─► the flush worker, as ever
 *
 * Everybody else waits meanwhile, so it is asked each time whether there is anybody (`server/active-clients.ts`). What would
 * grow the file goes to the worker, who makes room ahead as it does so: until that is used up a sync has data alone to write,
 * and is over in the time of one access.
 *
 * It measures what it does itself and what the worker tells of its own syncs, so that it comes back once the disk is quick
 * again; after one that hung, not before a while is over. A sync that failed is never tried again, here or there; who wrote
 * tells the worker. It writes nothing.
 */

import type { Clock } from '../base/clock.ts';
import { systemErrorCode } from '../base/environment-error.ts';
import { QuickCalls } from '../base/quick-calls.ts';
import { FlushFailure } from '../memory/flush-messages.ts';
import type { FileDescriptor, FileSystem } from './file-system.ts';
import { flushFailureOf } from './flush-failure.ts';

/** Of larger groups the sync takes so long that a wake-up does not matter. */
export const maxLoneGroupBytes = 64 * 1024;
/** Whoever comes meanwhile waits as long. */
const quickMs = 0.5;
/** Where syncs take a quarter of a millisecond, one in twenty takes twice as long, which says nothing of the next. */
const slowInARow = 3;
/** Nothing is served while this thread waits for a disk that hangs, and what hung once may soon hang again. */
const hungMs = 50;
const restMs = 10_000;

export interface LoneSyncOptions {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  /** Whether this thread may wait for the disk once, because nobody else waits for it; never, unless given. */
  readonly mayWait?: () => boolean;
}

export class LoneSync {
  readonly #options: LoneSyncOptions;
  readonly #syncs = new QuickCalls(quickMs, false, slowInARow);
  /** Until then the worker alone syncs. */
  #restsUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: LoneSyncOptions) {
    this.#options = options;
  }

  /** Whether a sync may be done here now; who is told so does it. */
  isAllowed(): boolean {
    const { clock, mayWait } = this.#options;
    return this.#syncs.areQuick && clock.monotonicMs() >= this.#restsUntilMs && (mayWait?.() ?? false);
  }

  /** A sync, of the worker or here, took so long. */
  took(durationMs: number): void {
    this.#syncs.took(durationMs);
    if (durationMs >= hungMs) this.#restsUntilMs = this.#options.clock.monotonicMs() + restMs;
  }

  /** Syncs `log`. Returns how that went; throws for a defect alone. */
  sync(log: FileDescriptor): FlushFailure {
    const { fileSystem, clock } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      fileSystem.sync(log);
      return FlushFailure.NONE;
    } catch (error) {
      const failure = flushFailureOf(error);
      // A descriptor that is none was told wrongly.
      if (failure === null || systemErrorCode(error) === 'EBADF') throw error;
      return failure;
    } finally {
      this.took(clock.monotonicMs() - startedMs);
    }
  }
}
