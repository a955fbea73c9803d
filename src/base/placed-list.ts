/**
 * What comes and goes by the thousand, in the order of its coming. Any thread. A `Set` of such things makes garbage that
 * outlives them: each table that it outgrows keeps its entries and points to the next, so that once one is old all later
 * ones are, with the requests in them. Here each knows its place.
 *
 *   items   │ a │ – │ b │ – │ – │ c │      – left; where they are more than those that are there, the next to come has
 *                                            the others move together
 */

import { assert } from './assert.ts';

/** Something that may be in one list at a time. */
export interface Placed {
  /** The list's: where it keeps this one; -1 while it does not. */
  place: number;
}

/** So many places of those that left are nothing to tidy up for. */
const fewHoles = 16;

export class PlacedList<Item extends Placed> implements Iterable<Item> {
  #items: (Item | null)[] = [];
  #first = 0;
  #size = 0;
  /** How many visits are under way: nothing moves meanwhile. */
  #visits = 0;

  get size(): number {
    return this.#size;
  }

  /** The one that has been in it longest. */
  get first(): Item | null {
    if (this.#size === 0) return null;
    while (this.#items[this.#first] === null) this.#first++;
    return this.#items[this.#first]!;
  }

  add(item: Item): void {
    assert(item.place < 0, 'something is added once');
    const holes = this.#items.length - this.#size;
    if (this.#visits === 0 && holes > fewHoles && holes > this.#size) this.#tidy();
    item.place = this.#items.length;
    this.#items.push(item);
    this.#size++;
  }

  /** Takes `item` out; false where it is not among them. */
  delete(item: Item): boolean {
    const { place } = item;
    if (place < 0) return false;
    item.place = -1;
    this.#items[place] = null;
    this.#size--;
    if (this.#size === 0 && this.#visits === 0) this.#empty();
    return true;
  }

  /** Takes all out, and gives them. */
  takeAll(): Item[] {
    const all = [...this];
    for (const item of all) this.delete(item);
    return all;
  }

  /** Calls `visit` with each, also with those that come meanwhile, and not with those that leave before their turn. */
  each(visit: (item: Item) => void): void {
    this.#visits++;
    try {
      for (let i = this.#first; i < this.#items.length; i++) {
        const item = this.#items[i]!;
        if (item !== null) visit(item);
      }
    } finally {
      this.#visits--;
    }
  }

  /** Who goes over them while some come and go takes a copy before, or `each`. */
  *[Symbol.iterator](): Generator<Item> {
    for (const item of this.#items) if (item !== null) yield item;
  }

  #tidy(): void {
    this.#items = this.#items.filter((item) => item !== null);
    this.#first = 0;
    for (const [place, item] of this.#items.entries()) item!.place = place;
  }

  #empty(): void {
    this.#items.length = 0;
    this.#first = 0;
  }
}
