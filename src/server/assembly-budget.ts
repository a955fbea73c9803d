/**
 * The memory in which all connections together may keep bytes of frames that are not complete, or not yet wanted.
 * I/O thread.
 *
 *   0 ............ limit ............................. hard limit
 *   | anyone grows | one favoured connection may grow, | refused: the
 *   |              | others stop reading; each may add | connection
 *   |              | the one chunk that it had in hand | is closed
 *
 * Were all to stop at the limit, each with a part of a frame, none could ever finish. So one at a time is favoured:
 * it may go on until its frame is whole, for which the room between the limits is enough. If it dawdles while others
 * wait it is closed, and the next is favoured.
 * It does not know frames or sockets, and it does not count what the kernel buffers.
 */

import { assert } from '../base/assert.ts';
import { systemClock } from '../base/clock.ts';
import type { Clock, Timer } from '../base/clock.ts';

/** Who holds or waits for memory: one connection's assembler. */
export interface BudgetHolder {
  /** There is room: reading may go on. */
  roomMade(): void;
  /** It was favoured and did not finish its frame in time while others waited: it must let go of its memory. */
  evicted(): void;
}

export interface AssemblyBudgetOptions {
  /** Bytes above which connections with incomplete frames stop reading. */
  readonly limitBytes: number;
  /** The largest frame that any door takes, in bytes. */
  readonly largestFrameBytes: number;
  /** How far chunks that had been read already may go beyond, in bytes; default: the limit once more. */
  readonly overdraftBytes?: number;
  /** How long the favoured connection may take while others wait, in milliseconds; default 10,000. */
  readonly patienceMs?: number;
  readonly clock?: Clock;
}

/** What a connection that is let go on reading is expected to add before it is asked again, in bytes. */
const expectedChunkBytes = 256 * 1024;

export class AssemblyBudget {
  readonly limitBytes: number;
  readonly hardLimitBytes: number;
  readonly #patienceMs: number;
  readonly #clock: Clock;
  #leasedBytes = 0;
  #peakBytes = 0;
  /** In order of arrival. */
  readonly #waiting = new Set<BudgetHolder>();
  #favoured: BudgetHolder | null = null;
  #patience: Timer | null = null;

  constructor(options: AssemblyBudgetOptions) {
    assert(options.limitBytes > 0 && options.largestFrameBytes > 0, 'an assembly budget has room for something');
    this.limitBytes = options.limitBytes;
    this.hardLimitBytes =
      options.limitBytes + options.largestFrameBytes + (options.overdraftBytes ?? options.limitBytes);
    this.#patienceMs = options.patienceMs ?? 10_000;
    this.#clock = options.clock ?? systemClock;
  }

  get leasedBytes(): number {
    return this.#leasedBytes;
  }

  /** The most that was ever leased at once, in bytes. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Leases a buffer of exactly `byteCount` bytes with undefined content; null beyond the hard limit.
   * `replacedBytes` are leased bytes that the caller gives back right after copying them over.
   */
  lease(byteCount: number, replacedBytes = 0): Uint8Array | null {
    if (this.#leasedBytes - replacedBytes + byteCount > this.hardLimitBytes) return null;
    this.#leasedBytes += byteCount;
    this.#peakBytes = Math.max(this.#peakBytes, this.#leasedBytes);
    // Not from Node's shared pool: a slice of it would keep all 8 KiB alive.
    return Buffer.allocUnsafeSlow(byteCount);
  }

  /** Gives a leased buffer back; nobody may look at it after the caller's own turn. */
  release(buffer: Uint8Array): void {
    this.#leasedBytes -= buffer.byteLength;
    assert(this.#leasedBytes >= 0, 'a buffer is released once');
    this.#wake();
  }

  /** Whether `holder`, which has an incomplete frame, may read more now. */
  mayRead(holder: BudgetHolder): boolean {
    return this.#leasedBytes <= this.limitBytes || this.#favoured === holder;
  }

  /** Calls `holder.roomMade()` once, later, when it may read again. */
  wait(holder: BudgetHolder): void {
    this.#waiting.add(holder);
    // Not at once: the caller is still in the middle of its chunk.
    if (this.#favoured === null) queueMicrotask(() => this.#wake());
  }

  /** `holder` has no incomplete frame any more, or has ended. */
  leave(holder: BudgetHolder): void {
    this.#waiting.delete(holder);
    if (this.#favoured !== holder) return;
    this.#favoured = null;
    this.#patience?.cancel();
    this.#patience = null;
    this.#wake();
  }

  #wake(): void {
    if (this.#waiting.size === 0) return;
    let room = this.limitBytes - this.#leasedBytes;
    for (const holder of this.#waiting) {
      if (room < 0) break;
      room -= expectedChunkBytes;
      this.#waiting.delete(holder);
      holder.roomMade();
    }
    if (this.#favoured !== null || this.#leasedBytes <= this.limitBytes) return;
    const next = this.#waiting.values().next();
    if (next.done) return;
    this.#waiting.delete(next.value);
    this.#favour(next.value);
    next.value.roomMade();
  }

  #favour(holder: BudgetHolder): void {
    this.#favoured = holder;
    const expire = (): void => {
      if (this.#waiting.size === 0) this.#patience = this.#clock.setTimer(this.#patienceMs, expire);
      else holder.evicted();
    };
    this.#patience = this.#clock.setTimer(this.#patienceMs, expire);
  }
}
