/**
 * The ingest ring: where produced batches wait for the disk and stay until the ring comes round. One per I/O thread,
 * which alone reserves and releases; flush workers read ranges that they were handed.
 *
 *   stream:   … │ readable, written │ waiting for the disk │ free …          positions only grow
 *               └ head − capacity   └ tail                 └ head
 *
 * A position maps to `address + position % capacity`. A reservation is contiguous: one that would cross the end skips
 * to the start, and so does any once nothing waits in the first half. It does not know batches, partitions or workers.
 */

import { assert } from '../base/assert.ts';
import { asAddress, asRingPosition, type Address, type RingPosition } from '../base/numbers.ts';

const alignmentBytes = 8;

export class IngestRing {
  readonly capacityBytes: number;
  readonly #address: number;
  #head = 0;
  #tail = 0;
  /** The furthest that `#head` ever was: bytes up to there were overwritten, also those of a reservation given back. */
  #furthestHead = 0;
  #waiters: { sizeBytes: number; proceed: () => void }[] = [];

  constructor(address: Address, capacityBytes: number) {
    this.#address = address;
    this.capacityBytes = capacityBytes;
  }

  /** The largest reservation that is certain to fit once the ring has drained. */
  get maxReservationBytes(): number {
    return this.capacityBytes >>> 1;
  }

  get head(): RingPosition {
    return asRingPosition(this.#head);
  }

  /** Bytes that wait for the disk. */
  get pendingBytes(): number {
    return this.#head - this.#tail;
  }

  /** Whether one contiguous reservation of `sizeBytes` would succeed now. */
  hasRoom(sizeBytes: number): boolean {
    return this.#start(sizeBytes) + sizeBytes <= this.#tail + this.capacityBytes;
  }

  /** Reserves contiguous bytes and returns their position, or null where they would overwrite what still waits. */
  reserve(sizeBytes: number): RingPosition | null {
    assert(sizeBytes > 0 && sizeBytes <= this.maxReservationBytes, 'a reservation fits half the ring');
    const start = this.#start(sizeBytes);
    if (start + sizeBytes > this.#tail + this.capacityBytes) return null;
    this.#head = alignUp(start + sizeBytes);
    if (this.#head > this.#furthestHead) this.#furthestHead = this.#head;
    return asRingPosition(start);
  }

  /** Gives the newest reservation back, `sizeBytes` at `position`: nothing of it will be written. */
  withdraw(position: RingPosition, sizeBytes: number): void {
    assert(this.#head === alignUp(position + sizeBytes), 'only the newest reservation can be given back');
    this.#head = position;
  }

  addressOf(position: RingPosition): Address {
    return asAddress(this.#address + (position % this.capacityBytes));
  }

  /**
   * Whether the bytes from `position` have not been overwritten; a reader asks before it copies, in the thread that fills the
   * ring.
   */
  holds(position: RingPosition): boolean {
    return position >= this.#furthestHead - this.capacityBytes && position < this.#head;
  }

  /** Bytes before this position have been overwritten. */
  get oldestHeld(): RingPosition {
    return asRingPosition(Math.max(this.#furthestHead - this.capacityBytes, 0));
  }

  /** Everything before `position` is on file (or given up): it may be overwritten. Wakes who waits for room. */
  releaseUpTo(position: RingPosition): void {
    assert(position >= this.#tail && position <= this.#head, 'a release lies between tail and head');
    this.#tail = position;
    while (this.#waiters.length > 0 && this.hasRoom(this.#waiters[0]!.sizeBytes)) this.#waiters.shift()!.proceed();
  }

  /**
   * Calls `proceed` as soon as `sizeBytes` fit in one piece, in the order of asking; at once where they do and nobody
   * is ahead. Returns whether it was called at once. Who is woken must reserve before it returns.
   */
  whenRoom(sizeBytes: number, proceed: () => void): boolean {
    assert(sizeBytes <= this.maxReservationBytes, 'a reservation fits half the ring');
    if (this.#waiters.length === 0 && this.hasRoom(sizeBytes)) {
      proceed();
      return true;
    }
    this.#waiters.push({ sizeBytes, proceed });
    return false;
  }

  /**
   * Where a reservation begins. As soon as nothing waits in the first half, it goes on there: memory that is in use is used
   * again, and the second half only where much waits. Half the ring is what may have been promised to one request.
   */
  #start(sizeBytes: number): number {
    const remainder = this.#head % this.capacityBytes;
    const hasTurned = this.#tail - (this.#head - remainder) >= this.maxReservationBytes;
    if (!hasTurned && remainder + sizeBytes <= this.capacityBytes) return this.#head;
    return this.#head + this.capacityBytes - remainder;
  }
}

function alignUp(position: number): number {
  return Math.ceil(position / alignmentBytes) * alignmentBytes;
}
