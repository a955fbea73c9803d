/**
 * The memory that fetched records may take between the log and the client, all connections together. I/O thread.
 *
 *   free  ──reserve──▶  held for one response  ──release, once it has left──▶  free
 *
 * A fetch is granted what it could use, but at most an eighth of what is free and, where that is more, one batch of
 * usual size; less the more its connection holds already. Where nothing is free a fetch waits its turn; it holds nothing
 * meanwhile. Fetches of little, as they are where consumers keep up, do not wait behind those that read a backlog: a
 * sixteenth more is theirs alone. Connections that take no responses while others wait for their memory are dropped, the
 * longest first.
 * It does not read logs.
 */

import { assert } from '../base/assert.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { setPatientTimer } from '../base/patient-timer.ts';
import { PlacedList, type Placed } from '../base/placed-list.ts';
import type { ConnectionContext } from './request-context.ts';

const defaultCapacityBytes = 256 * 1024 * 1024;
/** What every fetch may have: Kafka's default of the largest batch, rounded up. */
export const smallGrantBytes = 1024 * 1024 + 64 * 1024;
const shareOfFree = 8;
/** A fetch of at most so much may have of what is kept for such. */
export const littleBytes = 64 * 1024;
const shareOfLittle = 16;
/** So long a response may take to leave while others wait. */
const patienceMs = 5000;
/** Between two looks for connections to drop: what they held takes a moment to come back. */
const recoveryMs = 100;

/** Whose memory it is. */
export type FetchHolder = Pick<ConnectionContext, 'id' | 'drop'>;

/** Memory held for one response. */
export interface FetchGrant {
  /** What was granted when it was reserved, or is in use since `settle`. */
  readonly sizeBytes: number;
  /**
   * The response is ready: corrects the size to what is in use, more than was granted where the first batch alone is
   * larger. From here on the client is waited for.
   */
  settle(usedBytes: number): void;
  /** Gives it back; once. */
  release(): void;
}

interface Waiting extends Placed {
  readonly holder: FetchHolder;
  readonly wantedBytes: number;
  readonly granted: (grant: FetchGrant) => void;
}

/** A response that waits for its client. */
interface Settled extends Placed {
  readonly holder: FetchHolder;
  /** By `Clock.heardMs`. */
  readonly sinceMs: number;
}

export class FetchMemory {
  readonly #clock: Clock;
  readonly #capacityBytes: number;
  readonly #heldByConnection = new Map<number, number>();
  /** In the order of their coming. */
  readonly #waiting = new PlacedList<Waiting>();
  /** Longest first. */
  readonly #settled = new PlacedList<Settled>();
  #heldBytes = 0;
  /** Of what is kept for those who want little. */
  #keptHeldBytes = 0;
  #patience: Timer | null = null;

  constructor(clock: Clock, capacityBytes = defaultCapacityBytes) {
    this.#clock = clock;
    this.#capacityBytes = capacityBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes + this.#keptHeldBytes;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Reserves up to `wantedBytes`; null where there is no room now. Those who wait for others to read come first, unless
   * it is little that is wanted.
   */
  reserve(holder: FetchHolder, wantedBytes: number): FetchGrant | null {
    const mayPass = this.#waiting.size === 0 || !this.#isShort;
    return (mayPass ? this.#tryReserve(holder, wantedBytes) : null) ?? this.#tryKept(holder, wantedBytes);
  }

  /** Calls `granted` once there is room; returns how to give up. */
  wait(holder: FetchHolder, wantedBytes: number, granted: (grant: FetchGrant) => void): () => void {
    const waiting: Waiting = { place: -1, holder, wantedBytes, granted };
    this.#waiting.add(waiting);
    this.#beginPatience();
    return () => void this.#waiting.delete(waiting);
  }

  /** Whether less is free than every fetch may have. Where more is, who waits does so for what its own connection holds. */
  get #isShort(): boolean {
    return this.#capacityBytes - this.#heldBytes < smallGrantBytes;
  }

  #tryReserve(holder: FetchHolder, wantedBytes: number): FetchGrant | null {
    const freeBytes = this.#capacityBytes - this.#heldBytes;
    const heldBytes = this.#heldByConnection.get(holder.id) ?? 0;
    const shareBytes = Math.max(Math.floor(freeBytes / shareOfFree), smallGrantBytes) - heldBytes;
    const neededBytes = Math.min(wantedBytes, smallGrantBytes);
    if (freeBytes < neededBytes || shareBytes < neededBytes) return null;
    return this.#grant(holder, Math.min(wantedBytes, shareBytes, freeBytes), false);
  }

