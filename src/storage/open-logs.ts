/**
 * Which logs have their files open at a flush worker, so that there are never too many: three descriptors each. I/O
 * thread. The longest unused ones that are idle are closed first; one that is written again opens them again.
 */

import type { Closable } from './store-context.ts';

const defaultMax = 2000;
/** How many of the longest unused are asked at a time; busy ones say no, and where the disk has no room for the rest. */
const askAtOnce = 8;

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}

export class OpenLogs {
  readonly #max: number;
  /** In the order of use, the longest unused first. */
  readonly #logs = new Set<Closable>();
  #newest: Closable | null = null;

  constructor(max = defaultMax) {
    this.#max = max;
  }

  /** The log was appended to. */
  used(log: Closable): void {
    if (this.#newest === log) return;
    this.#newest = log;
    this.#logs.delete(log);
    this.#logs.add(log);
    if (this.#logs.size > this.#max) this.#closeSome();
  }

  delete(log: Closable): void {
    this.#logs.delete(log);
    if (this.#newest === log) this.#newest = null;
  }

  #closeSome(): void {
    // Who says no goes to the end, so that the next call asks others.
    for (const log of [...take(this.#logs, askAtOnce)]) {
      if (log === this.#newest) continue;
      this.#logs.delete(log);
      void log.closeFilesIfIdle().then((isClosed) => {
        if (!isClosed) this.#logs.add(log);
      });
    }
  }
}
