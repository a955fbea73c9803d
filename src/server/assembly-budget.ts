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
 * it may go on until its frame is whole, for which the room between the limits is enough. While others wait, those that
 * send slowest are closed, until the rest fit; so is the favoured one if nothing more comes from it. At the hard limit
 * whoever holds most is closed.
 * It does not know frames or sockets, and it does not count what the kernel buffers.
 */

import { assert, present } from '../base/assert.ts';
import { systemClock } from '../base/clock.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { setPatientTimer } from '../base/patient-timer.ts';
import { SpareBuffers } from './spare-buffers.ts';

/** Who holds or waits for memory: one connection's assembler. */
export interface BudgetHolder {
  /** Bytes that it keeps. */
  readonly keptBytes: number;
  /** Whether the rest of its frame is its peer's to send, rather than the broker behind. */
  readonly awaitsPeer: boolean;
  /** There is room: reading may go on. */
  roomMade(): void;
  /** It was favoured and did not finish its frame in time while others waited: it must let go of its memory. */
  evicted(): void;
  /** Others need the memory, and it holds more of it than they: it must let go whatever it waits for. */
  displaced(): void;
}

/** What is known of one who holds memory. */
interface Holding {
  leasedBytes: number;
  /** Since when its peer can send, by `Clock.heardMs`; null while it waits for memory. */
  sinceMs: number | null;
  /** How long its peer could send before that. */
  earlierMs: number;
}

function sendingMs({ sinceMs, earlierMs }: Holding, nowMs: number): number {
  return earlierMs + (sinceMs === null ? 0 : nowMs - sinceMs);
}

export interface AssemblyBudgetOptions {
  /** Bytes above which connections with incomplete frames stop reading. */
  readonly limitBytes: number;
  /** The largest frame that any door takes, in bytes. */
  readonly largestFrameBytes: number;
  /** How far chunks that had been read already may go beyond, in bytes; default: the limit once more. */
  readonly overdraftBytes?: number;
  /** How long nothing may come from the favoured connection while others wait, in milliseconds; default 1,000. */
  readonly patienceMs?: number;
  readonly clock?: Clock;
}

/** What a connection that is let go on reading is expected to add before it is asked again, in bytes. */
const expectedChunkBytes = 256 * 1024;
/** How much of the limit is left in use once the slowest were closed, so that those who waited have room. */
const evictDownTo = 0.75;
/** When to look again whether those that were let go on have used the room that was expected for them. */
const lookAgainMs = 50;
/** How many of those who wait may send a chunk in that time nevertheless; the hard limit bounds what comes of it. */
const sendersAtOnce = 64;

export class AssemblyBudget {
  readonly limitBytes: number;
  readonly hardLimitBytes: number;
  readonly #patienceMs: number;
  readonly #clock: Clock;
  readonly #spare = new SpareBuffers();
  #leasedBytes = 0;
  #peakBytes = 0;
  readonly #holdings = new Map<BudgetHolder, Holding>();
  /** In order of arrival. */
  readonly #waiting = new Set<BudgetHolder>();
  #favoured: BudgetHolder | null = null;
  /** What the favoured kept when its patience began. */
  #favouredBytes = 0;
  #patience: Timer | null = null;
  #nextLook: Timer | null = null;

  constructor(options: AssemblyBudgetOptions) {
    assert(options.limitBytes > 0 && options.largestFrameBytes > 0, 'an assembly budget has room for something');
    this.limitBytes = options.limitBytes;
    this.hardLimitBytes =
      options.limitBytes + options.largestFrameBytes + (options.overdraftBytes ?? options.limitBytes);
    this.#patienceMs = options.patienceMs ?? 1000;
    this.#clock = options.clock ?? systemClock;
  }

  get leasedBytes(): number {
    return this.#leasedBytes;
  }

