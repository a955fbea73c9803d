/**
 * The events that are still to come in a simulated run, as a binary heap: by time, then by seeded choice, then in the
 * order they were added. Single thread; used by scheduler.ts. It does not know what time it is.
 */

export interface SimulatedEvent {
  readonly atMs: number;
  /** Drawn from the seed; decides among events of the same time. */
  readonly choice: number;
  /** Unique; decides where even the choices are equal. */
  readonly order: number;
  readonly label: string;
  readonly callback: () => void;
}

function isBefore(a: SimulatedEvent, b: SimulatedEvent): boolean {
  if (a.atMs !== b.atMs) return a.atMs < b.atMs;
  return a.choice !== b.choice ? a.choice < b.choice : a.order < b.order;
}

export class EventQueue {
  readonly #heap: SimulatedEvent[] = [];
  /** Cancelled events stay in the heap until they come up. */
  readonly #waiting = new Set<SimulatedEvent>();

  /** Events that were neither taken nor cancelled. */
  get size(): number {
    return this.#waiting.size;
  }

  add(event: SimulatedEvent): void {
    this.#waiting.add(event);
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const above = (index - 1) >> 1;
      if (!isBefore(event, heap[above]!)) break;
      heap[index] = heap[above]!;
      index = above;
    }
    heap[index] = event;
  }

  /** Takes `event` out; does nothing where it was taken or cancelled before. */
  cancel(event: SimulatedEvent): void {
    this.#waiting.delete(event);
  }

  /** Takes the first event, unless it comes after `untilMs` or there is none. */
  takeUntil(untilMs: number): SimulatedEvent | null {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (this.#waiting.has(first) && first.atMs > untilMs) return null;
      this.#removeFirst();
      if (this.#waiting.delete(first)) return first;
    }
    return null;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let below = index * 2 + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++;
      if (!isBefore(heap[below]!, last)) break;
      heap[index] = heap[below]!;
      index = below;
    }
    heap[index] = last;
  }
}
