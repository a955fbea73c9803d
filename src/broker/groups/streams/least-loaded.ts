/**
 * What has the least to do comes first: a binary heap over a load that only changes while the element is out. Any thread.
 */

export class LeastLoaded<T> {
  readonly #heap: T[] = [];
  readonly #loadOf: (element: T) => number;

  constructor(elements: Iterable<T>, loadOf: (element: T) => number) {
    this.#loadOf = loadOf;
    for (const element of elements) this.add(element);
  }

  add(element: T): void {
    const heap = this.#heap;
    const load = this.#loadOf(element);
    let at = heap.length;
    heap.push(element);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#loadOf(heap[parent]!) <= load) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = element;
  }

  /** Takes out the element with the least load; null where there is none. */
  poll(): T | null {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined) return null;
    if (heap.length > 0) this.#sink(last);
    return first;
  }

  /** Puts an element in where the first one was. */
  #sink(element: T): void {
    const heap = this.#heap;
    const load = this.#loadOf(element);
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#loadOf(heap[child + 1]!) < this.#loadOf(heap[child]!)) child++;
      if (this.#loadOf(heap[child]!) >= load) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = element;
  }
}