  /** The most that was ever leased at once, in bytes, without what was just being copied to a larger buffer. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Leases a buffer of exactly `byteCount` bytes with undefined content to `holder`; null beyond the hard limit. The memory
   * behind it, which is not counted, may be a quarter more (`spare-buffers.ts`).
   * `replacedBytes` are leased bytes that the caller gives back right after copying them over.
   */
  lease(holder: BudgetHolder, byteCount: number, replacedBytes = 0): Uint8Array | null {
    const keepsBytes = byteCount - replacedBytes;
    while (this.#leasedBytes + keepsBytes > this.hardLimitBytes) {
      const before = this.#leasedBytes;
      this.#largestBeside(holder, byteCount)?.displaced();
      if (this.#leasedBytes >= before) return null;
    }
    this.#leasedBytes += byteCount;
    const holding = this.#holdings.get(holder);
    if (holding === undefined) {
      this.#holdings.set(holder, { leasedBytes: byteCount, sinceMs: this.#clock.heardMs(), earlierMs: 0 });
    } else holding.leasedBytes += byteCount;
    this.#peakBytes = Math.max(this.#peakBytes, this.#leasedBytes - replacedBytes);
    return this.#spare.take(byteCount);
  }

  /** Gives a leased buffer back, which may be somebody else's at once: nobody may look at it any more. */
  release(holder: BudgetHolder, buffer: Uint8Array): void {
    this.#leasedBytes -= buffer.byteLength;
    this.#spare.giveBack(buffer);
    const holding = present(this.#holdings.get(holder), 'who gives back holds something');
    holding.leasedBytes -= buffer.byteLength;
    if (holding.leasedBytes === 0) this.#holdings.delete(holder);
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
    const holding = this.#holdings.get(holder);
    if (holding !== undefined) {
      holding.earlierMs = sendingMs(holding, this.#clock.heardMs());
      holding.sinceMs = null;
    }
    // Not at once: the caller is still in the middle of its chunk.
    if (this.#favoured === null) queueMicrotask(() => this.#wake());
    else this.#wakeLater();
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
      this.#goOn(holder);
    }
    this.#wakeLater();
    if (this.#favoured !== null || this.#leasedBytes <= this.limitBytes) return;
    const next = this.#waiting.values().next();
    if (next.done) return;
    this.#waiting.delete(next.value);
    this.#favour(next.value);
    this.#goOn(next.value);
  }

  /** Whether there are others for whom the memory does not suffice. */
  get #isShort(): boolean {
    return this.#waiting.size > 0 || (this.#leasedBytes > this.limitBytes && this.#holdings.size > 1);
  }

  #wakeLater(): void {
    if (this.#waiting.size === 0 || this.#nextLook !== null) return;
    this.#nextLook = this.#clock.setTimer(lookAgainMs, () => {
      this.#nextLook = null;
      if (this.#leasedBytes > this.limitBytes) this.#letSomeSend();
      this.#wake();
    });
  }

  /**
   * Lets a few who wait send one chunk each, above the limit. Who has something to send gets on; who has not is seen to
   * have had the time, and can be told from those who only wait.
   */
  #letSomeSend(): void {
    let left = sendersAtOnce;
    for (const holder of this.#waiting) {
      if (left-- === 0) return;
      this.#waiting.delete(holder);
      this.#goOn(holder);
    }
  }

  #goOn(holder: BudgetHolder): void {
    const holding = this.#holdings.get(holder);
    if (holding !== undefined) holding.sinceMs = this.#clock.heardMs();
    holder.roomMade();
  }

  #favour(holder: BudgetHolder): void {
    this.#favoured = holder;
    const begin = (): void => {
      this.#favouredBytes = holder.keptBytes;
      this.#patience = setPatientTimer(this.#clock, this.#patienceMs, expire);
    };
    const expire = (): void => {
      if (this.#isShort) this.#evictSlowest(holder);
      if (this.#favoured !== holder) return;
      if (this.#isShort && holder.keptBytes <= this.#favouredBytes) holder.evicted();
      else begin();
    };
    begin();
  }

  /** Has those let go that had time and used it least, until what is left fits. */
  #evictSlowest(favoured: BudgetHolder): void {
    const nowMs = this.#clock.heardMs();
    const slow: { readonly holder: BudgetHolder; readonly bytesPerMs: number }[] = [];
    for (const [holder, holding] of this.#holdings) {
      const hadMs = sendingMs(holding, nowMs);
      if (holder === favoured || !holder.awaitsPeer || hadMs < this.#patienceMs) continue;
      slow.push({ holder, bytesPerMs: holder.keptBytes / hadMs });
    }
    slow.sort((a, b) => a.bytesPerMs - b.bytesPerMs);
    for (const { holder } of slow) {
      if (this.#leasedBytes <= this.limitBytes * evictDownTo) return;
      holder.evicted();
    }
  }

  /** Who holds most, and more than `thanBytes`; null where nobody does. */
  #largestBeside(one: BudgetHolder, thanBytes: number): BudgetHolder | null {
    let largest: BudgetHolder | null = null;
    let largestBytes = thanBytes;
    for (const [holder, { leasedBytes }] of this.#holdings) {
      if (holder === one || leasedBytes <= largestBytes) continue;
      largest = holder;
      largestBytes = leasedBytes;
    }
    return largest;
  }
}
