/**
 * A request in flight, and its response once there is one. I/O thread. Who owns it writes responses in the order of their
 * requests; see `request-pipeline.ts`.
 */

import type { LaterListener } from '../base/later.ts';

/** A response's bytes with its size prefix, to be sent one after the other; null where none is sent. */
export type Response = readonly Uint8Array[] | null;

/** Who hears of a slot. */
export interface SlotOwner {
  complete(slot: Slot, response: Response): void;
  /** The request could not be served. */
  refuse(error: unknown): void;
}

export class Slot implements LaterListener<Response> {
  response: Response = null;
  sizeBytes = 0;
  ready = false;
  readonly #owner: SlotOwner;

  constructor(owner: SlotOwner) {
    this.#owner = owner;
  }

  settled(value: Response): void {
    try {
      this.#owner.complete(this, value);
    } catch (error) {
      // Whoever gives the response is in the midst of others' work.
      this.failed(error);
    }
  }

  failed(error: unknown): void {
    try {
      this.#owner.refuse(error);
    } catch (defect) {
      // As of a promise whose rejection nobody handles: the process hears of it, and not whoever gave the response.
      queueMicrotask(() => {
        throw defect;
      });
    }
  }
}
