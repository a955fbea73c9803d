/**
 * Which logs have their files open at a flush worker, so that there are never too many: three descriptors each. I/O
 * thread. The longest unused ones that are idle are closed first; one that is written again opens them again.
 */

import type { Closable } from './store-context.ts';

const defaultMax = 2000;
/** How many of the longest unused are asked at a time; busy ones say no. */
const askAtOnce = 8;

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
    let asked = 0;
    for (const log of this.#logs) {
      if (log === this.#newest || asked++ === askAtOnce) return;
      if (log.closeFilesIfIdle()) this.#logs.delete(log);
    }
  }
}
