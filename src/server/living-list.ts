/**
 * What lives over the connections of a server, in no order. I/O thread. Requests come and go by the thousand, and a `Set`
 * of them makes garbage that outlives them: each table that it outgrows keeps its entries and points to the next, so that
 * once one is old all later ones are, with the requests in them. Here each knows its place.
 */

import { assert } from '../base/assert.ts';
import type { Living } from './http-route.ts';

export class LivingList implements Iterable<Living> {
  readonly #all: Living[] = [];

  get size(): number {
    return this.#all.length;
  }

  add(living: Living): void {
    assert(living.place < 0, 'something begins once');
    living.place = this.#all.length;
    this.#all.push(living);
  }

  /** Does nothing where it is not among them. */
  delete(living: Living): void {
    const { place } = living;
    if (place < 0) return;
    living.place = -1;
    const last = this.#all.pop()!;
    if (last === living) return;
    this.#all[place] = last;
    last.place = place;
  }

  /** Who goes over them while some end takes a copy before. */
  [Symbol.iterator](): Iterator<Living> {
    return this.#all[Symbol.iterator]();
  }
}
