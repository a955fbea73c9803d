/**
 * Lets connections in one after the other where they come faster than they may: who comes too early waits, and those
 * behind it with it, as in the order of Kafka's acceptors (KIP-612, `max.connection.creation.rate`). I/O thread. It does
 * not know what it lets in.
 */

import type { Clock, Timer } from '../base/clock.ts';

export interface AdmissionQueueOptions<Item> {
  readonly clock: Clock;
  /** Counts one that comes to the front; for how long it waits there, in milliseconds. */
  readonly waitMs: () => number;
  readonly admit: (item: Item) => void;
  /** No more than this wait. */
  readonly most: number;
}

export class AdmissionQueue<Item> {
  readonly #options: AdmissionQueueOptions<Item>;
  /** In their order; the first waits for its time, the others for those before them. */
  #waiting: Item[] = [];
  #timer: Timer | null = null;

  constructor(options: AdmissionQueueOptions<Item>) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Lets the item in, now or later. False where too many wait. */
  enter(item: Item): boolean {
    if (this.#waiting.length >= this.#options.most) return false;
    this.#waiting.push(item);
    if (this.#waiting.length === 1) this.#next();
    return true;
  }

  /** Nobody comes in any more. Returns those that waited. */
  close(): readonly Item[] {
    this.#timer?.cancel();
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  #next(): void {
    const { clock, waitMs } = this.#options;
    while (this.#waiting.length > 0) {
      const delayMs = waitMs();
      if (delayMs > 0) {
        this.#timer = clock.setTimer(delayMs, () => {
          this.#admitFirst();
          this.#next();
        });
        return;
      }
      this.#admitFirst();
    }
  }

  #admitFirst(): void {
    const first = this.#waiting.shift();
    if (first !== undefined) this.#options.admit(first);
  }
}
