/**
 * Items in the order of their last use, the longest unused first; each is in one such list at most and holds its own
 * links. Any thread.
 *
 *   #oldest ─► item ─newer─► item ─newer─► … ◄─ #newest
 *
 * A `Set` from which each use deletes an item and adds it again keeps the same order, but copies all of itself whenever its
 * table is full of deleted ones: with ten thousand items a third of a megabyte after every few thousand uses.
 */

/** Changed by the list alone; both null at first. */
export interface RecencyLinks<Item> {
  /** Its neighbour that was used before it. */
  older: Item | null;
  /** Its neighbour that was used after it. */
  newer: Item | null;
}

export class RecencyList<Item extends RecencyLinks<Item>> implements Iterable<Item> {
  #oldest: Item | null = null;
  #newest: Item | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get newest(): Item | null {
    return this.#newest;
  }

  has(item: Item): boolean {
    return item.older !== null || this.#oldest === item;
  }

  /** The item is the one that was used last; takes it in where it is not there. */
  use(item: Item): void {
    if (this.#newest === item) return;
    this.delete(item);
    item.older = this.#newest;
    if (this.#newest === null) this.#oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
    this.#size++;
  }

  /** Does nothing where it is not there. */
  delete(item: Item): void {
    if (!this.has(item)) return;
    const { older, newer } = item;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    item.older = null;
    item.newer = null;
    this.#size--;
  }

  /** The longest unused first. The item at hand may be deleted meanwhile, others not. */
  *[Symbol.iterator](): Generator<Item> {
    let next: Item | null;
    for (let item = this.#oldest; item !== null; item = next) {
      next = item.newer;
      yield item;
    }
  }
}
