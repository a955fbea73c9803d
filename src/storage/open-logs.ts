/**
 * Which logs are bound to a flush worker, so that there are never many more than are used: each takes memory there. I/O
 * thread. The longest unused ones that are idle are given up first; one that is written again is bound again.
 * Descriptors are not its matter: the worker itself has no more open than it may (`flush/open-files.ts`).
 */

import { RecencyList } from '../base/recency-list.ts';
import type { Closable } from './store-context.ts';

const defaultMax = 20_000;
/** How many of the longest unused are asked at a time; busy ones say no, and where the disk has no room for the rest. */
const askAtOnce = 8;
/** So many are given up at once: each is synced with its indexes, and more would only wait. */
const closingMax = 64;
/** Whoever wants to know of the count hears of each change by so many. */
const toldEvery = 64;

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}

export class OpenLogs {
  readonly #max: number;
  readonly #onCount: (count: number) => void;
  readonly #logs = new RecencyList<Closable>();
  #closing = 0;
  #told = 0;

  /** `onCount` hears how many there are, roughly. */
  constructor(max = defaultMax, onCount: (count: number) => void = () => {}) {
    this.#max = max;
    this.#onCount = onCount;
  }

  /** The log was appended to. */
  used(log: Closable): void {
    if (this.#logs.newest === log) return;
    this.#logs.use(log);
    if (this.#logs.size > this.#max) this.#closeSome();
    this.#tell();
  }

  delete(log: Closable): void {
    this.#logs.delete(log);
    this.#tell();
  }

  #tell(): void {
    if (Math.abs(this.#logs.size - this.#told) < toldEvery) return;
    this.#told = this.#logs.size;
    this.#onCount(this.#told);
  }

  #closeSome(): void {
    // Who says no goes to the end, so that the next call asks others.
    for (const log of [...take(this.#logs, Math.min(askAtOnce, closingMax - this.#closing))]) {
      if (log === this.#logs.newest) continue;
      this.#logs.delete(log);
      this.#closing++;
      void log.closeFilesIfIdle().then((isClosed) => {
        this.#closing--;
        if (!isClosed && !this.#logs.has(log)) this.#logs.use(log);
      });
    }
  }
}
