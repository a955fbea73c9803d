/**
 * The ingest ring: where produced batches wait for the disk and stay until the ring comes round. One per I/O thread,
 * which alone reserves and releases; flush workers read ranges that they were handed.
 *
 *   stream:   … │ readable, written │ waiting for the disk │ free …          positions only grow
 *               └ head − capacity   └ tail                 └ head
 *
 * A position maps to `address + position % capacity`. A reservation is contiguous: one that would cross the end skips
 * to the start, and so do those that come once nothing waits in the first megabytes. It does not know batches, partitions or
 * workers.
 */

import { assert } from '../base/assert.ts';
import { asAddress, asRingPosition, type Address, type RingPosition } from '../base/numbers.ts';

const alignmentBytes = 8;
/**
 * So much free at the start is enough to go on there: memory that was used just now is still in a cache, or has a page at least,
 * and the rest of the ring is used only where much waits.
 */
const turnBytes = 8 * 1024 * 1024;

export class IngestRing {
  readonly capacityBytes: number;
  readonly #address: number;
  #head = 0;
  #tail = 0;
  /** The furthest that `#head` ever was: bytes up to there were overwritten, also those of a reservation given back. */
  #furthestHead = 0;
  /** What was skipped last to go on at the start, and where that is: nothing waits there. */
  #skippedBytes = 0;
  #skippedUpTo = 0;
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
    return this.#head - this.#tail - (this.#tail < this.#skippedUpTo ? this.#skippedBytes : 0);
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
    if (start > this.#head) this.#skipTo(start);
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
    // Who noted the head before it skipped, and reserved nothing, comes with a position that the tail is past.
    const isAtSkipped = position >= this.#skippedUpTo - this.#skippedBytes && position < this.#skippedUpTo;
    const tail = isAtSkipped ? this.#skippedUpTo : position;
    assert(tail >= this.#tail && tail <= this.#head, 'a release lies between tail and head');
    this.#tail = tail;
    this.#turnBack();
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

  /** Where a reservation begins. */
  #start(sizeBytes: number): number {
    const remainder = this.#head % this.capacityBytes;
    if (remainder + sizeBytes <= this.capacityBytes) return this.#head;
    return this.#head + this.capacityBytes - remainder;
  }

  /** Goes on at the start where enough is free there, also for who has waited longest. */
  #turnBack(): void {
    const turn = this.#head - (this.#head % this.capacityBytes);
    const freeBytes = this.#tail - turn;
    if (freeBytes < Math.min(turnBytes, this.maxReservationBytes)) return;
    if (this.#waiters.length > 0 && this.#waiters[0]!.sizeBytes > freeBytes) return;
    this.#skipTo(turn + this.capacityBytes);
  }

  /** One skip at most lies between tail and head: the next needs the tail behind it. */
  #skipTo(position: number): void {
    this.#skippedBytes = position - this.#head;
    this.#skippedUpTo = position;
    if (this.#tail === this.#head) this.#tail = position;
    this.#head = position;
  }
}

function alignUp(position: number): number {
  return Math.ceil(position / alignmentBytes) * alignmentBytes;
}
