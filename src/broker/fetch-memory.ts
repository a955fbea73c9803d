/**
 * The memory that fetched records may take between the log and the client, all connections together. I/O thread.
 *
 *   free  ──reserve──▶  held for one response  ──release, once it has left──▶  free
 *
 * A fetch is granted what it could use, but at most an eighth of what is free and, where that is more, one batch of
 * usual size; less the more its connection holds already. So clients that do not read what they asked for leave room
 * for others. Where nothing is free a fetch waits its turn; it holds nothing meanwhile. It does not read logs.
 */

import { assert } from '../base/assert.ts';

const defaultCapacityBytes = 256 * 1024 * 1024;
/** What every fetch may have: Kafka's default of the largest batch, rounded up. */
export const smallGrantBytes = 1024 * 1024 + 64 * 1024;
const shareOfFree = 8;

/** Memory held for one response. */
export interface FetchGrant {
  /** What was granted when it was reserved, or is in use since `settle`. */
  readonly sizeBytes: number;
  /** Corrects the size to what is in use; more than was granted where the first batch alone is larger. */
  settle(usedBytes: number): void;
  /** Gives it back; once. */
  release(): void;
}

interface Waiting {
  readonly connectionId: number;
  readonly wantedBytes: number;
  readonly granted: (grant: FetchGrant) => void;
}

export class FetchMemory {
  readonly #capacityBytes: number;
  readonly #heldByConnection = new Map<number, number>();
  /** In the order of their coming. */
  readonly #waiting = new Set<Waiting>();
  #heldBytes = 0;

  constructor(capacityBytes = defaultCapacityBytes) {
    this.#capacityBytes = capacityBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Reserves up to `wantedBytes`; null where there is no room now. Those who wait for others to read come first. */
  reserve(connectionId: number, wantedBytes: number): FetchGrant | null {
    // With so much free, those who still wait do so for what their own connections hold.
    const mayPass = this.#waiting.size === 0 || this.#capacityBytes - this.#heldBytes >= smallGrantBytes;
    return mayPass ? this.#tryReserve(connectionId, wantedBytes) : null;
  }

  /** Calls `granted` once there is room; returns how to give up. */
  wait(connectionId: number, wantedBytes: number, granted: (grant: FetchGrant) => void): () => void {
    const waiting: Waiting = { connectionId, wantedBytes, granted };
    this.#waiting.add(waiting);
    return () => void this.#waiting.delete(waiting);
  }

  #tryReserve(connectionId: number, wantedBytes: number): FetchGrant | null {
    const freeBytes = this.#capacityBytes - this.#heldBytes;
    const heldBytes = this.#heldByConnection.get(connectionId) ?? 0;
    const shareBytes = Math.max(Math.floor(freeBytes / shareOfFree), smallGrantBytes) - heldBytes;
    const neededBytes = Math.min(wantedBytes, smallGrantBytes);
    if (freeBytes < neededBytes || shareBytes < neededBytes) return null;
    return this.#grant(connectionId, Math.min(wantedBytes, shareBytes, freeBytes));
  }

  #grant(connectionId: number, grantedBytes: number): FetchGrant {
    let sizeBytes = 0;
    let released = false;
    const resize = (toBytes: number): void => {
      const byBytes = toBytes - sizeBytes;
      sizeBytes = toBytes;
      this.#heldBytes += byBytes;
      const heldBytes = (this.#heldByConnection.get(connectionId) ?? 0) + byBytes;
      if (heldBytes === 0) this.#heldByConnection.delete(connectionId);
      else this.#heldByConnection.set(connectionId, heldBytes);
      if (byBytes < 0) this.#serveWaiting();
    };
    resize(grantedBytes);
    return {
      get sizeBytes() {
        return sizeBytes;
      },
      settle: (usedBytes) => {
        assert(!released, 'a grant that was released is not settled');
        resize(usedBytes);
      },
      release: () => {
        assert(!released, 'a grant is released once');
        released = true;
        resize(0);
      },
    };
  }

  #serveWaiting(): void {
    for (const waiting of this.#waiting) {
      const grant = this.#tryReserve(waiting.connectionId, waiting.wantedBytes);
      // The next may be of a connection that holds less.
      if (grant === null) continue;
      this.#waiting.delete(waiting);
      waiting.granted(grant);
    }
  }
}
