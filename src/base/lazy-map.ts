/**
 * Maps and sets that take no memory for entries until there is one. Any thread. A log has a dozen of them that mostly stay
 * empty, each of which would take some two hundred bytes, and there may be tens of thousands of logs.
 */

const noEntries: readonly never[] = [];

export class LazyMap<Key, Value> {
  #map: Map<Key, Value> | null = null;

  get size(): number {
    return this.#map?.size ?? 0;
  }

  get(key: Key): Value | undefined {
    return this.#map?.get(key);
  }

  has(key: Key): boolean {
    return this.#map?.has(key) ?? false;
  }

  set(key: Key, value: Value): void {
    (this.#map ??= new Map()).set(key, value);
  }

  delete(key: Key): boolean {
    return this.#map?.delete(key) ?? false;
  }

  clear(): void {
    this.#map = null;
  }

  /** In the order of their first setting, as in a `Map`. */
  keys(): IterableIterator<Key> {
    return this.#map?.keys() ?? noEntries.values();
  }

  values(): IterableIterator<Value> {
    return this.#map?.values() ?? noEntries.values();
  }

  [Symbol.iterator](): IterableIterator<[Key, Value]> {
    return this.#map?.entries() ?? noEntries.values();
  }
}

export class LazySet<Value> {
  #set: Set<Value> | null = null;

  get size(): number {
    return this.#set?.size ?? 0;
  }

  add(value: Value): void {
    (this.#set ??= new Set()).add(value);
  }

  delete(value: Value): boolean {
    return this.#set?.delete(value) ?? false;
  }

  clear(): void {
    this.#set = null;
  }

  [Symbol.iterator](): IterableIterator<Value> {
    return this.#set?.values() ?? noEntries.values();
  }
}
