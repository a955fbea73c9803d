/**
 * Whether this thread may wait for the disk, because one client alone has sent anything of late, and waits for it too
 * (`storage/lone-sync.ts`). I/O thread; all doors tell it.
 *
 *   bytes over the connection that was last ──► it may wait once
 *   over another, or a request over HTTP ──► it may not until that is `quietMs` ago
 *
 * Once for all that came at once: what follows from a request after it was answered, and what nobody asked for, must not keep
 * the next one waiting. So whoever comes beside a client that was alone waits for a single sync, and for another at most
 * where that client has sent ahead. A client is a connection here. Who only listens, over a WebSocket or to a stream of events, does
 * not count: what is pushed to him was written by the one who is alone. It does not know sockets.
 */

import type { Clock } from '../base/clock.ts';

/** Several times what a client takes between two requests. */
const quietMs = 100;
const nobody = -1;

export class ActiveClients {
  readonly #clock: Clock;
  #last = nobody;
  /** It sent something since this thread waited last. */
  #hasSent = false;
  /** When somebody beside `#last` sent something last. */
  #othersMs = Number.NEGATIVE_INFINITY;
  /** Requests over HTTP, whose connections are not known. */
  #exchanges = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Bytes came over a connection; `id` is its own among those of all doors. */
  active(id: number): void {
    this.#hasSent = true;
    if (id === this.#last) return;
    if (this.#last !== nobody) this.#othersMs = this.#clock.monotonicMs();
    this.#last = id;
  }

  /** A request began that is none of a connection that is told of. */
  began(): void {
    this.#exchanges++;
  }

  /** It has ended, or its client only listens from here on. */
  ended(): void {
    this.#exchanges--;
    // While there are others nobody asks since when.
    if (this.#exchanges === 0) this.#othersMs = this.#clock.monotonicMs();
  }

  /** Whether this thread may wait for the disk once; who is told so is taken to do it. */
  mayWait(): boolean {
    if (!this.#hasSent || this.#exchanges > 0) return false;
    if (this.#clock.monotonicMs() - this.#othersMs < quietMs) return false;
    this.#hasSent = false;
    return true;
  }
}
