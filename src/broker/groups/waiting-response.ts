/**
 * A response that a client waits for: to a JoinGroup until all have joined, to a SyncGroup until the leader has assigned.
 * I/O thread. It is given up when the client's connection ends; it does not know groups.
 */

import type { ConnectionContext } from '../request-context.ts';

export class WaitingResponse<Response> {
  #response: Response | null = null;
  #state: 'waiting' | 'answered' | 'abandoned' = 'waiting';
  #settle: (() => void) | null = null;
  #onAbandoned: (() => void) | null = null;

  /** Whether the client can still take the response. */
  get isWaiting(): boolean {
    return this.#state === 'waiting';
  }

  /** Gives the response; only the first counts, and none after the connection has ended. */
  answer(response: Response): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'answered';
    this.#response = response;
    this.#onAbandoned = null;
    this.#settle?.();
  }

  /** Calls `listener` when the connection ends before there was a response; replaces the one that was set before. */
  onAbandoned(listener: () => void): void {
    this.#onAbandoned = listener;
  }

  /** For the handler: the response, at once or later, or null where the connection ended before. */
  outcome(connection: ConnectionContext): Response | null | Promise<Response | null> {
    if (this.#state === 'waiting' && !connection.open) this.#abandon();
    if (this.#state !== 'waiting') return this.#response;
    return new Promise((resolve) => {
      const stopListening = connection.onClose(() => this.#abandon());
      this.#settle = () => {
        stopListening();
        resolve(this.#response);
      };
    });
  }

  #abandon(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'abandoned';
    const listener = this.#onAbandoned;
    this.#onAbandoned = null;
    this.#settle?.();
    listener?.();
  }
}
