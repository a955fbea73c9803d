/** Functions that hear of something until they are stopped, called in the order in which they began. Any thread. */

import { PlacedList, type Placed } from './placed-list.ts';

interface Listener<Told> extends Placed {
  readonly call: (told: Told) => void;
}

export class Listeners<Told = void> {
  /** Most have none: it is made with the first. */
  #listeners: PlacedList<Listener<Told>> | null = null;

  get size(): number {
    return this.#listeners?.size ?? 0;
  }

  /** A function given twice is called twice. Returns how to stop it. */
  add(call: (told: Told) => void): () => void {
    const listeners = (this.#listeners ??= new PlacedList());
    const listener: Listener<Told> = { place: -1, call };
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Calls those that are there, also those that are stopped meanwhile. */
  tell(told: Told): void {
    if (this.size === 0) return;
    for (const { call } of [...this.#listeners!]) call(told);
  }

  /** Stops all, and gives them. */
  takeAll(): ((told: Told) => void)[] {
    return this.#listeners?.takeAll().map(({ call }) => call) ?? [];
  }
}