  /** From what is kept for those who want little. */
  #tryKept(holder: FetchHolder, wantedBytes: number): FetchGrant | null {
    const freeBytes = Math.floor(this.#capacityBytes / shareOfLittle) - this.#keptHeldBytes;
    const heldBytes = this.#heldByConnection.get(holder.id) ?? 0;
    const isLittle = wantedBytes <= littleBytes && heldBytes + wantedBytes <= smallGrantBytes;
    return isLittle && wantedBytes <= freeBytes ? this.#grant(holder, wantedBytes, true) : null;
  }

  #grant(holder: FetchHolder, grantedBytes: number, isKept: boolean): FetchGrant {
    let sizeBytes = 0;
    let settled: Settled | null = null;
    let released = false;
    const resize = (toBytes: number): void => {
      const byBytes = toBytes - sizeBytes;
      sizeBytes = toBytes;
      if (isKept) this.#keptHeldBytes += byBytes;
      else this.#heldBytes += byBytes;
      const heldBytes = (this.#heldByConnection.get(holder.id) ?? 0) + byBytes;
      if (heldBytes === 0) this.#heldByConnection.delete(holder.id);
      else this.#heldByConnection.set(holder.id, heldBytes);
      if (byBytes < 0) this.#serveWaiting();
    };
    resize(grantedBytes);
    return {
      get sizeBytes() {
        return sizeBytes;
      },
      settle: (usedBytes) => {
        assert(settled === null && !released, 'a grant is settled once, before it is released');
        settled = { place: -1, holder, sinceMs: this.#clock.heardMs() };
        this.#settled.add(settled);
        resize(usedBytes);
      },
      release: () => {
        assert(!released, 'a grant is released once');
        released = true;
        if (settled !== null) this.#settled.delete(settled);
        resize(0);
      },
    };
  }

  #serveWaiting(): void {
    this.#waiting.each((waiting) => {
      const { holder, wantedBytes } = waiting;
      const grant = this.#tryReserve(holder, wantedBytes) ?? this.#tryKept(holder, wantedBytes);
      // The next may be of a connection that holds less.
      if (grant === null) return;
      this.#waiting.delete(waiting);
      waiting.granted(grant);
    });
  }

  #beginPatience(): void {
    if (this.#patience !== null || !this.#isShort) return;
    const longest = this.#settled.first;
    const heldMs = longest === null ? 0 : this.#clock.heardMs() - longest.sinceMs;
    this.#patience = setPatientTimer(this.#clock, Math.max(patienceMs - heldMs, recoveryMs), (heardUntilMs) => {
      this.#patience = null;
      if (this.#waiting.size === 0) return;
      this.#dropStalled(heardUntilMs);
      this.#beginPatience();
    });
  }

  /** Drops those who by `untilMs` had not taken a response for too long, until there is room for several others. */
  #dropStalled(untilMs: number): void {
    let expectedBytes = this.#capacityBytes - this.#heldBytes;
    const stalled = new Set<FetchHolder>();
    for (const { holder, sinceMs } of this.#settled) {
      if (untilMs - sinceMs < patienceMs || expectedBytes >= this.#capacityBytes / shareOfFree) break;
      if (stalled.has(holder)) continue;
      stalled.add(holder);
      expectedBytes += this.#heldByConnection.get(holder.id) ?? 0;
    }
    for (const holder of stalled) {
      holder.drop(`it has not taken a response for ${patienceMs} ms, and others wait for the memory of what it holds`);
    }
  }
}
