/**
 * What responses that have not left yet may take, all connections together. I/O thread.
 * Clients that do not read keep what they asked for in the broker's memory. Where that is too much, the connection that
 * keeps most of it ends; one that reads loses nothing by others. It does not know sockets.
 */

/** A connection whose responses wait for it. */
export interface ResponseHolder {
  /** Ends the connection, which gives back what it holds. */
  mustEnd(reason: string): void;
}

export class ResponseBudget {
  readonly #limitBytes: number;
  readonly #held = new Map<ResponseHolder, number>();
  #heldBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** What all hold, in bytes. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** `holder` holds `byBytes` more (or less, where negative). Whoever holds most is ended where it is too much. */
  change(holder: ResponseHolder, byBytes: number): void {
    this.#heldBytes += byBytes;
    const holds = (this.#held.get(holder) ?? 0) + byBytes;
    if (holds === 0) this.#held.delete(holder);
    else this.#held.set(holder, holds);
    while (byBytes > 0 && this.#heldBytes > this.#limitBytes) {
      const before = this.#heldBytes;
      this.#largest()?.mustEnd(
        'it holds the most of the responses that wait to be read, and they take too much memory',
      );
      if (this.#heldBytes >= before) return;
    }
  }

  #largest(): ResponseHolder | null {
    let largest: ResponseHolder | null = null;
    let largestBytes = 0;
    for (const [holder, bytes] of this.#held) {
      if (bytes <= largestBytes) continue;
      largest = holder;
      largestBytes = bytes;
    }
    return largest;
  }
}
