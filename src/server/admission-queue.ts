/**
 * Lets connections in one after the other where they come faster than they may: who comes too early waits, and those
 * behind it with it, as in the order of Kafka's acceptors (KIP-612, `max.connection.creation.rate`). I/O thread. Of one
 * origin only some wait, so that it takes several to keep the others out. It does not know what it lets in.
 */

import type { Clock, Timer } from '../base/clock.ts';

export interface AdmissionQueueOptions<Item> {
  readonly clock: Clock;
  /** Counts one that comes to the front; for how long it waits there, in milliseconds. */
  readonly waitMs: () => number;
  readonly admit: (item: Item) => void;
  /** No more than this wait. */
  readonly most: number;
  /** Where an item comes from, such as its client's address. */
  readonly originOf: (item: Item) => string;
  /** No more than this wait of one origin. */
  readonly mostOfOrigin: number;
}

interface Waiting<Item> {
  readonly item: Item;
  readonly origin: string;
}

export class AdmissionQueue<Item> {
  readonly #options: AdmissionQueueOptions<Item>;
  /** In their order; the first waits for its time, the others for those before them. */
  #waiting: Waiting<Item>[] = [];
  /** How many wait, by their origin. */
  readonly #counts = new Map<string, number>();
  #timer: Timer | null = null;

  constructor(options: AdmissionQueueOptions<Item>) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Lets the item in, now or later. False where too many wait, or too many of its origin. */
  enter(item: Item): boolean {
    const { most, originOf, mostOfOrigin } = this.#options;
    if (this.#waiting.length >= most) return false;
    const origin = originOf(item);
    const count = this.#counts.get(origin) ?? 0;
    if (count >= mostOfOrigin) return false;
    this.#counts.set(origin, count + 1);
    this.#waiting.push({ item, origin });
    if (this.#waiting.length === 1) this.#next();
    return true;
  }

  /** Nobody comes in any more. Returns those that waited. */
  close(): readonly Item[] {
    this.#timer?.cancel();
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#counts.clear();
    return waiting.map(({ item }) => item);
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
    if (first === undefined) return;
    const count = this.#counts.get(first.origin) ?? 0;
    if (count > 1) this.#counts.set(first.origin, count - 1);
    else this.#counts.delete(first.origin);
    this.#options.admit(first.item);
  }
}
